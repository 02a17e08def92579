package camera

import "veilbox/capture/footage"

const (
	audioOff     = footage.TicksPerSecond / 2  // from the pictures, then the sound is tied to them anew
	audioWindow  = 10 * footage.TicksPerSecond // half of what the least delay is taken of
	audioOverlap = footage.TicksPerSecond / 6  // of two units, by the noise of their stamps
)

// An audioLine puts sound on the pictures' time line. The RTP clock of the
// sound counts samples, so it alone says how units follow each other; where they
// lie against the pictures is known from the clock of arrival only, by the least
// delay, as a network makes packets late and never early. Sound that is more
// than half a second off is tied to the clock of arrival anew: at once where it
// is ahead, by the least delay of the last 10 to 20 s where it falls behind.
// Where its time stamps jump, it goes on where it ended.
//
// Units never overlap. What would begin well before the end of the last is left
// out; a little is moved to that end, as some cameras' stamps are taken from a
// clock of milliseconds.
type audioLine struct {
	rate   int64
	begun  bool
	ts     uint32
	pos    int64 // RTP time since the anchor
	anchor int64 // ticks
	end    int64 // of the last unit given
	least  [2]int64
	turned int64
}

func (l *audioLine) ticks(pos int64) int64 {
	return l.anchor + floorDiv(pos*footage.TicksPerSecond, l.rate)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// begin takes the time stamp of a packet that arrived at now on the pictures'
// time line, and reports whether the sound was tied to it anew.
func (l *audioLine) begin(ts uint32, now int64) bool {
	if !l.begun {
		l.begun, l.end = true, now
		l.tie(ts, now, now)
		return false
	}
	jump := floorDiv(int64(int32(ts-l.ts))*footage.TicksPerSecond, l.rate)
	l.pos += int64(int32(ts - l.ts))
	l.ts = ts
	at := l.ticks(l.pos)
	late := now - at
	if now-l.turned > audioWindow {
		l.least[1], l.least[0], l.turned = l.least[0], late, now
	}
	l.least[0] = min(l.least[0], late)
	switch least := min(l.least[0], l.least[1]); {
	case late > rogue, jump < -audioOff, late < -audioOff && jump > audioOff:
		if at = l.end; at < now-rogue || at > now+audioOff {
			at = now
		}
		l.tie(ts, at, now)
	case late < -audioOff:
		l.tie(ts, now, now)
	case least > audioOff:
		l.tie(ts, at+least, now)
	default:
		return false
	}
	return true
}

func (l *audioLine) tie(ts uint32, at, now int64) {
	l.ts, l.pos, l.anchor, l.turned = ts, 0, at, now
	l.least = [2]int64{now - at, now - at}
}

// next returns when the packet's next unit, which lasts n of the RTP clock,
// begins, and for how long it lasts, or false where it is left out.
func (l *audioLine) next(n int64) (pts int64, duration uint32, ok bool) {
	from := l.ticks(l.pos)
	l.pos += n
	l.ts += uint32(n)
	to := l.ticks(l.pos)
	if l.end-from > audioOverlap || to <= from {
		return 0, 0, false
	}
	pts = max(from, l.end)
	l.end = pts + to - from
	return pts, uint32(to - from), true
}
