package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// A pretender knows the truth and makes the mistakes it is told to.
type pretender struct {
	t     *Truth
	asked [][]subject.Keyframe
	other bool // the copy shows something else than the track
	// wrong says whether frame f is veiled, or shown as box, with these keyframes.
	wrong func(f int, keys []subject.Keyframe) (veiled bool, box *Box)
}

func (p *pretender) track(_ context.Context, s subject.Subject) (*mask.Mask, error) {
	p.asked = append(p.asked, s.Keyframes)
	m := &mask.Mask{Grid: grid, Subjects: 1}
	for f := p.t.From; f < p.t.To; f++ {
		fr := mask.Frame{At: footage.Ticks(f-p.t.From) * 9000, Subjects: make([]mask.Seen, 1)}
		at := p.t.At(f)
		show := func(b Box) { fr.Subjects[0] = mask.Seen{State: mask.Shown, Shape: block(b[0], b[1], b[2], b[3])} }
		veiled, box := p.wrong(f, s.Keyframes)
		switch {
		case box != nil:
			show(*box)
		case !veiled && !at.Box.Empty():
			show(Box{at.Box.Min.X, at.Box.Min.Y, at.Box.Max.X, at.Box.Max.Y})
		}
		m.Frames = append(m.Frames, fr)
	}
	return m, nil
}

func (p *pretender) produce(ctx context.Context, s subject.Subject) (*mask.Mask, error) {
	defer func() { p.asked = p.asked[:len(p.asked)-1] }()
	m, err := p.track(ctx, s)
	if p.other {
		m.Frames[3].Subjects[0] = mask.Seen{}
	}
	return m, err
}

func (p *pretender) close() {}

// line is a truth of 61 frames in which the subject stands still, beside
// another; it is gone in [30, 40].
func line() *Truth {
	x := &Truth{Version: 1, Name: "line", Width: 400, Height: 200, FPS: 10, From: 0, To: 61, Exact: 1}
	for f := 0; f <= 60; f += 10 {
		m := Mark{Frame: f, Sight: Full, Box: &body, Others: []Other{{Who: "B", Box: Box{200, 50, 240, 150}}}}
		if f == 30 || f == 40 {
			m.Sight, m.Box = Gone, nil
		}
		x.Marks = append(x.Marks, m)
	}
	return x
}

func TestNothingToCorrect(t *testing.T) {
	p := &pretender{t: line(), wrong: func(int, []subject.Keyframe) (bool, *Box) { return false, nil }}
	rounds, err := work(t.Context(), p.t, p)
	if err != nil {
		t.Fatal(err)
	}
	r := result(p.t, rounds)
	if len(rounds) != 1 || r.After != 100 || r.Unflagged != 0 || r.Corrections != 0 {
		t.Errorf("%d rounds, %+v", len(rounds), r)
	}
	if k := p.asked[0]; len(k) != 1 || k[0].At != 0 || *k[0].Rect != (subject.Rect{X: 0.25, Y: 0.25, W: 0.1, H: 0.5}) {
		t.Errorf("the person began with %+v", k)
	}
}

func TestVeiledForMoreThanASecondIsCorrected(t *testing.T) {
	last := func(keys []subject.Keyframe) float64 { return keys[len(keys)-1].At }
	p := &pretender{t: line(), wrong: func(f int, keys []subject.Keyframe) (bool, *Box) {
		return f >= 43 && last(keys) < 4.3 || f == 5, nil // the second is short
	}}
	rounds, err := work(t.Context(), p.t, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(rounds) != 2 || last(rounds[1].Keys) != 5 || rounds[1].Keys[1].Gone {
		t.Fatalf("%d rounds, keyframes %+v; want a box at the mark of 5 s", len(rounds), rounds[len(rounds)-1].Keys)
	}
	r := result(p.t, rounds)
	if r.Before >= r.After || r.Corrections != 1 || r.PerMinute < 9 || r.PerMinute > 10 {
		t.Errorf("%+v", r)
	}
}

func TestTooLittleShownIsCorrected(t *testing.T) {
	p := &pretender{t: line(), wrong: func(f int, keys []subject.Keyframe) (bool, *Box) {
		return f >= 5 && f < 15 && len(keys) == 1, nil // a second, and no more
	}}
	rounds, err := work(t.Context(), p.t, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(rounds) != 2 || rounds[1].Keys[1].At != 1 {
		t.Fatalf("%d rounds, keyframes %+v; want a box at 1 s", len(rounds), rounds[len(rounds)-1].Keys)
	}
}

func TestARegionOnTheWrongPersonIsCountedAndCorrected(t *testing.T) {
	p := &pretender{t: line(), wrong: func(f int, keys []subject.Keyframe) (bool, *Box) {
		if f >= 12 && f < 25 && len(keys) == 1 {
			return false, &Box{200, 50, 240, 150}
		}
		return false, nil
	}}
	rounds, err := work(t.Context(), p.t, p)
	if err != nil {
		t.Fatal(err)
	}
	if r := result(p.t, rounds[:1]); r.First != 13 || r.Unflagged != 13 {
		t.Errorf("with one box: %+v; want 13 frames of somebody else", r)
	}
	if len(rounds) != 2 || rounds[1].Keys[1].At != 2 {
		t.Fatalf("%d rounds, %+v; want a box at 2 s", len(rounds), rounds[len(rounds)-1].Keys)
	}
}

func TestShownWhileGoneIsSaid(t *testing.T) {
	p := &pretender{t: line(), wrong: func(f int, keys []subject.Keyframe) (bool, *Box) {
		if f > 35 && f <= 40 && len(keys) == 1 {
			return false, &Box{300, 50, 340, 150}
		}
		return false, nil
	}}
	rounds, err := work(t.Context(), p.t, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(rounds) != 2 || len(rounds[1].Keys) != 3 || !rounds[1].Keys[1].Gone || rounds[1].Keys[1].At != 3.6 || rounds[1].Keys[2].At != 5 {
		t.Fatalf("%+v; want gone at 3.6 s and a box at 5 s", rounds[len(rounds)-1].Keys)
	}
}

func TestThePersonHasEnough(t *testing.T) {
	p := &pretender{t: line(), wrong: func(int, []subject.Keyframe) (bool, *Box) { return false, &Box{300, 50, 340, 150} }}
	rounds, err := work(t.Context(), p.t, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(rounds) > maxCorrections+1 {
		t.Errorf("%d rounds", len(rounds))
	}
	for _, k := range rounds[len(rounds)-1].Keys {
		if k.Rect == nil && !k.Gone {
			t.Errorf("keyframe %+v says nothing", k)
		}
	}
	if r := result(p.t, rounds); r.After != 0 || r.Unflagged != 43 { // all but 2*9 of which nobody knows
		t.Errorf("%+v", r)
	}
}

func TestALooseBox(t *testing.T) {
	x := line()
	x.loose = 0.1
	if k := x.keyframe(3, body.rect()); k.At != 0.3 || *k.Rect != (subject.Rect{X: 96. / 400, Y: 40. / 200, W: 48. / 400, H: 120. / 200}) {
		t.Errorf("%+v", *k.Rect)
	}
}

func TestACopyThatShowsSomethingElseIsRefused(t *testing.T) {
	p := &pretender{t: line(), other: true, wrong: func(int, []subject.Keyframe) (bool, *Box) { return false, nil }}
	if _, err := work(t.Context(), p.t, p); err == nil || !strings.Contains(err.Error(), "does not show") {
		t.Errorf("got %v", err)
	}
}

func TestAMaskOfAnotherClipIsRefused(t *testing.T) {
	x := line()
	m := &mask.Mask{Grid: grid, Subjects: 1, Frames: make([]mask.Frame, 60)}
	if err := fits(x, m); err == nil {
		t.Error("60 frames fit 61")
	}
	m.Frames = make([]mask.Frame, 61)
	if err := fits(x, m); err == nil {
		t.Error("61 frames at the same time fit")
	}
	m.Grid = shape.Grid{W: 200, H: 200, Block: 2}
	if err := fits(x, m); err == nil {
		t.Error("another width fits")
	}
}

func TestFiguresAndTable(t *testing.T) {
	r := Result{Name: "x", Seconds: 6.1, Counted: 50, Before: 70, After: 96.5, Unflagged: 1, Leaked: 3, Corrections: 2, PerMinute: 19.7, Off: 0.01, Again: 0.25}
	var b bytes.Buffer
	if err := r.figures(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bench-redact.x.shown 96.5 percent\n", "bench-redact.x.others_unflagged 1 frames\n", "bench-redact.x.corrections_rate 19.7 per-minute\n", "bench-redact.x.retrack_ratio 0.25 x\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := table(&b, []Result{r}, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); !strings.Contains(s, "2026-11-22") || !strings.Contains(s, "| x | 6.1 s | 70.0 % | 96.5 % of 50 | 2 (19.7 a minute) | 1 | 2 |") {
		t.Errorf("table:\n%s", s)
	}
	x := line()
	if s := x.said([]subject.Keyframe{{At: 1.2}, {At: 3.3, Gone: true}}); s != "12 -33" {
		t.Errorf("keyframes are told as %q", s)
	}
	frames := []Frame{{At: 5, Counts: true}, {At: 6, Counts: true}, {At: 7, Beside: true}, {At: 8, Others: []string{"A"}, Flagged: true}, {At: 9, Counts: true, Shown: true}}
	if s := leaks(frames); s != "veiled in [5-6], others unflagged in [7], flagged in [8]" {
		t.Error(s)
	}
	if q := quantile([]float64{3, 1, 2}, 0.5); q != 2 {
		t.Errorf("median %v", q)
	}
}
