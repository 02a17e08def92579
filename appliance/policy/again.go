package policy

import (
	"time"

	"veilbox/appliance/incident"
)

// RemindBefore is how long before it is due a reassessment is asked for.
const RemindBefore = 3 * 24 * time.Hour

// latest returns now, or the latest time that c itself records to have come
// where the clock says less.
func latest(c incident.Case, now time.Time) time.Time {
	up := func(t time.Time) {
		if t.After(now) {
			now = t
		}
	}
	if c.Disclosure != nil {
		up(c.Disclosure.Released)
	}
	for _, r := range c.Reassessments {
		up(r.At)
	}
	for _, n := range c.Narrowings {
		up(n.At)
	}
	for _, f := range c.Facts {
		up(f.Added)
	}
	return now
}

// reassessmentDue returns when c must be reassessed at the latest: the date in
// the evidence, and no later than the last reassessment set it, so that a changed
// answer postpones nothing.
func reassessmentDue(c incident.Case) (time.Time, bool) {
	next := c.Evidence.NextReassessment
	if next == nil || next.IsZero() {
		return time.Time{}, false
	}
	due := *next
	if n := len(c.Reassessments); n > 0 && c.Reassessments[n-1].Next.Before(due) {
		due = c.Reassessments[n-1].Next
	}
	return due, true
}

// RemindAt returns when a case that is disclosed, or disclosed to fewer, becomes
// due for reassessment: RemindBefore its date, or halfway to it from the release
// or the last reassessment where that is later, so that a short interval does not
// begin with the reminder. It is false for any other case.
func RemindAt(c incident.Case) (time.Time, bool) {
	if c.State != incident.Disclosed && c.State != incident.Narrowed || c.Disclosure == nil || c.Disclosure.Ended != nil {
		return time.Time{}, false
	}
	due, ok := reassessmentDue(c)
	if !ok {
		return time.Time{}, false
	}
	from := c.Disclosure.Released
	if n := len(c.Reassessments); n > 0 && c.Reassessments[n-1].At.After(from) {
		from = c.Reassessments[n-1].At
	}
	at := due.Add(-RemindBefore)
	if half := from.Add(due.Sub(from) / 2); half.After(at) {
		at = half
	}
	return at, true
}

// Reassess puts c, whose disclosure runs, to all nine conditions again at now,
// as r.By would have it (condition 8): they must all hold, on the circle as it is
// in c; the next date, r.Next, lies before the disclosure ends; who reassesses is
// authorised and qualified as for an approval. The verdict never has a release:
// a reassessment prolongs nothing. Where it is satisfied the caller keeps r and
// makes r.Next the evidence's NextReassessment.
func Reassess(c incident.Case, r incident.Reassessment, now time.Time, s Settings) Verdict {
	q := ask(c.Clone(), latest(c, now), s)
	r.By = r.By.Clone()
	q.again = &r
	return q.verdict()
}
