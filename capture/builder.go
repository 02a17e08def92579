package capture

import (
	"veilbox/capture/footage"
)

const (
	maxPartTicks   = 2 * footage.TicksPerSecond
	shortPart      = footage.TicksPerSecond * 51 / 50 // 1 s, and what stamps may jitter
	maxPartBytes   = 4 << 20
	maxPartSamples = 1024
	tolerance      = footage.TicksPerSecond / 2  // of clocks that run apart
	window         = 15 * footage.TicksPerSecond // half of what the drift is judged by
	usualSample    = footage.TicksPerSecond / 25 // of a session's only picture
	maxGap         = 5 * footage.TicksPerSecond  // no picture lasts longer
)

// A builder makes parts of access units.
//
// A part holds as many whole GOPs as fit in a second, so that short ones do not
// cost a write each. A longer GOP is a part of its own, split after two seconds.
//
// Within a session a part begins where the one before ended by stream time, so
// that a recording plays without seams. Stream time is tied to the wall clock
// at the session's first picture, and the tie is judged at each part: where the
// camera's clock has drifted by more than half a second from the box's
// monotonic clock, or the wall clock was stepped forward, the next part begins
// where it should and a gap is left; where the camera runs ahead, the part that
// ends is shortened. A wall clock stepped back cannot be followed without two
// recordings of the same moment: the recording goes on counting from the
// stream, ahead of the clock, until an interruption lets the clock catch up. No
// part begins before the end of the last.
//
// Where a picture comes more than five seconds of stream time after the one
// before, because the camera paused or a clock jumped, the part ends with the
// picture before, and the stream is tied to the wall clock anew.
//
// Arrival is late by what the network delays, so drift is judged by the least
// delay of the last 15 to 30 s, and by no less than a picture lasts. Reordered
// pictures are decoded well before they are shown, how long before is known only
// when the first have come, and some cameras send several at once: so the delay is
// that of the n-th picture sent against the n-th shown.
type builder struct {
	cam  footage.CameraID
	fits func(bytes int) bool // whether a part of that many bytes may be held
	take func() *footage.Part // a part to fill
	give func(*footage.Part)  // takes a finished part

	format   footage.Format
	reformed bool // the format is new
	cur      *footage.Part
	gops     int   // of the part, whole or begun
	gopDTS   int64 // of the last keyframe
	dropping bool
	sound    soundQueue
	ended    footage.Ticks // where the last part given ended

	live     bool  // the session has a picture
	last     int64 // its decode time
	partDTS  int64
	base     footage.Ticks // wall time of stream time 0
	sent     sentQueue
	delay    [2]int64 // least of monotonic less stream time, this window and before
	turned   int64    // when the window began, monotonic
	wallMono int64    // wall less monotonic time
	allowed  int64    // how far ahead of the wall is all right

	// Pictures end in a part or in droppedUnits.
	droppedGOPs, droppedUnits, drifts, steps, gaps uint64
}

// add takes a picture that arrived at wall, which by the monotonic clock was
// mono ticks after some fixed instant.
func (b *builder) add(au *footage.AccessUnit, wall footage.Ticks, mono int64) {
	// A monotonic clock that falls back is none: it is the shifted clock of a
	// test, and what was learnt by it is void.
	if b.live && (au.DTS-b.last > maxGap || mono-au.DTS+maxGap < min(b.delay[0], b.delay[1])) {
		b.gaps++
		b.cut(0)
	}
	if !b.live {
		b.live = true
		start := max(wall, b.ended)
		b.base = start - footage.Ticks(au.DTS)
		b.allowed = int64(start - wall)
		b.delay = [2]int64{mono - au.DTS, mono - au.DTS}
		b.sent.n = 0
		b.turned, b.wallMono = mono, int64(wall)-mono
		b.last = au.DTS
	}
	b.sent.push(au.PTS, mono)
	for late, ok := b.sent.pop(au.DTS); ok; late, ok = b.sent.pop(au.DTS) {
		if mono-b.turned > window {
			b.delay[1], b.delay[0], b.turned = b.delay[0], late, mono
		}
		b.delay[0] = min(b.delay[0], late)
	}

	size := b.format.Codec.SampleSize(au.NALUs)
	if b.cur != nil {
		b.closeSample(au.DTS)
		if b.ends(au, size) {
			b.finish(au.DTS, int64(wall)-mono)
		} else if !b.fits(len(b.cur.Data) + b.sound.bytes() + size) {
			b.finish(au.DTS, int64(wall)-mono)
			if !au.Key {
				b.drop()
			}
		}
	}
	b.last = au.DTS
	if au.Key {
		b.dropping = false
		b.gopDTS = au.DTS
	}
	if b.cur == nil {
		if !b.dropping && !b.fits(b.sound.bytes()+size) {
			b.drop()
		}
		if b.dropping {
			b.droppedUnits++
			return
		}
		b.begin(au)
	}
	p := b.cur
	if au.Key {
		b.gops++
	}
	p.Data = p.Format.Codec.AppendSample(p.Data, au.NALUs)
	offset := max(min(au.PTS-au.DTS, 1<<30), -1<<30)
	p.Samples = append(p.Samples, footage.Sample{Size: uint32(size), Offset: int32(offset), Key: au.Key})
}

// drop leaves out what comes until the next keyframe.
func (b *builder) drop() {
	b.dropping = true
	b.droppedGOPs++
}

func (b *builder) begin(au *footage.AccessUnit) {
	p := b.take()
	b.cur, b.gops, b.partDTS, b.reformed = p, 0, au.DTS, false
	p.Camera, p.Format, p.Continues = b.cam, b.format, !au.Key
	p.Start = max(b.base+footage.Ticks(au.DTS), b.ended)
	p.Samples, p.Data = p.Samples[:0], p.Data[:0]
	p.Audio = footage.Audio{Samples: p.Audio.Samples[:0], Data: p.Audio.Data[:0]}
}

// ends reports whether the part ends before au.
func (b *builder) ends(au *footage.AccessUnit, size int) bool {
	lasts := au.DTS - b.partDTS
	switch {
	case lasts >= maxPartTicks, len(b.cur.Data)+size > maxPartBytes, len(b.cur.Samples) == maxPartSamples:
		return true
	case au.Key:
		// The GOP that begins is taken to be as long as the last.
		return b.reformed || lasts+au.DTS-b.gopDTS > shortPart
	}
	// Whole GOPs do not wait for the end of a long one.
	return b.gops > 1 && lasts >= footage.TicksPerSecond
}

func (b *builder) closeSample(next int64) {
	b.cur.Samples[len(b.cur.Samples)-1].Duration = uint32(min(next-b.last, maxGap))
}

// finish gives the part away and settles where the next begins, which has the
// decode time dts.
func (b *builder) finish(dts, wallMono int64) {
	moved := wallMono - b.wallMono
	if moved > tolerance || moved < -tolerance {
		b.steps++
		b.allowed = max(0, b.allowed-moved)
		b.wallMono = wallMono
	}
	b.sound.fill(b.cur, b.base, dts)
	should := footage.Ticks(dts + min(b.delay[0], b.delay[1]) + wallMono)
	off := int64(should - (b.base + footage.Ticks(dts)))
	tolerance := max(tolerance, int64(b.cur.Duration())/int64(len(b.cur.Samples)))
	switch {
	case off > tolerance:
		if moved <= tolerance {
			b.drifts++
		}
		b.base += footage.Ticks(off)
	case -off-b.allowed > tolerance:
		if cut := shorten(b.cur, -off-b.allowed); cut > 0 {
			b.drifts++
			b.base -= footage.Ticks(cut)
		}
	}
	b.allowed = max(0, min(b.allowed, -off))
	b.hand()
}

// hand gives the part away.
func (b *builder) hand() {
	b.ended = b.cur.Span().To
	b.give(b.cur)
	b.cur = nil
}

// shorten takes up to excess ticks, but not more than half, off the samples of
// p, and returns how many it took.
func shorten(p *footage.Part, excess int64) int64 {
	total := int64(p.Duration())
	excess = min(excess, total/2)
	if excess <= 0 {
		return 0
	}
	var cut int64
	for i := range p.Samples {
		d := int64(p.Samples[i].Duration)
		less := d * excess / total
		p.Samples[i].Duration = uint32(d - less)
		cut += less
	}
	return cut
}

// cut closes the part, whose last picture is taken to last as long as the one
// before. What comes next is tied to the wall clock, not before notBefore.
func (b *builder) cut(notBefore footage.Ticks) {
	if p := b.cur; p != nil {
		d := int64(usualSample)
		if n := len(p.Samples); n > 1 {
			d = int64(p.Samples[n-2].Duration)
		}
		b.closeSample(b.last + d)
		// Sound that came since is kept with it: there may be no other part soon.
		b.sound.fill(p, b.base, b.last+d+maxPartTicks)
		b.hand()
	}
	b.sound.forget()
	b.ended = max(b.ended, notBefore)
	b.live = false
}

// end closes the session.
func (b *builder) end() {
	b.cut(0)
	b.dropping = false
}

// reformat takes the format of what comes next, a keyframe.
func (b *builder) reformat(f footage.Format) { b.format, b.reformed = f, true }

// addSound takes a unit of sound of the session.
func (b *builder) addSound(u *footage.AudioUnit) {
	if b.cur == nil {
		b.sound.dropped++ // its picture was
		return
	}
	if !b.fits(len(b.cur.Data) + b.sound.bytes() + len(u.Data)) {
		b.sound.dropped++
		return
	}
	b.sound.add(u)
}
