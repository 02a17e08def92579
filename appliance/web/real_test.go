package web

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"image"
	"image/jpeg"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/statement"
	"veilbox/appliance/store"
	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/passkey"
	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
)

// A realBox is the pages over a real Service: accounts, store, log and ring are
// the box's own. What would be other machines (cameras, extranet, the worker) is
// absent: an act that comes as far has been let in, and that is all that is
// asked here.
type realBox struct {
	site
	service  *casework.Service
	accounts *account.Accounts
	log      *audit.Log
	tokens   map[string]string // of a visitor's session
	people   map[string]incident.PersonID
	secrets  map[string]string
	keys     map[string]*softkey.Key
	ticks    *clock.Fake
	panics   int
}

// absent machines: calling one is a panic, which do counts as let in.
type noRecorder struct{ casework.Recorder }

func (noRecorder) Health() []capture.Health { return nil }

type noRedactor struct{ casework.Redactor }
type noUplink struct{ casework.Uplink }

func (noUplink) KeyID(passkey.Key) string { return "key" }
func (noUplink) Enrolment(context.Context) (casework.Enrolment, error) {
	return casework.Enrolment{}, nil
}
func (noUplink) Members(context.Context) ([]casework.Member, error) { return nil, nil }

// One disclosure is shared with this box: a picture.
func (noUplink) View(_ context.Context, id incident.DisclosureID, _ incident.Person, _ string) (func() (casework.Media, error), time.Time, error) {
	if id != "SHARED" {
		return nil, time.Time{}, problem.New(http.StatusNotFound, "disclosure.missing", problem.Text{DA: "Findes ikke.", EN: "Not there."}, problem.Text{DA: "Vælg en anden.", EN: "Choose another."})
	}
	return func() (casework.Media, error) { return memory{bytes.NewReader(sharedPicture)}, nil }, testNow.Add(time.Hour), nil
}

var sharedPicture = func() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}()

func (noUplink) AssessorConfirmed(context.Context, incident.PersonID, passkey.Key) (bool, error) {
	return false, nil
}

func newRealBox(t *testing.T) *realBox {
	t.Helper()
	b := &realBox{tokens: map[string]string{"forged": "forged"}, people: map[string]incident.PersonID{}, secrets: map[string]string{}, keys: map[string]*softkey.Key{}, ticks: clock.NewFake(testNow)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, key := t.TempDir(), keys.New()
	seed := ed25519.NewKeyFromSeed(make([]byte, 32))
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "box.db"), Key: key.Derive("s"), Clock: b.ticks})
	must(err)
	t.Cleanup(func() { must(st.Close()) })
	b.log, err = audit.Open(t.Context(), audit.Options{Path: filepath.Join(dir, "audit.db"), Key: key.Derive("a"), Name: "test-box", Signing: seed, Clock: b.ticks})
	must(err)
	t.Cleanup(func() { must(b.log.Close()) })
	signer, err := statement.NewSigner("test-box", seed)
	must(err)
	b.accounts, err = account.New(account.Options{Store: st, Clock: b.ticks, Params: account.Params{MemoryKiB: 8, Time: 1, Threads: 1}, FirstLogin: "manager", FirstName: "Mette Holm", RPID: rpID, RPName: "Boksen"})
	must(err)
	r, err := ring.Open(t.Context(), ring.Options{Dir: filepath.Join(dir, "ring"), Key: key.Derive("r"), Quota: 64 << 20, Clock: b.ticks, Log: quiet})
	must(err)
	t.Cleanup(func() { must(r.Close()) })
	for _, p := range mp4test.Parts(t, footage.H264, "kasse-1", footage.TicksOf(testNow.Add(-time.Minute)), 4) {
		must(r.Append(t.Context(), p))
	}
	must(st.PutCamera(t.Context(), store.Camera{ID: "kasse-1", Name: "Kassen", URL: "rtsp://192.0.2.7/main", Added: testNow}))
	b.service, err = casework.New(t.Context(), casework.Options{
		Dir: dir, Key: key, Clock: b.ticks, Log: quiet, Store: st, Accounts: b.accounts, Audit: b.log, Ring: r, Recorder: noRecorder{}, Redactor: noRedactor{}, Uplink: noUplink{},
		Settings: policy.Settings{TwoPersons: true}, MaxClip: time.Minute, Signer: signer,
		Probe: func(context.Context, camera.Source) (camera.Description, error) {
			return camera.Description{}, errors.New("no camera")
		},
		Checks: func(context.Context) []casework.Check { return nil },
	})
	must(err)
	o := testOptions(b.service)
	o.Clock = b.ticks
	h, err := New(o)
	must(err)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				b.panics++
				w.WriteHeader(http.StatusTeapot)
			}
		}()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	b.site = site{Server: srv}
	b.hire(t, must)
	return b
}

// do is as site's, ten milliseconds after the last request: nobody is too fast.
func (b *realBox) do(t *testing.T, q req) (*http.Response, string) {
	t.Helper()
	b.ticks.Advance(10 * time.Millisecond)
	return b.site.do(t, q)
}

// filled is a route's path with values that are right in form and lead nowhere.
func (b *realBox) filled(rt route) string {
	p := strings.NewReplacer("{cam}", "kasse-1", "{vid}", "none", "{picture}", "0.jpg", "{session}", "1", "{file...}", "base.css", "{$}", "", "{key}", "AAAA", "{sid}", "none", "{doc}", "none").Replace(rt.path)
	id := "NONE"
	if strings.Contains(rt.path, "/people/") {
		id = "p-none"
	}
	p = strings.ReplaceAll(p, "{id}", id)
	span := "from=2026-11-22T12:00:00Z&to=2026-11-22T12:01:00Z"
	switch {
	case strings.HasSuffix(p, "/picture.jpg"):
		p += "?at=2026-11-22T12:00:00Z&width=160"
	case strings.HasSuffix(p, "/marking/people"):
		p += "?at=1.5"
	case strings.HasSuffix(p, "/shapes"):
		p += "?from=0&to=5"
	case strings.HasSuffix(p, "/timeline") && strings.HasPrefix(p, "/api/"), strings.HasSuffix(p, "/footage.mp4"):
		p += "?" + span
	}
	return p
}

// kindOf is the type of the body that a route's example has.
func kindOf(rt route) string {
	switch {
	case strings.HasSuffix(rt.path, "/whep"):
		return "application/sdp"
	case rt.path == "/login" || rt.path == "/language" || rt.path == "/logout":
		return "application/x-www-form-urlencoded"
	}
	return ""
}

// hire makes the visitors: each role with an account that is set up, one that
// has not been, and one without an authorisation.
func (b *realBox) hire(t *testing.T, must func(error)) {
	t.Helper()
	_, password, _, err := b.accounts.EnsureFirst(t.Context())
	must(err)
	all, err := b.accounts.People(t.Context())
	must(err)
	chief := all[0].ID
	b.people["manager"], b.secrets["manager"] = chief, password
	words := func(s string) *string { return &s }
	_, err = b.accounts.Change(t.Context(), chief, chief, account.Change{Function: words("butikschef"), Need: words("leder")})
	must(err)
	for _, who := range visitors() {
		if who.role == "" || who.name == "manager" {
			continue
		}
		n := account.NewPerson{Login: who.name, Name: fullNames[len(b.people)], Roles: []account.Role{who.role}}
		if !who.unauthorised {
			n.Function, n.Need = "vagt", "ser optagelser"
		}
		if who.role == account.Assessor {
			n.Qualification = &incident.Qualification{Education: "politiskolen", Experience: "ti år med butikstyveri", Competences: []string{"security"}, From: testNow.AddDate(-1, 0, 0), To: testNow.AddDate(2, 0, 0)}
		}
		p, password, err := b.accounts.Create(t.Context(), chief, n)
		if err != nil {
			t.Fatal(who.name, err)
		}
		b.people[who.name], b.secrets[who.name] = p.ID, password
	}
	for _, who := range visitors() {
		if who.role == "" {
			continue
		}
		token, s, err := b.accounts.LogIn(t.Context(), who.name, b.secrets[who.name], "", "192.0.2.1")
		if err != nil {
			t.Fatal(who.name, err)
		}
		b.tokens[who.name] = token
		if who.fresh {
			continue
		}
		b.setUp(t, who.name, s)
		s, err = b.accounts.Authenticate(t.Context(), token)
		must(err)
		if len(s.Must) != 0 {
			t.Fatalf("%s must still %v", who.name, s.Must)
		}
		must(b.service.AcceptConditions(t.Context(), casework.Actor{Session: s, From: "192.0.2.1"}, casework.ConditionsVersion))
	}
}

// fullNames are people's, as an account asks for them.
var fullNames = []string{"Mette Holm", "Anders Bech", "Jonna Lykke", "Palle Wind", "Rita Skov", "Ole Dahl", "Ida Juhl", "Sanne Krog", "Bent Friis", "Karen Toft", "Lars Munk", "Nina Bang", "Hans Lund", "Else Kjær", "Poul Ravn", "Gitte Vang"}

// rpID is the host name of the tests' passkeys.
const rpID = "veilbox.local"

// setUp gives a person a passkey.
func (b *realBox) setUp(t *testing.T, name string, s account.Session) {
	t.Helper()
	c, err := b.accounts.NewPasskey(t.Context(), s)
	if err != nil {
		t.Fatal(name, err)
	}
	k := softkey.New("den korte vej hjem")
	response, err := k.Create(c.Options)
	if err != nil {
		t.Fatal(name, err)
	}
	if _, err := b.accounts.AddPasskey(t.Context(), s, c.ID, "Min fil", response, nil); err != nil {
		t.Fatal(name, err)
	}
	b.keys[name] = k
}
