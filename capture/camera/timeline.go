package camera

import (
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"veilbox/capture/footage"
)

const (
	rogue      = 10 * footage.TicksPerSecond // off the clock of arrival
	rogueBack  = 2 * footage.TicksPerSecond  // behind the latest picture; more than any reordering
	shake      = footage.TicksPerSecond / 10 // of stamps that are a little off
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
		l.pace += (pts - l.highest - l.pace) / int64(l.paced)
	}
	l.pts, l.highest = pts, max(l.highest, pts)
	return pts, replaced
}

// reorder returns how far behind the latest a picture may be.
func (l *timeline) reorder(key bool) int64 {
	switch {
	case key:
		return shake
	case l.paced < knownPace:
		return rogueBack
	}
	return min(max(maxReorder*l.pace, shake), rogueBack)
}

// now returns the stream's time at an instant of the clock of arrival, by the
// pictures that were delayed least of late.
func (l *timeline) now(arrived time.Time) int64 {
	return int64(footage.TicksIn(arrived.Sub(l.beginning))) + max(l.ahead[0], l.ahead[1])
}

// A decodeClock gives decode times to pictures in the order they are sent.
type decodeClock struct {
	codec footage.Codec
	e264  *h264.DTSExtractor
	e265  *h265.DTSExtractor
	last  int64
	begun bool
	units [][]byte
}

// next returns the decode time of a picture: later than that before, and with
// it the presentation time, not before it. Where the extractor, which looks
// into slice headers for reordered pictures, finds none, the picture is taken
// as sent in the order it is shown.
func (d *decodeClock) next(sets *paramSets, nalus [][]byte, pts int64) (int64, int64) {
	dts, ok := d.extract(sets, nalus, pts)
	if !ok {
		d.e264, d.e265 = nil, nil
		dts = pts
	}
	if d.begun {
		dts = max(dts, d.last+1)
	}
	d.begun, d.last = true, dts
	return dts, max(pts, dts)
}

func (d *decodeClock) extract(sets *paramSets, nalus [][]byte, pts int64) (dts int64, ok bool) {
	defer func() {
		if recover() != nil {
			dts, ok = 0, false
		}
	}()
	// The extractor keeps what it is given, so it gets the sets' own copies.
	d.units = d.units[:0]
	if sets.vps != nil {
		d.units = append(d.units, sets.vps)
	}
	d.units = append(d.units, sets.sps)
	for _, p := range sets.pps {
		if p != nil {
			d.units = append(d.units, p)
		}
	}
	d.units = append(d.units, nalus...)
	var err error
	if d.codec == footage.H265 {
		if d.e265 == nil {
			d.e265 = &h265.DTSExtractor{}
			d.e265.Initialize()
		}
		dts, err = d.e265.Extract(d.units, pts)
	} else {
		if d.e264 == nil {
			d.e264 = &h264.DTSExtractor{}
			d.e264.Initialize()
		}
		dts, err = d.e264.Extract(d.units, pts)
	}
	return dts, err == nil && dts <= pts && pts-dts < rogueBack
}
