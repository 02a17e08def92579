package subject

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestParseSet(t *testing.T) {
	const one = `{"version":1,"keyframes":[{"at":2,"gone":true},{"at":1,"rect":{"x":0.1,"y":0.1,"w":0.1,"h":0.1}}]}`
	for in, want := range map[string]int{
		one:                                      1,
		`{"version":2,"subjects":[` + one + `]}`: 1,
		`{"version":2,"subjects":[` + one + `,` + one + `]}`:      2,
		`{"version":2,"subjects":[]}`:                             0,
		`{"version":2,"subjects":[{"version":1,"keyframes":[]}]}`: 0,
		`{"version":2,"subjects":[` + one + `],"x":1}`:            0,
		`{"version":3}`: 0,
		``:              0,
		`{"version":2,"subjects":[` + strings.Repeat(one+",", 8) + one + `]}`: 0,
	} {
		got, err := ParseSet(strings.NewReader(in))
		if want == 0 {
			if err == nil {
				t.Errorf("%.60s was taken", in)
			}
			continue
		}
		if err != nil || len(got) != want || got[0].Keyframes[0].At != 1 {
			t.Errorf("%.60s: %v, %v", in, got, err)
		}
	}
}

func TestChoice(t *testing.T) {
	crop := Rect{X: 0.5, Y: 0.5, W: 0.6, H: 0.1}
	for name, c := range map[string]Choice{
		"mode":        {Mode: 3},
		"time":        {Still: &Still{At: -1}},
		"crop":        {Still: &Still{At: 1, Crop: &crop}},
		"still sound": {Still: &Still{At: 1}, Sound: "he says who sent him"},
		"two lines":   {Sound: "a\nb"},
		"long":        {Sound: strings.Repeat("a", MaxReason+1)},
		"place":       {Stamp: &Stamp{Place: "a\x00", Start: time.Unix(0, 0)}},
		"no time":     {Stamp: &Stamp{Place: "a"}},
	} {
		if c.Check() == nil {
			t.Errorf("%s: %+v was taken", name, c)
		}
	}
	for _, c := range []Choice{{}, {Mode: StillScene, Sound: "he says who sent him", Stamp: &Stamp{Place: "Ærø", Start: time.Unix(0, 0)}}, {Still: &Still{At: 1}}} {
		if err := c.Check(); err != nil {
			t.Error(err)
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Choice
		if err := json.Unmarshal(b, &back); err != nil || back.Mode != c.Mode || back.Sound != c.Sound {
			t.Errorf("%s: %+v, %v", b, back, err)
		}
	}
	var m Mode
	if m.UnmarshalText([]byte("nobody")) == nil {
		t.Error("a mode that does not exist was taken")
	}
}
