package track

import (
	"errors"
	"fmt"
	"math"

	"veilbox/redact/subject"
)

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
