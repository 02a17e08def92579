package browser

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/chromedp"

	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/test/story"
	"veilbox/uplink/fleet"
	"veilbox/uplink/inbox"
	"veilbox/uplink/link"
)

// A day is what a person's work took: clicks, fields typed into, characters.
type day struct{ clicks, fields, chars int }

func (p *person) day() day { return day{p.clicks, p.keys, p.chars} }

func (d day) less(o day) day { return day{d.clicks - o.clicks, d.fields - o.fields, d.chars - o.chars} }

func (d day) String() string {
	return fmt.Sprintf("%d clicks, %d typed fields, %d characters", d.clicks, d.fields, d.chars)
}

// takes estimates how long a day takes by a keystroke-level model (Card, Moran,
// Newell, 1980): 1.1 s to point and click, 0.28 s a character of a person who
// does not type for a living, 1.35 s to think at each screen. What the box works
// for and how long the clip and the copy play are left out.
func (d day) takes(screens int) time.Duration {
	s := 1.1*float64(d.clicks) + 0.28*float64(d.chars) + 1.35*float64(screens)
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

// What the staff's day takes at most; the slider of the clip needs a step or two
// more on some days.
const (
	tagClicks, tagFields, tagScreens = 21, 2, 4 // start, camera, form, marking
	dayClicks, dayFields, dayScreens = 29, 5, 9 // and copy, why, report, circle, hand-over
	tagLimit, dayLimit               = time.Minute, 2 * time.Minute
)

// measure holds the staff's day, from the start page to the hand-over, against
// what it may take.
func (k *walk) measure() {
	whole := k.staff.day().less(k.looked)
	for _, x := range []struct {
		what                    string
		d                       day
		clicks, fields, screens int
		limit                   time.Duration
	}{
		{"to tag and mark", k.tagged, tagClicks, tagFields, tagScreens, tagLimit},
		{"to hand the case over", whole, dayClicks, dayFields, dayScreens, dayLimit},
	} {
		took := x.d.takes(x.screens)
		k.t.Logf("staff, from the start page %s: %v on %d screens, about %v", x.what, x.d, x.screens, took)
		if x.d.clicks > x.clicks || x.d.fields > x.fields || took > x.limit {
			k.t.Errorf("%s takes %v, about %v; want at most %d clicks, %d fields, %v", x.what, x.d, took, x.clicks, x.fields, x.limit)
		}
	}
}

// span drags over the end of the time line, where now is; it spans ten minutes.
// A line that moves on in the middle of the drag is dragged over again.
func (k *walk) span(from, to time.Time) {
	p := k.staff
	was := p.day()
	for try := 0; ; try++ {
		p.clicks, p.keys, p.chars = was.clicks, was.fields, was.chars
		p.click(id("to-now"))
		now := time.Now()
		p.until("the recording on the time line", soon, `document.querySelector('.timeline .rec')`)
		line := p.spot(id("timeline"))
		x := func(at time.Time) float64 {
			return min(line.X+line.W-1, line.X+line.W-line.W*now.Sub(at).Minutes()/10)
		}
		p.drag(x(from), line.Y+20, x(to), line.Y+20)
		p.until("a span", soon, node(id("play"))+`.disabled === false && document.getElementById('from').value`)
		k.from, k.to = k.picked("from"), k.picked("to")
		if k.from.Sub(from).Abs() < 1500*time.Millisecond && k.to.Sub(to).Abs() < 1500*time.Millisecond {
			return
		}
		if try == 5 {
			k.t.Fatalf("the drag picks %s to %s, aimed at %s to %s", local(k.from), local(k.to), local(from), local(to))
		}
	}
}

// picked reads an end of the span as its field says it.
func (k *walk) picked(end string) time.Time {
	v := get[string](k.staff, fmt.Sprintf(`document.getElementById(%q).value`, end))
	if len(v) == len("2006-01-02T15:04") {
		v += ":00" // a browser leaves whole minutes without their seconds
	}
	at, err := time.ParseInLocation("2006-01-02T15:04:05", v, clock.Copenhagen)
	k.staff.must("read the span", err)
	return at
}

const thirdMember incident.MemberID = "butik-d"

// thirdShop registers a shop near the others, of which only its keys take part:
// it is in the circle, and may see what runs.
func thirdShop(t *testing.T, w *story.World) *inbox.Inbox {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	code, err := w.Operator.AddMember(t.Context(), story.Member{ID: thirdMember, Name: "Butik D", Town: "Nyborg", Region: "Syddanmark", Country: "DK", Trade: "Elektronik"})
	must(err)
	signing := ed25519.NewKeyFromSeed(keys.New().Bytes())
	log, err := audit.VerifierKey("veilbox-box-d", signing.Public().(ed25519.PublicKey))
	must(err)
	id, err := fleet.Enrol(t.Context(), code, fleet.Options{
		Store: fleet.IdentityStore{Path: filepath.Join(t.TempDir(), "identity"), Key: keys.New()}, Name: "d", Audit: log, Clock: clock.System{},
	})
	must(err)
	l := link.New(id.Credentials(), clock.System{})
	t.Cleanup(l.Close)
	return inbox.New(inbox.Options{Identity: id, Link: l, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)})
}

// runs reports whether the third shop may see a disclosure.
func (k *walk) runs() bool {
	all, err := k.third.List(k.t.Context())
	k.staff.must("list what the third shop sees", err)
	for _, x := range all {
		if x.Ended == nil && !x.Fault && x.Alert != nil {
			return true
		}
	}
	return false
}

// unverified has somebody sign who cannot show to be the assessor: nothing is
// released.
func (k *walk) unverified() {
	p := k.assessor
	k.key.verifies(false)
	p.click(id("sign-now"))
	p.until("the key refuses", soon, `document.querySelector('#sign-problems .problem')`)
	p.shot("sign-refused")
	if c := k.kept(); c.State != incident.Submitted || c.Disclosure != nil {
		k.t.Fatalf("without the person's verification the case is %s", c.State)
	}
	if k.runs() {
		k.t.Fatal("another shop sees what nobody signed")
	}
	k.key.verifies(true)
}

// kept is the case as the box has it.
func (k *walk) kept() casework.CaseView {
	c, err := k.w.A.As(k.t.Context(), k.w.A.Staff)
	k.staff.must("log in by the API", err)
	v, err := c.Case(k.t.Context(), incident.CaseID(k.caseURL[len("/cases/"):]))
	k.staff.must("the case", err)
	return v
}

// report is the staff later the same day: the number of the report, and the
// receipt from the police.
func (k *walk) report() {
	if !k.runs() {
		k.t.Error("the third shop does not see what was shared with it")
	}
	p := k.staff
	p.open(k.caseURL)
	p.settles()
	p.types(id("report-number"), "0700-12345-00001-26")
	p.click(id("report-save"))
	p.until("the report is kept", soon, `!`+node(id("report-form"))+` && document.querySelector('[data-clock=report].good')`)
	file := filepath.Join(k.t.TempDir(), "kvittering.pdf")
	p.must("write a receipt", os.WriteFile(file, receipt(), 0o600))
	p.sets(id("document-kind"), "receipt")
	p.chooses("#document-file", file)
	p.sees(id("document-receipt"))
	p.shot("receipt")
	if c := k.kept(); c.Evidence.Report == nil || len(c.Documents) != 1 || c.Documents[0].Kind != incident.DocumentReceipt {
		k.t.Errorf("kept: %+v, %+v", c.Evidence.Report, c.Documents)
	}
}

// settles waits until a case's page has all that makes it grow.
func (p *person) settles() {
	p.t.Helper()
	p.until("the whole case", soon, `document.querySelectorAll('.finding').length === 9 && (!document.getElementById('sheet') || document.querySelectorAll('#sheet img').length > 0)`)
}

// unfolds opens what is folded; a page that grows moves it away now and then.
func (p *person) unfolds(selector string) {
	p.t.Helper()
	for range 3 {
		p.click(selector)
		if get[bool](p, node(selector)+`.closest('details').open`) {
			return
		}
	}
	p.t.Fatalf("%s: %s stays folded", p.name, selector)
}

// receipt is a PDF of one empty page.
func receipt() []byte {
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>"}
	b := []byte("%PDF-1.4\n")
	var at []int
	for i, o := range objects {
		at = append(at, len(b))
		b = fmt.Appendf(b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := len(b)
	b = fmt.Appendf(b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, n := range at {
		b = fmt.Appendf(b, "%010d 00000 n \n", n)
	}
	return fmt.Appendf(b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
}

// chooses gives a field a file.
func (p *person) chooses(selector, file string) {
	p.t.Helper()
	p.sees(selector)
	p.do("choose a file", chromedp.Func(func(ctx context.Context, c *chromedp.Target) error {
		doc, err := cdp.Call(ctx, c, dom.GetDocument, dom.GetDocumentParams{})
		if err != nil {
			return err
		}
		n, err := cdp.Call(ctx, c, dom.QuerySelector, dom.QuerySelectorParams{NodeID: doc.Root.NodeID, Selector: selector})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, c, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{file}, NodeID: n.NodeID})
		return err
	}))
}

// narrow is the assessor who takes box B's shop out: it sees the end, says that
// it has deleted what it had, and that is on record here.
func (k *walk) narrow() {
	p := k.assessor
	p.open(k.caseURL)
	p.settles()
	p.unfolds(id("narrow-open"))
	p.click(id("drop-" + string(story.MemberB)))
	p.types(id("narrow-reason"), "Butikken har skiftet sortiment og er ikke udsat mere.")
	p.click(id("narrow-save"))
	p.click(id("sure"))
	k.state(p, "narrowed", soon)
	p.sees(id("dropped"))
	b := k.b
	b.open("/alerts")
	b.click(id("ended-alerts") + " a")
	b.sees(id("alert-ended"))
	b.shot("alert-ended")
	b.all("alert-ended")
	if get[bool](b, `Boolean(`+node(id("view-form"))+`)`) {
		k.t.Error("a shop that was taken out is offered the copy")
	}
	b.types(id("deleted-words"), "Der var intet gemt uden for boksen.")
	b.click(id("deleted"))
	b.sees(id("deleted-done"))
	if !k.runs() {
		k.t.Error("the shop that remains does not see it any more")
	}
	p.must("six minutes later", k.l.Shift(6*time.Minute))
	p.open(k.caseURL)
	p.settles()
	p.until("the deletion is on record", soon, `document.querySelector('[data-testid=dropped] li')?.textContent.includes('har slettet')`)
	p.shot("dropped")
}

// reassess is the assessor who finds that the rest still holds.
func (k *walk) reassess() {
	p := k.assessor
	p.unfolds(id("reassess-open"))
	p.types(id("reassess-reasons"), "Han er set igen i går; alle vilkår er stadig opfyldt for dem, der er tilbage.")
	p.click(id("reassess-save"))
	p.until("the new look is on the page", soon, `document.querySelector('[aria-labelledby=h-since]')?.textContent.includes('set igen i går')`)
	if c := k.kept(); c.State != incident.Narrowed || len(c.Reassessments) != 1 {
		k.t.Errorf("the case is %s with %d reassessments", c.State, len(c.Reassessments))
	}
}

// charge is the staff who hear that the police have charged him: everywhere it
// is over.
func (k *walk) charge() {
	p := k.staff
	p.open(k.caseURL)
	p.settles()
	p.unfolds(id("fact-open"))
	p.click(id("fact-charged"))
	p.types(id("fact-words"), "Brev fra Fyns Politi i dag.")
	p.click(id("fact-save"))
	p.click(id("sure"))
	k.state(p, "withdrawn", soon)
	p.sees(".outcome.ended")
	p.shot("charged")
	deadline := time.Now().Add(soon)
	for k.runs() {
		if time.Now().After(deadline) {
			k.t.Fatal("the third shop still sees it")
		}
		p.until("the page", soon, "true")
	}
}

// audit is the auditor's day: the log alone, and no footage.
func (k *walk) audit() {
	p := k.auditor
	c, err := k.w.A.As(k.t.Context(), k.w.A.Auditor)
	p.must("log in by the API", err)
	p.carries(c.Token())
	p.open("/")
	if get[bool](p, `Boolean(document.querySelector('#accept-read, [data-testid=accept-form]'))`) {
		p.accept()
	}
	p.click(id("start-audit"))
	p.types(id("audit-about"), k.caseURL[len("/cases/"):])
	p.click(id("audit-show"))
	const acts = `[...document.querySelectorAll('[data-testid=audit-table] code')].map((c) => c.textContent)`
	p.until("the case's entries", soon, `new URL(location.href).searchParams.get('about') && (`+acts+`).length > 5`)
	found := map[string]bool{}
	for _, a := range get[[]string](p, acts) {
		found[a] = true
	}
	p.wide()
	if p.album.dir != "" {
		p.album.keep(p, "audit-case") // whose acts are named as the texts are
	}
	for _, want := range []string{"case.create", "case.submit", "case.refuse", "case.approve", "case.report", "disclosure.narrow", "disclosure.reassess", "case.fact"} {
		if !found[want] {
			k.t.Errorf("the log of the case lacks %s: %v", want, found)
		}
	}
	p.click(id("verify"))
	p.until("the log is whole", soon, `document.querySelector('#verified.good')`)
	path := "/api/v1" + k.caseURL
	type fetched struct {
		Status int
		Head   string
	}
	fetch := func(path string) fetched {
		return awaits[fetched](p, fmt.Sprintf(`fetch(%q).then(async (r) => ({ Status: r.status, Head: (await r.text()).slice(0, 5) }))`, path))
	}
	for path, head := range map[string]string{path + "/file.pdf": "%PDF-", get[string](p, node(id("export-csv"))+`.getAttribute('href')`): ""} {
		if got := fetch(path); got.Status != 200 || len(got.Head) < 5 || head != "" && got.Head != head {
			k.t.Errorf("the auditor gets %+v from %s", got, path)
		}
	}
	cam := "/api/v1/cameras/" + story.CameraID
	when := fmt.Sprintf("from=%s&to=%s", k.from.UTC().Format(time.RFC3339), k.to.UTC().Format(time.RFC3339))
	for _, path := range []string{
		path + "/clip.mp4", path + "/copy.mp4", path + "/sheet", path + "/sheet/0.jpg", path + "/preview.jpg", path + "/marking",
		cam + "/footage.mp4?" + when, cam + "/picture.jpg?at=" + k.from.UTC().Format(time.RFC3339), cam + "/still.jpg", cam + "/timeline?" + when, "/timeline",
	} {
		if got := fetch(path); got.Status != 403 {
			k.t.Errorf("the auditor gets %d from %s, want 403", got.Status, path)
		}
	}
	p.complain("403")
	p.journal.forget()
}

// awaits evaluates a promise on the page.
func awaits[T any](p *person, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, soon)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	p.must(expression, err)
	return v
}
