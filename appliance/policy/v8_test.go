package policy

import (
	"testing"
	"time"

	"veilbox/appliance/incident"
)

var v8Cases = []change{
	{"no next assessment", ev(func(e *incident.Evidence) { e.NextReassessment = nil }), "v8.next"},
	{"next assessment now", ev(func(e *incident.Evidence) { e.NextReassessment = at(0) }), "v8.past"},
	{"next assessment on day 30", ev(func(e *incident.Evidence) { e.NextReassessment = at(MaxDisclosure) }), "v8.far"},
	{"next assessment just before day 30", ev(func(e *incident.Evidence) { e.NextReassessment = at(MaxDisclosure - 1) }), ""},
	{"withdrawn before", func(c *incident.Case) { c.State = incident.Withdrawn }, "v8.ended"},
	{"expired before", func(c *incident.Case) { c.State = incident.Expired }, "v8.ended"},
	{"disclosure ended", func(c *incident.Case) { c.Disclosure = &incident.Disclosure{Released: noon, Ended: at(0)} }, "v8.ended"},
	{"disclosed 30 days ago", func(c *incident.Case) { c.Disclosure = &incident.Disclosure{Released: noon.Add(-MaxDisclosure)} }, "v8.30-days"},
	{"a next assessment without a date", ev(func(e *incident.Evidence) { e.NextReassessment = &time.Time{} }), "v8.next"},
}

func TestV8(t *testing.T) { runCases(t, V8, v8Cases) }
