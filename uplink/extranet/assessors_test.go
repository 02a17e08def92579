package extranet_test

import (
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

type listed struct {
	Person        string                  `json:"person"`
	Key           wire.KeyID              `json:"key"`
	Host          string                  `json:"host"`
	File          bool                    `json:"file"`
	Name          string                  `json:"name"`
	State         wire.AssessorState      `json:"state"`
	Operator      string                  `json:"operator"`
	Expired       bool                    `json:"expired"`
	Qualification incident.Qualification  `json:"qualification"`
	Next          *incident.Qualification `json:"next"`
}

func (s shops) listed(t *testing.T, a *uplinktest.Assessor) listed {
	t.Helper()
	var rows []listed
	must(t, s.Op("GET", "/api/v1/assessors", nil, &rows))
	for _, r := range rows {
		if r.Key == a.ID() {
			return r
		}
	}
	t.Fatalf("%s is not in the register: %+v", a.ID(), rows)
	return listed{}
}

func (s shops) submitBy(t *testing.T, a *uplinktest.Assessor) error {
	t.Helper()
	_, err := s.a.Link.Submit(t.Context(), s.Parcel(s.a, a, 10, s.b).Submit())
	return err
}

// A key waits until the operator has seen who holds it; a person may have several.
func TestRegisterOfAssessors(t *testing.T) {
	s := three(t, uplinktest.Noon)
	second := s.Assessor(s.a, "ane", false)
	r := s.listed(t, second)
	if r.State != wire.AssessorPending || !r.File || r.Host != uplinktest.RPID || r.Name != "Ane ane" || r.Qualification.Education != "Cand.jur." || r.Expired {
		t.Fatalf("the operator sees %+v", r)
	}
	body := s.Page("/assessors?lang=en")
	id := string(second.ID())
	for _, want := range []string{id[:4] + " " + id[4:8], "The key is a file on a computer", "property-crime", "Cand.jur.", "veilbox.local"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	wantCode(t, s.submitBy(t, second), "disclosure.assessor-unconfirmed")
	// A key that waits is its own shop's to see.
	d, err := s.b.Link.Members(t.Context())
	must(t, err)
	if n := len(d.Members[0].Assessors); n != 1 {
		t.Fatalf("another shop sees %d keys", n)
	}
	must(t, s.Decide(s.a, second, "confirm"))
	must(t, s.submitBy(t, second))
	must(t, s.submitBy(t, s.assessor))
	if r := s.listed(t, second); r.State != wire.AssessorConfirmed || r.Operator != "operator" {
		t.Fatalf("confirmed: %+v", r)
	}
	wantCode(t, s.Decide(s.a, second, "confirm"), "operator.exists")
	// One is lost: it is revoked, the other goes on.
	must(t, s.Decide(s.a, s.assessor, "revoke"))
	wantCode(t, s.submitBy(t, s.assessor), "disclosure.assessor-ended")
	must(t, s.submitBy(t, second))
	wantCode(t, s.Decide(s.a, s.assessor, "confirm"), "operator.exists")
	resp, err := s.a.Link.RegisterAssessor(t.Context(), s.Request(s.a, s.assessor))
	must(t, err)
	if resp.State != wire.AssessorRevoked {
		t.Fatalf("a revoked key registered again: %+v", resp)
	}
	wantCode(t, s.submitBy(t, s.assessor), "disclosure.assessor-ended")
}

// A qualification that has ended approves nothing; a new one holds when the
// operator has confirmed it.
func TestQualificationEnds(t *testing.T) {
	s := three(t, uplinktest.Noon)
	ane := uplinktest.NewAssessor("p7")
	q := s.Request(s.a, ane)
	q.Qualification.From = s.Clock.Now().UTC().Add(24 * time.Hour)
	q.Qualification.To = q.Qualification.From.AddDate(0, 1, 0)
	_, err := s.a.Link.RegisterAssessor(t.Context(), q)
	must(t, err)
	must(t, s.Decide(s.a, ane, "confirm"))
	wantCode(t, s.submitBy(t, ane), "disclosure.assessor-ended") // not begun
	s.Clock.Advance(25 * time.Hour)
	must(t, s.submitBy(t, ane))
	s.Clock.Advance(q.Qualification.To.Sub(s.Clock.Now()))
	wantCode(t, s.submitBy(t, ane), "disclosure.assessor-ended")
	if !s.listed(t, ane).Expired {
		t.Error("the operator is not told that it has ended")
	}

	q.Qualification.To = q.Qualification.To.AddDate(1, 0, 0)
	q.Qualification.Education = "Cand.jur., efteruddannelse 2026"
	for range 2 {
		resp, err := s.a.Link.RegisterAssessor(t.Context(), q)
		must(t, err)
		if resp.State != wire.AssessorConfirmed {
			t.Fatalf("state %s", resp.State)
		}
	}
	wantCode(t, s.submitBy(t, ane), "disclosure.assessor-ended")
	if r := s.listed(t, ane); r.Next == nil || r.Next.Education != q.Qualification.Education || r.Qualification.Education != "Cand.jur." {
		t.Fatalf("the operator sees %+v", r)
	}
	if body := s.Page("/assessors"); !strings.Contains(body, "efteruddannelse 2026") {
		t.Error("the page does not show what waits")
	}
	must(t, s.Decide(s.a, ane, "confirm"))
	must(t, s.submitBy(t, ane))
	if r := s.listed(t, ane); r.Next != nil || r.Expired || r.Qualification.Education != q.Qualification.Education {
		t.Fatalf("the operator sees %+v", r)
	}
}

func TestRegisterRefuses(t *testing.T) {
	s := three(t, uplinktest.Noon)
	ane, bo := uplinktest.NewAssessor("p7"), uplinktest.NewAssessor("p8")
	for name, f := range map[string]func(q *wire.AssessorRequest){
		"another's possession":      func(q *wire.AssessorRequest) { q.Possession = bo.Sign(wire.PossessionChallenge("a", "p7", ane.Key)) },
		"possession of another key": func(q *wire.AssessorRequest) { q.Possession = ane.Sign(wire.PossessionChallenge("a", "p7", bo.Key)) },
		"for another person":        func(q *wire.AssessorRequest) { q.Person = "p8" },
		"no possession":             func(q *wire.AssessorRequest) { q.Possession.Signature = nil },
		"not verified":              func(q *wire.AssessorRequest) { q.Possession.AuthData[32] &^= 4 },
		"no key":                    func(q *wire.AssessorRequest) { q.Key.Public = nil },
		"another host":              func(q *wire.AssessorRequest) { q.Key.RPID = "evil.example" },
		"no education":              func(q *wire.AssessorRequest) { q.Qualification.Education = " " },
		"no experience":             func(q *wire.AssessorRequest) { q.Qualification.Experience = "" },
		"no competence":             func(q *wire.AssessorRequest) { q.Qualification.Competences = nil },
		"for life":                  func(q *wire.AssessorRequest) { q.Qualification.To = q.Qualification.From.AddDate(50, 0, 0) },
		"ended before it began":     func(q *wire.AssessorRequest) { q.Qualification.To = q.Qualification.From },
	} {
		q := s.Request(s.a, ane)
		f(&q)
		_, err := s.a.Link.RegisterAssessor(t.Context(), q)
		if err == nil {
			t.Errorf("%s: registered", name)
			continue
		}
		wantCode(t, err, "message")
	}
	var rows []listed
	must(t, s.Op("GET", "/api/v1/assessors", nil, &rows))
	if len(rows) != 1 {
		t.Fatalf("the register holds %+v", rows)
	}
}
