package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

func missingProblem(missing []policy.Refusal) *problem.Problem {
	var da, en []string
	for _, r := range missing {
		da = append(da, fmt.Sprintf("%s: %s", r.Condition, r.Text.DA))
		en = append(en, fmt.Sprintf("%s: %s", r.Condition, r.Text.EN))
	}
	return problem.New(409, "gate.missing",
		problem.Text{DA: "Sagen opfylder ikke alle ni vilkår. " + strings.Join(da, " "), EN: "The case does not meet all nine conditions. " + strings.Join(en, " ")},
		problem.Text{DA: "Udfyld det, der mangler.", EN: "Fill in what is missing."})
}

// Submit hands a case to the assessor. What only the assessor can meet may
// still be missing.
func (s *Service) Submit(ctx context.Context, a Actor, id incident.CaseID, version int) (CaseView, error) {
	if err := s.allowAccepted(ctx, a, account.Submit); err != nil {
		return CaseView{}, err
	}
	enrolled, err := s.o.Uplink.Enrolment(ctx)
	if err != nil {
		return CaseView{}, err
	}
	members, unknown := s.o.Uplink.Members(ctx)
	if unknown != nil {
		// The extranet checks the circle itself; its absence delays nothing here.
		s.o.Log.Info("a circle is submitted without the list of members", "case", id, "error", unknown)
	}
	return s.change(ctx, a, id, version, "case.submit", "", func(c *incident.Case) error {
		if err := changeable(c); err != nil {
			return err
		}
		if enrolled.Enrolled {
			c.Member = enrolled.Member // the case may be older than the enrolment
		}
		p := a.Session.Person
		c.SubmittedBy = &p
		if err := errors.Join(s.freshen(ctx, c), s.hold(ctx, c)); err != nil {
			return err
		}
		if missing := policy.Assess(*c, s.deadlineNow(), s.o.Settings).MissingBefore(); len(missing) > 0 {
			return missingProblem(missing)
		}
		if unknown == nil {
			if err := fitCircle(c.Evidence.Circle, members); err != nil {
				return err
			}
		}
		return s.move(c, a, incident.ActSubmit)
	})
}

// queued ends the time in which a released case is not yet queued.
func (s *Service) queued(id incident.CaseID) {
	s.mu.Lock()
	delete(s.releasing, id)
	s.mu.Unlock()
}

// onlyCompetences reports whether all that is missing is a second assessor, with
// other competences, in a doubtful case or the first of its kind (V9).
func onlyCompetences(missing []policy.Refusal) bool {
	return !slices.ContainsFunc(missing, func(r policy.Refusal) bool { return r.Code != "v9.competences" })
}

// freshen gives the people of a case the authorisations that they have now: what
// is kept with an act is how they were then (V7).
func (s *Service) freshen(ctx context.Context, c *incident.Case) error {
	for _, p := range []*incident.Person{&c.Tagged, c.SubmittedBy} {
		if p == nil {
			continue
		}
		now, err := s.o.Accounts.Person(ctx, p.ID)
		if err != nil {
			return err
		}
		p.Authorisation = now.Incident().Authorisation
		if !now.Active {
			p.Authorisation = incident.Authorisation{}
		}
	}
	return nil
}

// unrelease takes back a release that was never queued: the case is with the
// assessor again, and the approval does not stand.
func (s *Service) unrelease(ctx context.Context, id incident.CaseID, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	if c.State != incident.Released {
		return nil
	}
	return s.undoRelease(ctx, c, problem.Of(why).Cause.DA)
}

// undoRelease sets a released case back to the assessor, without the approval.
// The caller holds mu.
func (s *Service) undoRelease(ctx context.Context, c incident.Case, why string) error {
	if err := s.recordAs(ctx, clockWho, "", "case.release.undone", why, caseAbout(c)); err != nil {
		return err
	}
	if err := c.Move(incident.ActUndo, incident.ByClock); err != nil {
		return err
	}
	c.Disclosure = nil
	c.Assessments = c.Assessments[:len(c.Assessments)-1]
	_, err := s.save(ctx, c)
	return err
}

// Report documents the report to the police (V4), after the release if need be.
func (s *Service) Report(ctx context.Context, a Actor, id incident.CaseID, r PoliceReport) (CaseView, error) {
	if err := s.allow(a, account.Tag); err != nil {
		return CaseView{}, err
	}
	if err := checkWords("number", r.Number, maxName); err != nil {
		return CaseView{}, err
	}
	now := s.o.Clock.Now()
	badReport := badInput("report.number", "Skriv kvitteringens nummer og tidspunktet for anmeldelsen.", "Write the receipt's number and the time of the report.")
	if strings.TrimSpace(r.Number) == "" || r.At.IsZero() || r.At.After(now.Add(time.Minute)) {
		return CaseView{}, badReport
	}
	if r.At.After(now) {
		r.At = now // the page's clock is a little ahead; a report to come would end the disclosure
	}
	return s.change(ctx, a, id, r.Version, "case.report", "", func(c *incident.Case) error {
		if clock.EndOfDay(r.At).Before(clock.EndOfDay(c.HappenedAt)) {
			return badReport // it would end the disclosure
		}
		if policy.Documented(*c) {
			return wrongState("Anmeldelsen er allerede dokumenteret.", "The report is documented already.")
		}
		if c.Disclosure != nil {
			if c.Disclosure.Ended != nil {
				return wrongState("Videregivelsen er ophørt.", "The disclosure has ended.")
			}
			if !r.At.Before(clock.EndOfDay(c.Disclosure.Released)) || !s.deadlineNow().Before(c.Disclosure.ReportDue) {
				return wrongState("Fristen for at anmelde er overskredet: det skulle være sket samme døgn.", "The report is too late: it was due the same day.")
			}
		}
		report := incident.Report{}
		if c.Evidence.Report != nil { // a time without a number, or a report withdrawn
			report = *c.Evidence.Report
		}
		report.Number, report.At = r.Number, r.At.UTC()
		c.Evidence.Report = &report
		return nil
	}, func(c incident.Case) error {
		if c.Disclosure == nil {
			return nil
		}
		if err := s.o.Uplink.Reported(ctx, c.Disclosure.ID, a.Session.Person, r.Number, r.At.UTC()); err != nil {
			return fmt.Errorf("casework: tell the extranet of the report: %w", err)
		}
		return nil
	})
}

// Withdraw ends a disclosure before time.
func (s *Service) Withdraw(ctx context.Context, a Actor, id incident.CaseID, reason string) (CaseView, error) {
	if err := s.allow(a, account.Withdraw); err != nil {
		return CaseView{}, err
	}
	if err := checkWords("reason", reason, audit.MaxText); err != nil {
		return CaseView{}, err
	}
	if strings.TrimSpace(reason) == "" {
		return CaseView{}, badInput("withdraw.reason", "Skriv, hvorfor klippet trækkes tilbage; modtagerne får det at se.", "Write why the clip is withdrawn; the recipients will see it.")
	}
	v, err := s.change(ctx, a, id, 0, "disclosure.withdraw", reason, func(c *incident.Case) error {
		if !c.State.Running() {
			return wrongState("Sagen er ikke videregivet.", "The case is not disclosed.")
		}
		if err := s.move(c, a, incident.ActWithdraw); err != nil {
			return err
		}
		s.end(c, reason, a.Session.Person.Name)
		return nil
	}, func(c incident.Case) error {
		// Queued before the case is saved: after a stop in between, the
		// withdrawal goes out and can be asked for again.
		if err := s.o.Uplink.Withdraw(ctx, c.Disclosure.ID, a.Session.Person, reason); err != nil {
			return fmt.Errorf("casework: queue the withdrawal: %w", err)
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	if err := s.dropCopy(ctx, id); err != nil {
		return v, fmt.Errorf("casework: the disclosure is withdrawn, but the box's own copy could not be deleted and will be tried again: %w", err)
	}
	return v, nil
}

// end marks a disclosure as ended; the caller has moved the case.
func (s *Service) end(c *incident.Case, reason, by string) {
	now := s.o.Clock.Now().UTC()
	c.Disclosure.Ended, c.Disclosure.EndReason, c.Disclosure.EndedBy = &now, reason, by
}
