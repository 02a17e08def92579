package browser

import (
	"context"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/redact/subject"
)

func (d *caseDesk) NewCase(_ context.Context, _ casework.Actor, n casework.NewCase) (casework.CaseView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.c.State, d.c.What = incident.Draft, n.What // the browser has a clock of its own
	d.c.Evidence = incident.Evidence{Offence: n.Offence, ValueDKK: n.ValueDKK, Attempt: n.Attempt}
	return d.seen()
}

func (d *caseDesk) Redact(ctx context.Context, a casework.Actor, id incident.CaseID, ch casework.SubjectChange) (casework.CaseView, error) {
	if _, err := d.stage.Redact(ctx, a, id, ch); err != nil {
		return casework.CaseView{}, err
	}
	return d.Case(ctx, a, id)
}

// CaseProgress runs for as long as the case has no copy.
func (d *caseDesk) CaseProgress(context.Context, casework.Actor, incident.CaseID) (casework.Progress, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c.State != incident.Tagged {
		return casework.Progress{Stage: "done"}, nil
	}
	return casework.Progress{Running: true, Stage: "veil", Done: 70, Total: 180}, nil
}

// What a plain theft that has just happened takes at most, from the start page
// to the assessor: in all, and once the copy is asked for.
const shortWay, shortAfter = 14, 7

// The short way: the last two minutes with one press, the person who is found
// with another, and the questions while the copy is being made.
func TestTheShortWay(t *testing.T) {
	d, p := newCaseDesk(t)
	// A person at a desk, as a browser without a screen cannot tell.
	desk := func() { get[bool](p, `(window.matchMedia = () => ({ matches: true })) && true`) }
	writes := func(words string) {
		t.Helper()
		p.do("type", chromedp.KeyEvent(words))
	}
	p.open("/")
	p.shot("start-quick")
	p.clicks = 0
	p.click(id("quick-kasse-1"))
	p.until("the last two minutes are picked", soon, `document.activeElement?.name === 'what' && (new Date(document.getElementById('to').value) - new Date(document.getElementById('from').value)) === 120000`)
	writes("Mand tog en flaske og gik uden at betale.")
	p.sets(id("offence"), "theft")
	p.click(id("value"))
	writes("900")
	p.click(id("new-basis-recording"))
	p.shot("quick-case")
	p.click(id("create-case"))
	p.until("who can be pressed", soon, `document.querySelectorAll('.found').length === 3`)
	desk()
	p.click(id("found-1"))
	p.click(id("redact"))
	asked := p.clicks
	p.until("the copy is being made", soon, node(id("progress"))+`?.checkVisibility()`)
	p.click(id("next-why"))
	p.until("the first question has the cursor", soon, `document.activeElement?.name === 'repeat_reasons'`)
	writes("Han er set i butikken to gange med samme fremgangsmåde.")
	p.saved()
	if c := d.kept(); c.State != incident.Tagged || c.Evidence.RepeatReasons == "" {
		t.Errorf("while the copy is made: %s, %+v", c.State, c.Evidence)
	}
	p.click(id("next-report"))
	p.click(id("today-next"))
	p.until("the next question has the cursor", soon, `document.activeElement?.name === 'area_reason'`)
	writes("Han bor i byen og er set i flere af byens butikker.")
	p.click(id("trades-reason"))
	writes("Han tager spiritus, som kun dagligvarebutikker har.")
	p.do("go on with Ctrl and Enter", chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.sees("#step-submit")
	p.saved()
	d.copied(incident.Redacted, incident.Copy{Media: incident.MediaVideo, Mode: subject.SubjectOnly, Subjects: 1})
	p.until("nothing is missing", soon, `document.querySelector('#missing.none')`)
	p.click(id("submit"))
	p.until("it is handed over", soon, `document.getElementById('case')?.dataset.state === 'submitted'`)
	t.Logf("%d clicks in all, %d of them once the copy is asked for", p.clicks, p.clicks-asked)
	if p.clicks > shortWay || p.clicks-asked > shortAfter {
		t.Errorf("%d clicks in all and %d once the copy is asked for, want %d and %d at most", p.clicks, p.clicks-asked, shortWay, shortAfter)
	}
	e := d.kept().Evidence
	if e.Basis != incident.BasisRecording || !e.ReportToday || e.Circle.AreaReason == "" || e.Circle.TradesReason == "" || !slices.Equal(e.Circle.Members, []incident.MemberID{"netto", "rema"}) {
		t.Errorf("kept: %+v", e)
	}
}

// The newest minutes are picked on the camera's page too, and Enter goes on from
// a field of one line.
func TestQuickPicksAndEnter(t *testing.T) {
	d, p := newCaseDesk(t)
	p.open("/cameras/kasse-1")
	p.sees(id("timeline"))
	for _, n := range []string{"1", "2", "5"} {
		p.click(id("last-" + n))
		p.until("the last "+n+" minutes are picked", soon, `(new Date(document.getElementById('to').value) - new Date(document.getElementById('from').value)) === `+n+`*60000`)
	}
	p.checked("quick-camera")
	p.open("/cases/STAGE#report")
	p.click(id("reported-yes"))
	p.types(id("form-report-number"), "0700-12345-00001-26")
	p.do("press Enter", chromedp.KeyEvent(kb.Enter))
	p.sees("#step-circle")
	p.saved()
	if got := d.kept().Evidence.Report; got == nil || got.Number != "0700-12345-00001-26" {
		t.Errorf("kept %+v", got)
	}
}
