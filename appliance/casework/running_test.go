package casework

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
)

// wide is a circle of two.
func wide(e *incident.Evidence) {
	e.Circle.Members = []incident.MemberID{"butik-b", "butik-c"}
}

// deleted makes a case and deletes it.
func (b *box) deleted() CaseView {
	b.t.Helper()
	v := b.newCase()
	if err := b.DeleteCase(b.t.Context(), b.people["manager"], v.ID, "oprettet ved en fejl"); err != nil {
		b.t.Fatal(err)
	}
	return v
}

func TestAFactEndsADisclosureAtOnce(t *testing.T) {
	for what, says := range map[string]string{
		incident.FactCertaintyLost: "V1", incident.FactCharged: "V3", incident.FactReportWithdrawn: "V4", incident.FactReportGroundless: "V4",
	} {
		for _, who := range []string{"staff", "manager", "assessor"} {
			t.Run(what+" "+who, func(t *testing.T) {
				b := newBox(t)
				v := b.disclosed()
				b.clock.Advance(time.Hour)
				got, err := b.SetFact(t.Context(), b.people[who], v.ID, NewFact{Version: v.Version, What: what, At: start.Add(30 * time.Minute), Words: " Politiet ringede om Hr. Hemmelig. "})
				b.must(got, err)
				d := got.Disclosure
				if got.State != incident.Withdrawn || d.Ended == nil || !d.Ended.Equal(start.Add(time.Hour)) || d.EndedBy != names[who] {
					t.Fatalf("%s %+v", got.State, d)
				}
				told := b.up.withdrawn[d.ID]
				if told != names[who]+": "+d.EndReason || strings.Contains(told, "Hemmelig") || d.EndReason == "" {
					t.Errorf("the recipients are told %q", told)
				}
				if f := got.Facts; len(f) != 1 || f[0].Words != "Politiet ringede om Hr. Hemmelig." || f[0].Name != names[who] || !f[0].At.Equal(start.Add(30*time.Minute)) {
					t.Errorf("%+v", f)
				}
				if !slices.ContainsFunc(got.Findings[:], func(f policy.Finding) bool { return string(f.Condition) == says && !f.Satisfied }) {
					t.Errorf("%s is still satisfied", says)
				}
				b.noCopy(got)
				b.sweep()
				_, err = b.SetFact(t.Context(), b.people[who], v.ID, NewFact{What: what, Words: "En gang til."})
				refused(t, err, "case.state")
			})
		}
	}
}

func TestAFactStandsInTheWay(t *testing.T) {
	b := newBox(t)
	staff := b.people["staff"]
	v := b.veiled(b.answer(b.newCase(), evidence()))
	for name, tc := range map[string]struct {
		code string
		n    NewFact
	}{
		"nothing":          {"fact.what", NewFact{Words: "Noget skete."}},
		"no words":         {"fact.what", NewFact{What: incident.FactCharged, Words: " \n"}},
		"one word":         {"fact.what", NewFact{What: incident.FactCharged, Words: "ja"}},
		"unknown":          {"fact.what", NewFact{What: "rumour", Words: "Nogen siger det."}},
		"endless":          {"input.words", NewFact{What: incident.FactCharged, Words: strings.Repeat("ord ", audit.MaxText)}},
		"tomorrow":         {"fact.at", NewFact{What: incident.FactCharged, Words: "Han er sigtet.", At: start.Add(time.Hour)}},
		"before it":        {"fact.at", NewFact{What: incident.FactCharged, Words: "Han er sigtet.", At: start.AddDate(0, 0, -1)}},
		"of no report":     {"case.state", NewFact{What: incident.FactReportWithdrawn, Words: "Anmeldelsen er væk."}},
		"an older version": {"case.conflict", NewFact{Version: v.Version - 1, What: incident.FactCharged, Words: "Han er sigtet."}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.SetFact(t.Context(), staff, v.ID, tc.n)
			refused(t, err, tc.code)
		})
	}
	v, err := b.SetFact(t.Context(), staff, v.ID, NewFact{Version: v.Version, What: incident.FactCharged, Words: "Politiet har tiltalt ham.", At: start.Add(30 * time.Second)})
	if b.must(v, err); v.State != incident.Redacted || v.Evidence.Charged == nil || !v.Evidence.Charged.Equal(start) {
		t.Fatalf("%s %v", v.State, v.Evidence.Charged)
	}
	// The form cannot take it back.
	v = b.answer(v, evidence())
	if v.Evidence.Charged == nil {
		t.Error("an answer has taken a fact away")
	}
	_, err = b.Submit(t.Context(), staff, v.ID, v.Version)
	refused(t, err, "gate.missing")

	// One that comes while the case is with the assessor stops the approval.
	v = b.submitted()
	v, err = b.SetFact(t.Context(), b.people["manager"], v.ID, NewFact{What: incident.FactCertaintyLost, Words: "Det var en anden mand."})
	if b.must(v, err).State != incident.Submitted {
		t.Errorf("%s", v.State)
	}
	_, err = b.approve(v, "assessor")
	refused(t, err, "gate.missing")
}

func TestAFactThatCannotBeToldIsTriedAgain(t *testing.T) {
	b := newBox(t)
	v := b.disclosed()
	b.up.fail = errors.New("disk full")
	if _, err := b.SetFact(t.Context(), b.people["staff"], v.ID, NewFact{What: incident.FactCharged, Words: "Han er tiltalt."}); err == nil {
		t.Error("an end that was not queued counts")
	}
	b.runs(v)
	b.up.fail = nil
	got, err := b.SetFact(t.Context(), b.people["staff"], v.ID, NewFact{What: incident.FactCharged, Words: "Han er tiltalt."})
	if b.must(got, err).State != incident.Withdrawn {
		t.Errorf("%s", got.State)
	}
}

func TestReassess(t *testing.T) {
	b := newBox(t)
	assessor := b.people["assessor"]
	v := b.disclosed(wide, func(e *incident.Evidence) { next := start.Add(10 * day); e.NextReassessment = &next })
	b.at(start.Add(5 * day))
	reasons := "Han er set i to butikker siden, og intet er ændret."
	for name, tc := range map[string]struct {
		code string
		r    Reassess
	}{
		"no reasons":     {"gate.missing", Reassess{Next: start.Add(15 * day)}},
		"no date":        {"gate.missing", Reassess{Reasons: reasons}},
		"a past date":    {"gate.missing", Reassess{Reasons: reasons, Next: start.Add(4 * day)}},
		"day 30":         {"gate.missing", Reassess{Reasons: reasons, Next: start.Add(30 * day)}},
		"old":            {"case.conflict", Reassess{Version: v.Version - 1, Reasons: reasons, Next: start.Add(15 * day)}},
		"drops nobody's": {"narrow.members", Reassess{Reasons: reasons, Next: start.Add(15 * day), Drop: []incident.MemberID{"butik-d"}}},
		"drops all":      {"narrow.members", Reassess{Reasons: reasons, Next: start.Add(15 * day), Drop: []incident.MemberID{"butik-b", "butik-c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Reassess(t.Context(), assessor, v.ID, tc.r)
			refused(t, err, tc.code)
		})
	}
	b.runs(v)
	got, err := b.Reassess(t.Context(), assessor, v.ID, Reassess{Version: v.Version, Reasons: reasons, Next: start.Add(20 * day)})
	b.must(got, err)
	if x := got.Reassessments; got.State != incident.Disclosed || len(x) != 1 || x[0].By.Name != names["assessor"] || !x[0].At.Equal(start.Add(5*day)) || !got.Evidence.NextReassessment.Equal(start.Add(20*day)) {
		t.Fatalf("%s %+v", got.State, x)
	}
	if !b.up.next[got.Disclosure.ID].Equal(start.Add(20*day)) || !got.Disclosure.NotAfter.Equal(start.Add(30*day)) {
		t.Errorf("told %v; ends %v", b.up.next, got.Disclosure.NotAfter)
	}
	b.at(start.Add(10 * day))
	b.sweep()
	b.runs(got)
	// Near its date it is due; the circle can be narrowed at the same time.
	b.at(start.Add(17 * day))
	b.sweep()
	b.sweep()
	got = b.get(got)
	if got.State != incident.ReassessmentDue || b.count("disclosure.reassessment-due") != 1 || !slices.Contains(got.May, "reassess") {
		t.Fatalf("%s, may %s", got.State, got.May)
	}
	got, err = b.Reassess(t.Context(), assessor, v.ID, Reassess{Reasons: reasons, Next: start.Add(25 * day), Drop: []incident.MemberID{"butik-c"}})
	b.must(got, err)
	if got.State != incident.Narrowed || !slices.Equal(got.Evidence.Circle.Members, []incident.MemberID{"butik-b"}) || !slices.Equal(b.up.narrowed[got.Disclosure.ID], []incident.MemberID{"butik-c"}) {
		t.Errorf("%s to %s, told %v", got.State, got.Evidence.Circle.Members, b.up.narrowed)
	}
	// What was narrowed stays narrowed when it has been due once more.
	b.at(start.Add(23 * day))
	b.sweep()
	if got = b.get(got); got.State != incident.ReassessmentDue {
		t.Fatalf("%s", got.State)
	}
	got, err = b.Reassess(t.Context(), assessor, v.ID, Reassess{Reasons: reasons, Next: start.Add(29 * day)})
	if b.must(got, err).State != incident.Narrowed {
		t.Errorf("%s", got.State)
	}
	b.at(start.Add(29 * day))
	b.sweep()
	b.ended(got, "reassessment-missed")
}

func TestReassessAsksAllNine(t *testing.T) {
	b := newBox(t)
	next := func(v CaseView) error {
		_, err := b.Reassess(t.Context(), b.people["assessor"], v.ID, Reassess{Reasons: "Intet er ændret siden sidst.", Next: start.Add(20 * day)})
		return err
	}
	v := b.disclosed()
	b.amend(v, func(c *incident.Case) { c.Evidence.RepeatReasons = "" })
	refused(t, next(v), "gate.missing")
	v = b.disclosed()
	b.amend(v, func(c *incident.Case) { c.Copy.Passed = false })
	refused(t, next(v), "gate.missing")
	v = b.disclosed()
	unqualified := b.people["assessor"]
	unqualified.Session.Person = unqualified.Session.Person.Clone()
	unqualified.Session.Person.Qualification.To = start
	_, err := b.Reassess(t.Context(), unqualified, v.ID, Reassess{Reasons: "Intet er ændret siden sidst.", Next: start.Add(20 * day)})
	refused(t, err, "gate.missing")
	if err := next(v); err != nil {
		t.Error(err)
	}
	b.up.fail = errors.New("disk full")
	if next(v) == nil {
		t.Error("a reassessment that the extranet is not told of counts")
	}
	b.up.fail = nil
	if got := b.get(v); len(got.Reassessments) != 1 {
		t.Errorf("%d", len(got.Reassessments))
	}
	v = b.released()
	refused(t, next(v), "case.state")
	v = b.submitted()
	refused(t, next(v), "case.state")
}

func TestNarrow(t *testing.T) {
	for _, who := range []string{"manager", "assessor"} {
		b := newBox(t)
		v := b.disclosed(wide)
		if !slices.Contains(v.May, "narrow") {
			t.Errorf("may %s", v.May)
		}
		why := "Skobutikken har lukket sin tøjafdeling."
		for name, tc := range map[string]struct {
			code string
			n    Narrow
		}{
			"nobody":       {"narrow.members", Narrow{Reason: why}},
			"an outsider":  {"narrow.members", Narrow{Reason: why, Drop: []incident.MemberID{"butik-e"}}},
			"everybody":    {"narrow.members", Narrow{Reason: why, Drop: []incident.MemberID{"butik-c", "butik-b"}}},
			"twice":        {"narrow.members", Narrow{Reason: why, Drop: []incident.MemberID{"butik-c", "butik-c"}}},
			"the shop":     {"narrow.members", Narrow{Reason: why, Drop: []incident.MemberID{"butik-a"}}},
			"for nothing":  {"narrow.reason", Narrow{Reason: "væk", Drop: []incident.MemberID{"butik-c"}}},
			"endless":      {"input.words", Narrow{Reason: strings.Repeat("ord ", audit.MaxText), Drop: []incident.MemberID{"butik-c"}}},
			"an older one": {"case.conflict", Narrow{Version: v.Version - 1, Reason: why, Drop: []incident.MemberID{"butik-c"}}},
		} {
			t.Run(who+" "+name, func(t *testing.T) {
				_, err := b.Narrow(t.Context(), b.people[who], v.ID, tc.n)
				refused(t, err, tc.code)
			})
		}
		b.runs(v)
		got, err := b.Narrow(t.Context(), b.people[who], v.ID, Narrow{Version: v.Version, Reason: why, Drop: []incident.MemberID{"butik-c"}})
		b.must(got, err)
		n := got.Narrowings
		if got.State != incident.Narrowed || len(n) != 1 || n[0].By.Name != names[who] || n[0].Reason != why || len(n[0].Dropped) != 1 || n[0].Dropped[0].Told != nil {
			t.Fatalf("%s %+v", got.State, n)
		}
		if !slices.Equal(b.up.narrowed[got.Disclosure.ID], []incident.MemberID{"butik-c"}) {
			t.Errorf("told %v", b.up.narrowed)
		}
		_, err = b.Narrow(t.Context(), b.people[who], v.ID, Narrow{Reason: why, Drop: []incident.MemberID{"butik-c"}})
		refused(t, err, "narrow.members")
		b.sweep()
		b.runs(got)
	}
	b := newBox(t)
	_, err := b.Narrow(t.Context(), b.people["manager"], b.released(wide).ID, Narrow{Reason: "De er lukket.", Drop: []incident.MemberID{"butik-c"}})
	refused(t, err, "case.state")
}

func TestWhoDroppedOutIsToldAndDeletes(t *testing.T) {
	b := newBox(t)
	v := b.disclosed(wide)
	v, err := b.Narrow(t.Context(), b.people["manager"], v.ID, Narrow{Reason: "De er lukket.", Drop: []incident.MemberID{"butik-c"}})
	b.must(v, err)
	b.up.fail = errors.New("no network")
	b.sweep() // an absent extranet holds nothing up
	b.up.fail = nil
	told, gone := start.Add(time.Minute), start.Add(time.Hour)
	b.up.dropped = []incident.Dropped{{Member: "butik-x", Told: &told, Deleted: &gone}, {Member: "butik-c", Told: &told}}
	b.sweep()
	if d := b.get(v).Narrowings[0].Dropped[0]; d.Told != nil {
		t.Error("it is asked more often than every five minutes")
	}
	b.clock.Advance(droppedEvery)
	for range 3 {
		b.sweep()
	}
	if d := b.get(v).Narrowings[0].Dropped[0]; d.Told == nil || !d.Told.Equal(told) || d.Deleted != nil || b.count("disclosure.dropped") != 1 {
		t.Fatalf("%+v, %d on record", d, b.count("disclosure.dropped"))
	}
	b.restart()
	b.up.dropped[1].Deleted = &gone
	b.clock.Advance(droppedEvery)
	b.sweep()
	if d := b.get(v).Narrowings[0].Dropped[0]; d.Deleted == nil || !d.Deleted.Equal(gone) {
		t.Fatalf("%+v", d)
	}
	// It is settled, and not asked again.
	n := len(b.up.calls)
	b.clock.Advance(droppedEvery)
	b.sweep()
	if len(b.up.calls) != n {
		t.Errorf("asked again: %s", b.up.calls[n:])
	}
}

// A page's field has whole minutes: what comes in the minute of the incident is
// not before it.
func TestFactInTheMinuteOfTheIncident(t *testing.T) {
	b := newBox(t)
	n := theft()
	n.HappenedAt = n.HappenedAt.Truncate(time.Minute).Add(40 * time.Second)
	v, err := b.NewCase(t.Context(), b.people["staff"], n)
	b.must(v, err)
	f := NewFact{Version: v.Version, What: incident.FactCharged, Words: "Politiet har tiltalt ham.", At: n.HappenedAt.Truncate(time.Minute)}
	if v, err = b.SetFact(t.Context(), b.people["staff"], v.ID, f); err != nil || v.Evidence.Charged == nil {
		t.Errorf("%v %v", v.Evidence.Charged, err)
	}
	f.Version, f.At = v.Version, f.At.Add(-time.Second)
	_, err = b.SetFact(t.Context(), b.people["staff"], v.ID, f)
	refused(t, err, "fact.at")
}
