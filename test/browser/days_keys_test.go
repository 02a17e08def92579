package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"veilbox/appliance/incident"
	"veilbox/redact/subject"
)

// press presses keys one after the other.
func (p *person) press(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		p.do("press a key", chromedp.KeyEvent(k))
	}
}

// tabs is how often a person presses the tabulator before giving up.
const tabs = 150

// tabTo goes on with the tabulator until it stands on what is looked for. Every
// stop on the way must be on the screen and show that it has the focus.
func (p *person) tabTo(selector string) {
	p.t.Helper()
	p.sees(selector)
	for range tabs {
		stop := get[struct {
			There bool
			Bad   string
		}](p, fmt.Sprintf(`(() => { const e = document.activeElement, there = Boolean(e?.matches(%q));
			if (!e || e === document.body || e.id === 'main' || /^H[1-6]$/.test(e.tagName)) return { There: there, Bad: '' };
			const s = getComputedStyle(e), r = e.getBoundingClientRect();
			// The calendar's own button within a field of a date has an outline of its own.
			const own = e.matches('input[type^=date]') && !e.matches(':focus-visible');
			const lost = !own && (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 2), away = r.bottom <= 0 || r.top >= innerHeight || r.right <= 0 || r.left >= innerWidth;
			return { There: there, Bad: lost || away ? (lost ? 'no outline: ' : 'off the screen: ') + e.outerHTML.slice(0, 120) : '' }; })()`, selector))
		if stop.Bad != "" {
			p.t.Errorf("%s: on the way to %s: %s", p.name, selector, stop.Bad)
		}
		if stop.There {
			return
		}
		p.do("go on", chromedp.KeyEvent(kb.Tab))
	}
	p.t.Fatalf("%s: %s is not reached with %d presses of the tabulator", p.name, selector, tabs)
}

// enters goes to what is looked for and presses Enter.
func (p *person) enters(selector string) {
	p.t.Helper()
	p.until("be enabled: "+selector, soon, node(selector)+` && !`+node(selector)+`.disabled`)
	p.tabTo(selector)
	p.press(kb.Enter)
}

// ticks goes to a box or a choice and presses the space bar.
func (p *person) ticks(selector string) {
	p.t.Helper()
	p.tabTo(selector)
	p.press(" ")
	p.until("be chosen: "+selector, soon, node(selector)+`.checked`)
}

// writes goes to a field and types.
func (p *person) writes(selector, text string) {
	p.t.Helper()
	p.tabTo(selector)
	p.do("go to the end", chromedp.KeyEvent(kb.End, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.do("type", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// The staff's work without a mouse: a span, a new case, the marking.
func TestKeyboardMarks(t *testing.T) {
	d, p := newCaseDesk(t)
	p.open("/cameras/kasse-1")
	p.sees(id("timeline"))
	p.enters("[data-last]")
	p.until("a span", soon, node(id("new-case"))+`.disabled === false`)
	const span = `document.getElementById('from').value + ' ' + document.getElementById('to').value`
	picked := get[string](p, span)
	p.tabTo(id("to"))
	// Day and month, in whatever order; then the year: what is half typed moves
	// nothing.
	p.press(kb.ArrowRight, kb.ArrowRight)
	p.press(strings.Split(picked[:4], "")...)
	if now := get[string](p, span); now != picked {
		t.Errorf("the same year typed again makes %q of %q", now, picked)
	}
	p.tabTo(id("handle-from"))
	was := get[string](p, node(id("handle-from"))+`.getAttribute('aria-valuenow')`)
	p.press(kb.ArrowLeft)
	if now := get[string](p, node(id("handle-from"))+`.getAttribute('aria-valuenow')`); now == was {
		t.Errorf("the handle of the span stays at %s", now)
	}
	p.enters(id("new-case"))
	p.writes(id("what"), "En mand tog to høretelefoner og gik.")
	p.tabTo(id("offence"))
	p.press(kb.ArrowDown)
	p.until("an offence", soon, node(id("offence"))+`.value`)
	p.ticks(id("new-basis-recording"))

	// The marking: who is found is a button, and a box can be written in numbers.
	p.open("/cases/STAGE#who")
	clip := node(id("clip"))
	p.until("the clip", soon, clip+`?.readyState >= 2`)
	p.tabTo(id("overlay"))
	p.press(kb.ArrowRight, kb.ArrowRight, kb.ArrowRight)
	p.until("three steps", soon, clip+`.currentTime > 0.25 && !`+clip+`.seeking`)
	p.enters(id("numbers-open"))
	for _, n := range [][2]string{{"x", "40"}, {"y", "30"}, {"w", "10"}, {"h", "50"}} {
		p.tabTo(id("num-" + n[0]))
		p.do("take what is there", chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
		p.press(strings.Split(n[1], "")...)
	}
	p.press(kb.Enter)
	p.until("the box", soon, `document.querySelector('#overlay .box.here') && document.querySelectorAll('#keyframes li[data-at]').length === 1`)
	p.shot("keyboard-marked")
	get[bool](p, `(document.activeElement.blur(), window.scrollTo(0, 0), true)`)
	p.enters(id("follow"))
	p.until("the person is followed", soon, node(id("tracks"))+`?.checkVisibility()`)
	p.enters(id("redact"))
	p.until("the copy is being made", soon, node(id("progress"))+`?.checkVisibility()`)
	d.mu.Lock()
	if len(d.redact.Subjects) != 1 || len(d.redact.Subjects[0].Keyframes) != 1 {
		t.Errorf("marked: %+v", d.redact.Subjects)
	}
	d.mu.Unlock()

	if p.clicks > 0 {
		t.Errorf("%d clicks", p.clicks)
	}
}

// And the steps to the hand-over.
func TestKeyboardHandsOver(t *testing.T) {
	d, p := newCaseDesk(t)
	d.copied(incident.Redacted, incident.Copy{Media: incident.MediaVideo, Mode: subject.SubjectOnly, Subjects: 1})
	p.open("/cases/STAGE#why")
	p.sees(id("repeat-reasons"))
	p.saved()
	p.writes(id("repeat-reasons"), "Han gik målrettet efter dyre varer med en foret taske og er set i butikken før.")
	p.enters(id("next-report"))
	p.sees(id("today-next"))
	// Back and forth: nothing holds the focus.
	p.tabTo(id("reported-yes"))
	p.do("go back", chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	if get[bool](p, `document.activeElement.matches('[data-testid=reported-yes]')`) {
		t.Error("Shift and the tabulator do not go back")
	}
	p.enters(id("today-next"))
	p.writes(id("area-reason"), "Han bor i byen og er set i flere af byens butikker.")
	p.writes(id("trades-reason"), "Han tager spiritus, som kun dagligvarebutikker har.")
	p.enters(id("next-submit"))
	p.until("nothing is missing", soon, `document.querySelector('#missing.none')`)
	p.enters(id("submit"))
	p.until("it is handed over", soon, `document.getElementById('case')?.dataset.state === 'submitted'`)
	if get[int](p, `[...document.querySelectorAll('[tabindex]')].filter((e) => e.tabIndex > 0).length`) > 0 {
		t.Error("something comes before its place")
	}
	if p.clicks > 0 {
		t.Errorf("%d clicks", p.clicks)
	}
}
