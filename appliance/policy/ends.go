package policy

import (
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// Who or what ended a disclosure, where it is a clock; else By is the
// identifier of the condition that failed, such as "V4".
const (
	By30Days             = "30-days"
	ByReportMissing      = "report-missing"
	ByReassessmentMissed = "reassessment-missed"
)

// An Ending is why a disclosure ends.
type Ending struct {
	Refusal Refusal
	By      string
}

// Ends reports whether c's running disclosure must end at now, and why
// (condition 8). A case without one has nothing to end.
//
// The persons' authorisations and the assessor's qualification are asked when
// they act, so that an authorisation that runs out later does not end what was
// lawfully begun; a reassessment needs them anew.
//
// A clock that is set back lengthens nothing: now is never held to be earlier
// than what the case itself records to have happened (its release, its
// reassessments, narrowings and facts), no end and no date of reassessment moves
// later than was approved, and each later now ends what an earlier one ended,
// as long as nothing in the evidence is dated after both. The caller passes the
// latest time that it has seen, and writes an ending down: that is final.
func Ends(c incident.Case, now time.Time) (Ending, bool) {
	if c.Disclosure == nil || c.Disclosure.Ended != nil {
		return Ending{}, false
	}
	q := ask(c, latest(c, now), Settings{})
	clocked := func(r rule, by string, x Refusal) (Ending, bool) {
		x.Condition, x.Source = r.id, r.source
		return Ending{Refusal: x, By: by}, true
	}
	if !q.now.Before(q.notAfter()) {
		return clocked(v8, By30Days, refuse("v8.30-days", "Delingen har nået sin frist, højst 30 dage, og er slut.", "The sharing has reached its limit, 30 days at most, and has ended."))
	}
	next, planned := reassessmentDue(c)
	if planned && !q.now.Before(next) {
		return clocked(v8, ByReassessmentMissed, refuse("v8.missed", "Sagen blev ikke vurderet igen til tiden, og delingen er derfor slut.", "The case was not assessed again in time, and the sharing has therefore ended."))
	}
	for _, r := range rules[:6] {
		f := r.finding(q)
		if f.Satisfied {
			continue
		}
		by := string(r.id)
		if f.Refusals[0].Code == "v4.missing" {
			by = ByReportMissing
		}
		return Ending{Refusal: f.Refusals[0], By: by}, true
	}
	if !planned {
		return clocked(v8, string(V8), refuse("v8.next", "Der er ingen dato for næste vurdering, og delingen er derfor slut.", "There is no date for the next assessment, and the sharing has therefore ended."))
	}
	if !next.Before(q.notAfter()) {
		return clocked(v8, string(V8), refuse("v8.far", "Datoen for næste vurdering er flyttet til efter fristen, og delingen er derfor slut.", "The date of the next assessment was moved past the limit, and the sharing has therefore ended."))
	}
	return Ending{}, false
}

// EndText returns the words for an ending that was kept as By.
func EndText(by string) problem.Text {
	switch by {
	case By30Days:
		return problem.Text{DA: "Fristen på 30 dage", EN: "The limit of 30 days"}
	case ByReportMissing:
		return problem.Text{DA: "Politianmeldelsen mangler", EN: "The police report is missing"}
	case ByReassessmentMissed:
		return problem.Text{DA: "En ny vurdering mangler", EN: "A reassessment is missing"}
	}
	for _, r := range rules {
		if by == string(r.id) {
			return problem.Text{DA: r.title.DA + " (" + r.source + ")", EN: r.title.EN + " (" + r.source + ")"}
		}
	}
	return problem.Text{DA: by, EN: by}
}
