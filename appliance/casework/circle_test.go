package casework

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
)

func TestResolveCircle(t *testing.T) {
	b := newBox(t)
	for name, tc := range map[string]struct {
		k     incident.Circle
		want  string
		count CircleCount
	}{
		"town":             {incident.Circle{Area: "town", Place: "Odense"}, "butik-b butik-c", CircleCount{2, 3, 11}},
		"town and trade":   {incident.Circle{Area: "town", Place: "Odense", Trades: []string{"tøj"}}, "butik-b", CircleCount{1, 1, 4}},
		"region":           {incident.Circle{Area: "region", Place: "Syddanmark"}, "butik-b butik-c butik-d", CircleCount{3, 6, 20}},
		"region, chain":    {incident.Circle{Area: "region", Place: "Syddanmark", Chains: []string{"B"}}, "butik-b butik-c", CircleCount{2, 3, 11}},
		"country":          {incident.Circle{Area: "country"}, "butik-b butik-c butik-d butik-e", CircleCount{4, 7, 22}},
		"country, by hand": {incident.Circle{Area: "country", Members: []incident.MemberID{"butik-e", "butik-x"}}, "butik-b butik-c butik-d butik-e", CircleCount{1, 1, 2}},
		"two trades":       {incident.Circle{Area: "town", Place: "Odense", Trades: []string{"sko", "tøj"}}, "butik-b butik-c", CircleCount{2, 3, 11}},
		"another town":     {incident.Circle{Area: "town", Place: "Thisted"}, "", CircleCount{}},
		"no place":         {incident.Circle{Area: "town"}, "", CircleCount{}},
		"no area":          {incident.Circle{Place: "Odense"}, "", CircleCount{}},
		"area of no sense": {incident.Circle{Area: "world", Place: "Odense"}, "", CircleCount{}},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := b.ResolveCircle(t.Context(), b.people["staff"], tc.k)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, m := range list {
				ids = append(ids, string(m.ID))
			}
			n, err := b.CircleCount(t.Context(), b.people["staff"], tc.k)
			if got := strings.Join(ids, " "); got != tc.want || n != tc.count || err != nil {
				t.Errorf("%s: %+v, %v", got, n, err)
			}
		})
	}
	_, err := b.CircleCount(t.Context(), b.people["staff"], incident.Circle{Area: "country", Trades: make([]string, maxChoices+1)})
	refused(t, err, "input.circle")
}

// Who is beside the area, the trades and the chains that were chosen has no reason
// in the case.
func TestACircleHoldsNobodyBeside(t *testing.T) {
	b := newBox(t)
	for name, tc := range map[string]struct {
		ok     bool
		change func(*incident.Circle)
	}{
		"as it is":     {true, func(*incident.Circle) {}},
		"another town": {false, func(k *incident.Circle) { k.Members = []incident.MemberID{"butik-b", "butik-d"} }},
		"another trade": {false, func(k *incident.Circle) {
			k.Trades, k.TradesReason = []string{"sko"}, strings.Repeat("Skobutikker rammes lige nu. ", 4)
		}},
		"unknown":  {false, func(k *incident.Circle) { k.Members = []incident.MemberID{"butik-b", "butik-x"} }},
		"left out": {true, func(k *incident.Circle) { k.Members = []incident.MemberID{"butik-c"} }},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence()
			tc.change(&e.Circle)
			v := b.veiled(b.answer(b.newCase(), e))
			_, err := b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
			if tc.ok && err != nil {
				t.Fatal(err)
			}
			if !tc.ok {
				refused(t, err, "circle.beside")
			}
		})
	}
	// An absent extranet delays nothing: it checks the circle itself.
	v := b.veiled(b.answer(b.newCase(), evidence()))
	b.up.fail = errors.New("no network")
	v, err := b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
	if b.must(v, err).State != incident.Submitted {
		t.Errorf("%s", v.State)
	}
}

func TestSuggest(t *testing.T) {
	b := newBox(t)
	before := b.newCase()
	b.clock.Advance(time.Minute)
	v := b.newCase()
	got, err := b.Suggest(t.Context(), b.people["staff"], v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != v.Version || got.Town != "Odense" || got.Region != "Syddanmark" || got.Country != "DK" || got.Trade != "tøj" || got.Chain != "A" || !got.ReportToday || !got.FirstOfKind {
		t.Errorf("%+v", got)
	}
	if k := got.Circle; k.Area != "town" || k.Place != "Odense" || !slices.Equal(k.Trades, []string{"tøj"}) || !slices.Equal(k.Members, []incident.MemberID{"butik-b"}) || got.CircleCount != (CircleCount{1, 1, 4}) {
		t.Errorf("%+v %+v", k, got.CircleCount)
	}
	if len(got.Links) != 1 || got.Links[0].Case != before.ID || !got.Links[0].SameCamera || !got.Links[0].SameKind {
		t.Errorf("%+v", got.Links)
	}
	// Noon in Copenhagen, 14 days ahead, and the gate takes it.
	if want := time.Date(2026, 3, 18, 11, 0, 0, 0, time.UTC); !got.NextReassessment.Equal(want) {
		t.Errorf("next %v", got.NextReassessment)
	}
	b.released()
	got, err = b.Suggest(t.Context(), b.people["staff"], v.ID)
	if err != nil || got.FirstOfKind {
		t.Errorf("%+v, %v", got, err)
	}
	// Where the shop shares for a week, it is before the week ends.
	b.opt.Settings.MaxDisclosure = 7 * day
	b.restart()
	got, err = b.Suggest(t.Context(), b.people["staff"], v.ID)
	if err != nil || !got.NextReassessment.Before(b.clock.Now().Add(7*day)) || !got.NextReassessment.After(b.clock.Now().Add(day)) {
		t.Errorf("next %v, %v", got.NextReassessment, err)
	}
	b.up.fail = errors.New("no network")
	got, err = b.Suggest(t.Context(), b.people["staff"], v.ID)
	if err != nil || got.Town != "" || got.Circle.Members == nil || len(got.Links) == 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	b := newBox(t)
	other := b.newCase()
	v := b.newCase()
	long := strings.Repeat("x", maxWords+1)
	when := func(y int) *time.Time { x := time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC); return &x }
	for name, tc := range map[string]struct {
		code   string
		change func(*incident.Evidence)
	}{
		"basis":             {"input.words", func(e *incident.Evidence) { e.BasisWords = long }},
		"repetition":        {"input.words", func(e *incident.Evidence) { e.Repetition = long }},
		"professional":      {"input.words", func(e *incident.Evidence) { e.Professional = long }},
		"repeat":            {"input.words", func(e *incident.Evidence) { e.RepeatReasons = long }},
		"area reason":       {"input.words", func(e *incident.Evidence) { e.Circle.AreaReason = long }},
		"trades reason":     {"input.words", func(e *incident.Evidence) { e.Circle.TradesReason = long }},
		"chains reason":     {"input.words", func(e *incident.Evidence) { e.Circle.ChainsReason = long }},
		"not UTF-8":         {"input.words", func(e *incident.Evidence) { e.BasisWords = "\xff" }},
		"a witness's name":  {"input.words", func(e *incident.Evidence) { e.Statements = []incident.Statement{{Witness: long, Words: "x"}} }},
		"a witness's words": {"input.words", func(e *incident.Evidence) { e.Statements = []incident.Statement{{Witness: "kasse", Words: long}} }},
		"statements":        {"input.statements", func(e *incident.Evidence) { e.Statements = make([]incident.Statement, maxStatements+1) }},
		"links":             {"input.links", func(e *incident.Evidence) { e.Links = make([]incident.Link, maxLinks+1) }},
		"a link's words":    {"input.words", func(e *incident.Evidence) { e.Links = []incident.Link{{Case: other.ID, Why: long}} }},
		"linked twice":      {"input.link", func(e *incident.Evidence) { e.Links = []incident.Link{{Case: other.ID}, {Case: other.ID}} }},
		"linked to itself":  {"input.link", func(e *incident.Evidence) { e.Links = []incident.Link{{Case: v.ID, Why: "x"}} }},
		"linked to none":    {"input.link", func(e *incident.Evidence) { e.Links = []incident.Link{{Case: "NONE", Why: "x"}} }},
		"members":           {"input.circle", func(e *incident.Evidence) { e.Circle.Members = make([]incident.MemberID, policy.MaxMembers+1) }},
		"chains":            {"input.circle", func(e *incident.Evidence) { e.Circle.Chains = make([]string, maxChoices+1) }},
		"value":             {"input.value", func(e *incident.Evidence) { e.ValueDKK = dkk(-1) }},
		"year 1":            {"input.time", func(e *incident.Evidence) { e.NextReassessment = when(1) }},
		"year 30000":        {"input.time", func(e *incident.Evidence) { e.NextReassessment = when(30000) }},
		"a report's year":   {"input.time", func(e *incident.Evidence) { e.Report = &incident.Report{Number: "1", At: *when(1900)} }},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence()
			tc.change(&e)
			_, err := b.ChangeCase(t.Context(), b.people["staff"], v.ID, Change{Version: v.Version, What: v.What, HappenedAt: v.HappenedAt, Evidence: e})
			refused(t, err, tc.code)
		})
	}
	// What is half written is kept: a draft is never lost.
	e := incident.Evidence{Offence: incident.Theft, Statements: []incident.Statement{{}}, Links: []incident.Link{{Case: other.ID}}}
	v = b.answer(v, e)
	if len(v.Evidence.Statements) != 1 || len(v.Evidence.Links) != 1 {
		t.Errorf("%+v", v.Evidence)
	}
	// A link whose case has been deleted since stands in nobody's way.
	if err := b.DeleteCase(t.Context(), b.people["manager"], other.ID, "fejl"); err != nil {
		t.Fatal(err)
	}
	b.answer(v, e)
}
