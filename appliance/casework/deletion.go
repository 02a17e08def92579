package casework

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

const (
	// keepCases is how long an ended case is kept where the options say nothing.
	keepCases = 365 * 24 * time.Hour
	// keepOpen is how long a case that was never shared is kept after its last
	// change, once its footage is held no longer: it can lead to nothing.
	keepOpen = 30 * 24 * time.Hour
)

var errNotDeletable = problem.New(409, "case.delete",
	problem.Text{DA: "Sagen er i gang og kan ikke slettes nu.", EN: "The case is running and cannot be deleted now."},
	problem.Text{DA: "Træk delingen tilbage, eller vent på vurderingen eller sløringen, og slet så. En sag, som ingen vurderer, kan opgives ved at slippe dens optagelse.", EN: "Withdraw the sharing, or wait for the assessment or the veiling, and delete then. A case that nobody assesses can be given up by letting its footage go."})

// DeleteCase deletes what a case holds before its time: the hold on its footage,
// the copy, the documents and the answers. What stays is the proof that it was
// done, and the audit log.
func (s *Service) DeleteCase(ctx context.Context, a Actor, id incident.CaseID, reason string) error {
	if err := s.allow(a, account.DeleteCase); err != nil {
		return err
	}
	reason = strings.TrimSpace(reason)
	if err := checkWords("reason", reason, audit.MaxText); err != nil {
		return err
	}
	if reason == "" {
		return badInput("delete.reason", "Skriv, hvorfor sagen slettes.", "Write why the case is deleted.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	if c.State == incident.Deleted {
		return errNoCase
	}
	if s.releasing[id] || c.State == incident.Tagged {
		return errNotDeletable
	}
	by := a.Session.Person
	dead, err := s.tombstone(c, incident.Deletion{By: by.ID, Name: by.Name, Why: reason}, func(c *incident.Case) error { return s.move(c, a, incident.ActDelete) })
	if err != nil {
		return errNotDeletable.With(err)
	}
	if err := s.record(ctx, a, "case.delete", reason, caseAbout(c)); err != nil {
		return err
	}
	return s.bury(ctx, dead, string(by.ID))
}

// expiredCase reports whether the clock deletes c now, and why.
func (s *Service) expiredCase(c incident.Case, held bool, now time.Time) (why string, ok bool) {
	keep := s.o.KeepCases
	if keep <= 0 {
		keep = keepCases
	}
	switch c.State {
	case incident.Withdrawn, incident.Expired:
		end := c.Changed
		if c.Disclosure != nil && c.Disclosure.Ended != nil {
			end = *c.Disclosure.Ended
		}
		return "opbevaringstiden er udløbet", !now.Before(end.Add(keep))
	case incident.Draft, incident.Redacted, incident.Refused:
		return "aldrig delt, og optagelsen findes ikke længere", !held && !now.Before(c.Changed.Add(keepOpen))
	}
	return "", false
}

// deleteExpired deletes the cases whose time is up.
func (s *Service) deleteExpired(ctx context.Context, cases []incident.Case) error {
	now := s.deadlineNow()
	holds, err := s.o.Ring.Holds(ctx)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	held := map[string]bool{}
	for _, h := range holds {
		held[h.ID] = true
	}
	var errs []error
	for _, c := range cases {
		if _, ok := s.expiredCase(c, held[string(c.ID)], now); ok {
			errs = append(errs, s.deleteByClock(ctx, c.ID, held[string(c.ID)], now))
		}
		if c.State == incident.Deleted && (held[string(c.ID)] || s.remains(c.ID)) {
			errs = append(errs, s.remove(ctx, c.ID, clockWho.ID)) // what a stop left
		}
	}
	return errors.Join(errs...)
}

func (s *Service) deleteByClock(ctx context.Context, id incident.CaseID, held bool, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	why, ok := s.expiredCase(c, held, now)
	if !ok || s.releasing[id] {
		return nil
	}
	dead, err := s.tombstone(c, incident.Deletion{Name: clockName, Why: why}, func(c *incident.Case) error { return c.Move(incident.ActDelete, incident.ByClock) })
	if err != nil {
		return err
	}
	if err := s.recordAs(ctx, clockWho, "", "case.delete", why, caseAbout(c)); err != nil {
		return err
	}
	return s.bury(ctx, dead, clockWho.ID)
}

// tombstone returns what is left of c: that it was, when its disclosure ran, and
// the hashes of what is deleted.
func (s *Service) tombstone(c incident.Case, d incident.Deletion, move func(*incident.Case) error) (incident.Case, error) {
	if err := move(&c); err != nil {
		return c, err
	}
	answers, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("casework: %w", err)
	}
	d.At = s.o.Clock.Now().UTC()
	gone := func(kind string, h footage.Hash) {
		if !h.IsZero() {
			d.What = append(d.What, incident.Gone{Kind: kind, Hash: h})
		}
	}
	gone("clip", c.Clip.Hash.Hash)
	if c.Copy != nil {
		gone("copy", c.Copy.Hash.Hash)
	}
	for _, doc := range c.Documents {
		gone("document", doc.Hash)
	}
	gone("answers", footage.Hash(sha256.Sum256(answers)))
	dead := incident.Case{
		ID: c.ID, Version: c.Version, State: c.State, Member: c.Member, Created: c.Created,
		Subjects: []subject.Subject{}, Assessments: []incident.Assessment{}, Deletion: &d,
	}
	if x := c.Disclosure; x != nil {
		dead.Disclosure = &incident.Disclosure{ID: x.ID, Released: x.Released, Disclosed: x.Disclosed, NotAfter: x.NotAfter, ReportDue: x.ReportDue, Ended: x.Ended}
	}
	return dead, nil
}

// bury saves the tombstone and removes what the case had. A stop in between is
// made good by the next sweep. The caller holds mu.
func (s *Service) bury(ctx context.Context, dead incident.Case, by string) error {
	ctx = context.WithoutCancel(ctx)
	if _, err := s.save(ctx, dead); err != nil {
		return err
	}
	return s.remove(ctx, dead.ID, by)
}

// remove removes all that the box keeps of a case beside its row.
func (s *Service) remove(ctx context.Context, id incident.CaseID, by string) error {
	s.spans.drop(id)
	s.markings.forget(id)
	s.jobs.forget(id)
	errs := []error{s.dropCopy(ctx, id), s.dropDocuments(ctx, id)}
	holds, err := s.o.Ring.Holds(ctx)
	if err == nil && slices.ContainsFunc(holds, func(h ring.Hold) bool { return h.ID == string(id) }) {
		err = s.o.Ring.Release(ctx, string(id), by)
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("casework: the case is deleted, but not all that it had could be removed; it is tried again: %w", err)
	}
	return nil
}

// remains reports whether a copy is left of a case that is over.
func (s *Service) remains(id incident.CaseID) bool {
	_, err := os.Stat(s.copyFiles(id).path)
	return !errors.Is(err, fs.ErrNotExist)
}

// DeletedCases returns what is left of the cases that were deleted, newest first:
// names, dates and hashes.
func (s *Service) DeletedCases(ctx context.Context, a Actor) ([]CaseView, error) {
	if err := s.allow(a, account.CaseFile); err != nil {
		return nil, err
	}
	cases, err := s.o.Store.Cases(ctx, incident.Deleted)
	if err != nil {
		return nil, err
	}
	views := make([]CaseView, 0, len(cases))
	for _, c := range cases {
		views = append(views, tombView(c))
	}
	return views, nil
}

// tombView says what there is to say of a deleted case.
func tombView(c incident.Case) CaseView {
	return CaseView{Case: c, Findings: []policy.Finding{}, Missing: []policy.Refusal{}, May: []string{}}
}
