package casework

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/statement"
	"veilbox/appliance/store"
	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

var program string // veil-redact, built for the tests

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "casework")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "veil-redact")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "veilbox/cmd/veil-redact")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build veil-redact: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

const till footage.CameraID = "till-1"

// seconds is how much is recorded before the box's start.
const seconds = 6

var (
	start    = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	recorded = start.Add(-time.Minute) // when the recording begins
)

// made is the recorded seconds, two more than a box begins with.
var made struct {
	sync.Once
	parts []*footage.Part
}

func recording(t testing.TB) []*footage.Part {
	t.Helper()
	made.Do(func() { made.parts = mp4test.Parts(t, footage.H264, till, footage.TicksOf(recorded), seconds+2) })
	if made.parts == nil {
		t.Fatal("there is no footage")
	}
	return made.parts
}

// A box is a Service on a folder of its own.
type box struct {
	*Service
	t        *testing.T
	opt      Options
	clock    *clock.Fake
	rec      *recorder
	red      *redactor
	mark     *marker
	up       *uplink
	people   map[string]Actor
	secrets  map[string]string
	accounts *account.Accounts
	keys     map[string]*softkey.Key // of the assessors
	device   Device                  // what the camera says that it is
	found    []CameraFound
	looked   []string
	export   string
}

// certificate is the pin of a camera's.
var certificate = strings.Repeat("ab", 32)

func (b *box) pinned() {
	b.t.Helper()
	b.CameraPinned(till, certificate)
	if c, err := b.opt.Store.Camera(b.t.Context(), till); err != nil || c.Pin != certificate {
		b.t.Fatalf("pin %q, %v", c.Pin, err)
	}
}

// Names of the people of a box, by role; "idle" is staff with no authorisation.
var names = map[string]string{
	"manager": "Mette Holm", "staff": "Anders Bech", "assessor": "Jonna Lykke", "lawyer": "Palle Wind",
	"auditor": "Rita Skov", "operator": "Ole Dahl", "idle": "Ida Juhl", "second": "Sanne Krog",
}

// newBox is a box whose people have accepted the conditions.
func newBox(t *testing.T) *box {
	t.Helper()
	b := newHouse(t)
	for _, a := range b.people {
		p := a.Session.Person
		if err := b.opt.Store.PutAcceptance(t.Context(), store.Acceptance{Person: p.ID, Name: p.Name, Version: ConditionsVersion, At: start}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// newHouse is a box whose people have accepted nothing yet.
func newHouse(t *testing.T) *box {
	t.Helper()
	dir, key, c := t.TempDir(), keys.New(), clock.NewFake(start)
	b := &box{t: t, clock: c, rec: &recorder{}, red: &redactor{}, mark: &marker{}, people: map[string]Actor{}, secrets: map[string]string{},
		up: newUplink(), keys: map[string]*softkey.Key{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "box.db"), Key: key.Derive("s"), Clock: c})
	must(err)
	t.Cleanup(func() { must(st.Close()) })
	log, err := audit.Open(t.Context(), audit.Options{Path: filepath.Join(dir, "audit.db"), Key: key.Derive("a"), Name: "test-box", Signing: ed25519.NewKeyFromSeed(make([]byte, 32)), Clock: c})
	must(err)
	t.Cleanup(func() { must(log.Close()) })
	signer, err := statement.NewSigner("test-box", ed25519.NewKeyFromSeed(make([]byte, 32)))
	must(err)
	acc, err := account.New(account.Options{Store: st, Clock: c, Params: account.Params{MemoryKiB: 8, Time: 1, Threads: 1}, FirstLogin: "manager", FirstName: names["manager"], RPID: "boks.example", RPName: "Boks"})
	must(err)
	r, err := ring.Open(t.Context(), ring.Options{Dir: filepath.Join(dir, "ring"), Key: key.Derive("r"), Quota: 64 << 20, Clock: c, Log: slog.New(slog.DiscardHandler)})
	must(err)
	t.Cleanup(func() { must(r.Close()) })
	for _, p := range recording(t)[:seconds] {
		must(r.Append(t.Context(), p))
	}
	must(st.PutCamera(t.Context(), store.Camera{ID: till, Name: "Kassen", URL: "rtsp://192.0.2.7/main", Username: "u", Password: "kamera-hemmelighed", Added: start}))
	b.accounts = acc
	b.opt = Options{
		Dir: dir, Key: key, Clock: c, Log: slog.New(slog.DiscardHandler), Store: st, Accounts: acc, Audit: log, Ring: r,
		Recorder: b.rec, Redactor: b.red, Uplink: b.up, Settings: policy.Settings{TwoPersons: true}, MaxClip: time.Minute,
		Probe:  func(context.Context, camera.Source) (camera.Description, error) { return camera.Description{}, nil },
		Checks: func(context.Context) []Check { return nil },
		Find:   func(context.Context) ([]CameraFound, error) { return b.found, nil },
		Look: func(_ context.Context, address, user, password string) (CameraFound, error) {
			b.looked = append(b.looked, address+" "+user+" "+password)
			return CameraFound{Address: address}, nil
		},
		Identify: func(context.Context, camera.Source) (Device, error) { return b.device, nil },
	}
	b.opt.Signer, b.opt.Mark = signer, b.mark.open
	b.Service, err = New(t.Context(), b.opt)
	must(err)
	b.hire()
	return b
}

func (b *box) hire() {
	b.t.Helper()
	_, password, _, err := b.accounts.EnsureFirst(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := b.accounts.People(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	chief := all[0].ID
	words := func(s string) *string { return &s }
	if _, err := b.accounts.Change(b.t.Context(), chief, chief, account.Change{Function: words("butikschef"), Need: words("leder")}); err != nil {
		b.t.Fatal(err)
	}
	b.logIn("manager", password)
	qualified := func(competences ...string) *incident.Qualification {
		return &incident.Qualification{Education: "politiskolen", Experience: "ti år med butikstyveri", Competences: competences, From: start.AddDate(-1, 0, 0), To: start.AddDate(2, 0, 0)}
	}
	for login, n := range map[string]account.NewPerson{
		"staff":    {Roles: []account.Role{account.Staff}},
		"second":   {Roles: []account.Role{account.Staff}},
		"idle":     {Roles: []account.Role{account.Staff}},
		"auditor":  {Roles: []account.Role{account.Auditor}},
		"operator": {Roles: []account.Role{account.Operator}},
		"assessor": {Roles: []account.Role{account.Assessor}, Qualification: qualified("security")},
		"lawyer":   {Roles: []account.Role{account.Assessor}, Qualification: qualified("law")},
	} {
		n.Login, n.Name = login, names[login]
		if login != "idle" {
			n.Function, n.Need = "vagt", "ser optagelser"
		}
		_, password, err := b.accounts.Create(b.t.Context(), chief, n)
		if err != nil {
			b.t.Fatal(login, err)
		}
		b.logIn(login, password)
		if n.Qualification != nil {
			b.enrolKey(login)
		}
	}
}

func (b *box) logIn(login, password string) {
	b.t.Helper()
	_, s, err := b.accounts.LogIn(b.t.Context(), login, password, "", "192.0.2.1")
	if err != nil {
		b.t.Fatal(login, err)
	}
	s.Must = nil // as after choosing an own password and a second factor
	b.people[login], b.secrets[login] = Actor{Session: s, From: "192.0.2.1"}, password
}

// restart makes a new Service on the same folder.
func (b *box) restart() {
	b.t.Helper()
	var err error
	if b.Service, err = New(b.t.Context(), b.opt); err != nil {
		b.t.Fatal(err)
	}
}

// work runs the redactions until the returned function is called.
func (b *box) work() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	s := b.Service
	go func() { defer close(done); s.runJobs(ctx) }()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	b.t.Cleanup(stop)
	return stop
}

func (b *box) must(v CaseView, err error) CaseView {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// acts returns the acts on record, the oldest first.
func (b *box) acts() []string {
	b.t.Helper()
	all, err := b.opt.Audit.Entries(b.t.Context(), audit.Filter{})
	if err != nil {
		b.t.Fatal(err)
	}
	var acts []string
	for _, e := range all {
		acts = append(acts, e.Act)
	}
	return acts
}

func (b *box) count(act string) int {
	b.t.Helper()
	n := 0
	for _, a := range b.acts() {
		if a == act {
			n++
		}
	}
	return n
}

func dkk(n int) *int { return &n }

func span() (time.Time, time.Time) { return recorded.Add(time.Second), recorded.Add(3 * time.Second) }

func theft() NewCase {
	from, to := span()
	return NewCase{Camera: till, From: from, To: to, What: "En mand tog en jakke.", ValueDKK: dkk(1200), HappenedAt: from, Offence: incident.Theft}
}

func somebody() subject.Subject {
	return subject.Subject{Version: 1, Keyframes: []subject.Keyframe{{At: 0.5, Rect: &subject.Rect{X: 0.3, Y: 0.3, W: 0.2, H: 0.4}}}}
}

// evidence meets all that staff can meet.
func evidence() incident.Evidence {
	next := start.Add(14 * 24 * time.Hour)
	return incident.Evidence{
		Offence: incident.Theft, Basis: incident.BasisRecording, BasisWords: "Han ses tage jakken og gå ud uden at betale.",
		ValueDKK:      dkk(1200),
		RepeatReasons: "Han brugte en foret taske og har gjort det samme i to andre butikker i samme gade.",
		ReportToday:   true, NextReassessment: &next,
		Circle: incident.Circle{Area: "town", Place: "Odense", Members: []incident.MemberID{"butik-b"}, Reason: "Tøjbutikker i samme gade har samme slags varer ved døren."},
	}
}

// newCase makes a case as staff.
func (b *box) newCase() CaseView {
	b.t.Helper()
	v, err := b.NewCase(b.t.Context(), b.people["staff"], theft())
	return b.must(v, err)
}

// answer fills the form in.
func (b *box) answer(v CaseView, e incident.Evidence) CaseView {
	b.t.Helper()
	v, err := b.ChangeCase(b.t.Context(), b.people["staff"], v.ID, Change{Version: v.Version, What: v.What, HappenedAt: v.HappenedAt, Evidence: e})
	return b.must(v, err)
}

// veiled makes the copy and waits for it.
func (b *box) veiled(v CaseView) CaseView {
	b.t.Helper()
	stop := b.work()
	defer stop()
	v, err := b.Redact(b.t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{somebody()}})
	b.must(v, err)
	return b.await(v.ID, incident.Redacted)
}

// await waits until a case is in a state.
func (b *box) await(id incident.CaseID, state incident.State) CaseView {
	b.t.Helper()
	var v CaseView
	b.until(func() bool {
		var err error
		v, err = b.Case(b.t.Context(), b.people["staff"], id)
		return b.must(v, err).State == state
	}, func() string { return fmt.Sprintf("the case is %s and not %s: %+v", v.State, state, v.Progress) })
	return v
}

// until polls what happens in another goroutine.
func (b *box) until(ok func() bool, says func() string) {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			b.t.Fatal(says())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// submitted makes a case that waits for the assessor.
func (b *box) submitted(change ...func(*incident.Evidence)) CaseView {
	b.t.Helper()
	e := evidence()
	for _, f := range change {
		f(&e)
	}
	v := b.veiled(b.answer(b.newCase(), e))
	v, err := b.Submit(b.t.Context(), b.people["staff"], v.ID, v.Version)
	return b.must(v, err)
}

func (b *box) verdict(v CaseView, who string) Verdict {
	return Verdict{Version: v.Version, Decision: incident.Approve, Reasons: "Optagelsen viser tyveriet tydeligt.", Copy: v.Copy.Hash, Sheet: v.Copy.Sheet, SawFlagged: v.Copy.Flagged.Spans}
}

// sign prepares an approval and signs it with the person's own key.
func (b *box) sign(v CaseView, who string, w Verdict) (Verdict, error) {
	b.t.Helper()
	p, err := b.PrepareApproval(b.t.Context(), b.people[who], v.ID, w)
	if err != nil {
		return w, err
	}
	w.Ceremony = p.Ceremony.ID
	if w.Response, err = b.keys[who].Get(p.Ceremony.Options); err != nil {
		b.t.Fatal(err)
	}
	return w, nil
}

// enrolKey gives an assessor a passkey that the operator has confirmed.
func (b *box) enrolKey(who string) {
	b.t.Helper()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(who, err)
		}
	}
	ctx, s := b.t.Context(), b.people[who].Session
	c, err := b.accounts.NewPasskey(ctx, s)
	must(err)
	b.keys[who] = softkey.New("kun til prøven her")
	response, err := b.keys[who].Create(c.Options)
	must(err)
	k, err := b.accounts.AddPasskey(ctx, s, c.ID, "prøve", response, nil)
	must(err)
	_, err = b.accounts.ConfirmPasskey(ctx, s.Person.ID, k.ID)
	must(err)
}

func (b *box) approve(v CaseView, who string) (CaseView, error) {
	w, err := b.sign(v, who, b.verdict(v, who))
	if err != nil {
		return CaseView{}, err
	}
	return b.Assess(b.t.Context(), b.people[who], v.ID, w)
}

// released makes a case that is on its way to the extranet.
func (b *box) released(change ...func(*incident.Evidence)) CaseView {
	b.t.Helper()
	v, err := b.approve(b.submitted(change...), "assessor")
	if b.must(v, err).State != incident.Released {
		b.t.Fatalf("the case is %s: %+v", v.State, v.Missing)
	}
	return v
}

// refused fails the test unless err is a problem of that code.
func refused(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it was allowed, it should be refused with %s", code)
	}
	if p := problem.Of(err); p.Code != code {
		t.Fatalf("refused with %s (%v), it should be %s", p.Code, err, code)
	}
}

func TestTheWholeWay(t *testing.T) {
	b := newBox(t)
	v := b.released()
	if v.Disclosure == nil || v.Sending == nil || v.Sending.State != "queued" {
		t.Fatalf("%+v %+v", v.Disclosure, v.Sending)
	}
	s := b.up.sent[0]
	if s.id != v.Disclosure.ID || s.text.What != v.What || s.rel.Copy() != v.Copy.Hash || s.rel.Assessor().Name != names["assessor"] {
		t.Errorf("what was queued is not what was approved: %+v", s)
	}
	p, err := b.accounts.Person(t.Context(), b.people["assessor"].Session.Person.ID)
	if err != nil {
		t.Fatal(err)
	}
	keys := p.Approving()
	signed := v.Assessments[0].Signed
	if len(keys) != 1 || signed == nil || !bytes.Equal(keys[0].Key.Public, signed.Key.Public) || !bytes.Equal(keys[0].Key.ID, s.signature.Credential) {
		t.Errorf("it is not the assessor's own key that signs: %+v", signed)
	}
	want := []string{"case.create", "case.change", "case.redact", "case.redact.done", "case.submit", "case.approve"}
	if got := b.acts(); !slices.Equal(got, want) {
		t.Errorf("on record:\n%s\nwant\n%s", strings.Join(got, " "), strings.Join(want, " "))
	}
}
