package casework

import (
	"context"
	"fmt"
	"time"

	"veilbox/appliance/account"
	"veilbox/internal/problem"
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
	if err := s.o.Ring.ConfirmClock(ctx); err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	return nil
}

// ClockDoubt is the name of the line that says that the ring doubts the clock.
const ClockDoubt = "ring.clock"

// doubt is that line, where there is a doubt.
func (s *Service) doubt(ctx context.Context) (Check, bool, error) {
	st, err := s.o.Ring.Stats(ctx)
	if err != nil || st.Doubt.Since.IsZero() {
		return Check{}, false, err
	}
	days := int((st.Doubt.Jump + 12*time.Hour) / (24 * time.Hour))
	cause := problem.Text{DA: fmt.Sprintf("Boksens ur sprang omkring %d dage frem. Det kan være en fejl, så optagelser slettes indtil videre efter uret fra før.", days),
		EN: fmt.Sprintf("The box's clock jumped about %d days ahead. That may be a mistake, so footage is deleted by the clock from before for the time being.", days)}
	return Check{Name: ClockDoubt, Text: cause, Problem: &ProblemView{Code: ClockDoubt, Cause: cause,
		Remedy: problem.Text{DA: "Se på et andet ur. Er boksens dato og klokkeslæt rigtige, så bekræft det. Er de forkerte, så ring til driften.",
			EN: "Look at another clock. If the box's date and time are right, confirm them. If they are wrong, call the operator."}}}, true, nil
}
