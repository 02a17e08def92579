package ring

import (
	"context"
	"errors"

	"veilbox/capture/footage"
)

// LastEnd returns where cam's newest part ends, 0 where it has none.
func (r *Ring) LastEnd(ctx context.Context, cam footage.CameraID) (footage.Ticks, error) {
	p, err := r.Latest(ctx, cam)
	if errors.Is(err, ErrNone) {
		return 0, nil
	}
	return p.End, err
}
