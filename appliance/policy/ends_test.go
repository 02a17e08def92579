package policy

import (
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
)

var (
	promised = ev(func(e *incident.Evidence) { e.Report, e.ReportToday = nil, true })
	midnight = clock.EndOfDay(noon).Sub(noon)
)

// endCases is what becomes of a disclosure that began at noon.
var endCases = []struct {
	name  string
	do    func(*incident.Case)
	after time.Duration
	by    string // empty: goes on
	code  string
}{
	{"goes on", nil, time.Hour, "", ""},
	{"goes on for nine days", nil, 9 * day, "", ""},
	{"day 30", ev(func(e *incident.Evidence) { e.NextReassessment = at(29 * day) }), 30 * day, By30Days, "v8.30-days"},
	{"day 30, a later end stored", func(c *incident.Case) { c.Disclosure.NotAfter = noon.Add(99 * day) }, 30 * day, By30Days, "v8.30-days"},
	{"day 30, no end stored", func(c *incident.Case) { c.Disclosure.NotAfter = time.Time{} }, 30 * day, By30Days, "v8.30-days"},
	{"an earlier end stored", func(c *incident.Case) { c.Disclosure.NotAfter = noon.Add(5 * day) }, 5 * day, By30Days, "v8.30-days"},
	{"just before reassessment", nil, 10*day - 1, "", ""},
	{"reassessment missed", nil, 10 * day, ByReassessmentMissed, "v8.missed"},
	{"no reassessment", ev(func(e *incident.Evidence) { e.NextReassessment = nil }), time.Hour, "V8", "v8.next"},
	{"promised, the last second of the day", promised, midnight - time.Second, "", ""},
	{"promised, midnight", promised, midnight, ByReportMissing, "v4.missing"},
	{"promised, a later day stored", func(c *incident.Case) { promised(c); c.Disclosure.ReportDue = noon.Add(9 * day) }, midnight, ByReportMissing, "v4.missing"},
	{"reported in time, entered the next day", ev(func(e *incident.Evidence) { e.Report.At = noon.Add(time.Hour) }), day, "", ""},
	{"reported the next day", ev(func(e *incident.Evidence) { e.Report.At = noon.Add(midnight) }), day, "V4", "v4.late"},
	{"withdrawn", ev(func(e *incident.Evidence) { e.Report.Withdrawn = at(time.Hour) }), time.Hour, "V4", "v4.withdrawn"},
	{"groundless", ev(func(e *incident.Evidence) { e.Report.Groundless = at(time.Hour) }), time.Hour, "V4", "v4.groundless"},
	{"charged", ev(func(e *incident.Evidence) { e.Charged = at(time.Hour) }), time.Hour, "V3", "v3.charged"},
	{"no longer certain", ev(func(e *incident.Evidence) { e.CertaintyLost = at(time.Hour) }), time.Hour, "V1", "v1.certainty-lost"},
	{"worth less than thought", ev(func(e *incident.Evidence) { e.ValueDKK = kr(80) }), time.Hour, "V2", "v2.trivial"},
	{"another copy", func(c *incident.Case) { c.Copy.Hash.Hash = hash(9) }, time.Hour, "V5", "v5.copy-changed"},
	{"nobody left in the circle", ev(func(e *incident.Evidence) { e.Circle.Members = nil }), time.Hour, "V6", "v6.members"},
	{"an authorisation that ran out later", func(c *incident.Case) { c.Tagged.Authorisation.To = noon.Add(time.Hour) }, 2 * time.Hour, "", ""},
	{"ended already", func(c *incident.Case) { c.Disclosure.Ended = at(0) }, 60 * day, "", ""},
	{"never disclosed", func(c *incident.Case) { c.Disclosure = nil }, 60 * day, "", ""},
	{"certainty lost, as a fact", fact(incident.FactCertaintyLost, noon), time.Hour, "V1", "v1.certainty-lost"},
	{"charged, as a fact", fact(incident.FactCharged, noon), time.Hour, "V3", "v3.charged"},
	{"withdrawn, as a fact", fact(incident.FactReportWithdrawn, noon), time.Hour, "V4", "v4.withdrawn"},
	{"groundless, as a fact", fact(incident.FactReportGroundless, noon), time.Hour, "V4", "v4.groundless"},
	{"a long time without repetition", func(c *incident.Case) {
		c.HappenedAt = noon.Add(-LongTime + time.Hour)
	}, 2 * time.Hour, "V3", "v3.long-ago"},
	{"narrowed", func(c *incident.Case) {
		c.Evidence.Circle.Members = append(c.Evidence.Circle.Members, "butik-c")
		disclosed(c)
		narrow(c, "butik-c")
	}, time.Hour, "", ""},
	{"wider than released", func(c *incident.Case) {
		c.Evidence.Circle.Members = append(c.Evidence.Circle.Members, "butik-c")
	}, time.Hour, "V6", "v6.wider"},
	{"one that was taken out is back", func(c *incident.Case) {
		narrow(c, "butik-b")
		c.Evidence.Circle.Members = append(c.Evidence.Circle.Members, "butik-b")
	}, time.Hour, "V6", "v6.dropped"},
	{"reassessment moved past the limit", ev(func(e *incident.Evidence) { e.NextReassessment = at(30 * day) }), time.Hour, "V8", "v8.far"},
	{"reassessed", reassessed(9*day, 20*day), 12 * day, "", ""},
	{"reassessed, and the next one missed", reassessed(9*day, 20*day), 20 * day, ByReassessmentMissed, "v8.missed"},
	{"a later date than the reassessment set", func(c *incident.Case) {
		reassessed(9*day, 15*day)(c)
		c.Evidence.NextReassessment = at(25 * day)
	}, 15 * day, ByReassessmentMissed, "v8.missed"},
	{"the clock set back before the release", func(c *incident.Case) { c.Evidence.NextReassessment = at(-day) }, -9 * day, ByReassessmentMissed, "v8.missed"},
	{"the clock set back before a narrowing", func(c *incident.Case) {
		c.Evidence.NextReassessment = at(8 * day)
		c.Narrowings = []incident.Narrowing{{At: noon.Add(8 * day), Dropped: []incident.Dropped{{Member: "butik-c"}}}}
	}, time.Hour, ByReassessmentMissed, "v8.missed"},
	{"the clock set back before a fact", func(c *incident.Case) {
		fact(incident.FactReportWithdrawn, noon.Add(-2*time.Hour))(c) // of an older report: it ends nothing
		c.Facts[0].Added = noon.Add(10 * day)
	}, time.Hour, ByReassessmentMissed, "v8.missed"},
	{"the clock set back before a reassessment", func(c *incident.Case) {
		reassessed(9*day, 8*day)(c)
	}, time.Hour, ByReassessmentMissed, "v8.missed"},
}

// reassessed is a case that was looked at again after some time.
func reassessed(after, next time.Duration) func(*incident.Case) {
	return func(c *incident.Case) {
		c.Reassessments = append(c.Reassessments, incident.Reassessment{By: person("p3", "Eva Friis", "property-crime"), At: noon.Add(after), Reasons: "Alle vilkår er stadig opfyldt", Next: noon.Add(next)})
		c.Evidence.NextReassessment = at(next)
	}
}

func TestEnds(t *testing.T) {
	for _, c := range endCases {
		t.Run(c.name, func(t *testing.T) {
			x := running()
			if c.do != nil {
				c.do(&x)
			}
			e, ends := Ends(x, noon.Add(c.after))
			if ends != (c.by != "") || e.By != c.by || e.Refusal.Code != c.code {
				t.Fatalf("ends %v by %q, %q; want %q, %q", ends, e.By, e.Refusal.Code, c.by, c.code)
			}
			if ends && (e.Refusal.Source == "" || e.Refusal.Condition == "" || e.Refusal.Text.DA == "" || EndText(e.By).DA == e.By) {
				t.Errorf("%+v", e)
			}
			// What has ended stays ended: no later time brings it back.
			for d := c.after; ends && d < 90*day; d += 13 * time.Hour {
				if _, still := Ends(x, noon.Add(d)); !still {
					t.Fatalf("goes on again after %v", d)
				}
			}
		})
	}
}

// The day ends at midnight in Copenhagen, also where it has 23 or 25 hours.
func TestSameDayOverSummerTime(t *testing.T) {
	for _, c := range []struct {
		released string
		hours    time.Duration // from the start of the day to its end
	}{
		{"2026-03-29T00:30:00+01:00", 23},
		{"2026-10-25T00:30:00+02:00", 25},
		{"2026-06-10T00:30:00+02:00", 24},
	} {
		from, err := time.Parse(time.RFC3339, c.released)
		if err != nil {
			t.Fatal(err)
		}
		x := running()
		x.HappenedAt = from.Add(-time.Hour)
		x.Evidence.Report, x.Evidence.ReportToday = nil, true
		next := from.Add(5 * day)
		x.Evidence.NextReassessment = &next
		x.Disclosure = &incident.Disclosure{ID: "D", Released: from}
		end := from.Add(c.hours*time.Hour - 30*time.Minute)
		if _, ends := Ends(x, end.Add(-1)); ends {
			t.Errorf("%s: ended before %v", c.released, end)
		}
		if e, ends := Ends(x, end); !ends || e.By != ByReportMissing {
			t.Errorf("%s: goes on at %v", c.released, end)
		}
		x.Evidence.Report = &incident.Report{Number: "1", At: end.Add(-1)}
		if e, ends := Ends(x, end.Add(time.Hour)); ends {
			t.Errorf("%s: reported in time, ended by %+v", c.released, e)
		}
	}
}
