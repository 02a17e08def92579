package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"path"
	"slices"
	"strings"
)

//go:embed truth/*.json
var written embed.FS

// A Sight says how much of the subject can be seen in a mark.
type Sight string

const (
	Full   Sight = "full"
	Partly Sight = "partly" // by somebody, something or the frame's edge
	Hidden Sight = "hidden" // too little to tell who it is
	Gone   Sight = "gone"   // out of the picture
)

func (s Sight) visible() bool { return s == Full || s == Partly }

// A Box is [x0, y0, x1, y1] in pixels; x1 and y1 lie outside.
type Box [4]int

func (b Box) rect() image.Rectangle { return image.Rect(b[0], b[1], b[2], b[3]) }

// An Other is somebody else near the subject.
type Other struct {
	Who   string `json:"who"`
	Box   Box    `json:"box"`
	Front bool   `json:"front,omitempty"` // stands before the subject
}

// A Mark is one frame that was looked at.
type Mark struct {
	Frame  int     `json:"frame"` // of the footage, the first is 0
	Sight  Sight   `json:"visible"`
	Box    *Box    `json:"box,omitempty"`
	Others []Other `json:"others,omitempty"`
}

// A Truth is where one subject is in the frames [From, To) of a piece of
// footage, as a person saw it.
type Truth struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Clip    string `json:"clip"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	FPS     int    `json:"fps"`
	From    int    `json:"from"`
	To      int    `json:"to"`
	Exact   int    `json:"exact"` // pixels by which a side of a marked box may be wrong
	Subject string `json:"subject"`
	Made    string `json:"made"`
	Marks   []Mark `json:"marks"`

	loose float64 // part of its sides by which the person draws a box larger at each end
}

// A Moment is the truth of one frame, between marks by straight lines.
type Moment struct {
	// Known is whether the two marks around the frame agree about the subject:
	// between one that shows it and one that does not, nobody looked when it went.
	Known  bool
	Sight  Sight
	Box    image.Rectangle // empty where it is not known
	Others []Other
}

// truths returns those that are committed, by name.
func truths() ([]*Truth, error) {
	files, err := written.ReadDir("truth")
	if err != nil {
		return nil, fmt.Errorf("benchredact: truth: %w", err)
	}
	var all []*Truth
	for _, f := range files {
		b, err := written.ReadFile(path.Join("truth", f.Name()))
		if err != nil {
			return nil, fmt.Errorf("benchredact: truth: %w", err)
		}
		t, err := parse(b)
		if err == nil && t.Name+".json" != f.Name() {
			err = fmt.Errorf("its name is %q", t.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("benchredact: truth/%s: %w", f.Name(), err)
		}
		all = append(all, t)
	}
	return all, nil
}

func parse(b []byte) (*Truth, error) {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	t := new(Truth)
	if err := d.Decode(t); err != nil {
		return nil, err
	}
	return t, t.check()
}

func (t *Truth) check() error {
	if t.Version != 1 {
		return fmt.Errorf("version %d, want 1", t.Version)
	}
	if t.FPS <= 0 || t.From < 0 || t.To <= t.From || len(t.Marks) == 0 || t.Exact <= 0 {
		return errors.New("no rate, no frames, no marks or no exactness")
	}
	if t.Marks[0].Frame != t.From || t.Marks[len(t.Marks)-1].Frame != t.To-1 {
		return fmt.Errorf("the marks must begin at frame %d and end at %d", t.From, t.To-1)
	}
	frame := image.Rect(0, 0, t.Width, t.Height)
	inside := func(b Box) bool { return b[0] < b[2] && b[1] < b[3] && b.rect().In(frame) }
	for i, m := range t.Marks {
		switch {
		case i > 0 && m.Frame <= t.Marks[i-1].Frame:
			return fmt.Errorf("frame %d comes twice or too late", m.Frame)
		case i > 0 && m.Frame > t.Marks[i-1].Frame+10:
			return fmt.Errorf("no mark for more than ten frames before %d", m.Frame)
		case !slices.Contains([]Sight{Full, Partly, Hidden, Gone}, m.Sight):
			return fmt.Errorf("frame %d: visible is %q", m.Frame, m.Sight)
		case m.Sight.visible() && m.Box == nil, m.Sight == Gone && m.Box != nil:
			return fmt.Errorf("frame %d: a box belongs to a subject that is %s or not", m.Frame, m.Sight)
		case m.Box != nil && !inside(*m.Box):
			return fmt.Errorf("frame %d: the box is not in the frame", m.Frame)
		}
		for j, o := range m.Others {
			if o.Who == "" || !inside(o.Box) || slices.ContainsFunc(m.Others[:j], func(p Other) bool { return p.Who == o.Who }) {
				return fmt.Errorf("frame %d: other %q has no name, comes twice or has no box in the frame", m.Frame, o.Who)
			}
		}
	}
	return nil
}

// At returns the truth of frame f of the footage, From <= f < To.
func (t *Truth) At(f int) Moment {
	i, exact := slices.BinarySearchFunc(t.Marks, f, func(m Mark, f int) int { return m.Frame - f })
	if exact {
		m := t.Marks[i]
		at := Moment{Known: true, Sight: m.Sight, Others: m.Others}
		if m.Box != nil {
			at.Box = m.Box.rect()
		}
		return at
	}
	a, b := t.Marks[i-1], t.Marks[i]
	mid := func(p, q Box) (r Box) {
		for k := range r {
			// Rounded to the nearest.
			r[k] = (2*(p[k]*(b.Frame-f)+q[k]*(f-a.Frame)) + b.Frame - a.Frame) / (2 * (b.Frame - a.Frame))
		}
		return r
	}
	at := Moment{Known: a.Sight.visible() == b.Sight.visible() && (a.Sight == Gone) == (b.Sight == Gone), Sight: a.Sight}
	if a.Sight == Full && b.Sight == Partly || b.Sight == Hidden {
		at.Sight = b.Sight
	}
	if a.Box != nil && b.Box != nil {
		at.Box = mid(*a.Box, *b.Box).rect()
	}
	for _, o := range a.Others {
		if k := slices.IndexFunc(b.Others, func(p Other) bool { return p.Who == o.Who }); k >= 0 {
			at.Others = append(at.Others, Other{Who: o.Who, Box: mid(o.Box, b.Others[k].Box), Front: o.Front || b.Others[k].Front})
		}
	}
	return at
}
