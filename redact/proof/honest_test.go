package proof

import (
	"encoding/json"
	"testing"

	"veilbox/redact/mask"
	"veilbox/redact/sheet"
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
			t.Logf("%+v", f)
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
			if n := len(s.Pictures); n < 9 || b.scene != nil && s.Pictures[n-1].Kind == s.Pictures[0].Kind && n < 10 {
				t.Errorf("%d pictures", n)
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
