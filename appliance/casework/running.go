package casework

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/problem"
)

// Bounds of what is kept about a disclosure that runs.
const (
	maxFacts         = 50
	maxReassessments = 60 // two a day in 30 days
	maxNarrowings    = 200
)

var errFacts = badInput("fact.what", "Vælg, hvad der er sket, og skriv det med ord.", "Choose what has happened, and write it in words.")

// SetFact records something new that stands in the way of sharing the case: the
// certainty is lost (V1), the police have charged the person (V3), the report is
// withdrawn or found groundless (V4). A disclosure that runs ends at once; the
// recipients are told which condition holds no longer, and not the words.
//
// A fact is not taken back: where it was wrong, a new case is made.
func (s *Service) SetFact(ctx context.Context, a Actor, id incident.CaseID, n NewFact) (CaseView, error) {
	if err := s.allow(a, account.RecordFact); err != nil {
		return CaseView{}, err
	}
	n.Words = strings.TrimSpace(n.Words)
	if err := checkWords("words", n.Words, audit.MaxText); err != nil {
		return CaseView{}, err
	}
	if !slices.Contains(facts, n.What) || len(strings.Fields(n.Words)) < 2 {
		return CaseView{}, errFacts
	}
	now := s.o.Clock.Now().UTC()
	switch {
	case n.At.IsZero():
		n.At = now
	case n.At.After(now.Add(time.Minute)):
		return CaseView{}, badInput("fact.at", "Tidspunktet ligger i fremtiden.", "The time is in the future.")
	case n.At.After(now):
		n.At = now // the page's clock is a little ahead
	}
	ended := false
	v, err := s.change(ctx, a, id, n.Version, "case.fact", n.What+": "+n.Words, func(c *incident.Case) error {
		report := n.What == incident.FactReportWithdrawn || n.What == incident.FactReportGroundless
		switch {
		case c.State.Over():
			return wrongState("Sagen er afsluttet.", "The case has ended.")
		case report && c.Evidence.Report == nil:
			return wrongState("Der er ingen anmeldelse i sagen endnu.", "The case has no report to the police yet.")
		case n.At.Before(c.HappenedAt.Truncate(time.Minute)): // a page's field has whole minutes
			return badInput("fact.at", "Tidspunktet ligger før hændelsen.", "The time is before the incident.")
		case len(c.Facts) >= maxFacts:
			return badInput("fact.many", "Sagen har for mange oplysninger.", "The case has too many facts.")
		}
		c.Facts = append(c.Facts, incident.Fact{
			What: n.What, At: n.At.UTC(), Words: n.Words, By: a.Session.Person.ID, Name: a.Session.Person.Name, Added: now,
		})
		applyFacts(c)
		if !c.State.Running() {
			return nil
		}
		ending, ends := policy.Ends(*c, s.deadlineNow())
		if !ends {
			return errFacts // no rule asks about it: the fact would say something and do nothing
		}
		if err := s.move(c, a, incident.ActFact); err != nil {
			return err
		}
		s.end(c, ending.Refusal.Text.DA, a.Session.Person.Name)
		ended = true
		return nil
	}, func(c incident.Case) error {
		if !ended {
			return nil
		}
		return s.tellEnd(ctx, a.Session.Person, c)
	})
	if err != nil || !ended {
		return v, err
	}
	return v, s.dropEnded(ctx, id)
}

var facts = []string{incident.FactCertaintyLost, incident.FactCharged, incident.FactReportWithdrawn, incident.FactReportGroundless}

// applyFacts gives the evidence what the facts of c say; the form cannot take it
// back.
func applyFacts(c *incident.Case) {
	set := func(p **time.Time, at time.Time) {
		if *p == nil || at.Before(**p) {
			*p = &at
		}
	}
	e := &c.Evidence
	for _, f := range c.Facts {
		switch f.What {
		case incident.FactCertaintyLost:
			set(&e.CertaintyLost, f.At)
		case incident.FactCharged:
			set(&e.Charged, f.At)
		}
		if f.What != incident.FactReportWithdrawn && f.What != incident.FactReportGroundless {
			continue
		}
		r := incident.Report{}
		if e.Report != nil {
			r = *e.Report
		}
		e.Report = &r
		if f.What == incident.FactReportWithdrawn {
			set(&r.Withdrawn, f.At)
		} else {
			set(&r.Groundless, f.At)
		}
	}
}

// tellEnd queues the end of c's disclosure. It is queued before the case is
// saved: after a stop in between it goes out and can be asked for again.
func (s *Service) tellEnd(ctx context.Context, by incident.Person, c incident.Case) error {
	if err := s.o.Uplink.Withdraw(ctx, c.Disclosure.ID, by, c.Disclosure.EndReason); err != nil {
		return fmt.Errorf("casework: queue the end of the disclosure: %w", err)
	}
	return nil
}

// dropEnded removes the copy of a case whose disclosure has ended.
func (s *Service) dropEnded(ctx context.Context, id incident.CaseID) error {
	if err := s.dropCopy(ctx, id); err != nil {
		return fmt.Errorf("casework: the disclosure has ended, but the box's own copy could not be deleted and will be tried again: %w", err)
	}
	return nil
}

var errNotDelivered = wrongState("Sagen er ikke videregivet, eller ekstranettet har den ikke endnu.", "The case is not disclosed, or the extranet does not have it yet.")

// delivered reports whether c's disclosure runs and the extranet has it.
func delivered(c incident.Case) bool { return c.State.Running() && c.State != incident.Released }

// Reassess looks at all nine conditions again while the disclosure runs (V8): by
// an assessor, with reasons, and they must hold. It prolongs nothing: the
// disclosure ends when it was to end.
func (s *Service) Reassess(ctx context.Context, a Actor, id incident.CaseID, r Reassess) (CaseView, error) {
	if err := s.allowAccepted(ctx, a, account.Assess); err != nil {
		return CaseView{}, err
	}
	r.Reasons = strings.TrimSpace(r.Reasons)
	if err := checkWords("reasons", r.Reasons, audit.MaxText); err != nil {
		return CaseView{}, err
	}
	now := s.o.Clock.Now().UTC()
	x := incident.Reassessment{By: a.Session.Person.Clone(), At: now, Reasons: r.Reasons, Next: r.Next.UTC()}
	about := map[string]string{"next": x.Next.Format(time.RFC3339)}
	return s.changeAbout(ctx, a, id, r.Version, "disclosure.reassess", r.Reasons, about, func(c *incident.Case) error {
		switch {
		case !delivered(*c):
			return errNotDelivered
		case len(c.Reassessments) >= maxReassessments:
			return wrongState("Sagen er vurderet for mange gange. Træk den tilbage, og opret en ny.", "The case has been reassessed too many times. Withdraw it and make a new one.")
		}
		narrowed := len(c.Narrowings) > 0
		if len(r.Drop) > 0 {
			if err := narrow(c, a, r.Drop, r.Reasons, now); err != nil {
				return err
			}
			about["dropped"] = named(r.Drop)
		}
		if v := policy.Reassess(*c, x, s.deadlineNow(), s.o.Settings); !v.Satisfied() {
			return missingProblem(v.Missing())
		}
		if err := s.move(c, a, incident.ActReassess); err != nil {
			return err
		}
		// What was narrowed stays narrowed, also where the date had come near.
		if len(r.Drop) > 0 || narrowed && c.State == incident.Disclosed {
			if err := s.move(c, a, incident.ActNarrow); err != nil {
				return err
			}
		}
		next := x.Next
		c.Reassessments = append(slices.Clone(c.Reassessments), x)
		c.Evidence.NextReassessment = &next
		return nil
	}, func(c incident.Case) error {
		if err := s.o.Uplink.Reassess(ctx, c.Disclosure.ID, x.By, x.Reasons, x.Next, r.Drop); err != nil {
			return fmt.Errorf("casework: tell the extranet of the reassessment: %w", err)
		}
		return nil
	})
}

// Narrow takes members out of the circle of a disclosure that runs (V6). They
// lose access at once and are told to delete; nobody can be taken in.
func (s *Service) Narrow(ctx context.Context, a Actor, id incident.CaseID, n Narrow) (CaseView, error) {
	if err := s.allow(a, account.Narrow); err != nil {
		return CaseView{}, err
	}
	n.Reason = strings.TrimSpace(n.Reason)
	if err := checkWords("reason", n.Reason, audit.MaxText); err != nil {
		return CaseView{}, err
	}
	if len(strings.Fields(n.Reason)) < 2 {
		return CaseView{}, badInput("narrow.reason", "Skriv, hvorfor de ikke længere er udsat for ligeartet kriminalitet; de får det at se.", "Write why they are no longer exposed to the same kind of crime; they will see it.")
	}
	now := s.o.Clock.Now().UTC()
	about := map[string]string{}
	return s.changeAbout(ctx, a, id, n.Version, "disclosure.narrow", n.Reason, about, func(c *incident.Case) error {
		if !delivered(*c) {
			return errNotDelivered
		}
		if err := narrow(c, a, n.Drop, n.Reason, now); err != nil {
			return err
		}
		about["dropped"] = named(n.Drop)
		return s.move(c, a, incident.ActNarrow)
	}, func(c incident.Case) error {
		if err := s.o.Uplink.Narrow(ctx, c.Disclosure.ID, a.Session.Person, n.Reason, n.Drop); err != nil {
			return fmt.Errorf("casework: tell the extranet of the narrower circle: %w", err)
		}
		return nil
	})
}

var errDrop = problem.New(400, "narrow.members",
	problem.Text{DA: "De valgte er ikke alle i kredsen, eller der bliver ingen tilbage.", EN: "Not all that were chosen are in the circle, or none would be left."},
	problem.Text{DA: "Vælg medlemmer, der er i kredsen nu. Skal ingen have adgang længere, så træk delingen tilbage.", EN: "Choose members that are in the circle now. If nobody is to have access any longer, withdraw the sharing."})

// narrow takes drop out of c's circle and keeps it.
func narrow(c *incident.Case, a Actor, drop []incident.MemberID, reason string, now time.Time) error {
	if len(c.Narrowings) >= maxNarrowings {
		return errDrop
	}
	left := slices.Clone(c.Evidence.Circle.Members)
	x := incident.Narrowing{By: a.Session.Person.Clone(), At: now, Reason: reason}
	for _, m := range drop {
		i := slices.Index(left, m)
		if i < 0 || m == c.Member {
			return errDrop
		}
		left = slices.Delete(left, i, i+1)
		x.Dropped = append(x.Dropped, incident.Dropped{Member: m})
	}
	if len(drop) == 0 || !slices.ContainsFunc(left, func(m incident.MemberID) bool { return m != c.Member }) {
		return errDrop
	}
	c.Evidence.Circle.Members = left
	c.Narrowings = append(slices.Clone(c.Narrowings), x)
	return nil
}
