package camera

import (
	"context"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v4"

	"veilbox/internal/clock"
)

// watch ends the session of a camera that dribbles its answers, sends no video,
// or none that can be begun with.
func (s *session) watch(ctx context.Context) {
	l, c := s.opt.Limits, s.opt.Clock
	opened := c.Now()
	var begun, last, shown time.Time // of PLAY, of the last packet, of the last picture
	var seen, units uint64
	for clock.Sleep(ctx, c, l.Stall/4) == nil {
		now := c.Now()
		if begun.IsZero() {
			switch {
			case s.playing.Load() || s.packets.Load() > 0:
				begun, last, shown = now, now, now
			case now.Sub(opened) >= l.Connect+2*l.Stall:
				s.fail(ErrUnreachable.With(fmt.Errorf("camera: no video asked for and begun in %v", l.Connect+2*l.Stall)))
				return
			}
			continue
		}
		if n := s.packets.Load(); n != seen {
			last, seen = now, n
		}
		if n := s.units.Load(); n != units {
			shown, units = now, n
		}
		stall := l.Stall
		if seen == 0 && s.plan.transport == gortsplib.TransportUDP && s.src.Transport == Auto {
			stall = min(stall, udpFirst)
		}
		switch {
		case now.Sub(last) >= stall:
			s.fail(ErrStall.With(fmt.Errorf("camera: no video packet for %v", stall)))
			return
		case !s.keyed.Load() && now.Sub(begun) >= l.FirstKeyframe:
			s.fail(ErrNoKeyframe.With(fmt.Errorf("camera: %d packets in %v and no keyframe among them", seen, l.FirstKeyframe)))
			return
		case s.keyed.Load() && now.Sub(shown) >= 2*l.Stall:
			s.fail(ErrStall.With(fmt.Errorf("camera: packets come, but no whole picture for %v", 2*l.Stall)))
			return
		}
	}
}
