package extranet_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

// The list of connected members runs on: who joined, left and came back, when, and
// who wrote it down; nothing in it is changed (S1).
func TestRunningListOfMembers(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	put := func(name string, active bool) {
		t.Helper()
		must(t, w.Op("POST", "/api/v1/members", map[string]any{"id": "a", "name": name, "town": "Aarhus", "region": "Midtjylland", "country": "DK", "trade": "dagligvarer", "chain": "", "active": active}, nil))
		w.Clock.Advance(time.Minute)
	}
	put("Butik A", true)
	put("Butik A", false)
	put("Butik Aa", true)
	put("Butik Åå", true)
	var log []struct {
		At       time.Time `json:"at"`
		Member   string    `json:"member"`
		What     string    `json:"what"`
		Operator string    `json:"operator"`
	}
	must(t, w.Op("GET", "/api/v1/members/log", nil, &log))
	var got []string
	for i, l := range log {
		got = append(got, l.What)
		if l.Member != "a" || l.Operator != "operator" || i > 0 && !log[i-1].At.After(l.At) {
			t.Errorf("%+v", l)
		}
	}
	want := []string{"changed: Butik Åå, Aarhus", "joined again: Butik Aa, Aarhus", "left: Butik A, Aarhus", "added: Butik A, Aarhus"}
	if !slices.Equal(got, want) {
		t.Errorf("the list is %q", got)
	}
	if !strings.Contains(w.Page("/members"), "joined again: Butik Aa") {
		t.Error("the page does not show the running list")
	}
}

// Two penetration tests a year: the register warns when one is due (S3).
func TestRegisterOfPenetrationTests(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	late := func(want bool) {
		t.Helper()
		var r struct {
			Due  time.Time `json:"due"`
			Late bool      `json:"late"`
		}
		must(t, w.Op("GET", "/api/v1/pentests", nil, &r))
		page := strings.Contains(w.Page("/pentests?lang=en"), "A penetration test is due now")
		metric := strings.Contains(w.Page("/metrics"), "veil_extranet_pentest_late 1")
		if r.Late != want || page != want || metric != want {
			t.Errorf("due %s: late %v, page %v, metric %v; want %v", r.Due, r.Late, page, metric, want)
		}
	}
	hold := func(day string) error {
		return w.Op("POST", "/api/v1/pentests", map[string]string{"held": day, "tester": "Nordsec", "findings": "To fund, begge rettet."}, nil)
	}
	late(true)
	for _, day := range []string{"2026-03-11", "1999-01-01", "i går", ""} { // tomorrow, long ago, none
		wantCode(t, hold(day), "operator.input")
	}
	must(t, hold("2026-03-09"))
	late(false)
	w.Clock.Advance(181*24*time.Hour - 12*time.Hour)
	late(false)
	w.Clock.Advance(24 * time.Hour)
	late(true)
	must(t, hold("2026-09-06"))
	late(false)
	if !strings.Contains(w.Page("/pentests"), "To fund, begge rettet.") {
		t.Error("the page does not show what was found")
	}
}

// Who the operator shuts out for what it learns reads why, and the sender does
// too; nobody can open it again, not even its sender (S9).
func TestTheOperatorEndsWhatIsUnlawful(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	v, err := s.view(t, s.b, p)
	must(t, err)
	path := "/api/v1/disclosures/" + string(p.Manifest.Disclosure) + "/end"
	wantCode(t, s.Op("POST", path, map[string]string{"reason": " "}, nil), "operator.input")
	must(t, s.Op("POST", path, map[string]string{"reason": "Personen er sigtet"}, nil))
	wantCode(t, s.Op("POST", path, map[string]string{"reason": "igen"}, nil), "disclosure.ended")
	_, err = s.read(t.Context(), s.b, p, v.Token)
	wantCode(t, err, "disclosure.ended")
	s.gone(t, p, wire.EndOperator, "Personen er sigtet")
	_, err = s.a.Link.Submit(t.Context(), p.Submit())
	wantCode(t, err, "disclosure.ended")
	if it := s.item(t, s.a, p); it.Ended.By != "operator" || len(it.Dropped) != 1 || it.Dropped[0].Told == nil {
		t.Errorf("the sender sees %+v, %+v", it.Ended, it.Dropped)
	}
	if n := s.acts(t, "disclosure.end"); n != 1 {
		t.Errorf("%d entries of the ending in the audit log", n)
	}
}
