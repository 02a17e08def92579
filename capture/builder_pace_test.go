package capture

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"veilbox/capture/footage"
)

// A paced is a camera that sends groups of between pictures which are shown
// before a picture that is sent first.
type paced struct {
	fps, between, gop int // gop in seconds
	ppm               int64
	burst             bool // each group is sent at once, when its last picture is taken
	late              *rand.Rand
}

func (c paced) String() string {
	return fmt.Sprintf("%d fps, %d between, %d s, %d ppm, burst %v", c.fps, c.between, c.gop, c.ppm, c.burst)
}

// shown returns which picture is shown, and whether it is a keyframe, of those
// sent in order from 0.
func (c paced) shown(n int) (int, bool) {
	gop := c.fps * c.gop
	at := n % gop
	if at == 0 {
		return n, true
	}
	group := (at - 1) / (c.between + 1) * (c.between + 1)
	size := min(c.between+1, gop-1-group)
	within := at - 1 - group
	switch {
	case within == 0:
		return n + size - 1, false
	case size == 4 && within < 3: // the middle one goes before its neighbours
		return n - 2*(within-1), false
	}
	return n - 1, false
}

// Whatever the pace, the reordering and the GOP: a steady camera's recording has
// no seam, and each picture has the time at which it was taken.
func TestEveryPace(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, fps := range []int{1, 2, 3, 5, 8, 15, 25, 60} {
		for between := range 4 {
			for _, ppm := range []int64{0, 200, -200} {
				c := paced{fps: fps, between: between, gop: 1 + rnd.IntN(10), ppm: ppm, burst: rnd.IntN(2) == 0, late: rnd}
				if c.fps*c.gop < 2 {
					c.gop = 2
				}
				c.run(t)
			}
		}
	}
}

func (c paced) run(t *testing.T) {
	const second, seconds = footage.TicksPerSecond, 3600
	frame := int64(second / c.fps)
	depth := min(c.between, 2)
	if depth == 2 && c.between == 2 {
		depth = 1
	}
	var parts []footage.Part
	b := newBench()
	b.give = func(p *footage.Part) { p.Data = nil; parts = append(parts, *p) }
	var shownAt []int64 // in the order sent
	var last, arrived int64
	latest := []int64{}
	for n := range seconds * c.fps {
		k, key := c.shown(n)
		pts := int64(k) * frame
		latest = append(latest, pts)
		for i := len(latest) - 1; i > 0 && latest[i-1] < latest[i]; i-- {
			latest[i-1], latest[i] = latest[i], latest[i-1]
		}
		latest = latest[:min(len(latest), depth+1)]
		dts := latest[len(latest)-1]
		if n > 0 {
			dts = max(dts, last+1)
		}
		last = dts
		at := int64(n) * frame
		if c.burst && !key {
			at = max(at, int64(k)*frame)
		}
		at += at * c.ppm / 1_000_000
		arrived = max(arrived, at+c.late.Int64N(second*3/10))
		au := footage.AccessUnit{DTS: dts, PTS: pts, Key: key, NALUs: [][]byte{{1}}}
		if pts < dts {
			t.Fatalf("%v: picture %d is shown before it is decoded", c, n)
		}
		b.add(&au, wall0+footage.Ticks(arrived), arrived)
		shownAt = append(shownAt, int64(k)*frame+int64(k)*frame*c.ppm/1_000_000)
	}
	b.end()
	// A clock that is 200 ppm off is half a second off after 42 minutes.
	allowed := uint64(0)
	if c.ppm != 0 {
		allowed = 2
	}
	if b.drifts > allowed || b.gaps != 0 || b.steps != 0 || b.sound.dropped != 0 {
		t.Errorf("%v: %d drifts, %d gaps, %d steps", c, b.drifts, b.gaps, b.steps)
	}
	n, worst := 0, int64(0)
	for i := range parts {
		p := &parts[i]
		if i > 0 && p.Start != parts[i-1].Span().To && b.drifts == 0 {
			t.Fatalf("%v: part %d begins %v after the one before", c, i, (p.Start - parts[i-1].Span().To).Duration())
		}
		at := p.Start
		for _, s := range p.Samples {
			off := int64(at-wall0) + int64(s.Offset) - shownAt[n]
			worst = max(worst, off, -off)
			at += footage.Ticks(s.Duration)
			n++
		}
	}
	// What the first picture was late by, and the drift that is let be.
	if limit := int64(second*3/10) + max(tolerance*bool2int(c.ppm != 0), frame); n != len(shownAt) || worst > limit {
		t.Errorf("%v: %d pictures of %d; the worst is %v off", c, n, len(shownAt), footage.Ticks(worst).Duration())
	}
}

func bool2int(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
