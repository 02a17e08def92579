package policy

import (
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// Condition 5, annexes 1 and 2: persons other than those of condition 1 are not
// directly identifiable; the recording is gone through for them before the
// disclosure. The evidence is the proof of the veiled copy, and that each
// approval is of that very copy after a look at all that it reveals, at what is
// flagged above all. A copy in which everything is veiled shows no suspect: it is
// for training in the shop, and there is nothing to disclose.
var v5 = rule{
	id: V5, source: "Vilkår 5, bilag 1 og 2",
	title: problem.Text{DA: "Ingen andre kan genkendes", EN: "Nobody else can be recognised"},
	asks: problem.Text{
		DA: "Andre end den mistænkte må ikke kunne genkendes. Boksen slører alt andet og kontrollerer den færdige kopi; fagpersonen ser alt det igennem, som kopien viser.",
		EN: "Nobody but the suspect may be recognisable. The box veils everything else and checks the finished copy; the assessor looks through all that the copy shows."},
	why: problem.Text{
		DA: "Kunder, børn og ansatte på optagelsen har intet gjort og skal ikke vises frem.",
		EN: "Customers, children and staff on the recording have done nothing and are not to be shown."},
	check: func(q question) ([]Refusal, *time.Time) {
		c := q.c.Copy
		if c == nil || c.Hash.IsZero() {
			return []Refusal{refuse("v5.copy", "Der er ingen sløret kopi endnu. Markér den mistænkte, så laver boksen den.", "There is no veiled copy yet. Mark the suspect, and the box makes it.")}, nil
		}
		var out []Refusal
		if !c.Passed || c.Proof.IsZero() {
			out = append(out, refuse("v5.proof", "Kontrollen af den slørede kopi er ikke bestået. Ret markeringen og lav kopien igen.", "The check of the veiled copy did not pass. Correct the marking and make the copy again."))
		}
		if c.Sheet.IsZero() {
			out = append(out, refuse("v5.sheet", "Oversigten over det, kopien viser, mangler. Lav kopien igen.", "The sheet of what the copy reveals is missing. Make the copy again."))
		}
		if c.Clip.IsZero() || c.Clip != q.c.Clip.Hash {
			out = append(out, refuse("v5.clip", "Kopien er lavet af et andet klip end sagens. Lav kopien igen.", "The copy was made from another clip than the case's. Make the copy again."))
		}
		if c.Mode == subject.BlurEverything {
			out = append(out, refuse("v5.training", "Kopien slører alle. Den er til undervisning i butikken og kan ikke videregives. Vælg »Kun den mistænkte«, og lav kopien igen.", "The copy veils everybody. It is for training in the shop and cannot be disclosed. Choose “Only the suspect” and make the copy again."))
		}
		if c.Outdated {
			out = append(out, refuse("v5.veiled-changed", "Kameraets altid slørede områder er ændret, efter at kopien blev lavet. Lav kopien igen.", "The camera's always-veiled regions have changed since the copy was made. Make the copy again."))
		}
		if c.Sound != nil && !shortReason.says(c.Sound.Reason) {
			out = append(out, refuse("v5.sound", "Lyden er bevaret uden en begrundelse. Lav kopien igen uden lyd.", "The sound was kept without a reason. Make the copy again without the sound."))
		}
		if n := len(q.c.Assessments); n > 0 && q.c.Assessments[n-1].Decision == incident.Approve {
			a := q.c.Assessments[n-1]
			if a.Copy != c.Hash {
				out = append(out, refuseAssessor("v5.copy-changed", "Kopien er ændret, efter at den blev godkendt. Den skal vurderes igen.", "The copy has changed since it was approved. It must be assessed again."))
			}
			if a.SawSheet != c.Sheet {
				out = append(out, refuseAssessor("v5.not-seen", "Fagpersonen har ikke set oversigten over alt det, kopien viser.", "The assessor has not looked at the sheet of all that the copy reveals."))
			}
			if a.SawFlagged != c.Flagged.Spans {
				out = append(out, refuseAssessor("v5.flagged", "Fagpersonen har ikke bekræftet at have set de markerede steder igennem, hvor andre kan være tæt på.", "The assessor has not confirmed to have looked through the flagged places, where others may be near."))
			}
		} else {
			out = append(out, refuseAssessor("v5.look", "En fagperson skal se alt det igennem, som kopien viser.", "An assessor must look through all that the copy shows."))
		}
		return out, nil
	},
}
