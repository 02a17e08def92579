package policy

import (
	"slices"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
)

// again is a good reassessment nine days after the release.
func again() incident.Reassessment {
	return incident.Reassessment{By: person("p3", "Eva Friis", "property-crime"), At: noon.Add(9 * day), Reasons: "Han er set igen i Nyborg, og alt står ved magt", Next: noon.Add(20 * day)}
}

// reassessCases is what is asked when the nine are looked at again, nine days
// after the release.
var reassessCases = []struct {
	name string
	do   func(*incident.Case, *incident.Reassessment)
	want string
}{
	{"all hold", nil, ""},
	{"a day before day 30", func(_ *incident.Case, r *incident.Reassessment) { r.Next = noon.Add(29 * day) }, ""},
	{"on day 30", func(_ *incident.Case, r *incident.Reassessment) { r.Next = noon.Add(30 * day) }, "v8.far"},
	{"past day 30", func(_ *incident.Case, r *incident.Reassessment) { r.Next = noon.Add(39 * day) }, "v8.far"},
	{"past a shorter end", func(c *incident.Case, _ *incident.Reassessment) { c.Disclosure.NotAfter = noon.Add(12 * day) }, "v8.far"},
	{"no next date", func(_ *incident.Case, r *incident.Reassessment) { r.Next = time.Time{} }, "v8.next"},
	{"a next date that has passed", func(_ *incident.Case, r *incident.Reassessment) { r.Next = noon.Add(9 * day) }, "v8.past"},
	{"too late", func(c *incident.Case, _ *incident.Reassessment) { c.Evidence.NextReassessment = at(9 * day) }, "v8.missed"},
	{"just in time", func(c *incident.Case, _ *incident.Reassessment) { c.Evidence.NextReassessment = at(9*day + 1) }, ""},
	{"none was planned", func(c *incident.Case, _ *incident.Reassessment) { c.Evidence.NextReassessment = nil }, "v8.missed"},
	{"a case that is not shared", func(c *incident.Case, _ *incident.Reassessment) { c.State, c.Disclosure = incident.Submitted, nil }, "v8.not-running"},
	{"a case that has ended", func(c *incident.Case, _ *incident.Reassessment) {
		c.State, c.Disclosure.Ended = incident.Withdrawn, at(day)
	}, "v8.ended"},
	{"after 30 days", func(c *incident.Case, _ *incident.Reassessment) { c.Disclosure.Released = noon.Add(-21 * day) }, "v8.30-days"},
	{"due", func(c *incident.Case, _ *incident.Reassessment) { c.State = incident.ReassessmentDue }, ""},
	{"narrowed", func(c *incident.Case, _ *incident.Reassessment) {
		c.Evidence.Circle.Members = append(c.Evidence.Circle.Members, "butik-c")
		disclosed(c)
		narrow(c, "butik-c")
	}, ""},

	{"no longer certain", func(c *incident.Case, _ *incident.Reassessment) { c.Evidence.CertaintyLost = at(0) }, "v1.certainty-lost"},
	{"worth less than thought", func(c *incident.Case, _ *incident.Reassessment) { c.Evidence.ValueDKK = kr(90) }, "v2.trivial"},
	{"charged", func(c *incident.Case, _ *incident.Reassessment) { c.Evidence.Charged = at(day) }, "v3.charged"},
	{"report withdrawn", func(c *incident.Case, _ *incident.Reassessment) { c.Evidence.Report.Withdrawn = at(day) }, "v4.withdrawn"},
	{"another copy", func(c *incident.Case, _ *incident.Reassessment) { c.Copy.Hash = footage.CopyHash{Hash: hash(9)} }, "v5.copy-changed"},
	{"a wider circle", func(c *incident.Case, _ *incident.Reassessment) {
		c.Evidence.Circle.Members = append(c.Evidence.Circle.Members, "butik-c")
	}, "v6.wider"},

	{"who tagged has gone", func(c *incident.Case, _ *incident.Reassessment) { c.Tagged.Authorisation.To = noon.Add(day) }, ""},
	{"who approved has gone, another looks", func(c *incident.Case, r *incident.Reassessment) {
		c.Assessments[0].Assessor.Authorisation.To = noon.Add(day)
		r.By = person("p8", "Lis Kjær", "law")
	}, ""},
	{"no authorisation", func(_ *incident.Case, r *incident.Reassessment) { r.By.Authorisation.To = noon.Add(9 * day) }, "v7.assessor"},
	{"no qualification", func(_ *incident.Case, r *incident.Reassessment) { r.By.Qualification = nil }, "v9.qualification"},
	{"no reasons", func(_ *incident.Case, r *incident.Reassessment) { r.Reasons = "ok" }, "v9.reasons"},
	{"in the future", func(_ *incident.Case, r *incident.Reassessment) { r.At = noon.Add(10 * day) }, "v9.future"},
	{"no time", func(_ *incident.Case, r *incident.Reassessment) { r.At = time.Time{} }, "v9.future"},
	{"who tagged looks alone", func(c *incident.Case, r *incident.Reassessment) { r.By.ID = c.Tagged.ID }, "v9.two-persons"},
	{"doubtful, the same competence", func(c *incident.Case, _ *incident.Reassessment) { c.Evidence.Doubtful = true }, "v9.competences"},
	{"doubtful, another competence than the approval's", func(c *incident.Case, r *incident.Reassessment) {
		c.Evidence.Doubtful = true
		r.By = person("p8", "Lis Kjær", "law")
	}, ""},
	{"doubtful, approved a little after it was prepared", func(c *incident.Case, _ *incident.Reassessment) {
		c.Evidence.Doubtful = true
		c.Assessments[0].Assessor = person("p4", "Jens Lund", "law")
		c.Assessments[0].At = noon.Add(time.Minute)
	}, ""},
	{"doubtful, who approved has gone since", func(c *incident.Case, _ *incident.Reassessment) {
		c.Evidence.Doubtful = true
		c.Assessments[0].Assessor = person("p4", "Jens Lund", "law")
		c.Assessments[0].Assessor.Authorisation.To = noon.Add(day)
	}, ""},
	{"first of its kind, the approval of another copy lends nothing", func(c *incident.Case, r *incident.Reassessment) {
		c.Evidence.FirstOfKind = true
		c.Assessments[0].SawSheet = footage.SheetHash{}
		r.By = person("p8", "Lis Kjær", "law")
	}, "v9.competences"},
}

func TestReassess(t *testing.T) {
	for _, c := range reassessCases {
		t.Run(c.name, func(t *testing.T) {
			x, r := running(), again()
			if c.do != nil {
				c.do(&x, &r)
			}
			v := Reassess(x, r, noon.Add(9*day), Settings{TwoPersons: true})
			got := codes(v.Missing())
			if v.Satisfied() != (c.want == "") || c.want != "" && !slices.Contains(got, c.want) {
				t.Errorf("refusals %v, want %q", got, c.want)
			}
			if _, ok := v.Release(); ok {
				t.Error("a reassessment released")
			}
		})
	}
	x, r := running(), again()
	x.Disclosure.Released = noon.Add(10 * day) // later than the clock says now
	r.At = noon.Add(9 * day)
	if v := Reassess(x, r, noon.Add(9*day), Settings{}); v.Satisfied() {
		t.Error("a clock set back before the release found time for a reassessment that was missed")
	}
}

func TestRemindAt(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*incident.Case)
		want time.Duration // -1: never
	}{
		{"ten days on", nil, 7 * day},
		{"soon", func(c *incident.Case) { c.Evidence.NextReassessment = at(2 * day) }, day},
		{"narrowed", func(c *incident.Case) { c.State = incident.Narrowed }, 7 * day},
		{"reassessed", reassessed(8*day, 20*day), 17 * day},
		{"reassessed, soon again", reassessed(8*day, 12*day), 10 * day},
		{"a later date than the reassessment set", func(c *incident.Case) {
			reassessed(8*day, 20*day)(c)
			c.Evidence.NextReassessment = at(29 * day)
		}, 17 * day},
		{"due already", func(c *incident.Case) { c.State = incident.ReassessmentDue }, -1},
		{"on its way", func(c *incident.Case) { c.State = incident.Released }, -1},
		{"over", func(c *incident.Case) { c.State, c.Disclosure.Ended = incident.Expired, at(day) }, -1},
		{"ended, whatever the state says", func(c *incident.Case) { c.Disclosure.Ended = at(day) }, -1},
		{"no date", func(c *incident.Case) { c.Evidence.NextReassessment = nil }, -1},
		{"no disclosure", func(c *incident.Case) { c.Disclosure = nil }, -1},
	} {
		x := running()
		if c.do != nil {
			c.do(&x)
		}
		got, ok := RemindAt(x)
		if ok != (c.want >= 0) || ok && !got.Equal(noon.Add(c.want)) {
			t.Errorf("%s: %v %v", c.name, got.Sub(noon), ok)
		}
		if ok {
			if _, ends := Ends(x, got); ends {
				t.Errorf("%s: reminded of what has ended", c.name)
			}
		}
	}
}
