// Package track says where the subject is in every frame of a clip of a fixed
// camera, and how sure that is, from the boxes that a person drew in some
// frames.
//
// Shapes and units: a plane is luma, one byte a pixel, row by row, typically at
// most 384 px wide. Times are seconds from the clip's first frame. Rectangles
// are fractions of the frame (subject.Rect).
//
// It fails closed. A frame is Shown only where the track is sure; in doubt it
// is Unsure, and the caller veils the subject too. A track that was lost is not
// taken up again before the next keyframe, except after a short drop, near
// where it was expected and with a strong match.
//
// How: the still background is the median over time of each pixel, and what
// differs from it is foreground. The subject is a small map of its own luma
// and of how likely each point is to be subject; each frame it is searched for
// near where the last frames predict it, in place and size. The map learns only
// while the subject stands free of others. Then every stretch is tracked once
// more against time from a map made at its end: where the two part, somebody
// else has been followed, and the track is lost from there.
//
// The result is deterministic: the same planes and keyframes give the same
// regions.
package track

import (
	"context"
	"errors"
	"fmt"
	"math"

	"veilbox/redact/subject"
)

// A Plane is the luma of one frame: W*H bytes, row by row.
type Plane struct {
	W, H int
	Pix  []byte
}

// A Source gives the planes of a clip in any order. All are of one size. Times
// rise.
type Source interface {
	Len() int
	Time(i int) float64 // seconds from the first frame
	Plane(i int) Plane
}

// A State says what may be shown.
type State uint8

const (
	Unsure State = iota // where the subject is, is not known well enough: veil
	Shown               // the subject is within the region
	Gone                // a person said that the subject is not in the picture
)

func (s State) String() string {
	switch s {
	case Shown:
		return "shown"
	case Gone:
		return "gone"
	}
	return "unsure"
}

// Reasons of a region.
const (
	ReasonGiven      = "given"       // a keyframe
	ReasonTracked    = "tracked"     // followed from a keyframe
	ReasonCrowded    = "crowded"     // somebody else is near, or that cannot be told; shown or not, look at it
	ReasonLowMatch   = "low-match"   // too little of the picture is like the subject
	ReasonJump       = "jump"        // it would have had to move too far, or two tracks disagree
	ReasonAtEdge     = "at-edge"     // it left the picture
	ReasonLost       = "lost"        // after a loss, until the next keyframe
	ReasonNoKeyframe = "no-keyframe" // nothing says where it is
	ReasonGone       = "gone"        // a person said so
)

// A Region is where the subject is in one frame. Rect is empty where there is
// no guess; where State is not Shown it is a guess and must not be shown.
type Region struct {
	State      State
	Rect       subject.Rect
	Confidence float32 // 0 to 1
	Reason     string
}

// Limits of a clip.
const (
	MaxFrames = 1 << 20
	MinPlane  = 16   // px
	MaxPlane  = 1920 // px
)

// Run returns a region for each frame. Progress, if not nil, is called with the
// frames done of all. The error is ctx's, or says what is wrong with the input.
func Run(ctx context.Context, src Source, s subject.Subject, progress func(done, total int)) ([]Region, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("track: %w", err)
	}
	n := src.Len()
	if n < 1 || n > MaxFrames {
		return nil, fmt.Errorf("track: a clip of %d frames: give 1 to %d", n, MaxFrames)
	}
	p := src.Plane(0)
	if p.W < MinPlane || p.H < MinPlane || p.W > MaxPlane || p.H > MaxPlane {
		return nil, fmt.Errorf("track: planes of %dx%d: give %d to %d pixels each way", p.W, p.H, MinPlane, MaxPlane)
	}
	keys, err := place(src, s)
	if err != nil {
		return nil, err
	}
	e := &engine{ctx: ctx, src: src, w: p.W, h: p.H, progress: progress, total: n}
	return e.run(keys)
}

// A key is a keyframe at a frame.
type key struct {
	frame int
	rect  *subject.Rect // nil: gone
}

// place returns the keyframes at the frames nearest to them. Of two at one
// frame the later one holds.
func place(src Source, s subject.Subject) ([]key, error) {
	n := src.Len()
	last := src.Time(n - 1)
	var keys []key
	f := 0
	for _, k := range s.Keyframes {
		for f+1 < n && math.Abs(src.Time(f+1)-k.At) <= math.Abs(src.Time(f)-k.At) {
			f++
		}
		// A page may name the end of the last frame, not its beginning.
		if k.At > last+1 {
			return nil, fmt.Errorf("track: a keyframe at %g s, but the clip's last frame is at %.2f s: give times within the clip", k.At, last)
		}
		if len(keys) > 0 && keys[len(keys)-1].frame == f {
			keys = keys[:len(keys)-1]
		}
		keys = append(keys, key{f, k.Rect})
	}
	for _, k := range keys {
		if k.rect != nil {
			return keys, nil
		}
	}
	return nil, errors.New("track: no keyframe with a rectangle is left within the clip: draw a box around the subject in one of its frames")
}
