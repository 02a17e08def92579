package policy

import (
	"slices"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// Condition 1, annexes 1 and 2: only persons who committed, are held to have
// committed, or tried to commit a property offence (straffelovens §§ 276-289 a)
// or a close relative of it such as brugstyveri, with considerable certainty
// ("betydelig sikkerhed"): the offence is clearly seen on the recording, or
// other circumstances such as a witness show it. An attempt is enough. It ends
// where new facts take the certainty away (annex 2, condition 8). Where several
// persons are shown, it is asked of each.
var v1 = rule{
	id: V1, source: "Vilkår 1, bilag 1 og 2",
	title: problem.Text{DA: "Den rette person og en berigelsesforbrydelse", EN: "The right person and a property offence"},
	asks: problem.Text{
		DA: "Personen skal med betydelig sikkerhed have begået eller forsøgt at begå en berigelsesforbrydelse (straffelovens §§ 276-289 a) eller noget nært beslægtet. Enten ses det klart på optagelsen, eller også viser andre omstændigheder det, for eksempel et vidne.",
		EN: "The person must, with considerable certainty, have committed or tried to commit a property offence (criminal code §§ 276-289 a) or something closely related. Either the recording clearly shows it, or other circumstances do, such as a witness."},
	why: problem.Text{
		DA: "Når en optagelse deles, bliver et menneske udpeget over for andre. Derfor skal det være den rette, og det skal dreje sig om den slags kriminalitet, loven giver lov til at dele om.",
		EN: "Sharing a recording points a human being out to others. So it must be the right one, and the kind of crime that the law lets shops share about."},
	check: func(q question) ([]Refusal, *time.Time) {
		e := q.c.Evidence
		var out []Refusal
		switch e.Offence {
		case incident.Theft, incident.TrickTheft, incident.TillSnatch, incident.CardFraud, incident.Fraud,
			incident.Embezzlement, incident.Robbery, incident.Extortion, incident.VehicleUse:
		case "":
			out = append(out, refuse("v1.offence", "Angiv, hvilken lovovertrædelse det drejer sig om.", "Say which offence it is."))
		case incident.Violence:
			out = append(out, refuse("v1.violence", "Vold (§ 244) er ikke en berigelsesforbrydelse og kan ikke deles her. Anmeld det til politiet. Blev der brugt vold for at tage noget, så vælg røveri.", "Violence (§ 244) is not a property offence and cannot be shared here. Report it to the police. If force was used to take something, choose robbery."))
		case incident.Vandalism:
			out = append(out, refuse("v1.vandalism", "Hærværk (§ 291) er ikke en berigelsesforbrydelse og kan ikke deles her. Anmeld det til politiet.", "Vandalism (§ 291) is not a property offence and cannot be shared here. Report it to the police."))
		case incident.Handling:
			out = append(out, refuse("v1.handling", "Hæleri (§ 290) ligger uden for §§ 276-289 a og kan ikke deles her. Anmeld det til politiet.", "Handling stolen goods (§ 290) lies outside §§ 276-289 a and cannot be shared here. Report it to the police."))
		default:
			out = append(out, refuse("v1.other", "Lovovertrædelsen skal kunne nævnes og ligge inden for straffelovens §§ 276-289 a eller være nært beslægtet. Vælg den fra listen.", "The offence must be named and lie within the criminal code §§ 276-289 a or be closely related. Choose it from the list."))
		}
		switch e.Basis {
		case incident.BasisRecording:
		case incident.BasisCircumstances:
			switch {
			case witnessed(q):
			case onlyNotExcluded(e.BasisWords):
				out = append(out, refuse("v1.uncertain", "En formodning er ikke betydelig sikkerhed. Skriv, hvilke omstændigheder der viser, at det er den rette person.", "A guess is not considerable certainty. Write which circumstances show that this is the right person."))
			case !shortReason.says(e.BasisWords):
				out = append(out, refuse("v1.basis-words", "Skriv, hvilke omstændigheder der viser, at det er den rette person, for eksempel hvad et vidne så.", "Write which circumstances show that this is the right person, such as what a witness saw."))
			}
		default:
			out = append(out, refuse("v1.basis", "Angiv, hvorfor personen med betydelig sikkerhed er gerningsmanden: ses det på optagelsen, eller viser andre omstændigheder det?", "Say why the person is the perpetrator with considerable certainty: does the recording show it, or do other circumstances?"))
		}
		if e.CertaintyLost != nil || q.has(incident.FactCertaintyLost) {
			out = append(out, refuse("v1.certainty-lost", "Nye oplysninger gør, at personen ikke længere med betydelig sikkerhed kan antages at være gerningsmanden.", "New facts mean that the person can no longer be held to be the perpetrator with considerable certainty."))
		}
		if at, ok := q.c.HappenedAt, !q.c.HappenedAt.IsZero(); ok && at.After(q.now) {
			out = append(out, refuse("v1.future", "Tidspunktet for hændelsen ligger i fremtiden. Ret det.", "The time of the incident is in the future. Correct it."))
		}
		return out, nil
	},
}

// witnessed reports whether a witness, named by function, said something that
// can be weighed and is more than a guess. What will be said tomorrow is no evidence today.
func witnessed(q question) bool {
	return slices.ContainsFunc(q.c.Evidence.Statements, func(s incident.Statement) bool {
		return strings.TrimSpace(s.Witness) != "" && shortReason.says(s.Words) && !onlyNotExcluded(s.Words) && !s.At.After(q.now)
	})
}

// has reports whether a fact of that kind is on record. The evidence says so
// too; a fact that was recorded counts whatever became of the answer.
func (q question) has(what string) bool {
	return slices.ContainsFunc(q.c.Facts, func(f incident.Fact) bool { return f.What == what })
}
