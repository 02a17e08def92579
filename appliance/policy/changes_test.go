package policy

import (
	"slices"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/redact/subject"
)

// noon is a Wednesday at noon in Copenhagen.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, clock.Copenhagen)

func at(d time.Duration) *time.Time { t := noon.Add(d); return &t }
func kr(n int) *int                 { return &n }

const day = 24 * time.Hour

func authorisation() incident.Authorisation {
	return incident.Authorisation{By: "Mette Holm", Function: "vagtleder", Need: "følger op på tyverier", From: noon.Add(-30 * day), To: noon.Add(300 * day)}
}

func person(id, name string, competences ...string) incident.Person {
	p := incident.Person{ID: incident.PersonID(id), Name: name, Authorisation: authorisation()}
	if len(competences) > 0 {
		p.Qualification = &incident.Qualification{Education: "politiskolen, efteruddannelse 2025", Experience: "12 år med butikstyverier",
			Competences: competences, From: noon.Add(-300 * day), To: noon.Add(300 * day)}
	}
	return p
}

func hash(b byte) (h footage.Hash) { h[0] = b; return }

// good is a case that passes.
func good() incident.Case {
	submitter := person("p2", "Ida Berg")
	return incident.Case{
		ID: "CASE", Version: 4, State: incident.Submitted, Member: "butik-a", Created: noon.Add(-3 * time.Hour), Changed: noon,
		Tagged: person("p1", "Bo Dam"), What: "Tog to flasker", HappenedAt: noon.Add(-4 * time.Hour),
		Clip: incident.Clip{Camera: "till-1", Span: footage.SpanOf(noon.Add(-4*time.Hour), noon.Add(-4*time.Hour+time.Minute)), Hash: footage.ClipHash{Hash: hash(1)}},
		Copy: &incident.Copy{Hash: footage.CopyHash{Hash: hash(2)}, Clip: footage.ClipHash{Hash: hash(1)}, Proof: footage.ProofHash{Hash: hash(3)}, Sheet: footage.SheetHash{Hash: hash(4)}, Passed: true, Made: noon.Add(-time.Hour)},
		Evidence: incident.Evidence{
			Offence: incident.Theft, Basis: incident.BasisRecording, ValueDKK: kr(501),
			RepeatReasons: "Samme fremgangsmåde er set tre gange i denne måned i nabobyerne",
			Report:        &incident.Report{Number: "1900-12345", At: noon.Add(-time.Hour)},
			Circle: incident.Circle{Area: "region", Place: "Fyn", Trades: []string{"dagligvarer"}, Members: []incident.MemberID{"butik-a", "butik-b"},
				Reason: "Personen har ramt dagligvarebutikker i tre fynske byer på samme måde"},
			NextReassessment: at(10 * day),
		},
		SubmittedBy: &submitter,
		Assessments: []incident.Assessment{{Assessor: person("p3", "Eva Friis", "property-crime"), At: noon.Add(-time.Minute), Decision: incident.Approve,
			Reasons: "Klar sag med tydelig optagelse", SawSheet: footage.SheetHash{Hash: hash(4)}, Copy: footage.CopyHash{Hash: hash(2)}}},
	}
}

// running is good after its disclosure began at noon.
func running() incident.Case {
	c := good()
	c.State = incident.Disclosed
	c.Disclosure = &incident.Disclosure{ID: "D", Released: noon, Disclosed: at(time.Minute), NotAfter: noon.Add(MaxDisclosure), ReportDue: clock.EndOfDay(noon)}
	return c
}

type change struct {
	name string
	do   func(*incident.Case)
	want string // code of a refusal that must be there; empty: all nine satisfied
}

func codes(rs []Refusal) []string {
	var out []string
	for _, r := range rs {
		out = append(out, r.Code)
	}
	return out
}

func ev(f func(*incident.Evidence)) func(*incident.Case) {
	return func(c *incident.Case) { f(&c.Evidence) }
}

func offence(o incident.Offence) func(*incident.Case) {
	return ev(func(e *incident.Evidence) { e.Offence = o; e.ValueDKK = kr(2000) })
}

// changes is what the conditions say of a case that is good but for one thing:
// the examples of the guidance first.
var changes = []change{
	{"as it is", func(*incident.Case) {}, ""},

	{"an attempt passes", ev(func(e *incident.Evidence) { e.Attempt = true }), ""},
	{"brugstyveri passes", offence(incident.VehicleUse), ""},
	{"trick theft passes", offence(incident.TrickTheft), ""},
	{"embezzlement passes", offence(incident.Embezzlement), ""},
	{"extortion passes", offence(incident.Extortion), ""},
	{"fraud passes", offence(incident.Fraud), ""},
	{"violence", offence(incident.Violence), "v1.violence"},
	{"vandalism", offence(incident.Vandalism), "v1.vandalism"},
	{"handling", offence(incident.Handling), "v1.handling"},
	{"other", offence(incident.OtherOffence), "v1.other"},
	{"an offence nobody knows", offence("piracy"), "v1.other"},
	{"no offence", offence(""), "v1.offence"},
	{"no basis", ev(func(e *incident.Evidence) { e.Basis = "" }), "v1.basis"},
	{"a witness in words", ev(func(e *incident.Evidence) {
		e.Basis, e.BasisWords = incident.BasisCircumstances, "Kassedamen så ham stikke flaskerne ned i tasken"
	}), ""},
	{"a witness without words", ev(func(e *incident.Evidence) { e.Basis = incident.BasisCircumstances }), "v1.basis-words"},
	{"a witness in no words", ev(func(e *incident.Evidence) { e.Basis, e.BasisWords = incident.BasisCircumstances, "xxx ... 123" }), "v1.basis-words"},
	{"certainty lost", ev(func(e *incident.Evidence) { e.CertaintyLost = at(0) }), "v1.certainty-lost"},
	{"in the future", func(c *incident.Case) { c.HappenedAt = noon.Add(time.Hour) }, "v1.future"},

	{"sweets and a soda", ev(func(e *incident.Evidence) { e.ValueDKK = kr(62) }), "v2.trivial"},
	{"500 kroner", ev(func(e *incident.Evidence) { e.ValueDKK = kr(500) }), "v2.trivial"},
	{"501 kroner", ev(func(e *incident.Evidence) { e.ValueDKK = kr(501) }), ""},
	{"an attempt at 500", ev(func(e *incident.Evidence) { e.ValueDKK, e.Attempt = kr(500), true }), "v2.trivial"},
	{"negative", ev(func(e *incident.Evidence) { e.ValueDKK = kr(-1) }), "v2.value"},
	{"no value", ev(func(e *incident.Evidence) { e.ValueDKK = nil }), "v2.unknown"},
	{"card fraud of any value", ev(func(e *incident.Evidence) { e.Offence, e.ValueDKK = incident.CardFraud, kr(20) }), ""},
	{"robbery without a value", ev(func(e *incident.Evidence) { e.Offence, e.ValueDKK = incident.Robbery, nil }), ""},
	{"kassedyk of any value", ev(func(e *incident.Evidence) { e.Offence, e.ValueDKK = incident.TillSnatch, kr(100) }), ""},
	{"repeated", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = kr(100), "Set fire gange siden januar" }), ""},
	{"professional", ev(func(e *incident.Evidence) { e.ValueDKK, e.Professional = kr(100), "Foret taske og to medhjælpere" }), ""},
	{"repeated, one word", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = kr(100), "ja" }), "v2.trivial"},
	{"repeated, one word many times", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = kr(100), "ja ja ja ja ja ja ja ja" }), "v2.trivial"},

	{"no reasons", ev(func(e *incident.Evidence) { e.RepeatReasons = "" }), "v3.reasons"},
	{"blank reasons", ev(func(e *incident.Evidence) { e.RepeatReasons = "   \n\t" }), "v3.reasons"},
	{"reasons of dots", ev(func(e *incident.Evidence) { e.RepeatReasons = strings.Repeat(". ", 50) }), "v3.reasons"},
	{"reasons of one letter", ev(func(e *incident.Evidence) { e.RepeatReasons = strings.Repeat("x", 90) }), "v3.reasons"},
	{"charged", ev(func(e *incident.Evidence) { e.Charged = at(0) }), "v3.charged"},

	{"no report", ev(func(e *incident.Evidence) { e.Report = nil }), "v4.report"},
	{"report promised", ev(func(e *incident.Evidence) { e.Report, e.ReportToday = nil, true }), ""},
	{"report yesterday, of an incident the day before", func(c *incident.Case) {
		c.HappenedAt = noon.Add(-3 * day)
		c.Evidence.Report.At = noon.Add(-2 * day)
	}, ""},
	{"report in the future", ev(func(e *incident.Evidence) { e.Report.At = noon.Add(time.Second) }), "v4.future"},
	{"report in the future, promised", ev(func(e *incident.Evidence) { e.Report.At, e.ReportToday = noon.Add(time.Second), true }), "v4.future"},
	{"report before the incident", ev(func(e *incident.Evidence) { e.Report.At = noon.Add(-day) }), "v4.before-incident"},
	{"report without a number", ev(func(e *incident.Evidence) { e.Report.Number = " " }), "v4.report"},
	{"report without a time", ev(func(e *incident.Evidence) { e.Report.At = time.Time{} }), "v4.report"},
	{"report withdrawn", ev(func(e *incident.Evidence) { e.Report.Withdrawn = at(0) }), "v4.withdrawn"},
	{"report groundless", ev(func(e *incident.Evidence) { e.Report.Groundless = at(0) }), "v4.groundless"},
	{"report withdrawn, a new one promised", ev(func(e *incident.Evidence) { e.Report.Withdrawn, e.ReportToday = at(0), true }), "v4.withdrawn"},

	{"no copy", func(c *incident.Case) { c.Copy = nil }, "v5.copy"},
	{"proof failed", func(c *incident.Case) { c.Copy.Passed = false }, "v5.proof"},
	{"no proof", func(c *incident.Case) { c.Copy.Proof = footage.ProofHash{} }, "v5.proof"},
	{"no sheet", func(c *incident.Case) {
		c.Copy.Sheet = footage.SheetHash{}
		c.Assessments[0].SawSheet = footage.SheetHash{}
	}, "v5.sheet"},
	{"copy of another clip", func(c *incident.Case) { c.Copy.Clip = footage.ClipHash{Hash: hash(9)} }, "v5.clip"},
	{"clip changed", func(c *incident.Case) { c.Clip.Hash = footage.ClipHash{Hash: hash(9)} }, "v5.clip"},
	{"no hash of the clip", func(c *incident.Case) { c.Clip.Hash, c.Copy.Clip = footage.ClipHash{}, footage.ClipHash{} }, "v5.clip"},
	{"copy changed after approval", func(c *incident.Case) { c.Copy.Hash = footage.CopyHash{Hash: hash(9)} }, "v5.copy-changed"},
	{"sheet not looked at", func(c *incident.Case) { c.Assessments[0].SawSheet = footage.SheetHash{} }, "v5.not-seen"},
	{"nobody has looked", func(c *incident.Case) { c.Assessments = nil }, "v5.look"},
	{"sheet changed", func(c *incident.Case) { c.Copy.Sheet = footage.SheetHash{Hash: hash(9)} }, "v5.not-seen"},

	{"everybody veiled", func(c *incident.Case) { c.Copy.Mode = subject.BlurEverything }, "v5.training"},
	{"the scene shown", func(c *incident.Case) { c.Copy.Mode, c.Copy.Scene = subject.StillScene, true }, ""},
	{"the camera's regions changed", func(c *incident.Case) { c.Copy.Outdated = true }, "v5.veiled-changed"},
	{"sound without a reason", func(c *incident.Case) { c.Copy.Sound = &incident.Sound{Reason: "xxx"} }, "v5.sound"},
	{"sound with a reason", func(c *incident.Case) {
		c.Copy.Sound = &incident.Sound{Reason: "Han truer ekspedienten højt, og det skal høres."}
	}, ""},
	{"flags not looked at", func(c *incident.Case) { c.Copy.Flagged.Spans = 2 }, "v5.flagged"},
	{"fewer flags looked at", func(c *incident.Case) { c.Copy.Flagged.Spans, c.Assessments[0].SawFlagged = 2, 1 }, "v5.flagged"},
	{"all flags looked at", func(c *incident.Case) { c.Copy.Flagged.Spans, c.Assessments[0].SawFlagged = 2, 2 }, ""},

	{"no area", ev(func(e *incident.Evidence) { e.Circle.Area = "" }), "v6.area"},
	{"an odd area", ev(func(e *incident.Evidence) { e.Circle.Area = "world" }), "v6.area"},
	{"a town without a name", ev(func(e *incident.Evidence) { e.Circle.Area, e.Circle.Place = "town", " " }), "v6.place"},
	{"the country needs no place", ev(func(e *incident.Evidence) { e.Circle.Area, e.Circle.Place = "country", "" }), ""},
	{"no members", ev(func(e *incident.Evidence) { e.Circle.Members = nil }), "v6.members"},
	{"only the own member", ev(func(e *incident.Evidence) { e.Circle.Members = []incident.MemberID{"butik-a"} }), "v6.members"},
	{"a member without a name", ev(func(e *incident.Evidence) { e.Circle.Members = append(e.Circle.Members, "") }), "v6.nameless"},
	{"too many members", ev(func(e *incident.Evidence) {
		e.Circle.Members = slices.Repeat([]incident.MemberID{"butik-b"}, MaxMembers+1)
	}), "v6.many"},
	{"no reason", ev(func(e *incident.Evidence) { e.Circle.Reason = "" }), "v6.reason"},

	{"tagger's authorisation over", func(c *incident.Case) { c.Tagged.Authorisation.To = noon }, "v7.tagged"},
	{"tagger's authorisation not begun", func(c *incident.Case) { c.Tagged.Authorisation.From = noon.Add(1) }, "v7.tagged"},
	{"tagger nameless", func(c *incident.Case) { c.Tagged.Name = " " }, "v7.tagged"},
	{"tagger without an account", func(c *incident.Case) { c.Tagged.ID = "" }, "v7.tagged"},
	{"authorisation by nobody", func(c *incident.Case) { c.Tagged.Authorisation.By = "" }, "v7.tagged"},
	{"authorisation for no need", func(c *incident.Case) { c.Tagged.Authorisation.Need = "" }, "v7.tagged"},
	{"nobody submitted", func(c *incident.Case) { c.SubmittedBy = nil }, "v7.submit"},
	{"submitter's authorisation over", func(c *incident.Case) { c.SubmittedBy.Authorisation.To = noon.Add(-1) }, "v7.submitted"},
	{"no assessor", func(c *incident.Case) { c.Assessments = nil }, "v7.no-assessor"},
	{"assessor's authorisation over", func(c *incident.Case) { c.Assessments[0].Assessor.Authorisation = incident.Authorisation{} }, "v7.assessor"},

	{"no next assessment", ev(func(e *incident.Evidence) { e.NextReassessment = nil }), "v8.next"},
	{"next assessment now", ev(func(e *incident.Evidence) { e.NextReassessment = at(0) }), "v8.past"},
	{"next assessment on day 30", ev(func(e *incident.Evidence) { e.NextReassessment = at(MaxDisclosure) }), "v8.far"},
	{"next assessment just before day 30", ev(func(e *incident.Evidence) { e.NextReassessment = at(MaxDisclosure - 1) }), ""},
	{"withdrawn before", func(c *incident.Case) { c.State = incident.Withdrawn }, "v8.ended"},
	{"expired before", func(c *incident.Case) { c.State = incident.Expired }, "v8.ended"},
	{"disclosure ended", func(c *incident.Case) { c.Disclosure = &incident.Disclosure{Released: noon, Ended: at(0)} }, "v8.ended"},
	{"disclosed 30 days ago", func(c *incident.Case) { c.Disclosure = &incident.Disclosure{Released: noon.Add(-MaxDisclosure)} }, "v8.30-days"},

	{"not assessed", func(c *incident.Case) { c.Assessments = nil }, "v9.none"},
	{"refused", func(c *incident.Case) { c.Assessments[0].Decision = incident.Refuse }, "v9.refused"},
	{"an odd decision", func(c *incident.Case) { c.Assessments[0].Decision = "maybe" }, "v9.refused"},
	{"refused after an approval", func(c *incident.Case) {
		r := c.Assessments[0]
		r.Decision = incident.Refuse
		c.Assessments = append(c.Assessments, r)
	}, "v9.refused"},
	{"approved after a refusal", func(c *incident.Case) {
		r := c.Assessments[0]
		r.Decision = incident.Refuse
		c.Assessments = append([]incident.Assessment{r}, c.Assessments...)
	}, ""},
	{"approval of another copy", func(c *incident.Case) { c.Assessments[0].Copy = footage.CopyHash{Hash: hash(7)} }, "v9.other-copy"},
	{"approval in the future", func(c *incident.Case) { c.Assessments[0].At = noon.Add(1) }, "v9.future"},
	{"approval without a time", func(c *incident.Case) { c.Assessments[0].At = time.Time{} }, "v9.future"},
	{"approval without reasons", func(c *incident.Case) { c.Assessments[0].Reasons = "ok" }, "v9.reasons"},
	{"no qualification", func(c *incident.Case) { c.Assessments[0].Assessor.Qualification = nil }, "v9.qualification"},
	{"qualification over", func(c *incident.Case) { c.Assessments[0].Assessor.Qualification.To = noon }, "v9.qualification"},
	{"no education", func(c *incident.Case) { c.Assessments[0].Assessor.Qualification.Education = " " }, "v9.qualification"},
	{"a competence that is none", func(c *incident.Case) { c.Assessments[0].Assessor.Qualification.Competences = []string{"cooking"} }, "v9.qualification"},
	{"doubtful, one competence", ev(func(e *incident.Evidence) { e.Doubtful = true }), "v9.competences"},
	{"first of its kind, one competence", ev(func(e *incident.Evidence) { e.FirstOfKind = true }), "v9.competences"},
	{"doubtful, the same competence twice", func(c *incident.Case) {
		c.Evidence.Doubtful = true
		c.Assessments[0].Assessor.Qualification.Competences = []string{"law", "law"}
	}, "v9.competences"},
	{"doubtful, two competences", func(c *incident.Case) {
		c.Evidence.Doubtful = true
		c.Assessments[0].Assessor.Qualification.Competences = []string{"law", "security"}
	}, ""},
	{"doubtful, two assessors together", func(c *incident.Case) {
		c.Evidence.Doubtful = true
		first := c.Assessments[0]
		first.Assessor = person("p4", "Jens Lund", "law")
		c.Assessments = append([]incident.Assessment{first}, c.Assessments...)
	}, ""},
	{"doubtful, two assessors with a refusal between", func(c *incident.Case) {
		c.Evidence.Doubtful = true
		first, refusal := c.Assessments[0], c.Assessments[0]
		first.Assessor = person("p4", "Jens Lund", "law")
		refusal.Decision = incident.Refuse
		c.Assessments = []incident.Assessment{first, refusal, c.Assessments[0]}
	}, "v9.competences"},
	{"doubtful, the other approved another copy", func(c *incident.Case) {
		c.Evidence.Doubtful = true
		first := c.Assessments[0]
		first.Assessor = person("p4", "Jens Lund", "law")
		first.Copy = footage.CopyHash{Hash: hash(8)}
		c.Assessments = append([]incident.Assessment{first}, c.Assessments...)
	}, "v9.competences"},
	{"who tagged approves", func(c *incident.Case) { c.Assessments[0].Assessor.ID = c.Tagged.ID }, "v9.two-persons"},
	{"who tagged approves from a second account", func(c *incident.Case) { c.Assessments[0].Assessor.Name = " bo  DAM " }, "v9.two-persons"},
}
