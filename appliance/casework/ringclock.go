package casework

import (
	"context"
	"fmt"

	"veilbox/appliance/account"
)

// ConfirmClock says that the box's clock is right, after a step that the ring
// does not believe: until then nothing expires by the new time.
func (s *Service) ConfirmClock(ctx context.Context, a Actor) error {
	if err := s.allow(a, account.KeepFootage); err != nil {
		return err
	}
	if err := s.record(ctx, a, "clock.confirm", "", nil); err != nil {
		return err
	}
	if r, ok := any(s.o.Ring).(interface{ ConfirmClock(context.Context) error }); ok {
		if err := r.ConfirmClock(ctx); err != nil {
			return fmt.Errorf("casework: %w", err)
		}
	}
	return nil
}
