// Package mask is what may be seen in each frame of a copy: the tracks of the
// subjects, made ready for the veil, and what else a person has chosen to show.
// Its one canonical form is what a proof is about; the SHA-256 of that names it.
//
// Times are ticks of 1/90000 s from the copy's first frame, parts of the frame
// are shapes on the mask's grid (redact/shape), rectangles fractions of the
// frame. In a frame a subject is shown only where its state is Shown; then its
// shape is not empty, and in all other states it is. No shape reaches into the
// regions that are always veiled. What is painted is not of the clip: there the
// copy has the picture of the still scene (redact/scene), which Scene names.
//
// The canonical form, all numbers big endian:
//
//	"veilbox mask 2\n"
//	width, height, block, cell uint32   pixels
//	mode, subjects uint8
//	still uint8              1: a picture, with one frame
//	sound uint8              1: the copy has sound
//	scene [32]byte           hash of the picture that is painted; zeros: none
//	stamp uint8              1: it follows
//	  start int64            of the first frame, milliseconds since 1970 (UTC)
//	  place                  uint16 of bytes, UTF-8
//	veiled uint8; per rectangle: x, y, w, h float64   IEEE 754
//	frames uint32
//	per frame:
//	  at int64               ticks
//	  per subject:
//	    state, reason, confidence uint8   confidence in hundredths
//	    flags uint16
//	    shape
//	  painted: shape
//
// A shape is a uint32 of runs and per run row, from and to as uint16; or, where
// it is that of the frame before and not empty, a uint32 of all ones alone.
package mask

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// Bounds of a mask.
const (
	MaxFrames = 1_000_000
	MaxSize   = 128 << 20 // bytes of the canonical form
)

// A State says what may be shown. Its values are in the canonical form.
type State uint8

const (
	Unsure State = 0 // not known well enough: veiled
	Shown  State = 1
	Gone   State = 2 // a person said that the subject is not in the picture
)

func (s State) String() string {
	switch s {
	case Unsure:
		return "unsure"
	case Shown:
		return "shown"
	case Gone:
		return "gone"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// reasons are those of redact/track, by their number in the canonical form.
var reasons = []string{"", "given", "tracked", "crowded", "low-match", "jump", "at-edge", "lost", "no-keyframe", "gone", "between", "near-doubt", "grown", "returned", "always-veiled", "hidden"}

// A Reason is why a subject has its state, as redact/track names it.
type Reason uint8

// ReasonOf returns the Reason of a name, 0 for one that is unknown.
func ReasonOf(name string) Reason {
	for i, r := range reasons {
		if r == name {
			return Reason(i)
		}
	}
	return 0
}

func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return ""
}

// Flags say why a person must look at a frame that is shown. Their bits are in
// the canonical form.
type Flags uint16

const (
	Crowded  Flags = 1 << iota // somebody else is near or overlaps
	Cut                        // a part was veiled because it may be somebody else's
	Detected                   // a detector found somebody else within the region
	Grown                      // the region is larger than usual
	Low                        // the match is below the usual
	allFlags = Crowded | Cut | Detected | Grown | Low
)

var flagNames = []string{"crowded", "cut", "detected", "grown", "low"}

// Names returns the names of the flags that are set, in one order.
func (f Flags) Names() []string {
	out := []string{}
	for i, n := range flagNames {
		if f&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

func (f Flags) String() string { return strings.Join(f.Names(), ",") }

// FlagsOf returns the flags of names and whether all are known.
func FlagsOf(names []string) (f Flags, ok bool) {
	for _, n := range names {
		i := slices.Index(flagNames, n)
		if i < 0 {
			return 0, false
		}
		f |= 1 << i
	}
	return f, true
}

// A Seen is one subject in one frame.
type Seen struct {
	State      State
	Reason     Reason
	Confidence uint8 // hundredths
	Flags      Flags
	Shape      shape.Shape // what is shown; empty unless State is Shown
}

// A Frame is one frame of a mask.
type Frame struct {
	At       footage.Ticks
	Subjects []Seen
	Painted  shape.Shape // where the copy has the picture of the still scene
}

// A Stamp is the time and place that are burnt in.
type Stamp struct {
	Start time.Time // of the first frame, to the millisecond
	Place string
}

// A Mask is what may be seen in a copy.
type Mask struct {
	Grid     shape.Grid
	Cell     int // side of the veil's cells, pixels
	Mode     subject.Mode
	Subjects int
	Still    bool
	Sound    bool
	Scene    footage.Hash // of the picture that is painted; zero: none
	Stamp    *Stamp
	Veiled   []subject.Rect // always veiled
	Frames   []Frame
}

// Shown appends what is shown of the clip in frame i to dst: the union of the
// subjects.
func (m *Mask) Shown(dst shape.Shape, i int) shape.Shape {
	n := len(dst)
	var spare shape.Shape
	for _, s := range m.Frames[i].Subjects {
		if s.State != Shown {
			continue
		}
		if len(dst) == n {
			dst = append(dst, s.Shape...)
			continue
		}
		spare = shape.Union(spare[:0], dst[n:], s.Shape)
		dst = append(dst[:n], spare...)
	}
	return dst
}

// State returns that of the whole frame: Shown where a subject is, else Unsure
// where one is, else Gone.
func (m *Mask) State(i int) State {
	state := Gone
	for _, s := range m.Frames[i].Subjects {
		switch s.State {
		case Shown:
			return Shown
		case Unsure:
			state = Unsure
		}
	}
	return state
}

// Flags returns those of all subjects that are shown in frame i.
func (m *Mask) Flags(i int) Flags {
	var f Flags
	for _, s := range m.Frames[i].Subjects {
		if s.State == Shown {
			f |= s.Flags
		}
	}
	return f
}

// Cover returns the blocks that are always veiled.
func (m *Mask) Cover() shape.Shape {
	var out shape.Shape
	for _, r := range m.Veiled {
		out = shape.Union(nil, out, m.Grid.Cover(r))
	}
	return out
}

// Unsure returns the spans in which any subject is unsure: from a frame's time
// until that of the first frame after the run; the last ends at end.
func (m *Mask) Unsure(end footage.Ticks) []footage.Span {
	return m.Runs(end, func(i int) bool {
		return slices.ContainsFunc(m.Frames[i].Subjects, func(s Seen) bool { return s.State == Unsure })
	})
}

// Flagged returns the spans in which a subject is shown with a flag.
func (m *Mask) Flagged(end footage.Ticks) []footage.Span {
	return m.Runs(end, func(i int) bool { return m.Flags(i) != 0 })
}

// Runs returns the spans of the frames of which is says so.
func (m *Mask) Runs(end footage.Ticks, is func(i int) bool) []footage.Span {
	var out []footage.Span
	for i, f := range m.Frames {
		if !is(i) {
			continue
		}
		to := end
		if i+1 < len(m.Frames) {
			to = m.Frames[i+1].At
		}
		if k := len(out) - 1; k >= 0 && out[k].To == f.At {
			out[k].To = to
		} else {
			out = append(out, footage.Span{From: f.At, To: to})
		}
	}
	return out
}

// Check returns what is wrong with m.
func (m *Mask) Check() error {
	if err := m.Grid.Check(); err != nil {
		return fmt.Errorf("mask: %w", err)
	}
	switch {
	case m.Grid.W < 16 || m.Grid.H < 16 || m.Cell < 16 || m.Cell > 1<<14:
		return fmt.Errorf("mask: frames of %dx%d with cells of %d are outside the bounds", m.Grid.W, m.Grid.H, m.Cell)
	case len(m.Frames) == 0 || len(m.Frames) > MaxFrames || m.Still && len(m.Frames) != 1:
		return fmt.Errorf("mask: %d frames", len(m.Frames))
	case m.Mode > subject.BlurEverything || m.Subjects < 0 || m.Subjects > subject.MaxSubjects:
		return fmt.Errorf("mask: %d subjects in %v", m.Subjects, m.Mode)
	case (m.Mode == subject.BlurEverything) != (m.Subjects == 0):
		return fmt.Errorf("mask: %d subjects in %v", m.Subjects, m.Mode)
	case m.Still && m.Sound:
		return fmt.Errorf("mask: a still with sound")
	case !m.Scene.IsZero() && m.Mode != subject.StillScene:
		return fmt.Errorf("mask: a still scene in %v", m.Mode)
	}
	if err := subject.CheckVeiled(m.Veiled); err != nil {
		return fmt.Errorf("mask: %w", err)
	}
	if s := m.Stamp; s != nil {
		if err := (subject.Choice{Stamp: &subject.Stamp{Place: s.Place, Start: s.Start}}).Check(); err != nil {
			return fmt.Errorf("mask: %w", err)
		}
	}
	veiled := m.Cover()
	for i := range m.Frames {
		f := &m.Frames[i]
		if i == 0 && f.At != 0 || i > 0 && f.At <= m.Frames[i-1].At {
			return fmt.Errorf("mask: frame %d: its time %d does not follow", i, f.At)
		}
		if err := m.checkFrame(f, veiled); err != nil {
			return fmt.Errorf("mask: frame %d: %w", i, err)
		}
	}
	return nil
}

func (m *Mask) checkFrame(f *Frame, veiled shape.Shape) error {
	if len(f.Subjects) != m.Subjects {
		return fmt.Errorf("%d subjects of %d", len(f.Subjects), m.Subjects)
	}
	for _, s := range f.Subjects {
		if s.State > Gone || int(s.Reason) >= len(reasons) || s.Confidence > 100 || s.Flags&^allFlags != 0 {
			return fmt.Errorf("state %d, reason %d, confidence %d, flags %d", s.State, s.Reason, s.Confidence, s.Flags)
		}
		if (s.State == Shown) == s.Shape.Empty() {
			return fmt.Errorf("%d blocks of a subject that is %v", s.Shape.Blocks(), s.State)
		}
		if err := s.Shape.Check(m.Grid); err != nil {
			return err
		}
		if shape.Overlap(s.Shape, veiled) {
			return fmt.Errorf("it shows what is always veiled")
		}
		if shape.Overlap(s.Shape, f.Painted) {
			return fmt.Errorf("it paints over a subject")
		}
	}
	if m.Scene.IsZero() && !f.Painted.Empty() {
		return fmt.Errorf("it paints a scene that is not there")
	}
	if shape.Overlap(f.Painted, veiled) {
		return fmt.Errorf("it paints over what is always veiled")
	}
	return f.Painted.Check(m.Grid)
}

// Hash returns the SHA-256 of a canonical form.
func Hash(encoded []byte) footage.Hash { return sha256.Sum256(encoded) }

// Percent returns a confidence of 0 to 1 in hundredths.
func Percent(c float32) uint8 { return uint8(math.Max(0, math.Min(100, float64(c)*100))) }
