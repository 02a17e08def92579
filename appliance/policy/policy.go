// Package policy is the gate: it decides whether a case may be disclosed, and
// whether a disclosure that runs must end.
//
// The rules are the nine conditions (videregivelsesvilkår) of the permission of
// the Danish data protection agency of 28 February 2020 under § 4 c of
// tv-overvågningsloven: its annex 1 (the conditions) and annex 2 (the guidance).
// Each has a file of its own, v1.go to v9.go. The package is pure: no I/O and no
// clock; the caller says what time it is.
//
// Only Assess makes a Release, and only where all nine are satisfied. Ends says
// when what was released must end, RemindAt when it is time to look again, and
// Reassess whether all nine still hold. Times are
// instants; "the same day" is counted in Europe/Copenhagen.
package policy

import (
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// MaxDisclosure is the longest that a disclosure may last (condition 8).
const MaxDisclosure = 30 * 24 * time.Hour

// A ConditionID names one of the nine conditions, "V1" to "V9".
type ConditionID string

const (
	V1 ConditionID = "V1" // considerable certainty, property offence
	V2 ConditionID = "V2" // not trivial
	V3 ConditionID = "V3" // reasons to believe it will happen again
	V4 ConditionID = "V4" // reported to the police the same day
	V5 ConditionID = "V5" // nobody else identifiable
	V6 ConditionID = "V6" // only the exposed circle
	V7 ConditionID = "V7" // authorised persons
	V8 ConditionID = "V8" // watched, and ended after 30 days
	V9 ConditionID = "V9" // assessed by a qualified professional
)

// Conditions is the nine in order.
var Conditions = [9]ConditionID{V1, V2, V3, V4, V5, V6, V7, V8, V9}

// A Refusal says why a condition is not met and what would meet it.
type Refusal struct {
	Condition ConditionID  `json:"condition"`
	Code      string       `json:"code"` // stable and for programs, such as "v2.trivial"
	Text      problem.Text `json:"text"`
	Source    string       `json:"source"` // such as "Vilkår 2, bilag 2"
	// ByAssessor says that only the assessor's act can meet it, so that it
	// does not hinder a submission.
	ByAssessor bool `json:"by_assessor,omitempty"`
}

// A Finding is how a case stands on one condition.
type Finding struct {
	Condition ConditionID  `json:"condition"`
	Title     problem.Text `json:"title"`
	Asks      problem.Text `json:"asks"` // the condition in plain words, for the form
	Why       problem.Text `json:"why"`  // why the law asks it, in a sentence or two
	Source    string       `json:"source"`
	Satisfied bool         `json:"satisfied"`
	// Due is set where the condition is satisfied only until then: V4 with a
	// report promised but not yet documented.
	Due      *time.Time `json:"due,omitempty"`
	Refusals []Refusal  `json:"refusals,omitempty"`
}

// Settings are what a member asks beyond the law's least.
type Settings struct {
	// TwoPersons asks that the assessor is not the one who tagged.
	TwoPersons bool
	// MaxDisclosure is how long a disclosure lasts; 0 and more than 30 days
	// mean 30 days.
	MaxDisclosure time.Duration
}

func (s Settings) length() time.Duration {
	if s.MaxDisclosure <= 0 || s.MaxDisclosure > MaxDisclosure {
		return MaxDisclosure
	}
	return s.MaxDisclosure
}

// A Verdict is how a case stands on all nine.
type Verdict struct {
	findings [9]Finding
	release  Release
}

// Findings returns the nine in order.
func (v Verdict) Findings() [9]Finding { return v.findings }

// Missing returns every refusal, in the order of the conditions.
func (v Verdict) Missing() []Refusal {
	var all []Refusal
	for _, f := range v.findings {
		all = append(all, f.Refusals...)
	}
	return all
}

// MissingBefore returns the refusals that stand in the way of a submission to
// the assessor: all but those that only the assessor's act can meet.
func (v Verdict) MissingBefore() []Refusal {
	var all []Refusal
	for _, r := range v.Missing() {
		if !r.ByAssessor {
			all = append(all, r)
		}
	}
	return all
}

// Satisfied reports whether all nine conditions are met.
func (v Verdict) Satisfied() bool {
	for _, f := range v.findings {
		if !f.Satisfied {
			return false
		}
	}
	return true
}

// Release returns the release, where there is one.
func (v Verdict) Release() (Release, bool) { return v.release, !v.release.IsZero() }

// A Release is the gate's answer for one copy, circle and time. Only Assess
// makes one; the zero Release releases nothing. It keeps the case as it was.
type Release struct {
	c                       incident.Case
	assessment              incident.Assessment
	at, notAfter, reportDue time.Time
	reported                *time.Time
	findings                [9]Finding
	made                    bool
}

// IsZero reports whether r releases nothing.
func (r Release) IsZero() bool { return !r.made }

// Case returns the case's name.
func (r Release) Case() incident.CaseID { return r.c.ID }

// Member returns the retailer whose case it is.
func (r Release) Member() incident.MemberID { return r.c.Member }

// Offence returns the kind of offence.
func (r Release) Offence() incident.Offence { return r.c.Evidence.Offence }

// Clip returns the hash of the clip that the copy was made from.
func (r Release) Clip() footage.ClipHash { return r.c.Clip.Hash }

// Copy returns the hash of the one copy that may be disclosed.
func (r Release) Copy() footage.CopyHash { return r.assessment.Copy }

// Proof returns the hash of the copy's proof.
func (r Release) Proof() footage.ProofHash {
	if r.c.Copy == nil {
		return footage.ProofHash{}
	}
	return r.c.Copy.Proof
}

// Sheet returns the hash of the reveal sheet that the assessor looked at.
func (r Release) Sheet() footage.SheetHash { return r.assessment.SawSheet }

// Shows returns what the copy is and what it shows.
func (r Release) Shows() incident.Copy {
	if r.c.Copy == nil {
		return incident.Copy{}
	}
	return *r.c.Clone().Copy
}

// Circle returns who may receive.
func (r Release) Circle() incident.Circle { return r.c.Evidence.Circle.Clone() }

// Assessor returns who approved.
func (r Release) Assessor() incident.Person { return r.assessment.Assessor.Clone() }

// Reasons returns the assessor's reasons.
func (r Release) Reasons() string { return r.assessment.Reasons }

// At returns when the gate answered.
func (r Release) At() time.Time { return r.at }

// NotAfter returns when the disclosure ends at the latest.
func (r Release) NotAfter() time.Time { return r.notAfter }

// ReportDue returns when the police report must be documented: the end of the
// Copenhagen day of the disclosure.
func (r Release) ReportDue() time.Time { return r.reportDue }

// Reported returns when the report to the police was sent, nil where it is
// promised but not yet documented.
func (r Release) Reported() *time.Time {
	if r.reported == nil {
		return nil
	}
	t := *r.reported
	return &t
}

// Findings returns the nine findings that the release rests on.
func (r Release) Findings() [9]Finding { return r.findings }

// A question is a case put to the conditions at one time.
type question struct {
	c    incident.Case
	now  time.Time
	from time.Time // when the disclosure began, or now where there is none
	s    Settings
	// again is set where the nine are looked at anew while the disclosure runs.
	again *incident.Reassessment
}

func ask(c incident.Case, now time.Time, s Settings) question {
	q := question{c: c, now: now, from: now, s: s}
	if c.Disclosure != nil {
		q.from = c.Disclosure.Released
	}
	return q
}

// notAfter is when the disclosure ends at the latest. It is counted from the
// first release and never grows, whatever the clock does later.
func (q question) notAfter() time.Time {
	t := q.from.Add(q.s.length())
	if d := q.c.Disclosure; d != nil && !d.NotAfter.IsZero() && d.NotAfter.Before(t) {
		t = d.NotAfter
	}
	return t
}

// reportDue is the end of the day of the disclosure.
func (q question) reportDue() time.Time {
	t := clock.EndOfDay(q.from)
	if d := q.c.Disclosure; d != nil && !d.ReportDue.IsZero() && d.ReportDue.Before(t) {
		t = d.ReportDue
	}
	return t
}

// A rule is one condition.
type rule struct {
	id          ConditionID
	source      string
	title, asks problem.Text
	why         problem.Text
	// check returns the refusals and, where the condition holds only for a
	// time, until when.
	check func(question) ([]Refusal, *time.Time)
}

var rules = [9]rule{v1, v2, v3, v4, v5, v6, v7, v8, v9}

func (r rule) describe() Finding {
	return Finding{Condition: r.id, Title: r.title, Asks: r.asks, Why: r.why, Source: r.source}
}

// finding runs r's check and fills in what every refusal of it shares.
func (r rule) finding(q question) Finding {
	f := r.describe()
	f.Refusals, f.Due = r.check(q)
	for i := range f.Refusals {
		f.Refusals[i].Condition, f.Refusals[i].Source = r.id, r.source
	}
	f.Satisfied = len(f.Refusals) == 0
	if !f.Satisfied {
		f.Due = nil
	}
	return f
}

// Describe returns the nine conditions with their texts and no case: what the
// form asks before anything is answered.
func Describe() [9]Finding {
	var all [9]Finding
	for i, r := range rules {
		all[i] = r.describe()
	}
	return all
}

func (q question) verdict() Verdict {
	var v Verdict
	for i, r := range rules {
		v.findings[i] = r.finding(q)
	}
	return v
}

// Assess puts c to the nine conditions at now.
func Assess(c incident.Case, now time.Time, s Settings) Verdict {
	q := ask(c.Clone(), now, s)
	v := q.verdict()
	if !v.Satisfied() {
		return v
	}
	v.release = Release{
		c:          q.c,
		assessment: q.c.Assessments[len(q.c.Assessments)-1],
		at:         now, notAfter: q.notAfter(), reportDue: q.reportDue(),
		findings: v.findings,
		made:     true,
	}
	if r := q.c.Evidence.Report; Documented(q.c) {
		v.release.reported = &r.At
	}
	return v
}

func refuse(code, da, en string) Refusal {
	return Refusal{Code: code, Text: problem.Text{DA: da, EN: en}}
}

func refuseAssessor(code, da, en string) Refusal {
	r := refuse(code, da, en)
	r.ByAssessor = true
	return r
}
