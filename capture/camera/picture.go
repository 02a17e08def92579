package camera

import (
	"fmt"
	"time"

	"veilbox/capture/footage"
)

const (
	maxChanges = 12 // of the format
	changesIn  = time.Minute
)

// changes remembers when the format changed last.
type changes struct {
	at [maxChanges]time.Time
	n  int
}

// many notes a change and reports whether there were too many of late.
func (c *changes) many(now time.Time) bool {
	i := c.n % maxChanges
	before := c.at[i]
	c.at[i] = now
	c.n++
	return c.n > maxChanges && now.Sub(before) < changesIn
}

// take keeps p if it is a parameter set, and reports whether it was one.
func (s *session) take(p []byte) bool {
	switch k := kindOf(s.sets.codec, p); k {
	case vps, sps, pps:
		if !s.sets.put(k, p) {
			s.opt.Stats.Malformed.Add(1)
		}
		return true
	}
	return false
}

// unit hands a picture on, without what a container keeps elsewhere.
func (s *session) unit(ts uint32, arrived time.Time, nalus [][]byte) {
	s.nalus = s.nalus[:0]
	key, shown, rasl := false, false, false
	for _, n := range nalus {
		if s.take(n) {
			continue
		}
		switch kindOf(s.sets.codec, n) {
		case useless:
			continue
		case keyframe:
			key, shown = true, true
		case leading:
			rasl, shown = true, true
		case picture:
			shown = true
		}
		s.nalus = append(s.nalus, n)
	}
	if !shown || rasl && s.skipRASL {
		return
	}
	if key {
		s.skipRASL = !s.keyed.Load()
		if !s.reformat() {
			return
		}
	} else if !s.keyed.Load() {
		return
	} else if !rasl {
		s.skipRASL = false
	}
	pts, replaced := s.times.at(ts, arrived, key)
	if replaced {
		s.opt.Stats.Rogue.Add(1)
		s.decode.forget()
	}
	dts, pts := s.decode.next(&s.sets, s.nalus, pts, s.times.spread())
	s.give(footage.AccessUnit{Arrived: arrived, DTS: dts, PTS: pts, Key: key, NALUs: s.nalus})
}

// picture hands a JPEG on, which is shown as it comes.
func (s *session) picture(ts uint32, arrived time.Time, jpeg []byte, width, height int) {
	if width < 16 || height < 16 || width > maxSide || height > maxSide {
		s.opt.Stats.Malformed.Add(1)
		s.opt.Stats.Dropped.Add(1)
		return
	}
	if !s.changed(footage.Format{Codec: footage.MJPEG, Width: width, Height: height}) {
		return
	}
	pts, replaced := s.times.at(ts, arrived, true)
	if replaced {
		s.opt.Stats.Rogue.Add(1)
	}
	if s.decode.begun {
		pts = max(pts, s.decode.last+1)
	}
	s.decode.begun, s.decode.last = true, pts
	s.nalus = append(s.nalus[:0], jpeg)
	s.give(footage.AccessUnit{Arrived: arrived, DTS: pts, PTS: pts, Key: true, NALUs: s.nalus})
}

func (s *session) give(au footage.AccessUnit) {
	if !s.keyed.Swap(true) {
		s.opt.Phase(Playing)
	}
	s.units.Add(1)
	s.opt.Stats.Units.Add(1)
	s.handler.AccessUnit(au)
}

// reformat tells the handler of new parameter sets, at a keyframe, and reports
// whether there is a format at all.
func (s *session) reformat() bool {
	if !s.sets.changed {
		return s.format.Params != nil
	}
	f, err := s.sets.format()
	if err != nil {
		s.opt.Stats.Malformed.Add(1)
		s.opt.Stats.Dropped.Add(1)
		return false
	}
	s.sets.changed = false
	return s.changed(f)
}

// changed tells the handler of a format that is new, and ends the session of a
// camera that never comes to rest: each change begins a new run of the recording.
func (s *session) changed(f footage.Format) bool {
	if f.Equal(s.format) {
		return true
	}
	if s.format.Codec != 0 {
		s.opt.Stats.Formats.Add(1)
		if s.changes.many(s.opt.Clock.Now()) {
			s.fail(ErrUnsteady.With(fmt.Errorf("camera: %d other formats in %v", s.changes.n, changesIn)))
			return false
		}
	}
	s.format = f
	s.handler.Format(f)
	return true
}
