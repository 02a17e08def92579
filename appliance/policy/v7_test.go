package policy

import (
	"testing"

	"veilbox/appliance/incident"
)

var v7Cases = []change{
	{"the tagger's last moment", func(c *incident.Case) { c.Tagged.Authorisation.To = noon.Add(1) }, ""},
	{"somebody who does other work too", func(c *incident.Case) { c.Tagged.Authorisation.Function = "kasseassistent og tillidsmand" }, ""},
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
}

func TestV7(t *testing.T) { runCases(t, V7, v7Cases) }
