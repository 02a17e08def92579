// Package scene learns the long-still background of a camera, and says where a
// copy may show it.
//
// What is shown is the learnt picture, never the frame: a block is painted with
// what hours of the ring have proven to be there. So whatever the comparison of
// a frame with the picture misses, no sample of the clip is seen by it; somebody
// it overlooks is painted over. And because the picture comes from hours, and
// not from the clip, who stands still through the clip is not in it.
//
// # What is proven
//
// A block of the grid (redact/shape) is proven where, in each third of the time
// that was learnt from, at least MinShare of the samples agree with the picture:
// every patch of 4x4 pixels in luma, and of 4x4 samples in chroma, to within
// Agree of a step. What is restless, below that by far, spoils its neighbours
// too, and what is left must be of one piece of at least MinPiece of the frame: the
// inside of a coat that never leaves its chair is as still as a wall, but its
// rim is not. A picture has neutral grey where nothing is proven.
//
// Less than MinSamples over MinSpan, or a hole of more than half of it, prove
// nothing; that is no error.
//
// # Light
//
// Before a frame is compared its light is fitted by medians: a curve for luma,
// of four parts, and a shift for each chroma plane. Lamps, exposure and dusk
// pass; a patch of sun or the shadow of a door do not, nor do colours that go
// grey under infrared: there less is proven, and less is painted. The picture
// has the light that most samples have.
//
// # What this does not tell
//
// Somebody who does not move a pixel for all the hours, at a rim of the colours
// of what is behind: a block is proven by what it looks like and not by what it
// is. The reveal sheet shows the picture to a person.
//
// Frames are yuv420p as in redact/veil, blocks a multiple of 4 pixels. Times are
// ticks of 1/90000 s.
package scene

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/shape"
	"veilbox/redact/veil"
)

// What it takes to prove a block.
const (
	MinSamples = 60
	MaxSamples = 1_000_000
	MinSpan    = 2 * time.Hour
	MinShare   = 0.9     // of the samples of each third
	Restless   = 0.75    // what agrees less often spoils its neighbours
	MinThird   = 12      // samples of each third
	Agree      = 5       // steps between a patch and the picture's
	MinPiece   = 1. / 12 // of the frame, for proven blocks that hang together
	sameLight  = 8       // steps of light that are still the same
	averaged   = 64      // samples that a picture is the mean of
)

// How a frame is held against the picture, in steps.
const (
	Differs = 12 // a patch that is as far away is not painted
	Returns = 7  // until it is as near as this for Calm frames
	Calm    = 8
)

// In luma pixels.
const (
	dilate = 8  // around what differs
	gap    = 16 // around what is shown: more than both margins of a check
)

// A Why says why nothing is proven.
type Why string

// Reasons for an empty Still.
const (
	TooFew   Why = "too-few"   // samples
	TooShort Why = "too-short" // a span
	Hole     Why = "hole"      // half of the span has no sample, or a third too few
	Unsteady Why = "unsteady"  // no piece is large enough
)

// A Scene is a learnt background. It remembers what differed in the frame before
// and is not for use by several goroutines at once.
type Scene struct {
	Grid    shape.Grid
	Picture veil.Frame  // neutral grey where nothing is proven
	Still   shape.Shape // the blocks that are proven
	Why     Why         // nothing is
	Samples int
	Span    footage.Ticks

	model, now *patches
	light      light
	diff       []uint16
	calm       []uint8       // frames until a block may be painted again
	map1, map2 *shape.Bitmap // at work, and Still
	runs       shape.Shape
	idx        [2][]int32 // patches that tell of the light
}

// Hash names the picture.
func (s *Scene) Hash() footage.Hash { return Hash(&s.Picture) }

// Hash returns the SHA-256 of a picture: "veilbox scene 1\n", width and height
// as uint32, big endian, then luma, U and V.
func Hash(f *veil.Frame) footage.Hash {
	h := sha256.New()
	b := append([]byte("veilbox scene 1\n"), make([]byte, 8)...)
	binary.BigEndian.PutUint32(b[16:], uint32(f.W))
	binary.BigEndian.PutUint32(b[20:], uint32(f.H))
	for _, p := range [][]byte{b, f.Y, f.U, f.V} {
		_, _ = h.Write(p) // a hash takes everything
	}
	var out footage.Hash
	h.Sum(out[:0])
	return out
}

// Reset forgets the frame before.
func (s *Scene) Reset() { clear(s.calm) }

// Painted appends to dst the blocks of f that may be painted: what is proven,
// without what differs from the picture and its surroundings, without what is
// shown and a gap around it, without what is always veiled. Frames come in their
// order. A frame of another size paints nothing.
func (s *Scene) Painted(dst shape.Shape, f *veil.Frame, shown, veiled shape.Shape) shape.Shape {
	if s.Still.Empty() || checkFrame(s.Grid, f) != nil {
		return dst
	}
	if s.now == nil {
		s.begin()
	}
	s.now.take(f)
	s.light.fit(s.model, s.now, &s.idx)
	worst(s.diff, s.Grid, s.model, s.now, &s.light)
	s.map1.Clear()
	for i, d := range s.diff {
		switch {
		case d > Differs*unit:
			s.calm[i] = Calm
		case s.calm[i] > 0 && d <= Returns*unit:
			s.calm[i]--
		}
		s.map1.Bits[i] = s.calm[i] > 0
	}
	// What is not proven has nothing to differ from.
	for i, still := range s.map2.Bits {
		s.map1.Bits[i] = s.map1.Bits[i] && still
	}
	b := s.Grid.Block
	s.runs = s.map1.Shape(s.runs[:0])
	around(s.map1, s.runs, (dilate+b-1)/b)
	around(s.map1, shown, (gap+b-1)/b)
	s.map1.Add(veiled, true)
	for i, out := range s.map1.Bits {
		s.map1.Bits[i] = !out && s.map2.Bits[i]
	}
	return s.map1.Shape(dst)
}

func (s *Scene) begin() {
	g := s.Grid
	s.model, s.now = newPatches(g.W, g.H), newPatches(g.W, g.H)
	s.model.take(&s.Picture)
	n := g.Cols() * g.Rows()
	s.diff, s.calm = make([]uint16, n), make([]uint8, n)
	s.map1, s.map2 = shape.NewBitmap(g), shape.NewBitmap(g)
	s.map2.Add(s.Still, true)
	s.idx = s.model.spread(g, s.map2)
}

// around sets every block within n of s.
func around(b *shape.Bitmap, s shape.Shape, n int) {
	for _, r := range s {
		c0, c1 := max(0, int(r.From)-n), min(b.Cols, int(r.To)+n)
		for row := max(0, int(r.Row)-n); row <= min(b.Rows-1, int(r.Row)+n); row++ {
			line := b.Bits[row*b.Cols+c0 : row*b.Cols+c1]
			for i := range line {
				line[i] = true
			}
		}
	}
}

func checkFrame(g shape.Grid, f *veil.Frame) error {
	if n := g.W * g.H; f.W != g.W || f.H != g.H || len(f.Y) != n || len(f.U) != n/4 || len(f.V) != n/4 {
		return fmt.Errorf("scene: a frame of %dx%d with %d, %d and %d bytes on a grid of %dx%d: give tightly packed yuv420p", f.W, f.H, len(f.Y), len(f.U), len(f.V), g.W, g.H)
	}
	return nil
}

var errPasses = errors.New("scene: the second pass saw other samples than the first: read the ring again")
