package policy

import (
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// Condition 7, annexes 1 and 2: only a limited number of authorised persons,
// under a formal arrangement that says who, for what function and why. Here:
// those who handled the case; at a reassessment, the one who makes it, since who
// tagged and submitted have done their part. Who may look at what was received is asked at
// each viewing.
var v7 = rule{
	id: V7, source: "Vilkår 7, bilag 1 og 2",
	title: problem.Text{DA: "Autoriserede personer", EN: "Authorised persons"},
	asks: problem.Text{
		DA: "Alle, der har med optagelsen at gøre, skal have en gyldig autorisation: hvem har givet den, til hvilken funktion, hvorfor og hvor længe.",
		EN: "Everyone who handles the recording must hold a valid authorisation: given by whom, for what function, why and for how long."},
	why: problem.Text{
		DA: "Optagelsen skal ses af så få som muligt, og der skal kunne stå en bestemt person bag alt, der gøres med den.",
		EN: "As few as possible are to see the recording, and a particular person must stand behind all that is done with it."},
	check: func(q question) ([]Refusal, *time.Time) {
		var out []Refusal
		if q.again != nil {
			if !authorised(q, &q.again.By) {
				out = append(out, refuseAssessor("v7.assessor", "Fagpersonen har ingen gyldig autorisation. Lederen skal give eller forny den.", "The assessor has no valid authorisation. The manager must give or renew it."))
			}
			return out, nil
		}
		if !authorised(q, &q.c.Tagged) {
			out = append(out, refuse("v7.tagged", "Den, der markerede hændelsen, har ingen gyldig autorisation. Lederen skal give eller forny den.", "The person who marked the incident has no valid authorisation. The manager must give or renew it."))
		}
		if q.c.SubmittedBy == nil {
			out = append(out, refuseAssessor("v7.submit", "Sagen er ikke sendt til vurdering af en autoriseret person.", "The case has not been submitted by an authorised person."))
		} else if !authorised(q, q.c.SubmittedBy) {
			out = append(out, refuse("v7.submitted", "Den, der sendte sagen til vurdering, har ingen gyldig autorisation. Lederen skal give eller forny den.", "The person who submitted the case has no valid authorisation. The manager must give or renew it."))
		}
		if n := len(q.c.Assessments); n == 0 {
			out = append(out, refuseAssessor("v7.no-assessor", "Ingen autoriseret fagperson har set på sagen.", "No authorised assessor has looked at the case."))
		} else if !authorised(q, &q.c.Assessments[n-1].Assessor) {
			out = append(out, refuseAssessor("v7.assessor", "Fagpersonen har ingen gyldig autorisation. Lederen skal give eller forny den.", "The assessor has no valid authorisation. The manager must give or renew it."))
		}
		return out, nil
	},
}

// authorised reports whether p is a named person with an authorisation at q.now.
func authorised(q question, p *incident.Person) bool {
	return p.ID != "" && strings.TrimSpace(p.Name) != "" && strings.TrimSpace(p.Authorisation.Need) != "" && p.Authorisation.Valid(q.now)
}
