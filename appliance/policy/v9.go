package policy

import (
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// Competences is what condition 9 names, of which a doubtful case or the first
// of its kind asks two, in one assessor or in several together.
var Competences = [3]string{"law", "security", "property-crime"}

// Condition 9, annexes 1 and 2: before every disclosure one or more
// professionals with relevant education and experience with property crime
// assess it. Several with different competences may have them together. More is
// asked the first time in a kind of situation and in doubtful cases; the clear
// ones may follow a written guideline, and only they. A reassessment needs a
// professional as the approval did.
var v9 = rule{
	id: V9, source: "Vilkår 9, bilag 1 og 2",
	title: problem.Text{DA: "Vurderet af en kvalificeret fagperson", EN: "Assessed by a qualified professional"},
	asks: problem.Text{
		DA: "En fagperson med relevant uddannelse og erfaring skal vurdere sagen og begrunde det. Er sagen tvivlsom eller den første af sin slags, kræves flere kompetencer, eventuelt hos flere fagpersoner.",
		EN: "A professional with relevant education and experience must assess the case and give reasons. Where the case is doubtful or the first of its kind, more competences are needed, in several professionals if need be."},
	why: problem.Text{
		DA: "En fagperson kan se, om vilkårene virkelig er opfyldt, før det er for sent at fortryde.",
		EN: "A professional can tell whether the conditions are really met, before it is too late to undo."},
	check: func(q question) ([]Refusal, *time.Time) {
		if q.again != nil {
			return reassessor(q), nil
		}
		n := len(q.c.Assessments)
		if n == 0 {
			return []Refusal{refuseAssessor("v9.none", "Sagen er ikke vurderet af en kvalificeret fagperson endnu.", "The case has not been assessed by a qualified professional yet.")}, nil
		}
		last := q.c.Assessments[n-1]
		if last.Decision != incident.Approve {
			return []Refusal{refuseAssessor("v9.refused", "Fagpersonen har afvist sagen. Se begrundelsen, ret sagen og send den igen.", "The assessor has refused the case. See the reasons, correct the case and submit it again.")}, nil
		}
		var out []Refusal
		if q.c.Copy == nil || last.Copy.IsZero() || last.Copy != q.c.Copy.Hash {
			out = append(out, refuseAssessor("v9.other-copy", "Godkendelsen gælder en anden kopi. Denne skal vurderes.", "The approval is of another copy. This one must be assessed."))
		}
		if last.At.IsZero() || last.At.After(q.now) {
			out = append(out, refuseAssessor("v9.future", "Godkendelsens tidspunkt er ikke gyldigt. Kontrollér boksens ur og vurdér igen.", "The time of the approval is not valid. Check the box's clock and assess again."))
		}
		if !qualified(q, last.Assessor) {
			out = append(out, refuseAssessor("v9.qualification", "Fagpersonen har ikke en gyldig kvalifikation: uddannelse, erfaring og kompetencer skal være angivet og i kraft.", "The assessor has no valid qualification: education, experience and competences must be given and in force."))
		}
		if !shortReason.says(last.Reasons) {
			out = append(out, refuseAssessor("v9.reasons", "Fagpersonen skal begrunde godkendelsen med ord.", "The assessor must give reasons for the approval in words."))
		}
		if e := q.c.Evidence; (e.Doubtful || e.FirstOfKind) && len(competences(q)) < 2 {
			out = append(out, refuseAssessor("v9.competences", "Sagen er tvivlsom eller den første af sin slags. Den kræver mindst to af kompetencerne jura, sikkerhed og berigelseskriminalitet, hos én eller flere fagpersoner tilsammen.", "The case is doubtful or the first of its kind. It needs at least two of the competences law, security and property crime, in one assessor or several together."))
		}
		if strings.TrimSpace(last.Guideline) != "" && (q.c.Evidence.Doubtful || q.c.Evidence.FirstOfKind) {
			out = append(out, refuseAssessor("v9.guideline", "En skriftlig retningslinje er kun til de oplagte sager. Denne er tvivlsom eller den første af sin slags og skal vurderes for sig.", "A written guideline is for clear cases only. This one is doubtful or the first of its kind and must be assessed by itself."))
		}
		if q.s.TwoPersons && samePerson(last.Assessor, q.c.Tagged) {
			out = append(out, refuseAssessor("v9.two-persons", "Den, der markerede hændelsen, kan ikke selv godkende den. En anden fagperson skal se på sagen.", "The person who marked the incident cannot approve it. Another assessor must look at the case."))
		}
		return out, nil
	},
}

// qualified reports whether who has a qualification at q.now with a
// competence that condition 9 names.
func qualified(q question, who incident.Person) bool {
	p := who.Qualification
	if p == nil || !p.Valid(q.now) || strings.TrimSpace(p.Education) == "" || strings.TrimSpace(p.Experience) == "" {
		return false
	}
	return len(named(p.Competences)) > 0
}

func named(have []string) map[string]bool {
	out := map[string]bool{}
	for _, h := range have {
		for _, c := range Competences {
			if h == c {
				out[c] = true
			}
		}
	}
	return out
}

// competences returns what the approvals of this copy cover together, counted
// back to the last refusal.
func competences(q question) map[string]bool {
	all := map[string]bool{}
	for i := len(q.c.Assessments) - 1; i >= 0; i-- {
		a := q.c.Assessments[i]
		if a.Decision != incident.Approve {
			break
		}
		if q.c.Copy == nil || a.Copy != q.c.Copy.Hash || a.SawSheet != q.c.Copy.Sheet || a.SawFlagged != q.c.Copy.Flagged.Spans ||
			a.At.IsZero() || a.At.After(q.now) ||
			!qualified(q, a.Assessor) || !authorised(q, &a.Assessor) || !shortReason.says(a.Reasons) {
			continue
		}
		for c := range named(a.Assessor.Qualification.Competences) {
			all[c] = true
		}
	}
	return all
}

// samePerson reports whether a and b are one person, by account or by name: a
// second account in the same name is the same person.
func samePerson(a, b incident.Person) bool {
	fold := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
	return a.ID == b.ID || fold(a.Name) == fold(b.Name)
}

// reassessor asks of who reassesses what an approval asks of its assessor. The
// competences that a doubtful case needs may lie with those who approved it, as
// they were then.
func reassessor(q question) []Refusal {
	r := q.again
	var out []Refusal
	if r.At.IsZero() || r.At.After(q.now) {
		out = append(out, refuseAssessor("v9.future", "Vurderingens tidspunkt er ikke gyldigt. Kontrollér boksens ur og vurdér igen.", "The time of the assessment is not valid. Check the box's clock and assess again."))
	}
	if !qualified(q, r.By) {
		out = append(out, refuseAssessor("v9.qualification", "Fagpersonen har ikke en gyldig kvalifikation: uddannelse, erfaring og kompetencer skal være angivet og i kraft.", "The assessor has no valid qualification: education, experience and competences must be given and in force."))
	}
	if !shortReason.says(r.Reasons) {
		out = append(out, refuseAssessor("v9.reasons", "Fagpersonen skal begrunde med ord, at alle vilkår stadig er opfyldt.", "The assessor must give reasons in words why all conditions are still met."))
	}
	if e := q.c.Evidence; e.Doubtful || e.FirstOfKind {
		then := q
		then.now = q.from
		if n := len(q.c.Assessments); n > 0 && q.c.Assessments[n-1].At.After(then.now) {
			then.now = q.c.Assessments[n-1].At // counted from when it was prepared, signed a little later
		}
		all := competences(then)
		if qualified(q, r.By) {
			for c := range named(r.By.Qualification.Competences) {
				all[c] = true
			}
		}
		if len(all) < 2 {
			out = append(out, refuseAssessor("v9.competences", "Sagen er tvivlsom eller den første af sin slags. Den kræver mindst to af kompetencerne jura, sikkerhed og berigelseskriminalitet, hos én eller flere fagpersoner tilsammen.", "The case is doubtful or the first of its kind. It needs at least two of the competences law, security and property crime, in one assessor or several together."))
		}
	}
	if q.s.TwoPersons && samePerson(r.By, q.c.Tagged) {
		out = append(out, refuseAssessor("v9.two-persons", "Den, der markerede hændelsen, kan ikke selv vurdere den. En anden fagperson skal se på sagen.", "The person who marked the incident cannot assess it. Another assessor must look at the case."))
	}
	return out
}
