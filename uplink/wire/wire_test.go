package wire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/keys"
	"veilbox/internal/passkey"
)

// goldenChallenge is what a passkey signs for testdata/statement-3.json.
const goldenChallenge = "40449b6b2b8d84ac6d5a5113b17aee219e5f191169e0b701a0f46a43af869fc4"

var noon = time.Date(2026, 3, 10, 11, 0, 0, 0, time.UTC)

// The report is due at midnight in Copenhagen, also on days of 23 and 25 hours.
func TestReportDue(t *testing.T) {
	for _, tt := range []struct {
		made string
		due  string
		ok   bool
	}{
		{"2026-03-29T00:30:00+01:00", "2026-03-29T22:00:00Z", true},
		{"2026-03-29T00:30:00+01:00", "2026-03-29T23:00:00Z", false},
		{"2026-10-25T00:30:00+02:00", "2026-10-25T23:00:00Z", true},
		{"2026-10-25T00:30:00+02:00", "2026-10-25T22:00:00Z", false},
		{"2026-03-10T23:59:59+01:00", "2026-03-10T23:00:00Z", true},
	} {
		m := good(passkey.Key{})
		var err error
		if m.Created, err = time.Parse(time.RFC3339, tt.made); err != nil {
			t.Fatal(err)
		}
		if m.ReportDue, err = time.Parse(time.RFC3339, tt.due); err != nil {
			t.Fatal(err)
		}
		m.NotAfter = m.Created.Add(MaxAge)
		if err := m.Check(); (err == nil) != tt.ok {
			t.Errorf("%s due %s: %v", tt.made, tt.due, err)
		}
	}
}

func TestWrap(t *testing.T) {
	priv, err := KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	to := Recipient{Member: "b", Box: "BBBBBBBBBBBBBBBBBBBBBBBBBB", Key: priv.PublicKey().Bytes()}
	k := keys.New()
	w, err := Wrap(to, PurposeContent, "D", k)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unwrap(priv, to.Box, PurposeContent, "D", w)
	if err != nil || string(got.Bytes()) != string(k.Bytes()) {
		t.Fatalf("unwrap: %v", err)
	}
	for name, f := range map[string]func() error{
		"another box's key":  func() error { _, err := Unwrap(other, to.Box, PurposeContent, "D", w); return err },
		"another box":        func() error { _, err := Unwrap(priv, "X", PurposeContent, "D", w); return err },
		"another purpose":    func() error { _, err := Unwrap(priv, to.Box, PurposeAlert, "D", w); return err },
		"another disclosure": func() error { _, err := Unwrap(priv, to.Box, PurposeContent, "E", w); return err },
		"cut":                func() error { _, err := Unwrap(priv, to.Box, PurposeContent, "D", w[:len(w)-1]); return err },
		"empty":              func() error { _, err := Unwrap(priv, to.Box, PurposeContent, "D", nil); return err },
	} {
		if f() == nil {
			t.Errorf("%s: the key opens", name)
		}
	}
	to.Key = to.Key[1:]
	if _, err := Wrap(to, PurposeContent, "D", k); err == nil {
		t.Error("wrapped to a malformed key")
	}
}

func TestDecode(t *testing.T) {
	var v ReportRequest
	for name, s := range map[string]string{
		"unknown key": `{"version":1,"more":1}`, "two values": `{} {}`, "not UTF-8": "{\"name\":\"\xff\"}", "cut": `{"version":`, "another type": `[]`,
		"a short hash": `{"number":"00"}`,
	} {
		if err := DecodeBytes([]byte(s), &v); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Decode(strings.NewReader(`{"name":"`+strings.Repeat("x", 100)+`"}`), 50, &v); !errors.Is(err, ErrMessage) {
		t.Errorf("too long: %v", err)
	}
}

func TestChecks(t *testing.T) {
	long := strings.Repeat("å", MaxText+1)
	for name, err := range map[string]error{
		"no reason":           WithdrawRequest{Version: 1, Person: "x", Name: "X"}.Check(),
		"a long reason":       WithdrawRequest{Version: 1, Person: "x", Name: "X", Reason: long}.Check(),
		"a bell":              WithdrawRequest{Version: 1, Person: "x", Name: "X", Reason: "a\x07"}.Check(),
		"nobody":              ViewRequest{Version: 1, Function: "f", Purpose: "p"}.Check(),
		"no purpose":          ViewRequest{Version: 1, Person: "x", Name: "X", Function: "f"}.Check(),
		"no function":         ViewRequest{Version: 1, Person: "x", Name: "X", Purpose: "p"}.Check(),
		"no version":          ViewRequest{Person: "x", Name: "X", Function: "f", Purpose: "p"}.Check(),
		"no report number":    ReportRequest{Version: 1, At: noon, Person: "x", Name: "X"}.Check(),
		"a long proof":        HeadRequest{Version: 1, Proof: make([]footage.Hash, 129)}.Check(),
		"no HPKE key":         EnrolRequest{Version: 1, Secret: "s", Name: "n", Audit: "a", CSR: []byte{1}, Signing: make([]byte, 32)}.Check(),
		"assessor, no key":    AssessorRequest{Version: 1, Person: "x", Name: "X", Qualification: incident.Qualification{Education: "e", Experience: "x", Competences: []string{"law"}}}.Check("a"),
		"deleted, no words":   DeletedRequest{Version: 1, Name: "Kasse 1"}.Check(),
		"deleted by nobody":   DeletedRequest{Version: 1, Words: "w"}.Check(),
		"deleted, no version": DeletedRequest{Name: "Kasse 1", Words: "w"}.Check(),
		"fewer than nobody":   HeartbeatRequest{Version: 1, Program: "1", People: -1}.Check(),
		"more than there are": HeartbeatRequest{Version: 1, Program: "1", People: 1, Accepted: 2}.Check(),
		"a crowd":             HeartbeatRequest{Version: 1, Program: "1", People: MaxPeople + 1}.Check(),
		"a drop of thousands": ReassessRequest{Version: 1, At: noon, Person: "x", Name: "X", Reason: "r", Drop: make([]incident.MemberID, MaxMembers+1)}.Check(),
		"a health of noise":   HeartbeatRequest{Version: 1, Program: "1", Health: map[string]string{"x": long}}.Check(),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if err := (ViewRequest{Version: 1, Person: "x", Name: "Åse Ørsted", Function: "f", Purpose: "a\nb"}).Check(); err != nil {
		t.Error(err)
	}
}

func FuzzManifest(f *testing.F) {
	m := good(passkey.Key{})
	b, err := json.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"conditions":[{},{},{},{},{},{},{},{},{},{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := SignedManifest{Manifest: b}.Parse()
		if err != nil {
			return
		}
		if s := m.Shows; (s == nil) != (m.Version == 1) || m.Text.IsZero() != (m.Version < 3) || s != nil && (s.Mode == "blur-everything" || s.Sound.Kept != (s.Sound.Reason != "")) {
			t.Fatalf("accepted version %d, %+v", m.Version, s)
		}
		// What is accepted holds, whatever it was written like.
		if m.NotAfter.Sub(m.Created) > MaxAge || len(m.Circle.Members) == 0 || m.Content.Size <= 0 {
			t.Fatalf("accepted %+v", m)
		}
		for i, c := range m.Conditions {
			if !c.Satisfied || c.ID != ConditionIDs[i] {
				t.Fatalf("accepted %+v", c)
			}
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (SignedManifest{Manifest: again}).Parse(); err != nil && len(again) <= MaxManifest {
			t.Fatalf("%v\n%s", err, again)
		}
	})
}

func FuzzMessages(f *testing.F) {
	for _, s := range []string{
		`{"version":1,"person":"x","name":"X","function":"f","purpose":"p"}`, `{"version":1,"manifest":{"manifest":"e30="},"envelope":{"keys":[{}]}}`,
		`{"version":1,"head":"x","from":0,"proof":[]}`, `{"version":1,"secret":"s","csr":"AA=="}`, `{"at":"2026-03-10T11:00:00Z"}`, "null", "[]", `{"reason":"\u0000"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		type checked interface{ Check() error }
		for _, v := range []any{new(EnrolRequest), new(ViewRequest), new(WithdrawRequest), new(ReportRequest), new(ReassessRequest), new(DeletedRequest), new(HeartbeatRequest), new(HeadRequest)} {
			if DecodeBytes(b, v) == nil {
				_ = v.(checked).Check() // must not panic; either answer is right here
			}
		}
		var s SubmitRequest
		if DecodeBytes(b, &s) == nil {
			if m, err := s.Manifest.Parse(); err == nil {
				_, _ = Verify(s.Manifest, Keys{}, noon) // likewise
				_ = s.Envelope.Check(m)                 // likewise
			}
		}
		var a AssessorRequest
		if DecodeBytes(b, &a) == nil {
			_ = a.Check("a") // likewise
		}
	})
}
