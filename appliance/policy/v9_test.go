package policy

import (
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
)

var v9Cases = []change{
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
	{"a clear case after a guideline", func(c *incident.Case) {
		c.Assessments[0].Guideline = "Retningslinje 3: klart butikstyveri over 500 kr."
	}, ""},
	{"a doubtful case after a guideline", func(c *incident.Case) {
		c.Evidence.Doubtful = true
		c.Assessments[0].Assessor.Qualification.Competences = []string{"law", "security"}
		c.Assessments[0].Guideline = "Retningslinje 3"
	}, "v9.guideline"},
	{"the first of its kind after a guideline", func(c *incident.Case) {
		c.Evidence.FirstOfKind = true
		c.Assessments[0].Assessor.Qualification.Competences = []string{"law", "security"}
		c.Assessments[0].Guideline = "Retningslinje 3"
	}, "v9.guideline"},
	{"first of its kind, two competences", func(c *incident.Case) {
		c.Evidence.FirstOfKind = true
		c.Assessments[0].Assessor.Qualification.Competences = []string{"law", "property-crime"}
	}, ""},
	{"no experience", func(c *incident.Case) { c.Assessments[0].Assessor.Qualification.Experience = "" }, "v9.qualification"},
	{"a professional of another shop", func(c *incident.Case) { c.Assessments[0].Assessor = person("x9", "Ulla Hede", "law") }, ""},
}

func TestV9(t *testing.T) { runCases(t, V9, v9Cases) }
