package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/ctl/client"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

var at = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)

// A shell runs veilctl as a script would.
type shell struct {
	t       *testing.T
	dir     string
	session string
	clock   clock.Clock
}

func newShell(t *testing.T) *shell {
	dir := t.TempDir()
	return &shell{t, dir, filepath.Join(dir, "session.json"), clock.NewFake(at)}
}

func (s *shell) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *shell) run(stdin string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Main(s.t.Context(), append([]string{"--session", s.session}, args...),
		World{In: strings.NewReader(stdin), Out: &o, Err: &e, Clock: s.clock})
	return code, o.String(), e.String()
}

// ok runs what must work and returns its standard output.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	code, out, errs := s.run("", args...)
	if code != 0 {
		s.t.Fatalf("veilctl %q: status %d: %s", args, code, errs)
	}
	return out
}

func answer(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, text) }

// boxAPI answers what the tests ask, and keeps the bodies it was sent.
func boxAPI(t *testing.T) (*httptest.Server, map[string]string) {
	sent := map[string]string{}
	mux := http.NewServeMux()
	handle := func(pattern, text string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			sent[pattern] = string(b)
			if c, err := r.Cookie(client.CookieName); !strings.HasSuffix(pattern, "/session") && (err != nil || c.Value != "tok") {
				problem.Write(w, problem.New(401, "session", problem.Text{EN: "You are not logged in."}, problem.Text{EN: "Log in again."}))
				return
			}
			answer(w, text)
		})
	}
	mux.HandleFunc("POST /api/v1/session", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if !bytes.Contains(b, []byte(`"password":"riktig"`)) {
			problem.Write(w, problem.New(401, "login", problem.Text{EN: "The password is not right."}, problem.Text{EN: "Try again."}))
			return
		}
		http.SetCookie(w, &http.Cookie{Name: client.CookieName, Value: "tok", Path: "/", Secure: true})
		answer(w, `{"person":{"id":"p1","name":"Mette Holm"},"roles":["manager"]}`)
	})
	handle("DELETE /api/v1/session", `{}`)
	handle("GET /api/v1/cameras", `[{"id":"till-1","name":"Till\u001b[31m 1","url":"rtsp://h/","state":"recording","since":"2026-02-03T11:00:00Z","codec":"H.264","width":1280,"height":720}]`)
	handle("POST /api/v1/cameras", `{"id":"till-1","name":"till-1","url":"rtsp://h/","state":"connecting","since":"2026-02-03T11:00:00Z"}`)
	handle("GET /api/v1/health", `[{"name":"clock","ok":true,"text":{"en":"right"}},{"name":"ffmpeg","ok":false,"text":{"en":""},"problem":{"code":"ffmpeg","cause":{"en":"ffmpeg is missing."},"remedy":{"en":"Install it."}}}]`)
	handle("GET /api/v1/people/review", `[{"id":"p1","login":"m","name":"Mette Holm","since":"2025-01-03T11:00:00Z","due":["review","idle"]}]`)
	handle("POST /api/v1/people/p1/review", `{"id":"p1","login":"m","name":"Mette Holm"}`)
	handle("PATCH /api/v1/people/p1", `{"id":"p1","login":"m","name":"Mette Holm"}`)
	kase := `{"id":"CASE1","version":4,"state":"draft","what":"took two bottles","happened_at":"2026-02-03T11:00:00Z","clip":{"camera":"till-1"},"evidence":{"offence":"theft","value_dkk":900},"missing":[{"condition":"V3","code":"v3","text":{"en":"Say why it will happen again."},"source":"Annex 2"}],"may":["change"]}`
	handle("GET /api/v1/cases/CASE1", kase)
	handle("PUT /api/v1/cases/CASE1", kase)
	handle("POST /api/v1/cases", kase)
	handle("GET /api/v1/audit/verify", `{"origin":"veilbox-box","size":3,"ok":false,"bad_seq":2,"bad":"entry 2 was changed"}`)
	cameraAPI(handle)
	afterAPI(handle, mux, sent)
	exportAPI(t, mux, sent)
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s, sent
}

func loggedIn(t *testing.T) (*shell, map[string]string) {
	t.Helper()
	srv, sent := boxAPI(t)
	s := newShell(t)
	s.ok("login", "--box", srv.URL, "--fingerprint", client.Fingerprint(srv.Certificate()), "--user", "mette", "--password-file", s.file("pw", "riktig\n"))
	return s, sent
}

func TestHelpNamesEveryCommandAndBadUsageIsStatusTwo(t *testing.T) {
	s := newShell(t)
	out := s.ok("--help")
	for _, c := range []string{"camera simulate", "camera probe", "camera find", "camera change", "camera trust", "clip export", "clip verify", "redact", "case assess", "alert view", "people add", "enrol", "audit verify", "audit prove", "audit check", "audit prune", "case fact", "case document add", "case deletion-proof", "key new", "key add", "key approve", "health", "login"} {
		if !strings.Contains(out, c) {
			t.Errorf("the help does not name %q", c)
		}
		if help := s.ok(append(strings.Fields(c), "--help")...); !strings.Contains(help, "Usage: veilctl "+c) {
			t.Errorf("%s --help: %s", c, help)
		}
	}
	if help := s.ok("redact", "--help"); !strings.Contains(help, `"keyframes"`) {
		t.Error("redact --help does not show a subject file")
	}
	pw := s.file("pw", "x")
	for _, args := range [][]string{
		{"camra"}, {"camera", "add"}, {"camera", "add", "Till 1", "rtsp://h/"}, {"camera", "probe", "rtsp://u:p@h/"}, {"audit", "verify"},
		{"audit", "verify", "--api", s.dir}, {"camera", "change", "till-1"}, {"camera", "change", "till-1", "--url", "rtsp://u:p@h/"}, {"camera", "trust", "Till 1"}, {"camera", "find", "--interface", "eth0"}, {"camera", "probe", "http://u:p@h/"}, {"clip", "verify", pw, pw, "--key", "what"}, {"case", "assess", "C", "--approve", "--refuse"}, {"login"}, {"redact", pw},
		{"camera", "simulate", pw, "--size", "big", "--password-file", pw}, {"clip", "export", "--camera", "c", "--from", "now", "--to", "1m ago", "-o", "x", "--purpose", "p"},
		{"clip", "export", "--camera", "c", "--from", "yesterday", "--to", "now", "-o", "x", "--purpose", "p"}, {"camera", "probe", "rtsp://h/", "--user", "u"},
		{"case", "new", "--camera", "c", "--from", "now", "--to", "now", "--what", "w", "--offence", "murder"}, {"people", "change", "p1"}, {"case", "report", "C", "--number", "1", "--at", "soon"},
		{"case", "fact", "C", "bored", "--words", "w"}, {"case", "inform", "C", "--how", "gossip", "--words", "w"}, {"case", "narrow", "C", "--reason", "r"}, {"case", "reassess", "C", "--reasons", "r", "--next", "soon"},
		{"audit", "export", "-o", "x", "--format", "xml"}, {"audit", "check", pw, "--verifier", "v"}, {"audit", "prune", s.dir}, {"case", "file", "C", "-o", "x", "--language", "fr"},
	} {
		code, out, errs := s.run("", args...)
		if code != 2 || out != "" || !strings.HasPrefix(errs, "veilctl: ") {
			t.Errorf("veilctl %q: status %d, %q, %q", args, code, out, errs)
		}
		if strings.Contains(errs, "u:p@") {
			t.Errorf("veilctl %q shows a password", args)
		}
	}
	if out := s.ok("--version"); !strings.HasPrefix(out, "veilctl ") {
		t.Errorf("version: %q", out)
	}
}

func TestLoginKeepsASessionThatOthersCannotRead(t *testing.T) {
	srv, _ := boxAPI(t)
	s := newShell(t)
	if code, _, errs := s.run("", "camera", "list"); code != 1 || !strings.Contains(errs, "veilctl login") {
		t.Fatalf("logged out: %d %s", code, errs)
	}
	pem := s.file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	base := []string{"login", "--box", srv.URL, "--ca", pem, "--user", "mette", "--password-file"}
	if code, _, errs := s.run("falsk\n", append(base, "-")...); code != 1 || !strings.Contains(errs, "Try again.") {
		t.Fatalf("wrong password: %d %s", code, errs)
	}
	code, out, errs := s.run("riktig\n", append(base, "-")...)
	if code != 0 || !strings.Contains(out, "Mette Holm") {
		t.Fatalf("login: %d %s %s", code, out, errs)
	}
	if info, err := os.Stat(s.session); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("session file: %v %v", info.Mode(), err)
	}
	if err := os.Remove(pem); err != nil {
		t.Fatal(err)
	}
	s.ok("camera", "list")
	if err := os.Chmod(s.session, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := s.run("", "camera", "list"); code != 1 || !strings.Contains(errs, "log in again") {
		t.Errorf("session that others can read: %d %s", code, errs)
	}
	if err := os.Chmod(s.session, 0o600); err != nil {
		t.Fatal(err)
	}
	s.ok("logout")
	if _, err := os.Stat(s.session); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after logout: %v", err)
	}
	if code, _, errs := s.run("riktig", "login", "--box", srv.URL, "--user", "m", "--password-file", "-"); code != 1 || !strings.Contains(errs, "--fingerprint") {
		t.Errorf("unknown certificate: %d %s", code, errs)
	}
}

func TestTablesAndJSON(t *testing.T) {
	s, sent := loggedIn(t)
	out := s.ok("camera", "list")
	if !strings.Contains(out, "till-1") || !strings.Contains(out, "H.264 1280x720") || strings.Contains(out, "\x1b") {
		t.Errorf("table: %q", out)
	}
	var cams []struct{ ID string }
	if err := json.Unmarshal([]byte(s.ok("camera", "list", "--json")), &cams); err != nil || len(cams) != 1 || cams[0].ID != "till-1" {
		t.Errorf("json: %v %v", cams, err)
	}
	s.ok("camera", "add", "till-1", "rtsp://h/main", "--user", "u", "--password-file", s.file("cam", "hemmelig\n"))
	if got, want := sent["POST /api/v1/cameras"], `{"id":"till-1","name":"till-1","url":"rtsp://h/main","username":"u","password":"hemmelig"}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	s.ok("people", "change", "p1", "--name", "Mette Holm", "--role", "staff", "--until", "2026-12-24", "--no-active")
	if got, want := sent["PATCH /api/v1/people/p1"], `{"name":"Mette Holm","roles":["staff"],"until":"2026-12-23T23:00:00Z","active":false}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if out := s.ok("people", "review"); !strings.Contains(out, "review, idle") {
		t.Errorf("review: %s", out)
	}
	s.ok("people", "keep", "p1", "--until", "2026-12-24")
	if got, want := sent["POST /api/v1/people/p1/review"], `{"until":"2026-12-23T23:00:00Z"}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	code, out, _ := s.run("", "health")
	if code != 1 || !strings.Contains(out, "FAIL") || !strings.Contains(out, "Install it.") {
		t.Errorf("health: %d %s", code, out)
	}
	if out := s.ok("case", "show", "CASE1"); !strings.Contains(out, "missing V3") || !strings.Contains(out, "Annex 2") {
		t.Errorf("case: %s", out)
	}
}

func TestCaseAnswersRoundTrip(t *testing.T) {
	s, sent := loggedIn(t)
	if out := s.ok("case", "answers", "CASE1"); !strings.Contains(out, `"value_dkk": 900`) {
		t.Fatalf("answers: %s", out)
	}
	s.ok("case", "change", "CASE1", s.file("a.json", `{"evidence":{"repeat_reasons":"third time this month"}}`))
	got := sent["PUT /api/v1/cases/CASE1"]
	for _, want := range []string{`"version":4`, `"what":"took two bottles"`, `"value_dkk":900`, `"repeat_reasons":"third time this month"`} {
		if !strings.Contains(got, want) {
			t.Errorf("sent %s\nwithout %s", got, want)
		}
	}
	if code, _, errs := s.run("", "case", "change", "CASE1", s.file("b.json", `{"evidense":{}}`)); code != 1 || !strings.Contains(errs, "case answers") {
		t.Errorf("misspelt: %d %s", code, errs)
	}
	s.ok("case", "new", "--camera", "till-1", "--from", "2026-02-03 12:30", "--to", "10m ago", "--what", "w", "--offence", "theft", "--value", "900")
	if got, want := sent["POST /api/v1/cases"], `"from":"2026-02-03T11:30:00Z","to":"2026-02-03T11:50:00Z"`; !strings.Contains(got, want) {
		t.Errorf("sent %s\nwithout %s", got, want)
	}
}

func TestAuditOverTheAPI(t *testing.T) {
	s, _ := loggedIn(t)
	code, out, errs := s.run("", "audit", "verify", "--api")
	if code != 1 || !strings.Contains(out, "entry 2 was changed") || !strings.Contains(errs, "operator") {
		t.Errorf("verify: %d %s %s", code, out, errs)
	}
}

func TestInterruptEndsTheSimulatedCamera(t *testing.T) {
	s := newShell(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := Main(ctx, []string{"camera", "simulate", s.file("x.avi", "no video"), "--listen", "127.0.0.1:0", "--password-file", s.file("pw", "geheim")},
		World{In: strings.NewReader(""), Out: &out, Err: &errs, Clock: clock.NewFake(at)})
	if code != 1 || strings.Contains(errs.String(), "geheim") {
		t.Errorf("status %d: %s", code, errs.String())
	}
}
