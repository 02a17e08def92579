package codec

import (
	"context"
	"os"
	"slices"
)

// Coded decodes in to yuv420p frames of w by h as they are coded: whole blocks,
// with the rows and columns that a player cuts off. It never scales; frames of
// another size come out in the wrong number.
func (t Tools) Coded(ctx context.Context, in *os.File, w, h int) (*Stream, error) {
	s := &Stream{Size: FrameSize(w, h)}
	return s.start(ctx, t, in, false, slices.Concat(threads(w, h), []string{"-apply_cropping", "0"}), append([]string{"-vf", "format=yuv420p"}, raw("0:v:0")...))
}
