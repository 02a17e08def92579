package capture

import (
	"time"

	"veilbox/capture/footage"
)

// Bounds of the GOP that is kept so that a viewer who comes late has a picture
// at once. Of a longer one only the keyframe is kept.
const (
	gopBytes = 4 << 20
	gopUnits = 300
	gopTime  = 10 * time.Second
	gopStale = 5 * time.Second // without a new picture: it is live no more
)

// A gop is the GOP under way, copied into buffers that are used again.
type gop struct {
	arena []byte
	ends  []int     // in arena, of each NAL unit
	units []gopUnit // the first is a keyframe
	over  bool      // it outgrew its bounds: only the keyframe is there
	last  time.Time // arrival of the latest picture
}

type gopUnit struct {
	au    footage.AccessUnit // without its NAL units
	nalus int                // in ends, where its own stop
}

func (g *gop) reset() {
	g.arena, g.ends, g.units, g.over = g.arena[:0], g.ends[:0], g.units[:0], false
}

func (g *gop) add(au *footage.AccessUnit) {
	switch {
	case au.Key:
		g.reset()
	case len(g.units) == 0:
		return
	}
	g.last = au.Arrived
	if g.over {
		return
	}
	size := 0
	for _, n := range au.NALUs {
		size += len(n)
	}
	if !au.Key && (len(g.arena)+size > gopBytes || len(g.units) == gopUnits || au.Arrived.Sub(g.units[0].au.Arrived) > gopTime) {
		first := g.units[0].nalus
		g.units, g.ends, g.over = g.units[:1], g.ends[:first], true
		g.arena = g.arena[:g.ends[first-1]]
		return
	}
	for _, n := range au.NALUs {
		g.arena = append(g.arena, n...)
		g.ends = append(g.ends, len(g.arena))
	}
	u := gopUnit{au: *au, nalus: len(g.ends)}
	u.au.NALUs = nil
	g.units = append(g.units, u)
}

// unit returns a copy of the i-th picture.
func (g *gop) unit(i int) footage.AccessUnit {
	first, from := 0, 0
	if i > 0 {
		first = g.units[i-1].nalus
	}
	if first > 0 {
		from = g.ends[first-1]
	}
	au := g.units[i].au
	for _, end := range g.ends[first:g.units[i].nalus] {
		au.NALUs = append(au.NALUs, g.arena[from:end])
		from = end
	}
	return clone(&au)
}

// replay returns copies of all pictures, none where they are incomplete or old.
func (g *gop) replay(f footage.Format, now time.Time) []*Frame {
	if len(g.units) == 0 || g.over || now.Sub(g.last) > gopStale {
		return nil
	}
	out := make([]*Frame, len(g.units))
	for i := range out {
		out[i] = &Frame{Format: f, Unit: g.unit(i), Replayed: true}
	}
	return out
}
