package clip

import (
	"fmt"
	"io"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
)

// hours returns a ring with 2.5 h of 25 small pictures and 50 packets of sound
// a second, in parts of a second.
func hours(b *testing.B) *ring.Ring {
	b.Helper()
	r := openRing(b, b.TempDir())
	p := &footage.Part{Camera: "till-1", Format: goldenH264, Audio: footage.Audio{Format: footage.AudioFormat{Codec: footage.Opus, Rate: 48_000, Channels: 1}}}
	for i := range 25 {
		s := footage.Sample{Size: uint32(20 + i), Duration: frame, Key: i == 0}
		p.Samples = append(p.Samples, s)
		p.Data = append(p.Data, make([]byte, s.Size)...)
	}
	for i := range 50 {
		s := footage.AudioSample{Size: uint32(5 + i%7), Duration: 1800}
		p.Audio.Samples = append(p.Audio.Samples, s)
		p.Audio.Data = append(p.Audio.Data, make([]byte, s.Size)...)
	}
	var batch []*footage.Part
	for i := range 9000 {
		q := *p
		q.Start = start() + footage.Ticks(i)*second
		q.Audio.Start = q.Start
		if batch = append(batch, &q); len(batch) == 100 {
			if _, err := r.AppendAll(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return r
}

func BenchmarkOpen(b *testing.B) {
	r := hours(b)
	for _, audio := range []Audio{None, All} {
		for _, d := range []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, 2 * time.Hour} {
			b.Run(fmt.Sprintf("%v/sound=%v", d, audio == All), func(b *testing.B) {
				from := start() + 600*second + 7*frame
				b.ReportAllocs()
				for b.Loop() {
					if _, err := OpenWith(b.Context(), r, "till-1", footage.Span{From: from, To: from + footage.TicksIn(d)}, Options{Audio: audio}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// What the index costs is left out here.
func BenchmarkCompose2h(b *testing.B) {
	r := hours(b)
	span := footage.Span{From: start() + 600*second, To: start() + 7800*second}
	parts, err := r.Parts(b.Context(), "till-1", span)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenWith(b.Context(), fake{parts}, "till-1", span, Options{Audio: All}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFragments10min(b *testing.B) {
	r := hours(b)
	m, err := OpenWith(b.Context(), r, "till-1", footage.Span{From: start(), To: start() + 600*second}, Options{Audio: All})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.WriteFragments(b.Context(), io.Discard, FragmentOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
