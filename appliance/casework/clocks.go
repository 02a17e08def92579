package casework

import (
	"context"
	"errors"
	"fmt"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// sweepEvery is how often the clocks look; a deadline is acted on at most this
// much after it passed. The extranet refuses views at the deadline itself.
const sweepEvery = 20 * time.Second

// clockGone is how far ahead of the box's clock the latest time seen may be
// before it is held to have been a wrong setting rather than a step back.
const clockGone = 48 * time.Hour

func (s *Service) runClocks(ctx context.Context) {
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Error("a deadline could not be acted on and will be tried again", "error", err)
		}
		if clock.Sleep(ctx, s.o.Clock, sweepEvery) != nil {
			return
		}
	}
}

// Sweep ends every disclosure that has run out, and removes what must be gone.
// It is safe to call at any time, and acts once.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.keepHighWater(ctx); err != nil {
		return err
	}
	s.clearPlays()
	s.markings.clear(s.o.Clock.Now(), false)
	cases, err := s.o.Store.Cases(ctx)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	errs := []error{s.forgetExports(ctx), s.deleteExpired(ctx, cases), s.pollDropped(ctx, cases)}
	for _, c := range cases {
		switch {
		case c.State.Running():
			errs = append(errs, s.sweepOne(ctx, c.ID))
		case c.State.Over() && s.remains(c.ID):
			errs = append(errs, s.dropCopy(ctx, c.ID))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.settleHighWater(ctx)
}

// settleHighWater gives up a high-water mark that a clock set far ahead has
// left, once everything has been held against it.
func (s *Service) settleHighWater(ctx context.Context) error {
	now := s.o.Clock.Now().UTC()
	s.high.mu.Lock()
	wrong := s.high.at.Sub(now) > clockGone
	if wrong {
		s.high.at = now
	}
	s.high.mu.Unlock()
	if !wrong {
		return nil
	}
	s.o.Log.Warn("the clock was set back by more than two days; running disclosures were held against the later time")
	return s.keepHighWater(ctx)
}

// clockName is who ended a disclosure where no person did.
const clockName = "Boksens ur"

func (s *Service) sweepOne(ctx context.Context, id incident.CaseID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	if s.releasing[id] {
		return nil
	}
	if c.State == incident.Released {
		if _, ok, err := s.o.Uplink.Sending(ctx, c.Disclosure.ID); err != nil || !ok {
			// A stop between the release and the queue: nothing has left, and
			// the signature is gone with the process.
			if err != nil {
				return err
			}
			return s.undoRelease(ctx, c, "den nåede ikke at blive sendt")
		}
	}
	ending, ends := policy.Ends(c, s.deadlineNow())
	if !ends {
		return s.remind(ctx, c)
	}
	reason := ending.Refusal.Text.DA
	if err := c.Move(incident.ActExpire, incident.ByClock); err != nil {
		return err
	}
	s.end(&c, reason, clockName)
	if err := s.recordAs(ctx, clockWho, "", "disclosure.expire", ending.By, caseAbout(c)); err != nil {
		return err
	}
	if err := s.o.Uplink.Withdraw(ctx, c.Disclosure.ID, incident.Person{ID: "clock", Name: clockName}, reason); err != nil {
		return fmt.Errorf("casework: queue the end of the disclosure: %w", err)
	}
	if _, err := s.save(ctx, c); err != nil {
		return err
	}
	return s.dropCopy(ctx, id)
}

// remind makes a case due for reassessment some days before its date.
func (s *Service) remind(ctx context.Context, c incident.Case) error {
	at, ok := policy.RemindAt(c)
	if !ok || s.deadlineNow().Before(at) {
		return nil
	}
	if err := c.Move(incident.ActRemind, incident.ByClock); err != nil {
		return err
	}
	if err := s.recordAs(ctx, clockWho, "", "disclosure.reassessment-due", "datoen for næste vurdering nærmer sig", caseAbout(c)); err != nil {
		return err
	}
	_, err := s.save(ctx, c)
	return err
}

// Delivered is called when the extranet has taken a disclosure.
func (s *Service) Delivered(ctx context.Context, id incident.DisclosureID, at time.Time) error {
	return s.onDisclosure(ctx, id, "disclosure.delivered", "ekstranettet har modtaget den", func(c *incident.Case) bool {
		if c.Move(incident.ActDeliver, incident.ByExtranet) != nil {
			return false
		}
		at := at.UTC()
		c.Disclosure.Disclosed = &at
		return true
	})
}

// Rejected is called when the extranet refused a disclosure for good: the case
// goes back to the shop with the reason, and nothing was shown to anybody.
func (s *Service) Rejected(ctx context.Context, id incident.DisclosureID, why *problem.Problem) error {
	return s.onDisclosure(ctx, id, "disclosure.rejected", why.Cause.DA, func(c *incident.Case) bool {
		if c.Move(incident.ActReject, incident.ByExtranet) != nil {
			return false
		}
		c.Disclosure = nil
		return true
	})
}

// Ended is called when the extranet has ended a disclosure: the operator, or
// its clock.
func (s *Service) Ended(ctx context.Context, id incident.DisclosureID, by, reason string) error {
	return s.onDisclosure(ctx, id, "disclosure.ended", by+": "+reason, func(c *incident.Case) bool {
		if c.Move(incident.ActExpire, incident.ByExtranet) != nil {
			return false
		}
		s.end(c, reason, by)
		return true
	})
}

func (s *Service) onDisclosure(ctx context.Context, id incident.DisclosureID, act, why string, f func(*incident.Case) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cases, err := s.o.Store.Cases(ctx)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for _, c := range cases {
		if c.Disclosure == nil || c.Disclosure.ID != id {
			continue
		}
		about := caseAbout(c)
		if !f(&c) {
			return nil
		}
		if err := s.recordAs(ctx, extranetWho, "", act, why, about); err != nil {
			return err
		}
		_, err := s.save(ctx, c)
		return err
	}
	return nil
}
