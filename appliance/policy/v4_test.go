package policy

import (
	"testing"
	"time"

	"veilbox/appliance/incident"
)

var v4Cases = []change{
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
	{"reported the minute before", ev(func(e *incident.Evidence) { e.Report.At = noon.Add(-time.Minute) }), ""},
	{"no number, but the receipt itself", func(c *incident.Case) {
		c.Evidence.Report.Number = ""
		c.Documents = []incident.Document{{ID: "DOC", Kind: incident.DocumentReceipt, Media: incident.MediaPDF}}
	}, ""},
	{"no number, another document", func(c *incident.Case) {
		c.Evidence.Report.Number = ""
		c.Documents = []incident.Document{{ID: "DOC", Kind: incident.DocumentOther, Media: incident.MediaPDF}}
	}, "v4.report"},
	{"reported after the day of the disclosure", func(c *incident.Case) {
		disclosed(c)
		c.Disclosure.Released = noon.Add(-2 * day)
		c.HappenedAt = noon.Add(-3 * day)
	}, "v4.late"},
	{"not reported on the day of the disclosure", func(c *incident.Case) {
		disclosed(c)
		c.Disclosure.Released = noon.Add(-2 * day)
		c.Evidence.Report, c.Evidence.ReportToday = nil, true
	}, "v4.missing"},
	{"report withdrawn, as a fact", fact(incident.FactReportWithdrawn, noon), "v4.withdrawn"},
	{"report groundless, as a fact", fact(incident.FactReportGroundless, noon), "v4.groundless"},
	{"a new report after one that was withdrawn", fact(incident.FactReportWithdrawn, noon.Add(-2*time.Hour)), ""},
}

func TestV4(t *testing.T) { runCases(t, V4, v4Cases) }
