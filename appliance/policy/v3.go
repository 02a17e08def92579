package policy

import (
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// LongTime is how long after an offence without repetition the risk is held to
// have passed. The guidance says "lang tid" and no number: two months are the 30
// days that a recording may be kept and the 30 that it may be shared.
const LongTime = 60 * 24 * time.Hour

// Condition 3, annexes 1 and 2: there are concrete reasons to believe that the
// person will do it again: method, gravity, earlier cases, other circumstances,
// documented by the professional; a qualified risk ("en vis
// kvalificeret risiko"), so a bare possibility is none. It ends where the police have charged the
// person, or much time has passed without repetition (annex 2, condition 8);
// the latter is also weighed at each reassessment.
var v3 = rule{
	id: V3, source: "Vilkår 3, bilag 1 og 2",
	title: problem.Text{DA: "Grund til at tro, det sker igen", EN: "Reason to believe it will happen again"},
	asks: problem.Text{
		DA: "Der skal være konkrete grunde til at tro, at personen gør det igen: måden, grovheden, tidligere tilfælde eller andre forhold. Skriv dem.",
		EN: "There must be concrete reasons to believe that the person will do it again: the method, the gravity, earlier cases or other circumstances. Write them down."},
	why: problem.Text{
		DA: "Deling skal forebygge nye forbrydelser, ikke straffe den, der er sket. Uden en konkret risiko for, at det sker igen, er der intet at forebygge.",
		EN: "Sharing is there to prevent new crime, not to punish what was done. Without a concrete risk that it happens again there is nothing to prevent."},
	check: func(q question) ([]Refusal, *time.Time) {
		e := q.c.Evidence
		var out []Refusal
		// A linked case is a reason too; the words say what it means.
		reasons := strings.Join(append([]string{e.RepeatReasons}, linked(q)...), ". ")
		switch {
		case onlyNotExcluded(reasons):
			out = append(out, refuse("v3.not-excluded", "At det ikke kan udelukkes, er ikke en konkret grund. Skriv, hvad der taler for, at det sker igen: måden, grovheden, tidligere tilfælde eller andre forhold.", "That it cannot be excluded is not a concrete reason. Write what speaks for it happening again: method, gravity, earlier cases or other circumstances."))
		case !fullReason.says(reasons):
			out = append(out, refuse("v3.reasons", "Skriv de konkrete grunde til at tro, at det sker igen: måden, grovheden, tidligere tilfælde eller andre forhold.", "Write the concrete reasons to believe that it will happen again: method, gravity, earlier cases or other circumstances."))
		}
		if at := q.c.HappenedAt; !at.IsZero() && q.now.Sub(at) > LongTime && !repeated(q) {
			out = append(out, refuse("v3.long-ago", "Der er gået lang tid, mere end 60 dage, uden at det er sket igen. Er det sket igen, så beskriv det, eller henvis til sagen.", "A long time has passed, more than 60 days, without it happening again. If it has happened again, describe it or link the case."))
		}
		if e.Charged != nil || q.has(incident.FactCharged) {
			out = append(out, refuse("v3.charged", "Politiet har tiltalt personen. Risikoen for gentagelse er derfor ikke længere grund nok til at dele.", "The police have charged the person. The risk of repetition is therefore no longer reason enough to share."))
		}
		return out, nil
	},
}
