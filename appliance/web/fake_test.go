package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

var testNow = time.Date(2026, 11, 22, 13, 30, 0, 0, time.UTC)

// fakeBox is a box in memory: sessions by token, one camera, cases that go
// through their states. err, when set, is what every act answers.
type fakeBox struct {
	mu       sync.Mutex
	clock    clock.Clock
	sessions map[string]account.Session
	cases    map[incident.CaseID]*incident.Case
	cameras  []casework.CameraView
	alerts   []casework.Alert
	people   []casework.PersonView
	checks   []casework.Check
	entries  []audit.Entry
	accepted map[incident.PersonID]bool
	progress map[incident.CaseID]*casework.Progress
	video    []byte
	pictures [][]byte
	holds    []casework.HoldView
	// making is for how many looks the browser's own video is still made.
	making int
	export *casework.ExportView
	found  []casework.CameraFound
	err    error
	calls  []string
	filter audit.Filter
	own    casework.AccountView
}

func person(id, name string, roles ...account.Role) account.Session {
	return account.Session{Roles: roles, Login: id, Person: incident.Person{ID: incident.PersonID(id), Name: name,
		Authorisation: incident.Authorisation{By: "Karen Holm", Function: "butiksassistent", Need: "finder hændelser", From: testNow.AddDate(0, -1, 0), To: testNow.AddDate(1, 0, 0)},
		Qualification: &incident.Qualification{Education: "cand.jur.", Experience: "otte år", Competences: []string{"law", "property-crime"}, From: testNow.AddDate(-1, 0, 0), To: testNow.AddDate(1, 0, 0)}}}
}

func newFakeBox(c clock.Clock) *fakeBox {
	return &fakeBox{
		clock: c,
		sessions: map[string]account.Session{
			"staff":    person("mette", "Mette Sørensen", account.Staff),
			"manager":  person("karen", "Karen Holm", account.Manager),
			"assessor": person("jens", "Jens Bæk", account.Assessor),
			"auditor":  person("ida", "Ida Lund", account.Auditor),
			"coded":    person("kim", "Kim Dahl", account.Staff),
		},
		cases: map[incident.CaseID]*incident.Case{}, accepted: map[incident.PersonID]bool{"mette": true, "karen": true, "jens": true, "ida": true},
		progress: map[incident.CaseID]*casework.Progress{},
		cameras:  []casework.CameraView{{ID: "kasse-1", Name: "Kasse 1", State: "recording", Codec: "H.264", Width: 1280, Height: 720, URL: "rtsp://192.168.8.20/stream1"}},
		video:    slices.Concat([]byte("0123ftyp89"), bytes.Repeat([]byte("0123456789"), 99)), pictures: [][]byte{{0xff, 0xd8, 0xff, 0xd9}},
		checks: []casework.Check{{Name: "disk", OK: true, Text: problem.Text{DA: "Disken har plads.", EN: "The disk has room."}}},
	}
}

func (b *fakeBox) act(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, name)
	return b.err
}

func (b *fakeBox) called(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.calls, name)
}

var errLogin = problem.New(http.StatusUnauthorized, "login.wrong",
	problem.Text{DA: "Login eller adgangskode passer ikke.", EN: "Login or password is wrong."}, problem.Text{DA: "Prøv igen.", EN: "Try again."})

func (b *fakeBox) Login(_ context.Context, login, password, code, _ string) (string, account.Session, error) {
	if err := b.act("Login"); err != nil {
		return "", account.Session{}, err
	}
	s, found := b.sessions[login]
	if !found || password != "hemmelig-kode" {
		return "", account.Session{}, errLogin
	}
	if login == "coded" && code != "123456" {
		if code == "" {
			return "", account.Session{}, account.ErrCode
		}
		return "", account.Session{}, account.ErrBadCode
	}
	return login, s, nil
}
func (b *fakeBox) Logout(context.Context, casework.Actor) error { return b.act("Logout") }
func (b *fakeBox) Authenticate(_ context.Context, token string) (account.Session, error) {
	if s, found := b.sessions[token]; found {
		return s, nil
	}
	return account.Session{}, errNoSession
}
func (b *fakeBox) ChangePassword(context.Context, casework.Actor, string, string) error {
	return b.act("ChangePassword")
}
func (b *fakeBox) People(_ context.Context, a casework.Actor) ([]casework.PersonView, error) {
	if err := a.Session.Allow(account.ManagePeople, testNow); err != nil {
		return nil, err
	}
	return b.people, b.act("People")
}
func (b *fakeBox) AddPerson(_ context.Context, _ casework.Actor, n casework.NewPerson) (casework.PersonView, error) {
	return casework.PersonView{ID: "new", Login: n.Login, Name: n.Name, Roles: n.Roles, Password: "kaffe-rugbrød-cykel-sommer"}, b.act("AddPerson")
}
func (b *fakeBox) ChangePerson(_ context.Context, _ casework.Actor, id incident.PersonID, _ casework.PersonChange) (casework.PersonView, error) {
	return casework.PersonView{ID: id}, b.act("ChangePerson")
}
func (b *fakeBox) ResetPassword(_ context.Context, _ casework.Actor, id incident.PersonID) (casework.PersonView, error) {
	return casework.PersonView{ID: id, Password: "ny"}, b.act("ResetPassword")
}
func (b *fakeBox) AcceptedConditions(_ context.Context, a casework.Actor) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.accepted[a.Session.Person.ID], nil
}
func (b *fakeBox) AcceptConditions(_ context.Context, a casework.Actor, _ string) error {
	b.mu.Lock()
	b.accepted[a.Session.Person.ID] = true
	b.mu.Unlock()
	return b.act("AcceptConditions")
}
func (b *fakeBox) Cameras(_ context.Context, a casework.Actor) ([]casework.CameraView, error) {
	if !a.Session.Can(account.ViewLive) && !a.Session.Can(account.ManageCameras) {
		return nil, account.ErrPermission
	}
	return b.cameras, b.act("Cameras")
}
func (b *fakeBox) ProbeCamera(context.Context, casework.Actor, casework.NewCamera) (casework.CameraDescription, error) {
	return casework.CameraDescription{Codec: "H.264", Width: 1280, Height: 720, FPS: 25}, b.act("ProbeCamera")
}
func (b *fakeBox) AddCamera(_ context.Context, _ casework.Actor, n casework.NewCamera) (casework.CameraView, error) {
	return casework.CameraView{ID: footage.CameraID(n.ID), Name: n.Name}, b.act("AddCamera")
}
func (b *fakeBox) RemoveCamera(context.Context, casework.Actor, footage.CameraID) error {
	return b.act("RemoveCamera")
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (b *fakeBox) media(act string) (casework.Media, error) {
	if err := b.act(act); err != nil {
		return nil, err
	}
	return memory{bytes.NewReader(b.video)}, nil
}
func (b *fakeBox) Still(context.Context, casework.Actor, footage.CameraID) ([]byte, error) {
	return b.pictures[0], b.act("Still")
}
func (b *fakeBox) Live(context.Context, casework.Actor, footage.CameraID) error { return b.act("Live") }

var errNoCase = problem.New(http.StatusNotFound, "case.missing", problem.Text{DA: "Sagen findes ikke.", EN: "No such case."}, problem.Text{DA: "Gå til forsiden.", EN: "Go to the start page."})

// view is a case as the person sees it, with what the real gate finds.
func (b *fakeBox) view(a casework.Actor, id incident.CaseID) (casework.CaseView, error) {
	if b.err != nil {
		return casework.CaseView{}, b.err
	}
	c, found := b.cases[id]
	if !found {
		return casework.CaseView{}, errNoCase
	}
	verdict := policy.Assess(*c, b.clock.Now(), policy.Settings{})
	findings := verdict.Findings()
	v := casework.CaseView{Case: *c, Findings: findings[:], Missing: verdict.Missing(), ClipFrom: c.HappenedAt, ClipTo: c.HappenedAt.Add(30 * time.Second), May: []string{}}
	if p := b.progress[id]; p != nil {
		v.Progress = p
	}
	open := slices.Contains([]incident.State{incident.Draft, incident.Redacted, incident.Refused}, c.State)
	if open && a.Session.Can(account.Tag) {
		v.May = append(v.May, "change", "redact")
		if c.Copy != nil {
			v.May = append(v.May, "submit")
		}
	}
	if c.State == incident.Submitted && a.Session.Can(account.Assess) {
		v.May = append(v.May, "assess")
	}
	if c.State == incident.Disclosed || c.State == incident.Narrowed {
		v.Sending = &casework.Sending{State: "delivered"}
		v.May = append(v.May, "withdraw", "report", "reassess", "narrow", "fact")
	} else if c.State != incident.Submitted && a.Session.Can(account.DeleteCase) {
		v.May = append(v.May, "delete")
	}
	if a.Session.Can(account.Tag) {
		v.May = append(v.May, "document")
	}
	return v, nil
}

// change does work on a case and answers what it became.
func (b *fakeBox) change(a casework.Actor, act string, id incident.CaseID, version int, work func(*incident.Case)) (casework.CaseView, error) {
	if err := b.act(act); err != nil {
		return casework.CaseView{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c, found := b.cases[id]
	if !found {
		return casework.CaseView{}, errNoCase
	}
	if version >= 0 && version != c.Version {
		return casework.CaseView{}, problem.New(http.StatusConflict, "case.conflict", problem.Text{DA: "En anden har ændret sagen.", EN: "Somebody else changed the case."}, problem.Text{DA: "Gem igen.", EN: "Save again."})
	}
	work(c)
	c.Version++
	c.Changed = b.clock.Now()
	return b.view(a, id)
}

func (b *fakeBox) Cases(_ context.Context, a casework.Actor) ([]casework.CaseView, error) {
	if err := a.Session.Allow(account.ViewCases, testNow); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []casework.CaseView
	for id := range b.cases {
		v, err := b.view(a, id)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, b.err
}
func (b *fakeBox) NewCase(_ context.Context, a casework.Actor, n casework.NewCase) (casework.CaseView, error) {
	if err := b.act("NewCase"); err != nil {
		return casework.CaseView{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := incident.CaseID(fmt.Sprintf("CASE%d", len(b.cases)+1))
	b.cases[id] = &incident.Case{ID: id, Version: 1, State: incident.Draft, Member: "brugsen", Created: b.clock.Now(), Changed: b.clock.Now(), Tagged: a.Session.Person, What: n.What, HappenedAt: n.HappenedAt,
		Clip: incident.Clip{Camera: n.Camera, Span: footage.SpanOf(n.From, n.To), Hash: footage.ClipHash{Hash: footage.Hash{9}}}, Evidence: incident.Evidence{Offence: n.Offence, Attempt: n.Attempt, ValueDKK: n.ValueDKK}}
	return b.view(a, id)
}
func (b *fakeBox) Case(_ context.Context, a casework.Actor, id incident.CaseID) (casework.CaseView, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.view(a, id)
}
func (b *fakeBox) ChangeCase(_ context.Context, a casework.Actor, id incident.CaseID, ch casework.Change) (casework.CaseView, error) {
	return b.change(a, "ChangeCase", id, ch.Version, func(c *incident.Case) { c.What, c.HappenedAt, c.Evidence = ch.What, ch.HappenedAt, ch.Evidence })
}
func (b *fakeBox) Redact(_ context.Context, a casework.Actor, id incident.CaseID, ch casework.SubjectChange) (casework.CaseView, error) {
	return b.change(a, "Redact", id, ch.Version, func(c *incident.Case) {
		c.Subjects, c.Choice, c.State = ch.Subjects, ch.Choice, incident.Tagged
		b.progress[id] = &casework.Progress{Running: true, Stage: "queued", Total: 300}
	})
}

// CaseProgress moves a step on at each look.
func (b *fakeBox) CaseProgress(_ context.Context, _ casework.Actor, id incident.CaseID) (casework.Progress, error) {
	if err := b.act("CaseProgress"); err != nil {
		return casework.Progress{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.progress[id]
	if p == nil {
		return casework.Progress{Stage: "done"}, nil
	}
	p.Done += 60
	p.Stage = []string{"track", "track", "veil", "veil", "proof", "done"}[min(p.Done/60, 5)]
	if p.Done >= 300 {
		c := b.cases[id]
		c.State, c.Copy = incident.Redacted, &incident.Copy{Hash: footage.CopyHash{Hash: footage.Hash{1}}, Clip: c.Clip.Hash, Sheet: footage.SheetHash{Hash: footage.Hash{2}}, Proof: footage.ProofHash{Hash: footage.Hash{3}}, Passed: true, Made: b.clock.Now()}
		delete(b.progress, id)
		return casework.Progress{Stage: "done", Done: 300, Total: 300}, nil
	}
	return *p, nil
}
func (b *fakeBox) CancelRedaction(context.Context, casework.Actor, incident.CaseID) error {
	return b.act("CancelRedaction")
}
func (b *fakeBox) CaseCopy(_ context.Context, _ casework.Actor, _ incident.CaseID, download bool) (casework.Media, error) {
	if download {
		return b.media("download")
	}
	return b.media("CaseCopy")
}
func (b *fakeBox) Sheet(_ context.Context, _ casework.Actor, id incident.CaseID) (casework.SheetView, error) {
	s := casework.SheetView{Hash: footage.SheetHash{Hash: footage.Hash{2}}, Subjects: 2, Shown: 8.5, Duration: 10, Unsure: []casework.ClipSpan{{From: 4, To: 5.5}},
		Flagged: []casework.SheetFlag{{From: 1, To: 2, Flags: []string{"crowded", "cut"}, Subjects: []int{0}}}}
	for i := range b.pictures {
		s.Pictures = append(s.Pictures, casework.SheetPicture{At: float64(i) / 2, Kind: "subject", Flags: []string{}, URL: fmt.Sprintf("/api/v1/cases/%s/sheet/%d.jpg", id, i)})
	}
	return s, b.act("Sheet")
}
func (b *fakeBox) SheetPicture(_ context.Context, _ casework.Actor, _ incident.CaseID, n int) ([]byte, error) {
	if n >= len(b.pictures) {
		return nil, errNotFound
	}
	return b.pictures[n], b.act("SheetPicture")
}
func (b *fakeBox) Proof(context.Context, casework.Actor, incident.CaseID) ([]byte, error) {
	return []byte(`{"passed":true}`), b.act("Proof")
}
func (b *fakeBox) Submit(_ context.Context, a casework.Actor, id incident.CaseID, version int) (casework.CaseView, error) {
	return b.change(a, "Submit", id, version, func(c *incident.Case) { c.State = incident.Submitted })
}
func (b *fakeBox) Assess(_ context.Context, a casework.Actor, id incident.CaseID, v casework.Verdict) (casework.CaseView, error) {
	return b.change(a, "Assess", id, v.Version, func(c *incident.Case) {
		now := b.clock.Now()
		c.Assessments = append(c.Assessments, incident.Assessment{Assessor: a.Session.Person, At: now, Decision: v.Decision, Reasons: v.Reasons, Copy: v.Copy, SawSheet: v.Sheet})
		c.State = incident.Refused
		if v.Decision == incident.Approve {
			c.State, c.Disclosure = incident.Disclosed, &incident.Disclosure{ID: "DISC1", Released: now, Disclosed: &now, NotAfter: now.AddDate(0, 0, 30), ReportDue: clock.EndOfDay(now)}
		}
	})
}
func (b *fakeBox) Report(_ context.Context, a casework.Actor, id incident.CaseID, r casework.PoliceReport) (casework.CaseView, error) {
	return b.change(a, "Report", id, r.Version, func(c *incident.Case) { c.Evidence.Report = &incident.Report{Number: r.Number, At: r.At} })
}
func (b *fakeBox) Withdraw(_ context.Context, a casework.Actor, id incident.CaseID, reason string) (casework.CaseView, error) {
	return b.change(a, "Withdraw", id, -1, func(c *incident.Case) {
		now := b.clock.Now()
		if c.State = incident.Withdrawn; c.Disclosure != nil {
			c.Disclosure.Ended, c.Disclosure.EndReason, c.Disclosure.EndedBy = &now, reason, a.Session.Person.Name
		}
	})
}
func (b *fakeBox) Alerts(_ context.Context, a casework.Actor) ([]casework.Alert, error) {
	if err := a.Session.Allow(account.ViewShared, testNow); err != nil {
		return nil, err
	}
	return slices.Clone(b.alerts), b.act("Alerts")
}
func (b *fakeBox) View(_ context.Context, _ casework.Actor, _ incident.DisclosureID, purpose string) (casework.Viewing, error) {
	return casework.Viewing{ID: "V1", URL: "/api/v1/viewings/V1/copy.mp4", Media: incident.MediaVideo, Until: b.clock.Now().Add(10 * time.Minute)}, b.act("View " + purpose)
}
func (b *fakeBox) ViewingMedia(context.Context, casework.Actor, string) (casework.Media, error) {
	return b.media("ViewingMedia")
}
func (b *fakeBox) Members(context.Context, casework.Actor) ([]casework.Member, error) {
	return []casework.Member{
		{ID: "brugsen", Name: "Brugsen Torvet", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "dagligvarer", Chain: "Brugsen", Own: true},
		{ID: "netto-odense", Name: "Netto Vesterbro", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "dagligvarer", Chain: "Netto", Boxes: 2},
		{ID: "matas-odense", Name: "Matas Vestergade", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "personlig pleje", Chain: "Matas", Boxes: 1},
		{ID: "matas-vejle", Name: "Matas Vejle", Town: "Vejle", Region: "Syddanmark", Country: "DK", Trade: "personlig pleje", Chain: "Matas", Boxes: 1},
		{ID: "vin-aarhus", Name: "Åens Vinhandel", Town: "Aarhus", Region: "Midtjylland", Country: "DK", Trade: "vin og spiritus"},
	}, b.act("Members")
}
func (b *fakeBox) Enrolment(context.Context, casework.Actor) (casework.Enrolment, error) {
	return casework.Enrolment{Enrolled: true, Name: "Brugsen Torvet", URL: "https://extranet.example", Until: new(testNow.AddDate(1, 0, 0))}, b.act("Enrolment")
}
func (b *fakeBox) Enrol(_ context.Context, _ casework.Actor, code string) (casework.Enrolment, error) {
	return casework.Enrolment{Enrolled: true}, b.act("Enrol " + code)
}
func (b *fakeBox) Audit(_ context.Context, a casework.Actor, f audit.Filter) ([]audit.Entry, error) {
	if err := a.Session.Allow(account.ReadAudit, testNow); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.filter = f
	b.mu.Unlock()
	return b.entries, b.act("Audit")
}
func (b *fakeBox) VerifyAudit(context.Context, casework.Actor) (audit.Report, error) {
	return audit.Report{Size: 128, OK: true, BadSeq: -1}, b.act("VerifyAudit")
}
func (b *fakeBox) Health(context.Context) ([]casework.Check, error) { return b.checks, b.act("Health") }

func testOptions(b Box) Options {
	return Options{Box: b, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: clock.NewFake(testNow), Version: "1.0.0", Hosts: []string{"veilbox.local"}, RPID: "veilbox.local",
		WHEP: func(w http.ResponseWriter, r *http.Request, cam footage.CameraID) {
			if r.Method == http.MethodDelete {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			w.Header().Set("Location", "/api/v1/cameras/"+string(cam)+"/whep/1")
			w.WriteHeader(http.StatusCreated)
		}}
}

func newTestServer(t *testing.T) *server {
	t.Helper()
	s, err := newServer(testOptions(newFakeBox(clock.NewFake(testNow))))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// site is the whole handler over TLS, as a browser meets it.
type site struct {
	*httptest.Server
	box   *fakeBox
	clock *clock.Fake
}

func newSite(t *testing.T) site {
	t.Helper()
	c := clock.NewFake(testNow)
	b := newFakeBox(c)
	o := testOptions(b)
	o.Clock = c
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	return site{srv, b, c}
}
