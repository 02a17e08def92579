package proof

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

// BenchmarkFrame is the checking of one frame of 1080p, a subject shown.
func BenchmarkFrame(b *testing.B) {
	const w, h = 1920, 1080
	g := shape.For(w, h)
	m := &mask.Mask{Grid: g, Cell: veil.DefaultCell(w, h), Subjects: 1,
		Frames: []mask.Frame{{Subjects: []mask.Seen{{State: mask.Shown, Shape: g.Inside(subject.Rect{X: 0.4, Y: 0.3, W: 0.1, H: 0.4})}}}}}
	frame := room(w, h)
	v, err := veil.New(g, veil.Options{Cell: m.Cell})
	if err != nil {
		b.Fatal(err)
	}
	f := frameOf(frame, w, h)
	if err := v.Apply(&f, veil.Seen{Shown: m.Shown(nil, 0)}); err != nil {
		b.Fatal(err)
	}
	painting := frameOf(room(w, h), w, h)
	for name, grain := range map[string]int{"flat": 0, "grain": 3, "scene": 0} {
		b.Run(name, func(b *testing.B) {
			pix := bytes.Clone(frame)
			m, in := *m, Input{}
			if name == "scene" {
				in.Scene = &painting
				painted := shape.Minus(nil, g.Whole(), g.Cover(subject.Rect{X: 0.35, Y: 0.25, W: 0.2, H: 0.5}))
				m.Frames = []mask.Frame{{Subjects: m.Frames[0].Subjects, Painted: painted}}
				f := frameOf(pix, w, h)
				v, err := veil.New(g, veil.Options{Cell: m.Cell, Scene: in.Scene})
				if err != nil {
					b.Fatal(err)
				}
				if err := v.Apply(&f, veil.Seen{Shown: m.Shown(nil, 0), Painted: painted}); err != nil {
					b.Fatal(err)
				}
			}
			// As a codec leaves it: a step here and there.
			for i := 0; grain > 0 && i < len(pix); i += 7 * grain {
				pix[i]++
			}
			r := &run{in: in, m: &m, p: &Proof{}}
			c, err := r.checker(Tolerance)
			if err != nil {
				b.Fatal(err)
			}
			c.check(picture{0, pix})
			b.ReportAllocs()
			from := processor(b)
			for b.Loop() {
				if f := c.check(picture{0, pix}); f.err != nil || !f.report.OK {
					b.Fatal(f)
				}
			}
			b.ReportMetric(float64(processor(b)-from)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}

// processor returns the processor time of this process, which other work on the
// machine does not lengthen.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkUnits is the walk over the samples of a copy, a megabyte of them.
func BenchmarkUnits(b *testing.B) {
	clip := makeClip(b)
	c := clip.code(clip.mask, spoiler{})
	for len(c.data) < 1<<20 {
		c.data, c.samples = append(c.data, c.data...), append(c.samples, c.samples...)
	}
	file := c.file(b)
	s, err := Walk(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(c.data)))
	for b.Loop() {
		if err := Units(bytes.NewReader(file), s); err != nil {
			b.Fatal(err)
		}
	}
}
