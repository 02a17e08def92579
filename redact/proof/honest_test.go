package proof

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
)

func TestHonestCopiesPass(t *testing.T) {
	for _, tc := range []struct {
		name string
		mask func(b *made) *mask.Mask
	}{
		{"subject only", func(b *made) *mask.Mask { return b.mask }},
		{"sound", func(b *made) *mask.Mask { return b.changed(func(m *mask.Mask) { m.Sound = true }) }},
		{"stamp", func(b *made) *mask.Mask { return b.stampMask() }},
		{"still scene", func(b *made) *mask.Mask { b.paint(); return b.mask }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := makeClip(t)
			m := tc.mask(b)
			p, s := b.judge(b.code(m, spoiler{}).file(t), m)
			if !p.Pass {
				t.Fatalf("%q", p.Reasons)
			}
			if err := s.Check(); err != nil {
				t.Error(err)
			}
			f := p.Figures
			if f.Frames != frameCount || f.Shown != 37 || f.Unsure != 3 || f.Flagged != 4 || f.Flags["crowded"] != 4 || f.Duration != frameCount*frameTicks {
				t.Errorf("%+v", f)
			}
			if f.Sound.Kept != m.Sound || (f.Painted > 0) != (b.scene != nil) || s.Sound != m.Sound || p.Scene != m.Scene {
				t.Errorf("%+v", f)
			}
			flagged := 0
			for i, pic := range s.Pictures {
				if pic.Flags != 0 {
					flagged++
					if i >= flagged {
						t.Errorf("picture %d with a flag is behind one without", i)
					}
				}
				if (pic.Kind == sheet.Scene) != (pic.Subject == -1) {
					t.Errorf("picture %d: %v of %d", i, pic.Kind, pic.Subject)
				}
			}
			if flagged < 2 || s.Pictures[0].At != 30*frameTicks || len(s.Flagged) != 1 || len(s.Unsure) != 1 || p.Sheet != s.Hash() || f.Pictures != len(s.Pictures) {
				t.Errorf("%d pictures with a flag, the first at %d; %v %v", flagged, s.Pictures[0].At, s.Flagged, s.Unsure)
			}
			scenes := 0
			for _, pic := range s.Pictures {
				if pic.Kind == sheet.Scene {
					scenes++
				}
			}
			if n := len(s.Pictures); n < 9 || (scenes == 1) != (b.scene != nil) {
				t.Errorf("%d pictures, %d of the scene", n, scenes)
			}
			j, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			back, err := Parse(j)
			if err != nil || back.Sheet != p.Sheet || back.Figures.Energy != f.Energy {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNobodyShown(t *testing.T) {
	b := makeClip(t)
	m := b.changed(func(m *mask.Mask) {
		m.Mode, m.Subjects = subject.BlurEverything, 0
		for i := range m.Frames {
			m.Frames[i].Subjects = nil
		}
	})
	p, s := b.judge(b.code(m, spoiler{}).file(t), m)
	if !p.Pass || len(s.Pictures) != 0 || p.Figures.Shown != 0 || p.Mode != subject.BlurEverything || s.Check() != nil {
		t.Errorf("%q, %d pictures, %+v", p.Reasons, len(s.Pictures), p.Figures)
	}
}

// Each of several subjects has pictures of its own, of itself alone.
func TestSeveralSubjects(t *testing.T) {
	b := makeClip(t)
	m := b.changed(func(m *mask.Mask) {
		m.Subjects = 2
		for i := range m.Frames {
			s := mask.Seen{State: mask.Gone}
			if i >= 12 {
				s = mask.Seen{State: mask.Shown, Flags: mask.Low, Shape: m.Grid.Inside(subject.Rect{X: float64(240-4*i) / width, Y: 0.5, W: 0.125, H: 100. / 240})}
			}
			m.Frames[i].Subjects = append(m.Frames[i].Subjects, s)
		}
	})
	p, s := b.judge(b.code(m, spoiler{}).file(t), m)
	if !p.Pass || s.Check() != nil {
		t.Fatalf("%q, %v", p.Reasons, s.Check())
	}
	var n [2]int
	for _, pic := range s.Pictures {
		n[pic.Subject]++
		i := int(pic.At / frameTicks)
		if want := m.Frames[i].Subjects[pic.Subject]; pic.Rect != m.Grid.Rect(want.Shape.Bounds()) || pic.Flags != want.Flags {
			t.Errorf("picture of subject %d at %d: %v with %v", pic.Subject, pic.At, pic.Rect, pic.Flags)
		}
	}
	// 3.7 s at two a second, and four a second while there is a flag.
	if n[0] < 9 || n[1] < 12 || s.Pictures[0].Subject != 1 || s.Pictures[0].At != 12*frameTicks {
		t.Errorf("%d pictures, the first of %d at %d", n, s.Pictures[0].Subject, s.Pictures[0].At)
	}
	// The second alone is not what this copy is.
	one := b.mask
	if p, _ := b.judge(b.code(m, spoiler{}).file(t), one); p.Pass {
		t.Error("a copy that shows two passed as one that shows one")
	}
}

// What is wrong with the machine is an error, and no finding.
func TestErrorsAreNotFindings(t *testing.T) {
	b := makeClip(t)
	path := filepath.Join(t.TempDir(), "copy")
	file := b.code(b.mask, spoiler{}).file(t)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := Input{File: f, Size: int64(len(file)), Mask: b.mask}
	ctx, cancel := context.WithCancel(context.Background())
	p, _, err := Run(ctx, b.tools, in, func(done, total int) {
		if done == 3 {
			cancel()
		}
	})
	if p != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, %v", p, err)
	}
	if p, _, err := Run(context.Background(), codec.Tools{FFmpeg: "/nowhere", FFprobe: "/nowhere"}, in, nil); p != nil || !errors.Is(err, codec.NoFFmpeg) {
		t.Errorf("no ffmpeg: %v, %v", p, err)
	}
	in.Mask = b.changed(func(m *mask.Mask) { m.Frames[1].At = 0 })
	if p, _, err := Run(context.Background(), b.tools, in, nil); p != nil || err == nil {
		t.Errorf("a mask that is none: %v, %v", p, err)
	}
}
