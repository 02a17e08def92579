package camera

import (
	"time"

	"veilbox/capture/footage"
)

const (
	rogue      = 10 * footage.TicksPerSecond // off the clock of arrival
	rogueBack  = 2 * footage.TicksPerSecond  // behind the latest picture; more than any reordering
	shake      = footage.TicksPerSecond / 10 // of stamps that are a little off
	slowGroup  = 5 * footage.TicksPerSecond  // of reordered pictures, a few of which come in a second
	maxReorder = 16                          // pictures (H.264 §A.3.1 h, H.265 §A.4.2)
	knownPace  = 8                           // pictures from which the pace is known
	skewWeight = 256                         // how slowly the expected skew follows
)

// A timeline turns RTP time stamps, 32 bits that wrap, into ticks from 0 at
// the first picture. A camera's clock may drift, and its packets may be late;
// but a time stamp more than 10 s from where the clock of arrival expects it,
// or further behind the latest than reordering explains, is replaced by the
// clock of arrival, and the stream goes on from there. Nothing is shown before
// what was sent before a keyframe, so there even a short step back, as of a
// clock that is set, is told from reordering.
type timeline struct {
	begun     bool
	ts        uint32
	pts       int64
	highest   int64
	pace      int64 // from one latest picture to the next, of late
	paced     int   // pictures that it was learnt from, up to knownPace
	jump      int64 // the last one of these steps, within which reordered pictures lie
	beginning time.Time
	skew      int64 // what stream less arrival has been of late
	// The most that it has been, this window and before: that of the pictures
	// which were delayed least.
	ahead  [2]int64
	turned int64 // when the window began, by the clock of arrival
}

// at returns when a picture is presented, and whether its stamp was replaced.
func (l *timeline) at(ts uint32, arrived time.Time, key bool) (int64, bool) {
	if !l.begun {
		*l = timeline{begun: true, ts: ts, beginning: arrived}
		return 0, false
	}
	pts := l.pts + int64(int32(ts-l.ts))
	l.ts = ts
	clock := int64(footage.TicksIn(arrived.Sub(l.beginning)))
	off := pts - clock - l.skew
	replaced := false
	if off > rogue || off < -rogue || l.highest-pts > l.reorder(key) {
		pts = max(clock+l.skew, l.highest+1)
		l.skew = pts - clock
		l.ahead, l.turned = [2]int64{l.skew, l.skew}, clock
		replaced = true
	} else {
		l.skew += off / skewWeight
	}
	if clock-l.turned > audioWindow {
		l.ahead[1], l.ahead[0], l.turned = l.ahead[0], pts-clock, clock
	}
	l.ahead[0] = max(l.ahead[0], pts-clock)
	if pts > l.highest && !replaced {
		if l.paced < knownPace {
			l.paced++
		}
		l.jump = pts - l.highest
		l.pace += (l.jump - l.pace) / int64(l.paced)
	}
	l.pts, l.highest = pts, max(l.highest, pts)
	return pts, replaced
}

// reorder returns how far behind the latest a picture may be.
func (l *timeline) reorder(key bool) int64 {
	within := l.jump
	if within > slowGroup {
		within = 0 // a pause
	}
	switch {
	case key:
		return shake
	case l.paced < knownPace:
		return max(rogueBack, within)
	}
	return max(min(max(maxReorder*l.pace, shake), rogueBack), within)
}

// spread returns how long before it is shown a picture may be decoded: of few
// pictures a second, each is waited for longer.
func (l *timeline) spread() int64 { return max(rogueBack, min(3*l.pace, rogue)) }

// now returns the stream's time at an instant of the clock of arrival, by the
// pictures that were delayed least of late.
func (l *timeline) now(arrived time.Time) int64 {
	return int64(footage.TicksIn(arrived.Sub(l.beginning))) + max(l.ahead[0], l.ahead[1])
}
