// Package subject is what a person tells the tracker: where the subject is in
// some frames of a clip. It is the subject file of veilctl redact.
//
// The file is JSON:
//
//	{
//	  "version": 1,
//	  "keyframes": [
//	    {"at": 2.0, "rect": {"x": 0.42, "y": 0.30, "w": 0.08, "h": 0.35}},
//	    {"at": 9.5, "gone": true}
//	  ]
//	}
//
// "at" is in seconds from the clip's first frame. "rect" is in fractions of the
// frame's width and height, origin at the top left. "gone" says that the
// subject is not in the picture from that time until the next keyframe.
//
// A Set is several subjects, each with keyframes of its own; a Choice is what
// else a person asks of the copy; rectangles of either are as above.
package subject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
)

// Version is the version of the file.
const Version = 1

// Limits of a subject file.
const (
	MaxKeyframes = 1000
	MaxFileSize  = 1 << 20    // bytes
	MaxAt        = 24 * 3600. // seconds
	MinSide      = 0.005      // fraction of the frame
)

// A Rect is a part of the frame in fractions of its width and height.
type Rect struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// A Keyframe says where the subject is at one time.
type Keyframe struct {
	At   float64 `json:"at"` // seconds from the clip's first frame
	Rect *Rect   `json:"rect,omitempty"`
	Gone bool    `json:"gone,omitempty"`
}

// A Subject is one person through a clip.
type Subject struct {
	Version   int        `json:"version"`
	Keyframes []Keyframe `json:"keyframes"` // by rising At
}

// Parse reads and checks a subject file. Unknown keys are refused: a misspelt
// key must not lose a correction.
func Parse(r io.Reader) (Subject, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFileSize+1))
	if err != nil {
		return Subject{}, fmt.Errorf("subject: %w", err)
	}
	if len(b) > MaxFileSize {
		return Subject{}, fmt.Errorf("subject: the file is over %d bytes", MaxFileSize)
	}
	var s Subject
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Subject{}, fmt.Errorf("subject: %w: write it as {\"version\":1,\"keyframes\":[{\"at\":SECONDS,\"rect\":{\"x\":0.4,\"y\":0.3,\"w\":0.1,\"h\":0.3}}]}", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Subject{}, errors.New("subject: something follows the JSON value: keep one value in the file")
	}
	s.sort()
	return s, s.Check()
}

func (s *Subject) sort() {
	sort.SliceStable(s.Keyframes, func(i, j int) bool { return s.Keyframes[i].At < s.Keyframes[j].At })
}

// Check returns what is wrong with s.
func (s Subject) Check() error {
	if s.Version != Version {
		return fmt.Errorf("subject: version %d: this program reads version %d", s.Version, Version)
	}
	if len(s.Keyframes) > MaxKeyframes {
		return fmt.Errorf("subject: %d keyframes, at most %d", len(s.Keyframes), MaxKeyframes)
	}
	shown := false
	for i, k := range s.Keyframes {
		if err := k.check(); err != nil {
			return fmt.Errorf("subject: keyframe %d: %w", i+1, err)
		}
		if i > 0 && k.At <= s.Keyframes[i-1].At {
			return fmt.Errorf("subject: keyframe %d: two keyframes at %g s: keep one", i+1, k.At)
		}
		shown = shown || k.Rect != nil
	}
	if !shown {
		return errors.New("subject: no keyframe has a rectangle: draw a box around the subject in at least one frame")
	}
	return nil
}

func (k Keyframe) check() error {
	if !(k.At >= 0 && k.At <= MaxAt) {
		return fmt.Errorf("at %g: give seconds from the start of the clip, 0 to %g", k.At, MaxAt)
	}
	if (k.Rect == nil) != k.Gone {
		return errors.New("give either a rect or gone, not both and not neither")
	}
	if k.Rect == nil {
		return nil
	}
	return k.Rect.Check()
}

// Check returns what is wrong with r.
func (r Rect) Check() error {
	for _, v := range []float64{r.X, r.Y, r.W, r.H} {
		if math.IsNaN(v) || v < 0 || v > 1 {
			return fmt.Errorf("rect %+v: give fractions of the frame, 0 to 1", r)
		}
	}
	const slack = 1e-6 // a page divides pixels and may round over the edge
	if r.W < MinSide || r.H < MinSide || r.X+r.W > 1+slack || r.Y+r.H > 1+slack {
		return fmt.Errorf("rect %+v: it must lie within the frame and be at least %g of it each way", r, MinSide)
	}
	return nil
}
