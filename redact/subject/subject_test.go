package subject

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct{ name, in, wantErr string }{
		{"good", `{"version":1,"keyframes":[{"at":9,"gone":true},{"at":2,"rect":{"x":0.4,"y":0.3,"w":0.1,"h":0.3}}]}`, ""},
		{"to the edge", `{"version":1,"keyframes":[{"at":0,"rect":{"x":0,"y":0,"w":1,"h":1}}]}`, ""},
		{"empty", ``, "EOF"},
		{"not JSON", `hello`, "invalid character"},
		{"two values", `{"version":1,"keyframes":[{"at":0,"rect":{"x":0,"y":0,"w":1,"h":1}}]} {}`, "follows"},
		{"unknown key", `{"version":1,"keyframes":[],"subjects":[]}`, "unknown field"},
		{"no keyframe", `{"version":1,"keyframes":[]}`, "no keyframe has a rectangle"},
		{"only gone", `{"version":1,"keyframes":[{"at":1,"gone":true}]}`, "no keyframe has a rectangle"},
		{"other version", `{"version":2,"keyframes":[{"at":0,"rect":{"x":0,"y":0,"w":1,"h":1}}]}`, "version 2"},
		{"rect and gone", `{"version":1,"keyframes":[{"at":0,"gone":true,"rect":{"x":0,"y":0,"w":1,"h":1}}]}`, "not both"},
		{"neither", `{"version":1,"keyframes":[{"at":0}]}`, "not neither"},
		{"negative time", `{"version":1,"keyframes":[{"at":-1,"rect":{"x":0,"y":0,"w":1,"h":1}}]}`, "seconds"},
		{"outside", `{"version":1,"keyframes":[{"at":0,"rect":{"x":0.95,"y":0,"w":0.1,"h":1}}]}`, "within the frame"},
		{"pixels", `{"version":1,"keyframes":[{"at":0,"rect":{"x":95,"y":0,"w":50,"h":10}}]}`, "fractions"},
		{"a dot", `{"version":1,"keyframes":[{"at":0,"rect":{"x":0.5,"y":0.5,"w":0,"h":0}}]}`, "at least"},
		{"twice", `{"version":1,"keyframes":[{"at":1,"rect":{"x":0,"y":0,"w":1,"h":1}},{"at":1,"gone":true}]}`, "keep one"},
		{"too long", strings.Repeat(" ", MaxFileSize+1), "over"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Parse(strings.NewReader(tc.in))
			if tc.wantErr == "" {
				if err != nil {
					t.Fatal(err)
				}
				for i := 1; i < len(s.Keyframes); i++ {
					if s.Keyframes[i].At < s.Keyframes[i-1].At {
						t.Error("keyframes are not by rising time")
					}
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("error %v, want one with %q", err, tc.wantErr)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"version":1,"keyframes":[{"at":2,"rect":{"x":0.4,"y":0.3,"w":0.1,"h":0.3}}]}`)
	f.Add(`{"version":1,"keyframes":[{"at":1e999}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		s, err := Parse(strings.NewReader(in))
		if err == nil && s.Check() != nil {
			t.Errorf("Parse took what Check refuses: %v", s.Check())
		}
	})
}
