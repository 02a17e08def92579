package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/web"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// A caseDesk is a stage with all that surrounds a case: members, suggestions,
// documents, and a store that holds to versions and can be away.
type caseDesk struct {
	*stage
	away  bool
	puts  int
	files map[incident.DocumentID][]byte
	facts []casework.NewFact
	drops []casework.Narrow
	asked []casework.Verdict
	found []casework.FindQuery
	again []casework.Reassess
}

func newCaseDesk(t *testing.T, expected ...string) (*caseDesk, *person) {
	t.Helper()
	s, _ := newStage(t)
	d := &caseDesk{stage: s, files: map[incident.DocumentID][]byte{}}
	h, err := web.New(web.Options{Box: d, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Clock: clock.NewFake(stageNow), Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	p := newPerson(t, launch(t, pin(t, srv.URL)), newAlbum(t), "staff", srv.URL)
	t.Cleanup(func() {
		for _, bad := range p.journal.complaints() {
			if !slices.ContainsFunc(append(expected, "favicon.ico"), func(e string) bool { return strings.Contains(bad, e) }) {
				t.Errorf("the pages complain: %s", bad)
			}
		}
	})
	p.open("/healthz")
	p.do("log in", setCookie(srv.URL))
	d.c.Evidence.Basis = incident.BasisRecording
	d.c.Evidence.ValueDKK = new(4200)
	return d, p
}

func (d *caseDesk) Members(context.Context, casework.Actor) ([]casework.Member, error) {
	return []casework.Member{
		{ID: "brugsen", Name: "Brugsen Torvet", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Dagligvarer", Chain: "Brugsen", Boxes: 1, Own: true},
		{ID: "netto", Name: "Netto Vesterbro", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Dagligvarer", Chain: "Netto", Boxes: 2},
		{ID: "rema", Name: "Rema Skibhusvej", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Dagligvarer", Chain: "Rema", Boxes: 1},
		{ID: "matas", Name: "Matas Vestergade", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Personlig pleje", Chain: "Matas", Boxes: 1},
		{ID: "vejle", Name: "Netto Vejle", Town: "Vejle", Region: "Syddanmark", Country: "DK", Trade: "Dagligvarer", Chain: "Netto", Boxes: 1},
	}, nil
}

func (s *stage) CircleCount(_ context.Context, _ casework.Actor, k incident.Circle) (casework.CircleCount, error) {
	return casework.CircleCount{Members: len(k.Members), Shops: len(k.Members), People: 8 * len(k.Members)}, nil
}

func (s *stage) Suggest(context.Context, casework.Actor, incident.CaseID) (casework.Suggestions, error) {
	return casework.Suggestions{Version: 1, Links: []casework.LinkSuggestion{{Case: "EARLIERCASE", What: "Mand med rød jakke tog spiritus", HappenedAt: stageNow.AddDate(0, 0, -9), Offence: incident.Theft, SameCamera: true, SameKind: true}}}, nil
}

func (d *caseDesk) Case(context.Context, casework.Actor, incident.CaseID) (casework.CaseView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen()
}

var errAway = problem.New(http.StatusServiceUnavailable, "test.away", problem.Text{DA: "Boksen er optaget.", EN: "The box is busy."}, problem.Text{DA: "Vent lidt.", EN: "Wait."})

func (d *caseDesk) seen() (casework.CaseView, error) {
	if d.away {
		return casework.CaseView{}, errAway
	}
	v := d.view()
	switch d.c.State {
	case incident.Tagged:
		v.May = []string{"change", "document"}
	case incident.Draft, incident.Redacted, incident.Refused:
		v.May = []string{"change", "redact", "submit", "document"}
	case incident.Disclosed, incident.Narrowed:
		v.May = []string{"withdraw", "report", "reassess", "narrow", "fact", "document"}
	}
	return v, nil
}

func (d *caseDesk) ChangeCase(_ context.Context, _ casework.Actor, _ incident.CaseID, ch casework.Change) (casework.CaseView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.puts++
	if d.away {
		return casework.CaseView{}, errAway
	}
	if ch.Version != d.c.Version {
		return casework.CaseView{}, problem.New(http.StatusConflict, "case.conflict", problem.Text{DA: "En anden har ændret sagen.", EN: "Somebody else changed the case."}, problem.Text{DA: "Hent den igen.", EN: "Load it again."})
	}
	d.c.What, d.c.HappenedAt, d.c.Evidence = ch.What, ch.HappenedAt, ch.Evidence
	d.c.Version++
	d.c.Changed = stageNow
	return d.seen()
}

// elsewhere is what a colleague saves at another window.
func (d *caseDesk) elsewhere(change func(*incident.Case)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.c)
	d.c.ChangedBy = &incident.Changer{ID: "bo", Name: "Bo Friis"}
	d.c.Version++
}

func (d *caseDesk) kept() incident.Case {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.c.Clone()
}

func (d *caseDesk) goesAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

func (d *caseDesk) Submit(context.Context, casework.Actor, incident.CaseID, int) (casework.CaseView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.c.State = incident.Submitted
	d.c.Version++
	return d.seen()
}

func (d *caseDesk) AddDocument(_ context.Context, a casework.Actor, _ incident.CaseID, n casework.NewDocument, r io.Reader) (casework.CaseView, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return casework.CaseView{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := incident.DocumentID(fmt.Sprintf("DOC%d", len(d.files)+1))
	d.files[id] = b
	d.c.Documents = append(d.c.Documents, incident.Document{ID: id, Kind: n.Kind, Name: n.Name, Media: incident.MediaPDF, Size: int64(len(b)), By: a.Session.Person.ID, ByName: a.Session.Person.Name, Added: stageNow})
	d.c.Version++
	return d.seen()
}

func (d *caseDesk) Document(_ context.Context, _ casework.Actor, _ incident.CaseID, id incident.DocumentID) (incident.Document, casework.Media, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.c.Documents[0], buffer{bytes.NewReader(d.files[id])}, nil
}

func (d *caseDesk) SetFact(_ context.Context, _ casework.Actor, _ incident.CaseID, n casework.NewFact) (casework.CaseView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.facts = append(d.facts, n)
	d.c.State, d.c.Disclosure.Ended, d.c.Disclosure.EndReason = incident.Expired, new(stageNow), "Politiet har tiltalt personen."
	d.c.Facts = append(d.c.Facts, incident.Fact{What: n.What, At: n.At, Words: n.Words, Name: "Mette Sørensen", Added: stageNow})
	d.c.Version++
	return d.seen()
}

func (d *caseDesk) Narrow(_ context.Context, _ casework.Actor, _ incident.CaseID, n casework.Narrow) (casework.CaseView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drops = append(d.drops, n)
	x := incident.Narrowing{By: d.who.Person, At: stageNow, Reason: n.Reason}
	for _, m := range n.Drop {
		x.Dropped = append(x.Dropped, incident.Dropped{Member: m, Told: new(stageNow)})
		d.c.Evidence.Circle.Members = slices.DeleteFunc(d.c.Evidence.Circle.Members, func(o incident.MemberID) bool { return o == m })
	}
	d.c.State, d.c.Narrowings = incident.Narrowed, append(d.c.Narrowings, x)
	d.c.Version++
	return d.seen()
}

func (d *caseDesk) PrepareApproval(_ context.Context, _ casework.Actor, _ incident.CaseID, v casework.Verdict) (casework.ApprovalView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, v)
	a := casework.ApprovalView{Statement: `{"not_after":"2026-12-22T13:30:00Z","copy":"01"}`, Hash: strings.Repeat("0", 64), Until: stageNow.Add(5 * time.Minute)}
	a.Ceremony.ID, a.Ceremony.Options = "C1", json.RawMessage(`{"challenge":"AAAA","rpId":"localhost","allowCredentials":[{"type":"public-key","id":"AAAA"}],"userVerification":"required"}`)
	return a, nil
}

func (d *caseDesk) Holdings(context.Context, casework.Actor, incident.CaseID) (casework.Holdings, error) {
	say := func(s string) problem.Text { return problem.Text{DA: s, EN: s} }
	return casework.Holdings{Case: "STAGE", At: stageNow, Purpose: say("Forebygge tyveri."), Source: say("Butikkens kamera."), Rights: say("Du kan klage til Datatilsynet."),
		Items: []casework.Holding{{Kind: "clip", What: say("Klippet"), Where: say("I boksen"), Ends: say("Når sagen slutter")}}}, nil
}

// Account is the assessor's: two keys in browsers, one in a file.
func (s *stage) Account(context.Context, casework.Actor) (casework.AccountView, error) {
	key := func(id, name string, file bool) casework.PasskeyView {
		return casework.PasskeyView{ID: id, Name: name, Made: stageNow, File: file, Registered: new(stageNow), Confirmed: new(stageNow)}
	}
	var v casework.AccountView
	v.Passkeys = []casework.PasskeyView{key("FILE", "Nøglefil", true), key("DESK", "Kontor", false), key("PHONE", "Telefon", false)}
	return v, nil
}

// saved waits until the box has the answers.
func (p *person) saved() {
	p.t.Helper()
	p.until("the answers are saved", soon, node(id("saved"))+`.dataset.state === 'good'`)
}

func TestStepsOfACase(t *testing.T) {
	d, p := newCaseDesk(t)
	d.copied(incident.Redacted, incident.Copy{Media: incident.MediaVideo, Mode: subject.SubjectOnly, Subjects: 1})
	p.open("/cases/STAGE")
	p.sees(id("repeat-reasons")) // what happened and who it is are answered: the first that lacks something
	p.saved()                    // the circle and the next look are filled in
	look := func(name string) {
		p.shot("step-" + name)
		p.checked("step-" + name)
	}
	look("why")
	if get[bool](p, node(id("repetition"))+`?.checkVisibility()`) {
		t.Error("repetition is asked for where the value is enough")
	}
	p.types(id("repeat-reasons"), "Han gik målrettet efter dyre varer med en foret taske og er set i butikken før.")
	p.click(id("next-report"))
	p.until("the focus on the step's heading", soon, `(document.activeElement.id) === 'h-report'`)
	look("report")
	p.click(id("today-next"))
	p.sees(id("area"))
	p.until("the circle is counted", soon, node(id("circle-says"))+`.textContent.includes('ca. 16 personer')`)
	if v := get[[]string](p, `[document.querySelector('[name=area]').value, document.querySelector('[name=place]').value]`); v[0] != "town" || v[1] != "Odense" {
		t.Errorf("the circle begins with %q", v)
	}
	look("circle")
	p.types(id("area-reason"), "Han bor i byen og er set i flere af byens butikker.")
	p.types(id("trades-reason"), "Han tager spiritus, som kun dagligvarebutikker har.")
	p.click(id("next-submit"))
	p.until("nothing is missing", soon, `document.querySelector('#missing.none')`)
	look("submit")
	if got := get[int](p, `document.querySelectorAll('.finding').length`); got != 9 {
		t.Errorf("%d conditions are told, want 9", got)
	}
	for _, s := range []string{"what", "who"} {
		p.click(id("step-" + s))
		p.sees("#step-" + s)
		look(s)
	}
	p.click(id("step-submit"))
	clicks := p.clicks
	p.click(id("submit"))
	p.until("it is handed over", soon, `document.getElementById('case')?.dataset.state === 'submitted'`)
	e := d.kept().Evidence
	if !e.ReportToday || e.Circle.Area != "town" || !slices.Equal(e.Circle.Members, []incident.MemberID{"netto", "rema"}) || !slices.Equal(e.Circle.Trades, []string{"Dagligvarer"}) ||
		e.NextReassessment == nil || !strings.HasPrefix(e.RepeatReasons, "Han gik") || !strings.HasPrefix(e.Circle.AreaReason, "Han bor") {
		t.Errorf("kept: %+v", e)
	}
	t.Logf("%d clicks in all, %d before the last", p.clicks, clicks)
}

// Only what a case needs is asked: a small value asks for more.
func TestStepsAskWhatIsNeeded(t *testing.T) {
	d, p := newCaseDesk(t)
	d.c.Evidence.ValueDKK = new(120)
	p.open("/cases/STAGE#why")
	p.sees(id("repetition"))
	p.click(id("earlier-open"))
	p.click(id("link-EARLIERCASE"))
	p.types(id("link-why-EARLIERCASE"), "Samme røde jakke og samme taske på begge optagelser.")
	p.saved()
	p.shot("step-links")
	p.click(id("step-what"))
	p.click(id("basis-circumstances"))
	p.sees(id("basis-words"))
	p.click(id("witnesses-open"))
	p.click(id("add-statement"))
	p.types(id("statement-who-0"), "kassemedarbejder")
	p.types(id("statement-words-0"), "Jeg så ham lægge to flasker i tasken.")
	p.saved()
	p.until("the statement is kept", soon, node(id("saved"))+`.dataset.state === 'good'`)
	p.sets(id("form-offence"), "robbery")
	p.click(id("step-why"))
	if get[bool](p, node(id("professional"))+`?.checkVisibility()`) {
		t.Error("a robbery is asked whether it is professional")
	}
	p.saved()
	e := d.kept().Evidence
	if len(e.Links) != 1 || e.Links[0].Case != "EARLIERCASE" || len(e.Statements) != 1 || e.Statements[0].Witness != "kassemedarbejder" || e.Offence != incident.Robbery {
		t.Errorf("kept: %+v", e)
	}
	// The keyboard alone goes from step to step.
	p.do("go on by keyboard", chromedp.Func(func(ctx context.Context, c *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.querySelector('[data-testid=next-report]').focus() ?? true`))
		return err
	}), chromedp.KeyEvent(kb.Enter))
	p.sees("#step-report")
}

// A draft is never lost: a box that is away, a window that goes, a log-in that
// ends.
func TestAnswersAreNeverLost(t *testing.T) {
	d, p := newCaseDesk(t, "503")
	p.open("/cases/STAGE#why")
	p.sees(id("repeat-reasons"))
	p.saved()
	d.goesAway(true)
	p.types(id("repeat-reasons"), "Første sætning.")
	p.until("it says that it could not be saved", soon, node(id("saved"))+`.dataset.state === 'bad' && `+node(id("saved"))+`.textContent.includes('prøver igen')`)
	p.shot("save-away")
	d.goesAway(false)
	p.until("it is saved by itself", soon, node(id("saved"))+`.dataset.state === 'good'`)
	if got := d.kept().Evidence.RepeatReasons; got != "Første sætning." {
		t.Errorf("kept %q", got)
	}
	// The window goes before the moment has passed.
	p.types(id("repeat-reasons"), " Anden sætning.")
	p.open("/healthz")
	deadline := time.Now().Add(soon)
	for d.kept().Evidence.RepeatReasons != "Første sætning. Anden sætning." {
		if time.Now().After(deadline) {
			t.Fatalf("kept %q", d.kept().Evidence.RepeatReasons)
		}
		p.until("the page", soon, "true")
	}
	// The box was away when the window went: what was typed is there again.
	p.open("/cases/STAGE#why")
	p.sees(id("repeat-reasons"))
	p.until("the page is quiet", soon, node(id("saved"))+`.dataset.state !== 'bad'`)
	d.goesAway(true)
	p.types(id("repeat-reasons"), " Tredje sætning.")
	p.until("it could not be saved", soon, node(id("saved"))+`.dataset.state === 'bad'`)
	get[bool](p, `(sessionStorage.length > 0) && (window.onbeforeunload = null, true)`)
	d.goesAway(false)
	p.do("leave", chromedp.Func(func(ctx context.Context, c *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`history.replaceState(null, '', '/cases/STAGE#why') ?? true`))
		return err
	}))
	p.until("it is saved in the end", soon, node(id("saved"))+`.dataset.state === 'good'`)
	if got := d.kept().Evidence.RepeatReasons; !strings.HasSuffix(got, "Tredje sætning.") {
		t.Errorf("kept %q", got)
	}
}

// Two people at once: what does not meet is merged, what does is chosen.
func TestTwoPeopleAtOnce(t *testing.T) {
	d, p := newCaseDesk(t, "409")
	p.open("/cases/STAGE#why")
	p.sees(id("repeat-reasons"))
	p.saved()
	d.elsewhere(func(c *incident.Case) { c.Evidence.ValueDKK = new(900); c.Evidence.Doubtful = true })
	p.types(id("repeat-reasons"), "Mine grunde")
	p.sees(id("merged"))
	p.until("the message names what changed", soon, node(id("merged"))+`.textContent.includes('Værdi') && `+node(id("merged"))+`.textContent.includes('Bo Friis')`)
	p.shot("merged")
	p.saved()
	e := d.kept().Evidence
	if e.RepeatReasons != "Mine grunde" || *e.ValueDKK != 900 || !e.Doubtful {
		t.Errorf("merged: %+v", e)
	}
	// The same answer by both, and another besides.
	d.elsewhere(func(c *incident.Case) { c.Evidence.RepeatReasons = "Bos grunde"; c.What = "Bos ord" })
	p.types(id("repeat-reasons"), " og flere")
	p.sees(id("take-theirs-repeat_reasons"))
	p.shot("versus")
	p.checked("versus")
	if got := d.kept().Evidence.RepeatReasons; got != "Bos grunde" {
		t.Errorf("before the choice %q is kept", got)
	}
	p.click(id("keep-mine-repeat_reasons"))
	p.saved()
	c := d.kept()
	if c.Evidence.RepeatReasons != "Mine grunde og flere" || c.What != "Bos ord" {
		t.Errorf("kept %q and %q", c.Evidence.RepeatReasons, c.What)
	}
	d.elsewhere(func(c *incident.Case) { c.Evidence.RepeatReasons = "Bos bedste grunde" })
	p.types(id("repeat-reasons"), "!")
	p.click(id("take-theirs-repeat_reasons"))
	p.saved()
	if got := d.kept().Evidence.RepeatReasons; got != "Bos bedste grunde" {
		t.Errorf("kept %q", got)
	}
}

func TestDocumentsOfACase(t *testing.T) {
	d, p := newCaseDesk(t)
	file := filepath.Join(t.TempDir(), "kvittering.pdf")
	if err := os.WriteFile(file, []byte("%PDF-1.7\n%%EOF\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.open("/cases/STAGE#report")
	p.sees(id("document-file"))
	p.saved()
	p.click(id("reported-yes"))
	p.types(id("form-report-number"), "0700-12345-00001-26")
	p.do("choose a file", chromedp.Func(func(ctx context.Context, c *chromedp.Target) error {
		doc, err := cdp.Call(ctx, c, dom.GetDocument, dom.GetDocumentParams{})
		if err != nil {
			return err
		}
		n, err := cdp.Call(ctx, c, dom.QuerySelector, dom.QuerySelectorParams{NodeID: doc.Root.NodeID, Selector: "#document-file"})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, c, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{file}, NodeID: n.NodeID})
		return err
	}))
	p.sees(id("document-receipt"))
	p.saved()
	p.shot("documents")
	p.checked("documents")
	c := d.kept()
	if len(c.Documents) != 1 || c.Documents[0].Name != "kvittering.pdf" || c.Documents[0].Kind != incident.DocumentReceipt {
		t.Errorf("kept %+v", c.Documents)
	}
	if c.Evidence.Report == nil || c.Evidence.Report.Number != "0700-12345-00001-26" || c.Evidence.Report.At.IsZero() {
		t.Errorf("kept %+v", c.Evidence.Report)
	}
}

// What runs: its clocks, a narrowing, a fact that ends it.
func TestRunningCase(t *testing.T) {
	d, p := newCaseDesk(t)
	d.copied(incident.Disclosed, incident.Copy{Media: incident.MediaVideo, Mode: subject.SubjectOnly, Subjects: 1})
	d.elsewhere(func(c *incident.Case) {
		c.Evidence.Circle = incident.Circle{Area: "town", Place: "Odense", Members: []incident.MemberID{"netto", "rema"}, Reason: "Set i byen"}
		c.Evidence.NextReassessment = new(stageNow.AddDate(0, 0, 14))
		c.Evidence.ReportToday = true
		c.Disclosure = &incident.Disclosure{ID: "D1", Released: stageNow, Disclosed: new(stageNow), NotAfter: stageNow.AddDate(0, 0, 30), ReportDue: clock.EndOfDay(stageNow)}
		c.Assessments = []incident.Assessment{{Assessor: d.who.Person, At: stageNow, Decision: incident.Approve, Reasons: "Alt er opfyldt", Copy: c.Copy.Hash, SawSheet: c.Copy.Sheet}}
	})
	p.open("/cases/STAGE")
	p.sees(id("clocks"))
	p.sees(id("report-form"))
	p.shot("running")
	p.checked("running")
	p.click(id("holdings-open"))
	p.until("what is held", soon, node(id("holdings"))+`.textContent.includes('Klippet')`)
	p.click(id("narrow-open"))
	p.click(id("drop-rema"))
	p.types(id("narrow-reason"), "Butikken har skiftet sortiment.")
	p.shot("narrow")
	p.checked("narrow")
	p.click(id("narrow-save"))
	p.click(id("sure"))
	p.sees(id("dropped"))
	p.until("who dropped out is named", soon, node(id("dropped"))+`.textContent.includes('Rema Skibhusvej')`)
	p.shot("narrowed")
	p.click(id("fact-open"))
	p.click(id("fact-charged"))
	p.types(id("fact-words"), "Brev fra politiet i dag.")
	p.shot("fact")
	p.checked("fact")
	p.click(id("fact-save"))
	p.click(id("sure"))
	p.until("it has ended", soon, `document.querySelector('.outcome.ended')`)
	p.shot("ended")
	if len(d.facts) != 1 || d.facts[0].What != incident.FactCharged || len(d.drops) != 1 || !slices.Equal(d.drops[0].Drop, []incident.MemberID{"rema"}) {
		t.Errorf("told: %+v, %+v", d.facts, d.drops)
	}
}
