package policy

import (
	"time"

	"veilbox/internal/problem"
)

// Condition 3, annexes 1 and 2: there are concrete reasons to believe that the
// person will do it again: method, gravity, earlier cases, other circumstances,
// documented by the professional. It ends where the police have charged the
// person, or much time has passed without repetition (annex 2, condition 8);
// the latter is asked at each reassessment.
var v3 = rule{
	id: V3, source: "Vilkår 3, bilag 1 og 2",
	title: problem.Text{DA: "Grund til at tro, det sker igen", EN: "Reason to believe it will happen again"},
	asks: problem.Text{
		DA: "Der skal være konkrete grunde til at tro, at personen gør det igen: måden, grovheden, tidligere tilfælde eller andre forhold. Skriv dem.",
		EN: "There must be concrete reasons to believe that the person will do it again: the method, the gravity, earlier cases or other circumstances. Write them down."},
	check: func(q question) ([]Refusal, *time.Time) {
		e := q.c.Evidence
		var out []Refusal
		if !fullReason.says(e.RepeatReasons) {
			out = append(out, refuse("v3.reasons", "Skriv de konkrete grunde til at tro, at det sker igen: måden, grovheden, tidligere tilfælde eller andre forhold.", "Write the concrete reasons to believe that it will happen again: method, gravity, earlier cases or other circumstances."))
		}
		if e.Charged != nil {
			out = append(out, refuse("v3.charged", "Politiet har tiltalt personen. Risikoen for gentagelse er derfor ikke længere grund nok til at dele.", "The police have charged the person. The risk of repetition is therefore no longer reason enough to share."))
		}
		return out, nil
	},
}
