package sheet

import (
	"veilbox/capture/footage"
	"veilbox/redact/mask"
)

// The most between two pictures of a subject that is shown: without a flag, and
// with one.
const (
	Interval        footage.Ticks = footage.TicksPerSecond / 2
	FlaggedInterval footage.Ticks = footage.TicksPerSecond / 4
)

// A Picker decides which frames have a picture of one subject.
type Picker struct {
	last  footage.Ticks
	shown bool
	had   mask.Flags // of the run of flagged frames
}

// Pick reports whether the frame at at has one. next is the time of the frame
// after it: a picture is taken early rather than late.
func (p *Picker) Pick(at, next footage.Ticks, shown bool, flags mask.Flags) bool {
	first := shown && !p.shown
	p.shown = shown
	if !shown || flags == 0 {
		p.had = 0
	}
	if !shown {
		return false
	}
	joined := flags&^p.had != 0
	p.had |= flags
	wait := Interval
	if flags != 0 {
		wait = FlaggedInterval
	}
	if !first && !joined && next-p.last <= wait {
		return false
	}
	p.last = at
	return true
}
