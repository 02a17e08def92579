package capture

import (
	"testing"

	"veilbox/capture/footage"
)

const syllable = footage.TicksPerSecond / 50

// say adds the unit of sound with the number n.
func (b *bench) say(n int) {
	b.addSound(&footage.AudioUnit{PTS: int64(n) * syllable, Duration: syllable, Data: []byte{byte(n), byte(n >> 8)}})
}

var speech = footage.AudioFormat{Codec: footage.PCMA, Rate: 8000, Channels: 1}

// heard holds the sound of all parts against what is true of any, and returns
// the numbers of the units.
func (b *bench) heard(t *testing.T) (numbers []int, gaps footage.Ticks) {
	t.Helper()
	var end footage.Ticks
	for i, p := range b.parts {
		a, size := &p.Audio, 0
		if len(a.Samples) == 0 {
			if a.Format.Codec != 0 || len(a.Data) != 0 {
				t.Errorf("part %d: no sound of %d bytes, %v", i, len(a.Data), a.Format)
			}
			continue
		}
		if a.Start < end {
			t.Errorf("part %d: the sound begins %d ticks before that before ended", i, end-a.Start)
		}
		if end != 0 {
			gaps += a.Start - end
		}
		end = a.Start
		for _, s := range a.Samples {
			n := int(a.Data[size]) | int(a.Data[size+1])<<8
			numbers = append(numbers, n)
			size += int(s.Size)
			end += footage.Ticks(s.Duration)
		}
		if size != len(a.Data) {
			t.Errorf("part %d: units of %d bytes, %d of data", i, size, len(a.Data))
		}
	}
	return numbers, gaps
}

func wantNumbers(t *testing.T, got []int, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Errorf("%d units, want %d", len(got), to-from)
	}
	for i, n := range got {
		if n != from+i {
			t.Fatalf("unit %d is number %d", i, n)
		}
	}
}

func TestSoundLiesWhereItBegins(t *testing.T) {
	for name, late := range map[string]int{"in time": 0, "early": -12, "late": 12} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.sound.reformat(speech)
			said := 0
			for n := range 100 {
				b.put(n, 10, 1, 0)
				for ; said < (n+1)*5-late; said++ {
					b.say(said)
				}
			}
			b.end()
			b.check(t)
			numbers, gaps := b.heard(t)
			wantNumbers(t, numbers, 0, said)
			if gaps != 0 || b.sound.dropped != 0 || b.sound.stored != uint64(said) {
				t.Errorf("gaps of %d ticks, %d of %d stored, %d dropped", gaps, b.sound.stored, said, b.sound.dropped)
			}
			for i, p := range b.parts {
				if i == 0 || len(p.Audio.Samples) == 0 {
					continue
				}
				off := p.Audio.Start - p.Start
				// What is late for its part is in the next; nothing is in one before.
				if late <= 0 && off != 0 || late > 0 && (off > 0 || off < -footage.Ticks(late+5)*syllable) {
					t.Errorf("part %d: the sound begins %d ticks after the pictures", i, off)
				}
			}
		})
	}
}

func TestSoundFollowsThePictures(t *testing.T) {
	t.Run("a lost second", func(t *testing.T) {
		b := newBench()
		b.sound.reformat(speech)
		for n := range 60 {
			b.put(n, 10, 1, 0)
			for k := n * 5; k < n*5+5; k++ {
				if k < 100 || k >= 150 {
					b.say(k)
				}
			}
		}
		b.end()
		numbers, gaps := b.heard(t)
		if len(numbers) != 250 || gaps != 50*syllable {
			t.Errorf("%d units, gaps of %d units", len(numbers), gaps/syllable)
		}
	})
	// Where pictures are dropped for want of room, their sound is.
	t.Run("dropped", func(t *testing.T) {
		b := newBench()
		b.sound.reformat(speech)
		said := 0
		for n := range 60 {
			b.full = n >= 20 && n < 35
			b.put(n, 10, 1, 0)
			for range 5 {
				b.say(said)
				said++
			}
		}
		b.end()
		numbers, _ := b.heard(t)
		if len(numbers) != int(b.sound.stored) || b.sound.stored+b.sound.dropped != uint64(said) || b.sound.dropped < 95 || b.sound.dropped > 105 {
			t.Errorf("%d said, %d stored, %d dropped", said, b.sound.stored, b.sound.dropped)
		}
	})
	// The pictures' tie to the wall clock moves back where a camera runs ahead;
	// the sound gives way by as much.
	t.Run("drift", func(t *testing.T) {
		b := newBench()
		b.sound.reformat(speech)
		said := 0
		for n := range 6000 {
			b.put(n, 10, 1.01, 0)
			for ; float64(said)*syllable < float64(n)*frame*1.01; said++ {
				b.say(said)
			}
		}
		b.end()
		b.check(t)
		b.heard(t)
		if b.sound.stored+b.sound.dropped != uint64(said) || b.sound.dropped == 0 || b.sound.dropped > uint64(said)/50 {
			t.Errorf("%d said, %d stored, %d dropped, %d drifts", said, b.sound.stored, b.sound.dropped, b.drifts)
		}
	})
	t.Run("another format", func(t *testing.T) {
		b := newBench()
		b.sound.reformat(speech)
		other := footage.AudioFormat{Codec: footage.Opus, Rate: 48000, Channels: 2}
		for n := range 40 {
			if n == 15 {
				b.sound.reformat(other)
			}
			b.put(n, 10, 1, 0)
			for k := n * 5; k < n*5+5; k++ {
				b.say(k)
			}
		}
		b.end()
		numbers, gaps := b.heard(t)
		wantNumbers(t, numbers, 0, 200)
		if gaps != 0 || !b.parts[1].Audio.Format.Equal(speech) || !b.parts[2].Audio.Format.Equal(other) {
			t.Errorf("gaps of %d, %v, %v", gaps, b.parts[1].Audio.Format, b.parts[2].Audio.Format)
		}
	})
	t.Run("a flood", func(t *testing.T) {
		b := newBench()
		b.sound.reformat(speech)
		b.put(0, 10, 1, 0)
		for n := range 5000 {
			b.say(n)
		}
		if len(b.sound.units) > maxSoundUnits || len(b.sound.data) > maxSoundBytes || b.sound.dropped != 5000-maxSoundUnits {
			t.Errorf("%d units wait, %d dropped", len(b.sound.units), b.sound.dropped)
		}
	})
}

// Short GOPs share a part, and so the pictures of MJPEG.
func TestShortGOPsShareAPart(t *testing.T) {
	for gop, want := range map[int]int{1: 10, 2: 10, 3: 9, 4: 8, 5: 10, 6: 6, 7: 7, 10: 10, 15: 15} {
		b := newBench()
		b.run(0, 15*42, gop, 1, 0)
		b.end()
		if gaps := b.check(t); gaps != 0 {
			t.Errorf("GOPs of %d: gaps of %v", gop, gaps.Duration())
		}
		for i, p := range b.parts[:len(b.parts)-1] {
			if len(p.Samples) != want || p.Continues {
				t.Errorf("GOPs of %d: part %d holds %d pictures, want %d", gop, i, len(p.Samples), want)
				break
			}
		}
	}
}

// A whole GOP does not wait for the end of a long one, and a format begins a
// part.
func TestWhatEndsAPart(t *testing.T) {
	b := newBench()
	for n := range 40 {
		au := footage.AccessUnit{DTS: int64(n) * frame, PTS: int64(n) * frame, Key: n == 0 || n == 3 || n == 6 || n == 36, NALUs: [][]byte{{1}}}
		if n == 36 {
			b.reformat(footage.Format{Codec: footage.H265})
		}
		b.add(&au, wall0+footage.Ticks(au.DTS), au.DTS)
	}
	b.end()
	b.check(t)
	var got []int
	for _, p := range b.parts {
		got = append(got, len(p.Samples))
	}
	// 0 to 9 hold the short ones, then come two seconds at most.
	want := []int{10, 20, 6, 4}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
		t.Errorf("parts of %v pictures, want %v", got, want)
	}
	if p := b.parts[3]; p.Continues || p.Format.Codec != footage.H265 {
		t.Errorf("the new format begins within a part: %+v", p.Format)
	}
}
