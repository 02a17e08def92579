package web

import (
	"net/http"
	"slices"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/clock"
	"veilbox/redact/subject"
)

type caseData struct {
	Case      casework.CaseView
	Camera    string // its name, for the stamp
	Findings  []policy.Finding
	Offences  []incident.Offence
	Elsewhere []incident.Offence
	Review    time.Time // when the next reassessment is suggested
	// MayFile, MayTag and MayHandOut say which of the acts around the case are
	// this person's.
	MayFile, MayTag, MayHandOut bool
	// Keys are the assessor's passkeys that a browser can sign an approval with,
	// the newest first.
	Keys []casework.PasskeyView
}

// Steps names the steps of the work on a case, one screen each; they are the
// sections' identifiers too.
func (caseData) Steps() []string { return []string{"what", "who", "why", "report", "circle", "submit"} }

// Number is how people count the steps.
func (caseData) Number(i int) int { return i + 1 }

// View says which of its faces the page shows: the steps of who prepares the
// case, all on one page for who decides, or what runs and what has ended.
func (d caseData) View() string {
	switch {
	case d.Case.State == incident.Submitted && slices.Contains(d.Case.May, "assess"):
		return "assess"
	case slices.Contains([]incident.State{incident.Draft, incident.Tagged, incident.Redacted, incident.Refused}, d.Case.State):
		return "steps"
	}
	return "running"
}

// Step is 1 where the marking is what comes next.
func (d caseData) Step() int {
	if d.Case.State == incident.Draft {
		return 1
	}
	return 2
}

// Last is the assessment that the case came back with.
func (d caseData) Last() *incident.Assessment {
	if n := len(d.Case.Assessments); n > 0 && d.Case.State == incident.Refused {
		return &d.Case.Assessments[n-1]
	}
	return nil
}

// Earlier are the assessments so far, newest first.
func (d caseData) Earlier() []incident.Assessment {
	all := slices.Clone(d.Case.Assessments)
	slices.Reverse(all)
	return all
}

// Modes are what a person may choose to show, the least first.
func (caseData) Modes() []subject.Mode {
	return []subject.Mode{subject.SubjectOnly, subject.StillScene, subject.BlurEverything}
}

// Mode is what the case's copy shows.
func (d caseData) Mode() string {
	if d.Case.Copy == nil {
		return subject.SubjectOnly.String()
	}
	return d.Case.Copy.Mode.String()
}

// Facts are what a person may learn that ends a disclosure.
func (caseData) Facts() []string {
	return []string{incident.FactCharged, incident.FactReportWithdrawn, incident.FactReportGroundless, incident.FactCertaintyLost}
}

// Hows are the ways in which the person on the footage was told.
func (caseData) Hows() []string { return []string{"sign", "letter", "in-person", "exempt"} }

// NextReview is suggested for the look after this one: it must come before the
// disclosure ends.
func (d caseData) NextReview() time.Time {
	next := d.Review
	if x := d.Case.Disclosure; x != nil && !next.Before(x.NotAfter) {
		next = x.NotAfter.Add(-24 * time.Hour)
	}
	return next.In(clock.Copenhagen)
}

// caseStates are all that a case may be in, in the order that it comes to them.
var caseStates = []incident.State{incident.Draft, incident.Tagged, incident.Redacted, incident.Submitted, incident.Refused, incident.Released,
	incident.Disclosed, incident.ReassessmentDue, incident.Narrowed, incident.Withdrawn, incident.Expired, incident.Deleted}

// reviewAfter is when the page suggests to look again whether the conditions
// still hold: halfway through the 30 days, in whole weeks.
const reviewAfter = 14 * 24 * time.Hour

func (s *server) casePage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	c, err := s.Box.Case(r.Context(), a, caseOf(r))
	if err != nil {
		return err
	}
	name := string(c.Clip.Camera)
	if cams, err := allowed(s.Box.Cameras(r.Context(), a)); err != nil {
		return err
	} else if cams != nil {
		for _, cam := range *cams {
			if cam.ID == c.Clip.Camera {
				name = cam.Name
			}
		}
	}
	described := policy.Describe()
	d := caseData{Case: c, Camera: name, Findings: described[:], Offences: covered, Elsewhere: uncovered,
		Review: s.Clock.Now().Add(reviewAfter).In(clock.Copenhagen), MayFile: a.Session.Can(account.CaseFile), MayTag: a.Session.Can(account.Tag), MayHandOut: a.Session.Can(account.ExportFootage)}
	if d.View() == "assess" {
		v, err := s.Box.Account(r.Context(), a)
		if err != nil {
			return err
		}
		d.Keys = approving(v.Passkeys)
	}
	return s.render(w, r, http.StatusOK, "case", a, d)
}

// approving are the passkeys that were registered for approvals and that a
// browser has: one in a file signs with veilctl.
func approving(all []casework.PasskeyView) []casework.PasskeyView {
	var out []casework.PasskeyView
	for _, k := range all {
		if k.Registered != nil && k.Retired == nil && !k.File {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(x, y casework.PasskeyView) int { return y.Made.Compare(x.Made) })
	return out
}
