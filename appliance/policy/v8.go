package policy

import (
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// Condition 8, annexes 1 and 2: the disclosure ends and the recording is deleted
// as soon as any condition fails, and 30 days after it began at the latest; the
// conditions are watched all along. The evidence is the date of the next
// reassessment. Ends says when a disclosure that runs must end.
var v8 = rule{
	id: V8, source: "Vilkår 8, bilag 1 og 2",
	title: problem.Text{DA: "Vurderes løbende og slutter efter højst 30 dage", EN: "Watched, and ends after 30 days at most"},
	asks: problem.Text{
		DA: "Vælg, hvornår sagen skal vurderes igen. Delingen slutter, så snart et vilkår ikke længere er opfyldt, og senest efter 30 dage.",
		EN: "Choose when the case is to be assessed again. The sharing ends as soon as a condition is no longer met, and after 30 days at the latest."},
	why: problem.Text{
		DA: "En mistanke kan vise sig forkert, og en risiko går over. Derfor skal delingen holdes øje med og ende af sig selv.",
		EN: "A suspicion may prove wrong, and a risk passes. So the sharing must be watched, and must end by itself."},
	check: func(q question) ([]Refusal, *time.Time) {
		var out []Refusal
		next := q.c.Evidence.NextReassessment
		if q.again != nil {
			if q.c.Disclosure == nil || !q.c.State.Running() {
				out = append(out, refuse("v8.not-running", "Sagen deles ikke og kan derfor ikke vurderes igen.", "The case is not being shared, so it cannot be reassessed."))
			}
			if due, ok := reassessmentDue(q.c); !ok || !q.now.Before(due) {
				out = append(out, refuse("v8.missed", "Sagen blev ikke vurderet igen til tiden, og delingen er derfor slut.", "The case was not assessed again in time, and the sharing has therefore ended."))
			}
			next = &q.again.Next
		}
		switch {
		case next == nil || next.IsZero():
			out = append(out, refuse("v8.next", "Vælg datoen for næste vurdering.", "Choose the date of the next assessment."))
		case !next.After(q.now):
			out = append(out, refuse("v8.past", "Datoen for næste vurdering er passeret. Vurdér sagen og vælg en ny dato.", "The date of the next assessment has passed. Assess the case and choose a new date."))
		case !next.Before(q.notAfter()):
			out = append(out, refuse("v8.far", "Næste vurdering skal ligge, før delingen slutter, højst 30 dage frem.", "The next assessment must come before the sharing ends, 30 days ahead at most."))
		}
		if ended(q.c) {
			out = append(out, refuse("v8.ended", "Delingen er slut og kan ikke begynde igen. Opret en ny sag, hvis der er nye forhold.", "The sharing has ended and cannot begin again. Make a new case if there are new circumstances."))
		} else if q.c.Disclosure != nil && !q.now.Before(q.notAfter()) {
			out = append(out, refuse("v8.30-days", "Fristen for delingen er udløbet, højst 30 dage.", "The time for sharing has run out, 30 days at most."))
		}
		return out, nil
	},
}

func ended(c incident.Case) bool {
	return c.State == incident.Withdrawn || c.State == incident.Expired || c.Disclosure != nil && c.Disclosure.Ended != nil
}
