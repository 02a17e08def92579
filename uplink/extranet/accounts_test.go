package extranet_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
	"veilbox/uplink/extranet"
	"veilbox/uplink/extranet/cli"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

const own = "fire ugler i en kold skov"

func login(call uplinktest.Call, name, password, code string) error {
	return call("POST", "/api/v1/login", map[string]string{"name": name, "password": password, "code": code}, nil)
}

func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, at)
	must(t, err)
	return c
}

// app sets up an authenticator app for who is logged in.
func app(t *testing.T, call uplinktest.Call, at time.Time) (secret string) {
	t.Helper()
	var s struct{ Secret string }
	must(t, call("POST", "/api/v1/totp", struct{}{}, &s))
	wantCode(t, call("POST", "/api/v1/totp/confirm", map[string]string{"code": "000000"}, nil), "operator.bad-code")
	must(t, call("POST", "/api/v1/totp/confirm", map[string]string{"code": codeAt(t, s.Secret, at)}, nil))
	return s.Secret
}

func needs(t *testing.T, call uplinktest.Call) []string {
	t.Helper()
	var me struct{ Must []string }
	must(t, call("GET", "/api/v1/me", nil, &me))
	return me.Must
}

// add makes an account as the first operator.
func add(t *testing.T, w *uplinktest.World, name, person string) (password string) {
	t.Helper()
	var made struct{ Name, Password string }
	must(t, w.Op("POST", "/api/v1/operators", map[string]string{"name": name, "person": person}, &made))
	return made.Password
}

// Accounts are personal (S5): an operator makes one for a named person, whose first
// password opens nothing but the setting up of a factor of their own; it goes with
// its sessions and is kept in the list.
func TestOperators(t *testing.T) {
	s := three(t, uplinktest.Noon)
	wantCode(t, s.Op("POST", "/api/v1/operators", map[string]string{"name": "mia"}, nil), "operator.input") // nobody's
	first := add(t, s.World, "mia", "Mia Juul")
	wantCode(t, s.Op("POST", "/api/v1/operators", map[string]string{"name": "mia", "person": "Mia Juul"}, nil), "operator.exists")
	wantCode(t, s.Op("POST", "/api/v1/operators", map[string]string{"name": "local:root", "person": "X"}, nil), "operator.input")

	mia, key := s.Visitor(), softkey.New("tre ugler i regnvejr")
	must(t, login(mia, "mia", first, ""))
	if got := needs(t, mia); !slices.Equal(got, []string{"password", "factor"}) {
		t.Fatalf("she must do %v", got)
	}
	member := map[string]any{"id": "d", "name": "D", "town": "Odense", "region": "Syddanmark", "country": "DK", "trade": "byggemarked", "chain": "", "active": true}
	wantCode(t, mia("POST", "/api/v1/members", member, nil), "operator.set-up")
	thief := s.Visitor()
	must(t, login(thief, "mia", first, ""))
	must(t, uplinktest.NewPasskey(mia, key))
	must(t, mia("POST", "/api/v1/members", member, nil))
	wantCode(t, thief("GET", "/api/v1/me", nil, nil), "operator.login") // the other session of that password is over,
	wantCode(t, login(s.Visitor(), "mia", first, ""), "operator.login") // and the password too
	again := s.Visitor()
	must(t, uplinktest.Passkey(again, "/api/v1/login/passkey", key))
	must(t, again("GET", "/api/v1/members", nil, nil))

	wantCode(t, mia("POST", "/api/v1/operators/mia/remove", map[string]string{"reason": "sig selv"}, nil), "operator.self")
	wantCode(t, mia("POST", "/api/v1/operators/mia/reset", map[string]string{"reason": "sig selv"}, nil), "operator.self")
	must(t, s.Op("POST", "/api/v1/operators/mia/remove", map[string]string{"reason": "fratrådt"}, nil))
	wantCode(t, mia("GET", "/api/v1/me", nil, nil), "operator.login")
	wantCode(t, uplinktest.Passkey(s.Visitor(), "/api/v1/login/passkey", key), "operator.passkey")
	var list []struct {
		Name, Person string
		Ended        *time.Time
	}
	must(t, s.Op("GET", "/api/v1/operators", nil, &list))
	if len(list) != 2 || list[1].Person != "Mia Juul" || list[1].Ended == nil || list[0].Person != "Otto Olsen" {
		t.Errorf("the list is %+v", list)
	}
	if s.acts(t, "operator.add") != 1 || s.acts(t, "operator.remove") != 1 || s.acts(t, "operator.passkey") != 2 {
		t.Error("not all of it is in the audit log")
	}
}

// The first log-in of a new extranet opens nothing but its own setting up, and is
// gone from the disk once it is somebody's.
func TestFirstLogIn(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	file := filepath.Join(w.Config.Dir, "first-login")
	b, err := os.ReadFile(file)
	must(t, err)
	f := strings.Fields(string(b))
	call := w.Visitor()
	must(t, login(call, f[0], f[1], ""))
	if got := needs(t, call); !slices.Equal(got, []string{"name", "password", "factor"}) {
		t.Fatalf("it must do %v", got)
	}
	for _, path := range []string{"/api/v1/members", "/api/v1/assessors", "/api/v1/access", "/api/v1/audit", "/api/v1/operators"} {
		wantCode(t, call("GET", path, nil, nil), "operator.set-up")
	}
	secret := app(t, call, w.Clock.Now())
	if got := needs(t, call); !slices.Equal(got, []string{"name", "password"}) {
		t.Fatalf("with an app it must do %v", got)
	}
	for password, code := range map[string]string{"kort": "operator.password", "operator-operator": "operator.password-known", f[1]: "operator.password-known", "password1234567": "operator.password-known"} {
		wantCode(t, call("POST", "/api/v1/password", map[string]string{"old": f[1], "new": password}, nil), code)
	}
	wantCode(t, call("POST", "/api/v1/password", map[string]string{"old": "forkert", "new": own}, nil), "operator.proof-wrong")
	must(t, call("POST", "/api/v1/password", map[string]string{"old": f[1], "new": own}, nil))
	wantCode(t, call("GET", "/api/v1/members", nil, nil), "operator.set-up") // still nobody's
	must(t, call("POST", "/api/v1/account", map[string]string{"person": "Otto Olsen"}, nil))
	wantCode(t, call("POST", "/api/v1/account", map[string]string{"person": "En anden"}, nil), "operator.exists")
	must(t, call("GET", "/api/v1/members", nil, nil))
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the first password is still on the disk: %v", err)
	}
	// From now on the password needs the code, and a code counts once.
	w.Clock.Advance(time.Minute)
	code := codeAt(t, secret, w.Clock.Now())
	wantCode(t, login(w.Visitor(), "operator", own, ""), "operator.code")
	wantCode(t, login(w.Visitor(), "operator", "forkert", code), "operator.login")
	must(t, login(w.Visitor(), "operator", own, code))
	wantCode(t, login(w.Visitor(), "operator", own, code), "operator.bad-code")
	// With a passkey and the app away, the password alone is nothing.
	key := softkey.New("")
	must(t, uplinktest.NewPasskey(call, key))
	must(t, call("POST", "/api/v1/totp/remove", struct{}{}, nil))
	wantCode(t, login(w.Visitor(), "operator", own, ""), "operator.use-passkey")
	var me struct {
		Passkeys []struct {
			ID   string
			File bool
		}
	}
	must(t, call("GET", "/api/v1/me", nil, &me))
	if len(me.Passkeys) != 1 || !me.Passkeys[0].File {
		t.Fatalf("%+v", me)
	}
	wantCode(t, call("POST", "/api/v1/passkeys/"+me.Passkeys[0].ID+"/remove", struct{}{}, nil), "operator.last-factor")
}

// What others trust in asks for a proof of the last five minutes; a session that was
// left open, or stolen, does none of it.
func TestActsThatOthersTrustInAskForAProof(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(10)
	s.Send(s.a, p)
	waiting := s.Assessor(s.a, "pia", false)
	first := add(t, s.World, "mia", "Mia Juul")
	mia, key := s.Visitor(), softkey.New("")
	must(t, login(mia, "mia", first, ""))
	must(t, uplinktest.NewPasskey(mia, key))
	must(t, mia("POST", "/api/v1/password", map[string]string{"old": "", "new": own}, nil))
	secret := app(t, mia, s.Clock.Now())

	why := map[string]string{"reason": "x"}
	acts := map[string]any{
		"/api/v1/assessors/a/" + string(waiting.ID()) + "/confirm":      why,
		"/api/v1/assessors/a/" + string(s.assessor.ID()) + "/revoke":    why,
		"/api/v1/disclosures/" + string(p.Manifest.Disclosure) + "/end": why,
		"/api/v1/operators":                 map[string]string{"name": "bo", "person": "Bo"},
		"/api/v1/operators/operator/remove": why,
		"/api/v1/operators/operator/reset":  why,
		"/api/v1/clock":                     why,
		"/api/v1/totp/remove":               struct{}{},
		"/api/v1/totp":                      struct{}{},
		"/api/v1/passkeys/options":          struct{}{},
	}
	s.Clock.Advance(5 * time.Minute)
	for path, in := range acts {
		wantCode(t, mia("POST", path, in, nil), "operator.proof")
	}
	must(t, mia("GET", "/api/v1/assessors", nil, nil)) // reading needs none
	if s.listed(t, waiting).State != wire.AssessorPending || s.item(t, s.b, p).State != wire.StateAvailable {
		t.Fatal("something was done")
	}
	prove := func(password, code string) error {
		return mia("POST", "/api/v1/proof", map[string]string{"password": password, "code": code}, nil)
	}
	code := codeAt(t, secret, s.Clock.Now())
	wantCode(t, prove("forkert", code), "operator.proof-wrong")
	wantCode(t, prove(own, ""), "operator.code")
	wantCode(t, prove(own, "000000"), "operator.bad-code")
	must(t, prove(own, code))
	must(t, mia("POST", "/api/v1/assessors/a/"+string(waiting.ID())+"/confirm", why, nil))
	if r := s.listed(t, waiting); r.State != wire.AssessorConfirmed || r.Operator != "mia" {
		t.Errorf("%+v", r)
	}
	s.Clock.Advance(5 * time.Minute)
	wantCode(t, mia("POST", "/api/v1/clock", why, nil), "operator.proof")
	// Somebody else's passkey proves nothing, however good.
	if err := uplinktest.Passkey(mia, "/api/v1/proof", s.Key); err == nil {
		t.Error("another operator's passkey was a proof")
	}
	must(t, uplinktest.Passkey(mia, "/api/v1/proof", key))
	must(t, mia("POST", "/api/v1/disclosures/"+string(p.Manifest.Disclosure)+"/end", why, nil))
	// The page says so, with the way to do it, and not while it is fresh.
	if body := s.Page("/assessors?lang=en"); !strings.Contains(body, "by a number") && !strings.Contains(body, "read the key") {
		t.Error("the page does not say how a key is compared")
	}
	if n := s.acts(t, "operator.proof"); n != 2 {
		t.Errorf("%d proofs in the audit log", n)
	}
}

// Guessing is slowed, for a name that is not there too; a passkey goes on logging in
// from where it has before.
func TestGuessingIsSlowed(t *testing.T) {
	s := three(t, uplinktest.Noon)
	guess := func(name string) string {
		for range 10 {
			if err := login(s.Visitor(), name, "forkert", ""); codeOf(err) == "busy" {
				return "busy"
			}
		}
		return "not slowed"
	}
	if got := guess("operator"); got != "busy" {
		t.Fatal(got)
	}
	for range 3 {
		must(t, uplinktest.Passkey(s.Visitor(), "/api/v1/login/passkey", s.Key))
	}
	if got := guess("findes ikke"); got != "busy" {
		t.Errorf("a name that is not there is %s", got)
	}
	s.Clock.Advance(time.Hour)
	wantCode(t, login(s.Visitor(), "operator", "forkert", ""), "operator.login")
}

func TestPasskeyQuestionsAreAnsweredOnce(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	must(t, w.Op("GET", "/api/v1/me", nil, nil))
	call := w.Visitor()
	ask := func() (id string, response any) {
		var q struct {
			ID      string
			Options rawJSON
		}
		must(t, call("POST", "/api/v1/login/passkey/options", struct{}{}, &q))
		b, err := w.Key.Get(q.Options)
		must(t, err)
		return q.ID, rawJSON(b)
	}
	answer := func(id string, response any) error {
		return call("POST", "/api/v1/login/passkey", map[string]any{"ceremony": id, "response": response}, nil)
	}
	id, r := ask()
	must(t, answer(id, r))
	wantCode(t, answer(id, r), "operator.question")
	id, _ = ask()
	wantCode(t, answer(id, r), "operator.passkey") // the answer to an older question
	id, r = ask()
	w.Clock.Advance(5 * time.Minute)
	wantCode(t, answer(id, r), "operator.question")
	id, _ = ask()
	wantCode(t, answer(id, map[string]string{}), "operator.passkey")
	// A question for a log-in is no proof.
	id, r = ask()
	must(t, uplinktest.Passkey(call, "/api/v1/login/passkey", w.Key))
	wantCode(t, call("POST", "/api/v1/proof", map[string]any{"ceremony": id, "response": r}, nil), "operator.question")
}

// Essential changes and the end of operation are on record with what the agency was
// told; the register warns while it has not been told, or a change is in effect
// without the permission that it needs (S10).
func TestRegisterOfEssentialChanges(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	open := func(want int) (rows []struct {
		ID                   int64
		Kind                 string
		Unreported, Unlawful bool
	}) {
		t.Helper()
		var c struct {
			Open    int
			Changes []struct {
				ID                   int64
				Kind                 string
				Unreported, Unlawful bool
			}
		}
		must(t, w.Op("GET", "/api/v1/changes", nil, &c))
		page := strings.Contains(w.Page("/changes?lang=en"), "Something has not been reported")
		metric := strings.Contains(w.Page("/metrics"), "veil_extranet_changes_open "+string(rune('0'+want)))
		if c.Open != want || page != (want > 0) || !metric {
			t.Errorf("%d open, the page warns: %v, the metric fits: %v; want %d", c.Open, page, metric, want)
		}
		return c.Changes
	}
	record := func(kind, day string, needed bool) error {
		return w.Op("POST", "/api/v1/changes", map[string]any{"kind": kind, "day": day, "what": "Ansigtsgenkendelse overvejes", "needed": needed}, nil)
	}
	settle := func(what string, day string) error {
		return w.Op("POST", "/api/v1/changes/1/"+what, map[string]string{"day": day, "number": "2026-431-0001"}, nil)
	}
	open(0)
	for _, bad := range []error{record("change", "i morgen", true), record("end", "2026-04-01", true), record("andet", "2026-04-01", false), settle("report", "2026-03-11")} {
		wantCode(t, bad, "operator.input")
	}
	wantCode(t, settle("report", "2026-03-10"), "missing")
	must(t, record("change", "2026-03-20", true))
	if r := open(1); !r[0].Unreported || r[0].Unlawful {
		t.Errorf("%+v", r)
	}
	must(t, settle("report", "2026-03-10"))
	wantCode(t, settle("report", "2026-03-10"), "operator.exists")
	open(0) // told in time, and not in effect yet
	w.Clock.Advance(10 * 24 * time.Hour)
	if r := open(1); r[0].Unreported || !r[0].Unlawful {
		t.Errorf("in effect without permission: %+v", r)
	}
	must(t, settle("permission", "2026-03-20"))
	if r := open(0); r[0].Unlawful {
		t.Errorf("%+v", r)
	}
	must(t, record("end", "2026-03-20", false))
	if r := open(1); r[0].Kind != "end" || !r[0].Unreported {
		t.Errorf("%+v", r)
	}
	if w.Page("/healthz") == "" {
		t.Error("no answer")
	}
}

// The pages run no script but their own file.
func TestOperatorPagesHaveNoInlineScript(t *testing.T) {
	s := three(t, uplinktest.Noon)
	for _, page := range append(extranet.OperatorPages(), "login") {
		body := s.Page("/" + page)
		if n := strings.Count(body, "<script"); n != 1 || !strings.Contains(body, `<script type="module" src="/passkey.js"></script>`) {
			t.Errorf("%s has %d scripts", page, n)
		}
		for _, x := range []string{" onclick=", " onsubmit=", " style=", "javascript:", "<style"} {
			if strings.Contains(body, x) {
				t.Errorf("%s has %s", page, x)
			}
		}
	}
	if !strings.Contains(s.Page("/passkey.js"), "navigator.credentials") {
		t.Error("the script is not served")
	}
}

// What root does on the machine is done, and is in the audit log as root's.
func TestLocalCommands(t *testing.T) {
	s := three(t, uplinktest.Noon)
	waiting := s.Assessor(s.a, "pia", false)
	must(t, s.Op("GET", "/api/v1/me", nil, nil))
	socket := filepath.Join(s.Config.Dir, extranet.LocalSocket)
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	call := local(t, socket)
	var rows []listed
	must(t, call("GET", "/api/v1/assessors", nil, &rows))
	if len(rows) != 2 {
		t.Fatalf("%+v", rows)
	}
	wantCode(t, call("GET", "/api/v1/access", nil, nil), "http") // it is not for reading who saw what
	path := "/api/v1/assessors/a/" + string(waiting.ID()) + "/confirm"
	wantCode(t, call("POST", path, map[string]string{"reason": ""}, nil), "operator.input")
	must(t, call("POST", path, map[string]string{"reason": "set på stedet"}, nil))
	if r := s.listed(t, waiting); r.State != wire.AssessorConfirmed || !strings.HasPrefix(r.Operator, "local:") {
		t.Errorf("%+v", r)
	}
	// Every operator's way in is lost.
	var made struct{ Name, Password string }
	must(t, call("POST", "/api/v1/operators/operator/reset", map[string]string{"reason": "nøglen er tabt"}, &made))
	wantCode(t, uplinktest.Passkey(s.Visitor(), "/api/v1/login/passkey", s.Key), "operator.passkey")
	v := s.Visitor()
	must(t, login(v, "operator", made.Password, ""))
	if got := needs(t, v); !slices.Equal(got, []string{"password", "factor"}) {
		t.Errorf("it must do %v", got)
	}
	s.Key = softkey.New("")
	must(t, uplinktest.NewPasskey(v, s.Key))
	var log []struct {
		Act string
		Who struct{ ID, Name, Role string }
	}
	must(t, s.Op("GET", "/api/v1/audit", nil, &log))
	byRoot := 0
	for _, e := range log {
		if e.Who.Role == "root" {
			byRoot++
		}
		if e.Act == "operator.passkey" && e.Who.Name != "Otto Olsen" {
			t.Errorf("the log names %+v", e.Who)
		}
	}
	if byRoot != 2 {
		t.Errorf("%d entries of root's", byRoot)
	}
}

type rawJSON = json.RawMessage

func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	return problem.Of(err).Code
}

// local returns how root calls on the machine.
func local(t *testing.T, socket string) uplinktest.Call {
	c, err := cli.Dial(socket)
	must(t, err)
	return func(method, path string, in, out any) error { return c.Call(t.Context(), method, path, in, out) }
}
