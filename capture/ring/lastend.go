package ring

import (
	"context"
	"errors"

	"veilbox/capture/footage"
)

// LastEnd returns where cam's newest part ends, 0 where it has none. No part is
// taken that starts before that.
func (r *Ring) LastEnd(ctx context.Context, cam footage.CameraID) (footage.Ticks, error) {
	r.mu.Lock()
	c := r.cameras[cam]
	r.mu.Unlock()
	var known footage.Ticks
	if c != nil {
		c.mu.Lock()
		known = c.end // it outlives the part
		c.mu.Unlock()
	}
	p, err := r.Latest(ctx, cam)
	if errors.Is(err, ErrNone) {
		return known, nil
	}
	return max(p.End, known), err
}
