package camera

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"veilbox/capture/footage"
)

// A decodeClock gives decode times to pictures in the order they are sent. Where
// n pictures are sent before one that is shown earlier, a picture is decoded when
// the n-th before it is shown: its decode time is the (n+1)th latest time of
// showing so far. How many n is, H.265 says in its parameter sets (§7.4.3.2.1
// sps_max_num_reorder_pics); of H.264 the slice headers tell.
type decodeClock struct {
	codec footage.Codec
	e264  *h264.DTSExtractor
	last  int64
	begun bool
	units [][]byte

	depth  int                   // n, as far as it is known
	latest [maxReorder + 1]int64 // times of showing, the latest first
	n      int
}

// next returns the decode time of a picture: later than that before, and no more
// than spread before it is shown; and with it the presentation time, not before it.
func (d *decodeClock) next(sets *paramSets, nalus [][]byte, pts, spread int64) (int64, int64) {
	if d.codec == footage.H265 {
		d.depth = max(d.depth, min(sets.reorder, maxReorder))
	}
	d.note(pts)
	dts, ok := int64(0), false
	if d.codec != footage.H265 {
		dts, ok = d.extract(sets, nalus, pts)
		if ok = ok && pts-dts < spread; !ok {
			d.e264 = nil
		}
	}
	if !ok {
		dts = d.ordered()
		if pts-dts >= spread {
			d.n, d.latest[0] = 1, pts
			dts = pts
		}
	}
	if d.begun {
		dts = max(dts, d.last+1)
	}
	d.begun, d.last = true, dts
	return dts, max(pts, dts)
}

// note puts pts among the latest.
func (d *decodeClock) note(pts int64) {
	i := 0
	for i < d.n && d.latest[i] > pts {
		i++
	}
	if i == len(d.latest) {
		return
	}
	d.depth = max(d.depth, i)
	d.n = min(d.n+1, len(d.latest))
	copy(d.latest[i+1:d.n], d.latest[i:])
	d.latest[i] = pts
}

// ordered returns the decode time by the order of showing alone. The first
// pictures of a session follow each other closely, as nothing is before it.
func (d *decodeClock) ordered() int64 {
	if d.n <= d.depth {
		return d.latest[d.n-1]
	}
	return d.latest[d.depth]
}

// forget begins the reading of slice headers anew.
func (d *decodeClock) forget() { d.e264 = nil }

func (d *decodeClock) extract(sets *paramSets, nalus [][]byte, pts int64) (dts int64, ok bool) {
	defer func() {
		if recover() != nil {
			dts, ok = 0, false
		}
	}()
	// The extractor keeps what it is given, so it gets the sets' own copies.
	d.units = append(d.units[:0], sets.sps)
	for _, p := range sets.pps {
		if p != nil {
			d.units = append(d.units, p)
		}
	}
	d.units = append(d.units, nalus...)
	if d.e264 == nil {
		d.e264 = &h264.DTSExtractor{}
		d.e264.Initialize()
	}
	dts, err := d.e264.Extract(d.units, pts)
	return dts, err == nil && dts <= pts
}
