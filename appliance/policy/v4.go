package policy

import (
	"slices"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// Condition 4, annexes 1 and 2: the offence is reported to the police on the day
// of the disclosure at the latest, and that can be documented, such as by a
// receipt. The day is counted in Copenhagen. A promised report satisfies it
// until the day ends. It ends where the report is withdrawn or found groundless
// (annex 2, condition 8).
var v4 = rule{
	id: V4, source: "Vilkår 4, bilag 1 og 2",
	title: problem.Text{DA: "Anmeldt til politiet samme døgn", EN: "Reported to the police the same day"},
	asks: problem.Text{
		DA: "Sagen skal være anmeldt til politiet senest samme døgn, som den deles. Angiv kvitteringens nummer og tidspunkt. Er den ikke anmeldt endnu, skal det ske inden midnat, ellers stopper delingen af sig selv.",
		EN: "The case must be reported to the police on the day it is shared at the latest. Give the receipt's number and time. If it is not reported yet, that must happen before midnight, or the sharing stops by itself."},
	why: problem.Text{
		DA: "Det er politiet, der opklarer. Den, der vil dele en optagelse, skal også stå ved sin mistanke over for politiet.",
		EN: "It is for the police to investigate. Who wants to share a recording must stand by the suspicion before the police too."},
	check: func(q question) ([]Refusal, *time.Time) {
		e, due := q.c.Evidence, q.reportDue()
		r := e.Report
		switch {
		case r != nil && r.Withdrawn != nil, q.about(r, incident.FactReportWithdrawn):
			return []Refusal{refuse("v4.withdrawn", "Anmeldelsen er trukket tilbage.", "The report to the police has been withdrawn.")}, nil
		case r != nil && r.Groundless != nil, q.about(r, incident.FactReportGroundless):
			return []Refusal{refuse("v4.groundless", "Politiet har fundet anmeldelsen grundløs.", "The police have found the report groundless.")}, nil
		case r != nil && r.At.After(q.now):
			return []Refusal{refuse("v4.future", "Anmeldelsens tidspunkt ligger i fremtiden. Ret det til det, der står på kvitteringen.", "The time of the report is in the future. Correct it to what the receipt says.")}, nil
		case r != nil && !r.At.IsZero() && !q.c.HappenedAt.IsZero() && clock.EndOfDay(r.At).Before(clock.EndOfDay(q.c.HappenedAt)):
			return []Refusal{refuse("v4.before-incident", "Anmeldelsen er dateret før hændelsen. Ret tidspunktet eller nummeret.", "The report is dated before the incident. Correct its time or number.")}, nil
		case Documented(q.c) && !r.At.Before(due):
			return []Refusal{refuse("v4.late", "Sagen blev anmeldt efter det døgn, hvor den blev delt.", "The case was reported after the day on which it was shared.")}, nil
		case Documented(q.c):
			return nil, nil
		case !q.now.Before(due):
			return []Refusal{refuse("v4.missing", "Døgnet er gået, uden at anmeldelsen er dokumenteret.", "The day has ended without a documented report to the police.")}, nil
		case e.ReportToday:
			return nil, &due
		}
		return []Refusal{refuse("v4.report", "Anmeld sagen til politiet og angiv kvitteringens nummer og tidspunkt, eller bekræft, at den anmeldes i dag.", "Report the case to the police and give the receipt's number and time, or confirm that it will be reported today.")}, nil
	},
}

// Documented reports whether c's report to the police can be shown: it has the time of a receipt and its number,
// or the receipt itself is among the documents.
func Documented(c incident.Case) bool {
	r := c.Evidence.Report
	return r != nil && !r.At.IsZero() && (strings.TrimSpace(r.Number) != "" ||
		slices.ContainsFunc(c.Documents, func(d incident.Document) bool { return d.Kind == incident.DocumentReceipt }))
}

// about reports whether a fact of that kind is on record about report r, or about
// one that is gone: a new report after the fact is another.
func (q question) about(r *incident.Report, what string) bool {
	return slices.ContainsFunc(q.c.Facts, func(f incident.Fact) bool {
		return f.What == what && (r == nil || !r.At.After(f.At))
	})
}
