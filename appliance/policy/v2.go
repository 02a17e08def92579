package policy

import (
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// TrivialDKK is the value up to which a theft is trivial where nothing else
// weighs: annex 2 names a value of over 500 kroner as enough by itself.
const TrivialDKK = 500

// Condition 2, annexes 1 and 2: the offence or the way it was done is not
// trivial. Sweets and a soda are; a value of over 500 kroner, card fraud,
// robbery and till snatching (kassedyk) are not, by themselves. Otherwise
// repetition, in words or by a link to an earlier case, or a professional or
// organised trait may weigh. The guidance names the 500 kroner for shop theft; the
// same measure is held to the other offences, for which it names none.
var v2 = rule{
	id: V2, source: "Vilkår 2, bilag 1 og 2",
	title: problem.Text{DA: "Ikke en bagatel", EN: "Not trivial"},
	asks: problem.Text{
		DA: "Sagen må ikke være en bagatel. En værdi over 500 kr., svindel med betalingskort, røveri og kassedyk er nok i sig selv. Ellers skal det være gentaget eller have professionel eller organiseret karakter.",
		EN: "The case must not be trivial. A value of over DKK 500, card fraud, robbery and till snatching are enough by themselves. Otherwise it must be repeated, or professional or organised."},
	why: problem.Text{
		DA: "At blive vist frem for andre butikker er et stort indgreb. Loven tillader det ikke for småting.",
		EN: "Being shown to other shops is a grave interference. The law does not allow it for trifles."},
	check: func(q question) ([]Refusal, *time.Time) {
		e := q.c.Evidence
		if e.ValueDKK != nil && *e.ValueDKK < 0 {
			return []Refusal{refuse("v2.value", "Værdien kan ikke være negativ. Ret den.", "The value cannot be negative. Correct it.")}, nil
		}
		switch e.Offence {
		case incident.CardFraud, incident.Robbery, incident.TillSnatch:
			return nil, nil
		}
		if e.ValueDKK != nil && *e.ValueDKK > TrivialDKK || repeated(q) || shortReason.told(e.Professional) {
			return nil, nil
		}
		if e.ValueDKK == nil {
			return []Refusal{refuse("v2.unknown", "Angiv værdien i kroner, eller beskriv, at det er gentaget eller har professionel eller organiseret karakter.", "Give the value in kroner, or describe that it is repeated, or professional or organised.")}, nil
		}
		return []Refusal{refuse("v2.trivial", "En værdi på 500 kr. eller derunder er en bagatel, når der ikke er andet. Er det gentaget, professionelt eller organiseret, så beskriv det med ord.", "A value of DKK 500 or less is trivial where there is nothing else. If it is repeated, professional or organised, describe that in words.")}, nil
	},
}

// repeated reports whether the evidence tells of earlier cases, in words or by a
// link to one that says how it is known to be the same person.
func repeated(q question) bool {
	return shortReason.told(q.c.Evidence.Repetition) || len(linked(q)) > 0
}

// linked returns why the linked earlier cases are the same person's. A link to
// the case itself, or without such words, is none.
func linked(q question) []string {
	var out []string
	for _, l := range q.c.Evidence.Links {
		if l.Case != "" && l.Case != q.c.ID && shortReason.told(l.Why) {
			out = append(out, l.Why)
		}
	}
	return out
}
