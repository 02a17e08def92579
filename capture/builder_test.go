package capture

import (
	"bytes"
	"encoding/binary"
	"testing"

	"veilbox/capture/footage"
)

const (
	frame = footage.TicksPerSecond / 10
	wall0 = footage.Ticks(1_000_000 * footage.TicksPerSecond)
)

// A bench builds parts of made pictures.
type bench struct {
	builder
	parts []footage.Part
	full  bool // no part to fill
}

func newBench() *bench {
	b := &bench{}
	b.cam = "c"
	b.fits = func(int) bool { return !b.full }
	b.take = func() *footage.Part { return new(footage.Part) }
	b.give = func(p *footage.Part) { b.parts = append(b.parts, *p) }
	return b
}

// put adds the picture with the number n of a stream with a keyframe each gop,
// whose clock runs at rate, seen by a wall clock that is off by step.
func (b *bench) put(n, gop int, rate float64, step footage.Ticks) {
	real := int64(n) * frame
	au := footage.AccessUnit{DTS: int64(float64(real) * rate), Key: n%gop == 0, NALUs: [][]byte{{0x65, byte(n)}, {0x41}}}
	au.PTS = au.DTS
	b.add(&au, wall0+footage.Ticks(real)+step, real)
}

func (b *bench) run(from, to, gop int, rate float64, step footage.Ticks) {
	for n := from; n < to; n++ {
		b.put(n, gop, rate, step)
	}
}

// check holds the parts against what is true of any: keyframes first, in
// order, no overlap. It returns the sum of the gaps between them.
func (b *bench) check(t *testing.T) (gaps footage.Ticks) {
	t.Helper()
	for i, p := range b.parts {
		if !p.Continues && !p.Samples[0].Key {
			t.Errorf("part %d begins without a keyframe", i)
		}
		size := uint32(0)
		for j, s := range p.Samples {
			size += s.Size
			if s.Key && j > 0 && p.Duration() > shortPart {
				t.Errorf("part %d of %v holds a keyframe within", i, p.Duration().Duration())
			}
			if s.Duration == 0 {
				t.Errorf("part %d, sample %d lasts no time", i, j)
			}
		}
		if int(size) != len(p.Data) {
			t.Errorf("part %d: samples of %d bytes, %d of data", i, size, len(p.Data))
		}
		if p.Duration() > maxPartTicks+frame {
			t.Errorf("part %d is %v long", i, p.Duration().Duration())
		}
		if i == 0 {
			continue
		}
		gap := p.Start - b.parts[i-1].Span().To
		if gap < 0 {
			t.Errorf("part %d begins %v before the one before ends", i, (-gap).Duration())
		}
		if p.Continues && gap != 0 && b.gaps == 0 {
			t.Errorf("part %d continues after a gap of %v", i, gap.Duration())
		}
		gaps += gap
	}
	return gaps
}

func TestPartsAreGOPs(t *testing.T) {
	b := newBench()
	b.run(0, 35, 10, 1, 0)
	b.end()
	if len(b.parts) != 4 {
		t.Fatalf("%d parts, want 4", len(b.parts))
	}
	if gaps := b.check(t); gaps != 0 {
		t.Errorf("gaps of %v", gaps.Duration())
	}
	p := b.parts[1]
	if p.Start != wall0+footage.TicksPerSecond || len(p.Samples) != 10 || p.Duration() != footage.TicksPerSecond || p.Continues {
		t.Errorf("second part: start %d, %d samples, %v", p.Start-wall0, len(p.Samples), p.Duration().Duration())
	}
	want := []byte{0, 0, 0, 2, 0x65, 10, 0, 0, 0, 1, 0x41}
	if !bytes.HasPrefix(p.Data, want) || p.Samples[0].Size != uint32(len(want)) {
		t.Errorf("data %x", p.Data[:20])
	}
	if d := b.parts[3].Duration(); d != 5*frame {
		t.Errorf("the last part lasts %v, want 500ms", d.Duration())
	}
}

func TestLongGOPIsSplit(t *testing.T) {
	b := newBench()
	b.run(0, 100, 50, 1, 0)
	b.end()
	if gaps := b.check(t); gaps != 0 {
		t.Errorf("gaps of %v", gaps.Duration())
	}
	var got []bool
	for _, p := range b.parts {
		got = append(got, p.Continues)
	}
	if len(got) != 6 || got[0] || !got[1] || !got[2] || got[3] || !got[4] || !got[5] {
		t.Errorf("Continues: %v", got)
	}
}

func TestBigPictureIsSplit(t *testing.T) {
	b := newBench()
	big := make([]byte, maxPartBytes*2/5)
	for n := range 6 {
		au := footage.AccessUnit{DTS: int64(n) * frame, PTS: int64(n) * frame, Key: n == 0, NALUs: [][]byte{big}}
		b.add(&au, wall0+footage.Ticks(au.DTS), au.DTS)
	}
	b.end()
	for i, p := range b.parts {
		if len(p.Data) > maxPartBytes {
			t.Errorf("part %d holds %d bytes", i, len(p.Data))
		}
	}
	if b.check(t); len(b.parts) != 3 {
		t.Errorf("%d parts, want 3", len(b.parts))
	}
}

func TestNeverBeforeLastEnd(t *testing.T) {
	b := newBench()
	b.ended = wall0 + 5*footage.TicksPerSecond
	b.run(0, 100, 10, 1, 0)
	b.end()
	if b.parts[0].Start != wall0+5*footage.TicksPerSecond {
		t.Errorf("the first part begins %v from the clock", (b.parts[0].Start - wall0).Duration())
	}
	if gaps := b.check(t); gaps != 0 || b.drifts != 0 {
		t.Errorf("gaps of %v, %d drifts", gaps.Duration(), b.drifts)
	}
	// A later session, when the clock has caught up, is on time again.
	b.run(200, 220, 10, 1, 0)
	b.end()
	if s := b.parts[len(b.parts)-2].Start; s != wall0+200*frame {
		t.Errorf("after the break: %v off", (s - wall0 - 200*frame).Duration())
	}
}

func TestClockSteps(t *testing.T) {
	hour := footage.TicksIn(3600e9)
	t.Run("back", func(t *testing.T) {
		b := newBench()
		b.run(0, 100, 10, 1, 0)
		b.run(100, 300, 10, 1, -hour)
		b.end()
		if gaps := b.check(t); gaps != 0 {
			t.Errorf("gaps of %v", gaps.Duration())
		}
		if b.steps != 1 || b.drifts != 0 || len(b.parts) != 30 {
			t.Errorf("%d steps, %d drifts, %d parts", b.steps, b.drifts, len(b.parts))
		}
		if d := footage.Ticks(b.allowed) - hour; d < -frame || d > frame {
			t.Errorf("ahead by %v, want an hour", footage.Ticks(b.allowed).Duration())
		}
		if e := b.parts[29].Span().To; e != wall0+300*frame {
			t.Errorf("ends at %v", (e - wall0).Duration())
		}
	})
	t.Run("forward", func(t *testing.T) {
		b := newBench()
		b.run(0, 100, 10, 1, 0)
		b.run(100, 200, 10, 1, hour)
		b.end()
		if gaps := b.check(t); gaps != hour {
			t.Errorf("gaps of %v, want an hour", gaps.Duration())
		}
		if b.steps != 1 || b.drifts != 0 {
			t.Errorf("%d steps, %d drifts", b.steps, b.drifts)
		}
	})
	t.Run("back and forward", func(t *testing.T) {
		b := newBench()
		b.run(0, 100, 10, 1, 0)
		b.run(100, 200, 10, 1, -hour)
		b.run(200, 300, 10, 1, 0)
		b.end()
		if gaps := b.check(t); gaps != 0 || b.steps != 2 || b.drifts != 0 || b.allowed > frame {
			t.Errorf("gaps of %v, %d steps, %d drifts, ahead %d", gaps.Duration(), b.steps, b.drifts, b.allowed)
		}
	})
}

// A clock that jumps within a session, or a camera that pauses, never makes a
// picture that lasts for hours: the part ends, and the next begins at the time
// that it is then.
func TestJumpBeginsANewPart(t *testing.T) {
	const hour = 3600 * footage.TicksPerSecond
	for name, c := range map[string]struct {
		key       bool
		jump      footage.Ticks // of the stream, of the wall and of the monotonic clock
		wantGap   footage.Ticks
		wantAhead footage.Ticks
	}{
		"forward 12 h, at a keyframe": {true, 12 * hour, 12 * hour, 0},
		"forward 12 h, within a GOP":  {false, 12 * hour, 12 * hour, 0},
		"forward 30 days":             {false, 720 * hour, 720 * hour, 0},
		"a pause of 8 s":              {false, 8 * footage.TicksPerSecond, 8 * footage.TicksPerSecond, 0},
		"back an hour":                {false, -hour, 0, hour},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			n := 103
			if c.key {
				n = 100
			}
			b.run(0, n, 10, 1, 0)
			stream := c.jump
			if stream < 0 {
				stream = 0 // a stream's time never falls
			}
			for i := n; i < n+100; i++ {
				at := int64(i) * frame
				dts := at + int64(stream)
				au := footage.AccessUnit{DTS: dts, PTS: dts, Key: i%10 == 0, NALUs: [][]byte{{1}}}
				b.add(&au, wall0+footage.Ticks(at)+c.jump, at+int64(c.jump))
			}
			b.end()
			gaps := b.check(t)
			// The picture before the jump lasts a frame, which is no gap.
			if d := gaps - c.wantGap; d < -frame || d > frame {
				t.Errorf("gaps of %v, want %v", gaps.Duration(), c.wantGap.Duration())
			}
			if b.gaps != 1 || b.drifts != 0 || b.steps != 0 {
				t.Errorf("%d gaps, %d drifts, %d steps; want 1, 0, 0", b.gaps, b.drifts, b.steps)
			}
			if d := footage.Ticks(b.allowed) - c.wantAhead; d < -frame || d > frame {
				t.Errorf("ahead by %v, want %v", footage.Ticks(b.allowed).Duration(), c.wantAhead.Duration())
			}
			samples := 0
			for _, p := range b.parts {
				samples += len(p.Samples)
				for _, s := range p.Samples {
					if s.Duration > maxGap {
						t.Errorf("a picture lasts %v", footage.Ticks(s.Duration).Duration())
					}
				}
			}
			if samples != n+100 {
				t.Errorf("%d pictures, want %d: none may be lost", samples, n+100)
			}
		})
	}
}

// What the store has already is not recorded over, also where that turns out
// within a session.
func TestCutNotBefore(t *testing.T) {
	b := newBench()
	b.run(0, 25, 10, 1, 0)
	b.cut(wall0 + 60*footage.TicksPerSecond)
	b.run(30, 50, 10, 1, 0)
	b.end()
	b.check(t)
	for _, p := range b.parts[3:] {
		if p.Start < wall0+60*footage.TicksPerSecond {
			t.Errorf("a part begins %v before the end that was told", (wall0 + 60*footage.TicksPerSecond - p.Start).Duration())
		}
	}
	if s := footage.Ticks(b.allowed).Duration().Seconds(); s < 56.9 || s > 57.1 {
		t.Errorf("ahead by %.1f s, want 57", s)
	}
}

func TestDrift(t *testing.T) {
	const n = 6000 // ten minutes
	for name, rate := range map[string]float64{"slow": 0.99, "fast": 1.01} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.run(0, n, 10, rate, 0)
			b.end()
			gaps := b.check(t)
			end := b.parts[len(b.parts)-1].Span().To
			if off := end - wall0 - n*frame; off < -footage.TicksPerSecond || off > footage.TicksPerSecond {
				t.Errorf("after ten minutes the recording is %v off", off.Duration())
			}
			if b.drifts < 5 || b.drifts > 15 || b.steps != 0 {
				t.Errorf("%d drifts, %d steps", b.drifts, b.steps)
			}
			if rate > 1 && gaps != 0 {
				t.Errorf("gaps of %v", gaps.Duration())
			}
		})
	}
}

// A network that holds pictures up and then lets them through at once bends
// nothing.
func TestHeldUp(t *testing.T) {
	b := newBench()
	for n := range 300 {
		real := int64(n) * frame
		if n >= 100 && n < 180 {
			real = 180 * frame
		}
		au := footage.AccessUnit{DTS: int64(n) * frame, PTS: int64(n) * frame, Key: n%10 == 0, NALUs: [][]byte{{1}}}
		b.add(&au, wall0+footage.Ticks(real), real)
	}
	b.end()
	if gaps := b.check(t); gaps != 0 || b.drifts != 0 || b.steps != 0 {
		t.Errorf("gaps of %v, %d drifts, %d steps", gaps.Duration(), b.drifts, b.steps)
	}
}

func TestDropsWholeGOPs(t *testing.T) {
	b := newBench()
	b.run(0, 10, 10, 1, 0)
	b.full = true
	b.run(10, 25, 10, 1, 0)
	b.full = false
	b.run(25, 45, 10, 1, 0)
	b.end()
	if b.droppedGOPs != 2 {
		t.Errorf("%d GOPs dropped, want 2", b.droppedGOPs)
	}
	if gaps := b.check(t); gaps != 20*frame {
		t.Errorf("gaps of %v, want 2s", gaps.Duration())
	}
	if len(b.parts) != 3 {
		t.Errorf("%d parts, want 3", len(b.parts))
	}
}

// A part's buffers are used again: a steady stream allocates nothing.
func TestBuilderAllocatesNothing(t *testing.T) {
	b := newBench()
	p := new(footage.Part)
	b.take = func() *footage.Part { return p }
	b.give = func(*footage.Part) {}
	units := [][]byte{make([]byte, 900), make([]byte, 100)}
	n := 0
	b.sound.reformat(speech)
	syllables := make([]byte, 160)
	if a := testing.AllocsPerRun(1000, func() {
		for k := range 5 {
			b.addSound(&footage.AudioUnit{PTS: int64(n)*frame + int64(k)*syllable, Duration: syllable, Data: syllables})
		}
		au := footage.AccessUnit{DTS: int64(n) * frame, PTS: int64(n) * frame, Key: n%10 == 0, NALUs: units}
		b.add(&au, wall0+footage.Ticks(au.DTS), au.DTS)
		n++
	}); a > 0 {
		t.Errorf("%v allocations a picture", a)
	}
}

func FuzzBuilder(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 10, 0, 10, 0, 0, 2, 200, 1, 255, 255, 1})
	f.Add(bytes.Repeat([]byte{0, 0, 50}, 60))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := newBench()
		b.sound.reformat(speech)
		var dts, mono int64
		wall := wall0
		added, said := uint64(0), uint64(0)
		for len(in) >= 5 {
			dts += 1 + int64(binary.LittleEndian.Uint16(in))*int64(in[4]&3)*10
			late := int64(binary.LittleEndian.Uint16(in[2:]))
			mono += late * 4
			wall += footage.Ticks(late * 4)
			switch in[4] >> 2 & 15 {
			case 1:
				wall -= footage.TicksPerSecond * 5
			case 2:
				wall += footage.TicksPerSecond * 5
			case 3:
				b.end()
				dts = 0
			case 4:
				b.full = !b.full
			case 5:
				dts, mono, wall = dts+1<<33, mono+1<<33, wall+1<<33
			case 6:
				mono, wall = mono-1<<33, wall-1<<33
			case 7:
				b.cut(wall + footage.TicksPerSecond)
			}
			key := in[4]>>6 == 0 || !b.live
			au := footage.AccessUnit{DTS: dts, PTS: dts, Key: key, NALUs: [][]byte{{1}}}
			b.add(&au, wall, mono)
			added++
			for k := range int64(in[4] & 3) {
				b.addSound(&footage.AudioUnit{PTS: dts + k*syllable, Duration: syllable, Data: []byte{1, 2}})
				said++
			}
			in = in[5:]
		}
		b.end()
		b.heard(t)
		stored := uint64(0)
		for _, p := range b.parts {
			stored += uint64(len(p.Samples))
		}
		if stored+b.droppedUnits != added || b.sound.stored+b.sound.dropped != said {
			t.Fatalf("%d pictures: %d stored, %d dropped; %d of sound: %d stored, %d dropped", added, stored, b.droppedUnits, said, b.sound.stored, b.sound.dropped)
		}
		var end footage.Ticks
		for i, p := range b.parts {
			if len(p.Samples) == 0 || !p.Continues && !p.Samples[0].Key || p.Start < end {
				t.Fatalf("part %d: %d samples, continues %v, starts %d after the end of the last", i, len(p.Samples), p.Continues, p.Start-end)
			}
			end = p.Span().To
			for j, s := range p.Samples {
				if s.Duration > maxGap {
					t.Fatalf("part %d, sample %d lasts %d ticks", i, j, s.Duration)
				}
			}
		}
	})
}
