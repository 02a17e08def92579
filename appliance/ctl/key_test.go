package ctl

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/internal/passkey"
	"veilbox/internal/problem"
	"veilbox/uplink/wire"
)

const host = "veilbox.local"

// A keyBox is a box's API as far as keys go: it verifies every signature.
type keyBox struct {
	t          *testing.T
	srv        *httptest.Server
	challenges map[string][]byte // by ceremony
	key        *passkey.Key      // of the account
	registered bool
	approved   map[string]any // the assessment that was signed
	refused    map[string]any
	password   map[string]any
	opinion    bool
	statement  func(string) string // changes what is signed
	shown      func(string) string // changes what is shown
}

const (
	theCopy  = "1111111111111111111111111111111111111111111111111111111111111111"
	theSheet = "2222222222222222222222222222222222222222222222222222222222222222"
)

func newKeyBox(t *testing.T) *keyBox {
	b := &keyBox{t: t, challenges: map[string][]byte{}}
	mux := http.NewServeMux()
	logIn := func(w http.ResponseWriter, text string) {
		http.SetCookie(w, &http.Cookie{Name: client.CookieName, Value: "tok", Path: "/", Secure: true})
		answer(w, text)
	}
	mux.HandleFunc("POST /api/v1/session", func(w http.ResponseWriter, r *http.Request) {
		switch in := b.body(r); {
		case in["password"] != "riktig":
			problem.Write(w, problem.New(401, "login", problem.Text{EN: "The password is not right."}, problem.Text{EN: "Try again."}))
		case in["login"] == "two" && in["code"] != "123456":
			problem.Write(w, problem.New(401, "login.code", problem.Text{EN: "A code is needed."}, problem.Text{EN: "Type the code."}))
		default:
			logIn(w, `{"person":{"id":"p1","name":"Jonna Lykke"},"roles":["assessor"],"must":["password","factor"]}`)
		}
	})
	mux.HandleFunc("POST /api/v1/session/password", func(w http.ResponseWriter, r *http.Request) { b.password = b.body(r) })
	mux.HandleFunc("DELETE /api/v1/session", func(w http.ResponseWriter, _ *http.Request) { answer(w, `{}`) })
	mux.HandleFunc("POST /api/v1/session/passkey/options", func(w http.ResponseWriter, _ *http.Request) { b.request(w, "login") })
	mux.HandleFunc("POST /api/v1/session/passkey", func(w http.ResponseWriter, r *http.Request) {
		if b.verify(w, "login", b.body(r)) {
			logIn(w, `{"person":{"id":"p1","name":"Jonna Lykke"},"roles":["assessor"]}`)
		}
	})
	mux.HandleFunc("POST /api/v1/session/passkeys/options", func(w http.ResponseWriter, _ *http.Request) {
		c := passkey.Creation{RPID: host, RPName: "Veilbox", UserID: []byte("user"), User: "jonna", UserName: "Jonna Lykke", Challenge: b.challenge("new"), Timeout: time.Minute}
		if b.key != nil {
			c.Exclude = [][]byte{b.key.ID}
		}
		o, err := passkey.CreationOptions(c)
		b.ceremony(w, "new", o, err)
	})
	mux.HandleFunc("POST /api/v1/session/passkeys", func(w http.ResponseWriter, r *http.Request) {
		in := b.body(r)
		response, err := json.Marshal(in["response"])
		if err != nil {
			t.Error(err)
		}
		m, err := passkey.ParseMade(host, b.challenges["new"], response)
		if err != nil || in["name"] != "kontor" || in["ceremony"] != "new" {
			t.Errorf("%v: %v", in, err)
		}
		b.key = &m.Key
		answer(w, `{}`)
	})
	mux.HandleFunc("POST /api/v1/session/passkeys/{id}/approval/options", func(w http.ResponseWriter, r *http.Request) {
		if b.key == nil || r.PathValue("id") != base64.RawURLEncoding.EncodeToString(b.key.ID) {
			t.Errorf("approval key %s", r.PathValue("id"))
		}
		b.request(w, "possession")
	})
	mux.HandleFunc("POST /api/v1/session/passkeys/{id}/approval", func(w http.ResponseWriter, r *http.Request) {
		b.registered = b.verify(w, "possession", b.body(r))
		answer(w, `{}`)
	})
	kase := `{"id":"CASE1","version":4,"state":"submitted","what":"w","happened_at":"2026-02-03T11:00:00Z","clip":{"camera":"till-1"}}`
	mux.HandleFunc("GET /api/v1/cases/CASE1", func(w http.ResponseWriter, _ *http.Request) { answer(w, kase) })
	mux.HandleFunc("POST /api/v1/cases/CASE1/assessment/options", func(w http.ResponseWriter, r *http.Request) {
		var v casework.Verdict
		for text, to := range map[string]encoding.TextUnmarshaler{theCopy: &v.Copy, theSheet: &v.Sheet} {
			if err := to.UnmarshalText([]byte(text)); err != nil {
				t.Error(err)
			}
		}
		members := []incident.MemberID{"M1", "M2"}
		var what any = wire.Statement{Version: 3, Case: "CASE1", Copy: v.Copy, Sheet: v.Sheet, NotAfter: time.Date(2026, 3, 5, 11, 0, 0, 0, time.UTC),
			Circle: wire.Circle{Area: "town", Place: "Aarhus", Trades: []string{"dagligvarer"}, Members: members}}
		if b.opinion {
			what = map[string]any{"version": 1, "case": "CASE1", "circle": incident.Circle{Area: "town", Place: "Aarhus", Members: members},
				"assessment": incident.Assessment{Decision: incident.Approve, Copy: v.Copy, SawSheet: v.Sheet}}
		}
		text, err := json.Marshal(what)
		if err != nil {
			t.Error(err)
		}
		s := string(text)
		signed, shown := s, s
		if b.statement != nil {
			signed = b.statement(s)
			shown = signed
		}
		if b.shown != nil {
			shown = b.shown(s)
		}
		hash := wire.ChallengeOf([]byte(signed))
		if b.opinion {
			sum := sha256.Sum256([]byte(labelOpinion + signed))
			hash = sum[:]
		}
		b.challenges["approval"] = hash
		o, err := passkey.RequestOptions(host, hash, time.Minute, b.key.ID)
		if err != nil {
			t.Error(err)
		}
		out, err := json.Marshal(map[string]any{"ceremony": map[string]any{"id": "approval", "options": o}, "statement": shown, "hash": hex.EncodeToString(hash), "opinion": b.opinion, "until": at.Add(5 * time.Minute)})
		if err != nil {
			t.Error(err)
		}
		answer(w, string(out))
	})
	mux.HandleFunc("POST /api/v1/cases/CASE1/assessment", func(w http.ResponseWriter, r *http.Request) {
		in := b.body(r)
		if in["decision"] == "refuse" {
			b.refused = in
			answer(w, kase)
			return
		}
		if b.verify(w, "approval", in) {
			b.approved = in
			answer(w, kase)
		}
	})
	b.srv = httptest.NewTLSServer(mux)
	t.Cleanup(b.srv.Close)
	return b
}

func (b *keyBox) body(r *http.Request) map[string]any {
	v := map[string]any{}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		b.t.Errorf("%s: %v", r.URL.Path, err)
	}
	return v
}

func (b *keyBox) challenge(id string) []byte {
	c := make([]byte, 32)
	rand.Read(c)
	b.challenges[id] = c
	return c
}

func (b *keyBox) request(w http.ResponseWriter, id string) {
	o, err := passkey.RequestOptions(host, b.challenge(id), time.Minute)
	b.ceremony(w, id, o, err)
}

func (b *keyBox) ceremony(w http.ResponseWriter, id string, options json.RawMessage, err error) {
	if err != nil {
		b.t.Error(err)
	}
	answer(w, fmt.Sprintf(`{"id":%q,"options":%s}`, id, options))
}

func (b *keyBox) verify(w http.ResponseWriter, id string, in map[string]any) bool {
	response, err := json.Marshal(in["response"])
	if err == nil && in["ceremony"] != id {
		err = fmt.Errorf("ceremony %v", in["ceremony"])
	}
	var a passkey.Assertion
	if err == nil {
		a, err = passkey.ParseAssertion(response)
	}
	if err == nil && b.key == nil {
		err = fmt.Errorf("the account has no key")
	}
	if err == nil {
		_, err = passkey.Verify(*b.key, b.challenges[id], a)
	}
	if err != nil {
		problem.Write(w, problem.New(403, "passkey", problem.Text{EN: "The key is not right."}, problem.Text{EN: "Use another."}).With(err))
		return false
	}
	return true
}

// keyed is a shell logged in with a key that the account has.
func keyed(t *testing.T) (*keyBox, *shell, string, string) {
	t.Helper()
	b, s := newKeyBox(t), newShell(t)
	pass, key := s.file("pass", "korrekt hest batteri\n"), filepath.Join(s.dir, "key.json")
	base := []string{"login", "--box", b.srv.URL, "--fingerprint", client.Fingerprint(b.srv.Certificate())}
	code, _, errs := s.run("", append(base, "--user", "one", "--password-file", s.file("pw", "riktig\n"))...)
	if code != 0 || !strings.Contains(errs, "veilctl key add FILE") || strings.Count(errs, "\n") != 2 {
		t.Fatalf("first log-in: %d %s", code, errs)
	}
	s.ok("key", "new", "-o", key, "--passphrase-file", pass)
	s.ok("key", "add", key, "--name", "kontor", "--passphrase-file", pass)
	s.ok("logout")
	s.ok(append(base, "--key", key, "--passphrase-file", pass)...)
	return b, s, key, pass
}

func (b *keyBox) login(args ...string) []string {
	return append([]string{"login", "--box", b.srv.URL, "--fingerprint", client.Fingerprint(b.srv.Certificate())}, args...)
}

func TestKeyFromTheFirstLogInToTheApproval(t *testing.T) {
	b, s, key, pass := keyed(t)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v %v", info.Mode(), err)
	}
	if code, _, errs := s.run("", "key", "new", "-o", key, "--passphrase-file", pass); code != 1 || !strings.Contains(errs, "never written over") {
		t.Errorf("a key over another: %d %s", code, errs)
	}
	if code, _, errs := s.run("", "key", "add", key, "--name", "kontor", "--passphrase-file", pass); code != 1 || !strings.Contains(errs, "already") {
		t.Errorf("the same key twice: %d %s", code, errs)
	}
	s.ok("password", "--first", "--new-file", s.file("new", "blå hest kører tog 77\n"))
	if b.password["old"] != "" || b.password["new"] != "blå hest kører tog 77" {
		t.Errorf("sent %v", b.password)
	}
	s.ok("key", "approve", key, "--passphrase-file", pass)
	if !b.registered {
		t.Fatal("the operator was not asked")
	}
	assess := []string{"case", "assess", "CASE1", "--approve", "--reasons", "tydelig", "--copy", theCopy, "--sheet", theSheet, "--saw-flagged", "2", "--key", key, "--passphrase-file", pass}
	code, _, errs := s.run("no\n", assess...)
	if code != 1 || b.approved != nil || !strings.Contains(errs, "nothing was signed") {
		t.Fatalf("without a yes: %d %s", code, errs)
	}
	for _, want := range []string{"M1, M2", "town Aarhus", "2026-03-05 12:00:00", theCopy, "dagligvarer", hex.EncodeToString(b.challenges["approval"])} {
		if !strings.Contains(errs, want) {
			t.Errorf("what is signed does not say %q:\n%s", want, errs)
		}
	}
	if code, _, errs = s.run("yes\n", assess...); code != 0 || b.approved == nil {
		t.Fatalf("with a yes: %d %s", code, errs)
	}
	if b.approved["reasons"] != "tydelig" || b.approved["saw_flagged"] != 2.0 || b.approved["version"] != 4.0 || b.approved["copy"] != theCopy {
		t.Errorf("sent %v", b.approved)
	}
	b.approved = nil
	b.opinion = true
	if code, _, errs = s.run("", append(assess, "--yes")...); code != 0 || b.approved == nil || !strings.Contains(errs, "another assessor must approve too") {
		t.Errorf("an opinion: %d %s", code, errs)
	}
}

// A box that was taken over gets no signature of what the person did not see.
func TestNothingIsSignedButWhatWasSeen(t *testing.T) {
	b, s, key, pass := keyed(t)
	assess := []string{"case", "assess", "CASE1", "--approve", "--yes", "--reasons", "r", "--copy", theCopy, "--sheet", theSheet, "--key", key, "--passphrase-file", pass}
	swap := func(old, with string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, with, 1) }
	}
	for name, c := range map[string]struct{ statement, shown func(string) string }{
		"another circle than is shown": {shown: swap("M2", "M3")},
		"another copy":                 {statement: swap(theCopy, theSheet)},
		"another sheet":                {statement: swap(theSheet, theCopy)},
		"another case":                 {statement: swap("CASE1", "CASE2")},
		"no statement":                 {statement: func(string) string { return "x" }},
	} {
		for _, b.opinion = range []bool{false, true} {
			b.statement, b.shown = c.statement, c.shown
			code, _, errs := s.run("", assess...)
			if code != 1 || b.approved != nil || !strings.Contains(errs, "veilctl: ctl: ") {
				t.Errorf("%s (opinion %t): %d %s", name, b.opinion, code, errs)
			}
		}
	}
	b.statement, b.shown, b.opinion = nil, nil, false
	if code, _, errs := s.run("", assess...); code != 0 {
		t.Errorf("what was seen: %d %s", code, errs)
	}
}

func TestARefusalNeedsNoKey(t *testing.T) {
	b, s, key, pass := keyed(t)
	args := []string{"case", "assess", "CASE1", "--reasons", "for lidt", "--copy", theCopy, "--sheet", theSheet}
	s.ok(append(args, "--refuse")...)
	if b.refused["reasons"] != "for lidt" || b.refused["response"] != nil {
		t.Errorf("sent %v", b.refused)
	}
	for _, more := range [][]string{{"--approve"}, {"--refuse", "--key", key, "--passphrase-file", pass}} {
		if code, _, errs := s.run("", append(args, more...)...); code != 2 || !strings.Contains(errs, "--key") {
			t.Errorf("%v: %d %s", more, code, errs)
		}
	}
}

func TestLogInAsksForACodeWhereTheBoxDoes(t *testing.T) {
	b, s := newKeyBox(t), newShell(t)
	pw := s.file("pw", "riktig\n")
	if code, _, errs := s.run("123456\n", b.login("--user", "two", "--password-file", pw, "--code-file", "-")...); code != 0 {
		t.Errorf("right code: %d %s", code, errs)
	}
	if code, _, errs := s.run("654321\n", b.login("--user", "two", "--password-file", pw, "--code-file", "-")...); code != 1 || !strings.Contains(errs, "A code is needed.") {
		t.Errorf("wrong code: %d %s", code, errs)
	}
	if code, _, errs := s.run("", b.login("--user", "two", "--password-file", pw)...); code != 2 || !strings.Contains(errs, "code") {
		t.Errorf("nobody to ask: %d %s", code, errs)
	}
	for _, args := range [][]string{b.login(), b.login("--user", "two", "--key", pw)} {
		if code, _, _ := s.run("", args...); code != 2 {
			t.Errorf("%v: %d", args, code)
		}
	}
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	b, s, key, pass := keyed(t)
	if code, _, errs := s.run("", b.login("--key", key, "--passphrase-file", s.file("other", "en anden kode igen\n"))...); code != 1 || !strings.Contains(errs, "pass phrase") {
		t.Errorf("another passphrase: %d %s", code, errs)
	}
	if code, _, errs := s.run("", "key", "new", "-o", filepath.Join(s.dir, "k2"), "--passphrase-file", s.file("short", "kort\n")); code != 1 {
		t.Errorf("a short passphrase: %d %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "k2")); err == nil {
		t.Error("a key was made with a short passphrase")
	}
	stranger := filepath.Join(s.dir, "k3")
	s.ok("key", "new", "-o", stranger, "--passphrase-file", pass)
	if code, _, errs := s.run("", b.login("--key", stranger, "--passphrase-file", pass)...); code != 1 || !strings.Contains(errs, "no passkey") {
		t.Errorf("a key without the box: %d %s", code, errs)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := s.run("", b.login("--key", key, "--passphrase-file", pass)...); code != 1 || !strings.Contains(errs, "chmod 600") {
		t.Errorf("a key that others can read: %d %s", code, errs)
	}
}
