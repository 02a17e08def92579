// Package mask is what may be seen in each frame of a clip: the tracks, made
// ready for the veil, and their one canonical form, whose SHA-256 names them in
// a proof.
//
// Times are ticks of 1/90000 s from the clip's first frame, rectangles
// fractions of the frame. A frame whose state is not Shown has no rectangle.
//
// The canonical form, all numbers big endian:
//
//	"veilbox mask 1\n"
//	width, height uint32   pixels of the copy
//	cell uint32            side of the veil's cells, pixels
//	frames uint32
//	per frame:
//	  at int64             ticks
//	  state, reason, confidence uint8   confidence in hundredths
//	  rects uint8
//	  per rectangle: x, y, w, h float64   IEEE 754
package mask

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

// Bounds of a mask.
const (
	MaxFrames = 1_000_000
	MaxRects  = 32 // of a frame
	MaxSize   = 256 << 20
)

const magic = "veilbox mask 1\n"

// A State says what may be shown. Its values are in the canonical form.
type State uint8

const (
	Unsure State = 0 // not known well enough: everything is veiled
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
var reasons = []string{"", "given", "tracked", "crowded", "low-match", "jump", "at-edge", "lost", "no-keyframe", "gone", "between", "near-doubt"}

// A Reason is why a frame has its state, as redact/track names it.
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

// A Frame is one frame of a mask.
type Frame struct {
	At         footage.Ticks
	State      State
	Reason     Reason
	Confidence uint8 // hundredths
	Rects      []subject.Rect
}

// A Mask is what may be seen in a clip.
type Mask struct {
	Width, Height, Cell int
	Frames              []Frame
}

// Shown returns what is shown of frame i.
func (m *Mask) Shown(i int) []subject.Rect {
	if m.Frames[i].State != Shown {
		return nil
	}
	return m.Frames[i].Rects
}

// Encode returns the canonical form.
func (m *Mask) Encode() []byte {
	b := make([]byte, 0, len(magic)+16+len(m.Frames)*44)
	b = append(b, magic...)
	for _, v := range []int{m.Width, m.Height, m.Cell, len(m.Frames)} {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	for _, f := range m.Frames {
		b = binary.BigEndian.AppendUint64(b, uint64(f.At))
		b = append(b, byte(f.State), byte(f.Reason), f.Confidence, byte(len(f.Rects)))
		for _, r := range f.Rects {
			for _, v := range []float64{r.X, r.Y, r.W, r.H} {
				b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
			}
		}
	}
	return b
}

// Hash returns the SHA-256 of a canonical form.
func Hash(encoded []byte) footage.Hash { return sha256.Sum256(encoded) }

var errShort = errors.New("mask: the file ends too early: make it anew")

// Decode reads a canonical form and refuses any other.
func Decode(b []byte) (*Mask, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("mask: %d bytes, at most %d", len(b), MaxSize)
	}
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return nil, errors.New("mask: it is no mask of this version: make it anew")
	}
	if len(rest) < 16 {
		return nil, errShort
	}
	n := binary.BigEndian.Uint32(rest[12:])
	m := &Mask{Width: int(binary.BigEndian.Uint32(rest)), Height: int(binary.BigEndian.Uint32(rest[4:])), Cell: int(binary.BigEndian.Uint32(rest[8:]))}
	rest = rest[16:]
	if m.Width < 16 || m.Height < 16 || m.Width > 1<<14 || m.Height > 1<<14 || m.Cell < 16 || m.Cell > 1<<14 || n == 0 || n > MaxFrames || len(rest)/12 < int(n) {
		return nil, fmt.Errorf("mask: %d frames of %dx%d with cells of %d are outside the bounds", n, m.Width, m.Height, m.Cell)
	}
	m.Frames = make([]Frame, n)
	for i := range m.Frames {
		if len(rest) < 12 {
			return nil, errShort
		}
		f := &m.Frames[i]
		f.At = footage.Ticks(binary.BigEndian.Uint64(rest))
		f.State, f.Reason, f.Confidence = State(rest[8]), Reason(rest[9]), rest[10]
		k := int(rest[11])
		rest = rest[12:]
		if k > MaxRects || len(rest) < 32*k {
			return nil, errShort
		}
		for range k {
			var v [4]float64
			for j := range v {
				v[j] = math.Float64frombits(binary.BigEndian.Uint64(rest[8*j:]))
			}
			f.Rects = append(f.Rects, subject.Rect{X: v[0], Y: v[1], W: v[2], H: v[3]})
			rest = rest[32:]
		}
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("mask: frame %d: %w", i, err)
		}
		if i == 0 && f.At != 0 || i > 0 && f.At <= m.Frames[i-1].At {
			return nil, fmt.Errorf("mask: frame %d: its time %d does not follow", i, f.At)
		}
	}
	if len(rest) != 0 {
		return nil, errors.New("mask: something follows the last frame: make it anew")
	}
	return m, nil
}

func (f *Frame) check() error {
	if f.State > Gone || int(f.Reason) >= len(reasons) || f.Confidence > 100 {
		return fmt.Errorf("state %d, reason %d, confidence %d", f.State, f.Reason, f.Confidence)
	}
	if (f.State == Shown) != (len(f.Rects) > 0) {
		return fmt.Errorf("%d rectangles in a frame that is %v", len(f.Rects), f.State)
	}
	for _, r := range f.Rects {
		for _, v := range []float64{r.X, r.Y, r.W, r.H} {
			if !(v >= -1 && v <= 2) {
				return fmt.Errorf("rectangle %+v", r)
			}
		}
	}
	return nil
}

// Runs returns the spans in which the state is s: from a frame's time until
// that of the first frame after the run; the last ends at end.
func (m *Mask) Runs(s State, end footage.Ticks) []footage.Span {
	var out []footage.Span
	for i, f := range m.Frames {
		if f.State != s {
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
