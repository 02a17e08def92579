package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/problem"
)

var (
	errNoHold = problem.New(404, "hold.missing",
		problem.Text{DA: "Optagelsen bliver ikke beholdt længere.", EN: "The footage is not held any more."},
		problem.Text{DA: "Hent siden igen.", EN: "Load the page again."})
	errHoldNeeded = problem.New(409, "hold.needed",
		problem.Text{DA: "Sagen er i gang, så dens optagelse skal bevares.", EN: "The case is running, so its footage must be kept."},
		problem.Text{DA: "Træk delingen tilbage, eller vent til kopien er lavet, før optagelsen slippes.", EN: "Withdraw the disclosure, or wait until the copy is made, before the footage is released."})
)

// Holds returns what is kept beyond its time, the first to be looked at in
// front.
func (s *Service) Holds(ctx context.Context, a Actor) ([]HoldView, error) {
	if err := s.allow(a, account.KeepFootage); err != nil {
		return nil, err
	}
	holds, err := s.o.Ring.Holds(ctx)
	if err != nil {
		return nil, fmt.Errorf("casework: %w", err)
	}
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return nil, err
	}
	names := map[footage.CameraID]string{}
	for _, c := range cams {
		names[c.ID] = c.Name
	}
	now := s.deadlineNow()
	views := make([]HoldView, 0, len(holds))
	for _, h := range holds {
		v := HoldView{ID: h.ID, Camera: h.Camera, Name: names[h.Camera], Span: spanView(h.Span), Review: h.Review.UTC(), Due: !h.Review.After(now), Release: true}
		if id, ok := strings.CutPrefix(h.ID, exportHold); ok {
			x, err := s.exported(ctx, id)
			if err != nil && !errors.Is(err, errNoExport) {
				return nil, err
			}
			v.What = x.View.Purpose
		} else if c, err := s.o.Store.Case(ctx, incident.CaseID(h.ID)); err == nil {
			v.Case, v.What, v.Release = c.ID, c.What, closable(c) || ended(c)
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// ExtendHold keeps held footage until a person looks again at another time.
func (s *Service) ExtendHold(ctx context.Context, a Actor, id string, ch HoldChange) (HoldView, error) {
	if err := s.allow(a, account.KeepFootage); err != nil {
		return HoldView{}, err
	}
	ch.Reason = strings.TrimSpace(ch.Reason)
	if ch.Reason == "" {
		return HoldView{}, badInput("hold.why", "Skriv, hvorfor optagelsen stadig skal bruges.", "Write why the footage is still needed.")
	}
	if err := checkWords("reason", ch.Reason, maxName); err != nil {
		return HoldView{}, err
	}
	if now := s.deadlineNow(); !ch.Review.After(now) || ch.Review.Sub(now) > keepMost {
		return HoldView{}, badInput("hold.review", "Vælg en dato, der ligger fremme og inden for et år.", "Choose a date ahead, within a year.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	find := func() (HoldView, error) {
		all, err := s.Holds(ctx, a)
		if err != nil {
			return HoldView{}, err
		}
		i := slices.IndexFunc(all, func(h HoldView) bool { return h.ID == id })
		if i < 0 {
			return HoldView{}, errNoHold
		}
		return all[i], nil
	}
	h, err := find()
	if err != nil {
		return HoldView{}, err
	}
	about := map[string]string{"hold": id, "camera": string(h.Camera), "until": ch.Review.UTC().Format(time.RFC3339), "before": h.Review.Format(time.RFC3339)}
	if h.Case != "" {
		about["case"] = string(h.Case)
	}
	if err := s.record(ctx, a, "hold.extend", ch.Reason, about); err != nil {
		return HoldView{}, err
	}
	if err := s.o.Ring.Extend(ctx, id, ch.Review); err != nil {
		return HoldView{}, fmt.Errorf("casework: keep the footage: %w", err)
	}
	return find()
}

// closable reports whether a case can be given up. One that waits for an assessor
// can: what is kept of a person must not hang on whether somebody answers.
func closable(c incident.Case) bool { return changeable(&c) == nil || c.State == incident.Submitted }

func ended(c incident.Case) bool { return c.State.Over() }

// ReleaseHold lets held footage go when its time is up. A case that is still
// open is given up with it: without its footage it can lead to nothing.
func (s *Service) ReleaseHold(ctx context.Context, a Actor, id, reason string) error {
	if err := s.allow(a, account.KeepFootage); err != nil {
		return err
	}
	if strings.TrimSpace(reason) == "" {
		return badInput("hold.reason", "Skriv, hvorfor optagelsen ikke skal bruges mere.", "Write why the footage is not needed any more.")
	}
	if err := checkWords("reason", reason, maxName); err != nil {
		return err
	}
	holds, err := s.o.Ring.Holds(ctx)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	i := slices.IndexFunc(holds, func(h ring.Hold) bool { return h.ID == id })
	if i < 0 {
		return errNoHold
	}
	about := map[string]string{"hold": id, "camera": string(holds[i].Camera)}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.o.Store.Case(ctx, incident.CaseID(id))
	wasEnded := ended(c)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := s.record(ctx, a, "hold.release", reason, about); err != nil {
			return err
		}
	case err != nil:
		return err
	case s.releasing[c.ID] || !closable(c) && !ended(c):
		return errHoldNeeded
	default:
		if !wasEnded { // the sweep removes its copy
			if err := s.move(&c, a, incident.ActGiveUp); err != nil {
				return err
			}
		}
		about["case"] = id
		if err := s.record(ctx, a, "hold.release", reason, about); err != nil {
			return err
		}
		if !wasEnded {
			if _, err := s.save(ctx, c); err != nil {
				return err
			}
		}
	}
	if err := s.o.Ring.Release(ctx, id, string(a.Session.Person.ID)); err != nil {
		return fmt.Errorf("casework: release the footage: %w", err)
	}
	return nil
}
