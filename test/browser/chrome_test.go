package browser

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	soon  = 20 * time.Second // what a page answers at once, on a busy machine
	later = 3 * time.Minute  // what the box has to work for
)

// Sizes that a shop looks at the pages in: a desk, a telephone, a tablet.
var (
	desk    = [2]int64{1280, 800}
	phone   = [2]int64{390, 844}
	upright = [2]int64{820, 1180}
)

// pin returns the hash by which the browser knows the box's own certificate; no
// other that it can't verify is let through.
func pin(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	// Its key is what is asked here; nothing is sent.
	c, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// launch starts chromium with an empty profile and returns its context.
func launch(t *testing.T, pins ...string) context.Context {
	t.Helper()
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath("/usr/bin/chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 800)}
	for name, value := range map[string]any{
		"headless": "new", "no-sandbox": true, "disable-gpu": true, "disable-quic": true, "no-first-run": true,
		"disable-background-networking": true, "disable-component-update": true, "disable-sync": true, "mute-audio": true,
		"disable-dev-shm-usage": true, "hide-scrollbars": true, "force-color-profile": "srgb", "password-store": "basic",
		"disable-background-timer-throttling": true, "disable-backgrounding-occluded-windows": true, "disable-renderer-backgrounding": true,
		// Dates in the page's language, whatever languages chromium was installed with.
		"enable-blink-features": "LangAttributeAwareFormControlUI", "ignore-certificate-errors-spki-list": strings.Join(pins, ","),
		"host-resolver-rules": "MAP " + rpID + " 127.0.0.1", // see authenticator_test.go
	} {
		opts = append(opts, chromedp.Flag(name, value))
	}
	ctx, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		limit, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		if err := chromedp.Cancel(limit); err != nil && !errors.Is(err, context.Canceled) {
			t.Log("chromium did not close:", err)
		}
		end()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v: install Debian's chromium (scripts/setup.sh does)", err)
	}
	return ctx
}

// A person is somebody at a browser of their own, with nobody else's cookies.
type person struct {
	t       *testing.T
	name    string
	base    string // the box's address
	ctx     context.Context
	journal *journal
	album   *album
	clicks  int
	keys    int // fields that were typed into
	chars   int // characters that were typed
}

func newPerson(t *testing.T, browser context.Context, a *album, name, base string) *person {
	t.Helper()
	p := &person{t: t, name: name, base: base, journal: newJournal(), album: a}
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.journal.listen))
	t.Cleanup(end)
	p.ctx = ctx
	p.must("open a window", chromedp.Do(ctx))
	p.size(desk)
	t.Cleanup(func() {
		if t.Failed() {
			p.album.keep(p, "failed-"+name)
			t.Logf("%s is at %s; the page's journal ends:\n%s", name, p.where(), p.journal.tail(40))
		}
	})
	return p
}

func (p *person) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, what, err)
	}
}

func (p *person) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, soon)
	defer cancel()
	p.must(what, chromedp.Do(ctx, steps...))
}

func (p *person) where() string {
	u, err := js[string](p, `location.href`)
	if err != nil {
		return err.Error()
	}
	return u
}

// js evaluates an expression on the page.
func js[T any](p *person, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, soon)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// get is js where a failure ends the test.
func get[T any](p *person, expression string) T {
	p.t.Helper()
	v, err := js[T](p, expression)
	p.must(expression, err)
	return v
}

// until waits until the expression is true on the page, over navigations too.
func (p *person) until(what string, limit time.Duration, expression string) {
	p.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		ok, err := js[bool](p, "Boolean("+expression+")")
		if ok {
			return
		}
		if time.Now().After(deadline) {
			// The page may be gone; the report does without its words then.
			text, _ := js[string](p, `[...document.querySelectorAll('.problem')].map((x) => x.innerText).join(' | ')`)
			p.t.Fatalf("%s: %s: not within %v (last error: %v; problems on the page: %q)", p.name, what, limit, err, text)
		}
		select {
		case <-p.ctx.Done():
			p.t.Fatalf("%s: %s: the browser ended: %v", p.name, what, context.Cause(p.ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// id selects by what the templates call data-testid.
func id(name string) string { return fmt.Sprintf(`[data-testid="%s"]`, name) }

// node is the JavaScript of the first element that the selector finds.
func node(selector string) string { return fmt.Sprintf("document.querySelector(%q)", selector) }

// sees waits until the element is there to be seen.
func (p *person) sees(selector string) {
	p.t.Helper()
	p.until("see "+selector, soon, node(selector)+"?.checkVisibility()")
}

type rect struct{ X, Y, W, H float64 }

// spot brings an element on the screen and returns where it is. It must be
// enabled, still, and not under another.
func (p *person) spot(selector string) rect {
	p.t.Helper()
	p.until("load the page", soon, `document.readyState === 'complete'`)
	p.sees(selector)
	if !get[bool](p, fmt.Sprintf(`(() => { const r = %s.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; })()`, node(selector))) {
		p.scroll(selector, "center")
	}
	p.until("reach "+selector, soon, fmt.Sprintf(`(() => {
		const e = %s, was = e.veilboxWas;
		let r = e.getBoundingClientRect();
		if (r.bottom <= 0 || r.top >= innerHeight) { // what came above it, or the place of a page that was left, moved it away
			e.scrollIntoView({ block: 'center', behavior: 'instant' });
			r = e.getBoundingClientRect();
		}
		e.veilboxWas = r.top + ':' + r.left;
		const top = document.elementFromPoint(r.left + r.width / 2, Math.min(innerHeight - 1, r.top + r.height / 2));
		return was === e.veilboxWas && !e.disabled && (e.contains(top) || top?.contains(e) || e.closest('label')?.contains(top));
	})()`, node(selector)))
	return get[rect](p, fmt.Sprintf(`(() => { const r = %s.getBoundingClientRect(); return { X: r.left, Y: r.top, W: r.width, H: r.height }; })()`, node(selector)))
}

// scroll brings an element to a place on the screen: "start", "center".
func (p *person) scroll(selector, block string) {
	p.t.Helper()
	get[bool](p, fmt.Sprintf(`(%s.scrollIntoView({ block: %q, behavior: 'instant' }), true)`, node(selector), block))
}

func (r rect) middle() (x, y float64) { return r.X + r.W/2, r.Y + r.H/2 }

func (p *person) click(selector string) {
	p.t.Helper()
	x, y := p.spot(selector).middle()
	p.clickAt(x, y)
}

func (p *person) clickAt(x, y float64) {
	p.t.Helper()
	p.clicks++
	p.do("click", chromedp.MouseEvent(chromedp.MouseMoved, x, y), chromedp.MouseClickXY(x, y))
}

// drag draws the mouse with its button down.
func (p *person) drag(x0, y0, x1, y1 float64) {
	p.t.Helper()
	p.clicks++
	held := func(m *input.DispatchMouseEventParams) { m.Button, m.Buttons = input.MouseButtonLeft, 1 }
	once := func(m *input.DispatchMouseEventParams) { m.ClickCount = 1 }
	steps := []chromedp.Action[chromedp.Void]{
		chromedp.MouseEvent(chromedp.MouseMoved, x0, y0), chromedp.MouseEvent(chromedp.MousePressed, x0, y0, held, once),
	}
	for i := 1; i <= 8; i++ {
		f := float64(i) / 8
		steps = append(steps, chromedp.MouseEvent(chromedp.MouseMoved, x0+(x1-x0)*f, y0+(y1-y0)*f, held))
	}
	p.do("drag", append(steps, chromedp.MouseEvent(chromedp.MouseReleased, x1, y1, held, once))...)
}

// types clicks a field and types into it.
func (p *person) types(selector, text string) {
	p.t.Helper()
	p.click(selector)
	p.keys++
	p.chars += utf8.RuneCountInString(text)
	p.do("go to the end of "+selector, chromedp.KeyEvent(kb.End, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.do("type into "+selector, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// sets gives a field a value that a person picks with a list or a calendar, of
// which a browser without a window draws none.
func (p *person) sets(selector, value string) {
	p.t.Helper()
	p.click(selector)
	p.do("close the list", chromedp.KeyEvent("\x1b"))
	p.clicks++
	if got := get[string](p, fmt.Sprintf(`(() => { const e = %s; e.value = %q;
		for (const n of ['input', 'change']) e.dispatchEvent(new Event(n, { bubbles: true })); return e.value; })()`, node(selector), value)); !strings.HasPrefix(got, strings.TrimSuffix(value, ":00")) { // whole minutes lose their seconds
		p.t.Fatalf("%s: %s takes %q for %q", p.name, selector, got, value)
	}
}

func (p *person) size(s [2]int64) {
	p.t.Helper()
	p.do("size", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s[0], Height: s[1], DeviceScaleFactor: 1})
		return err
	}))
	p.until("take the size", soon, fmt.Sprintf(`innerWidth === %d && innerHeight === %d`, s[0], s[1]))
}

func (p *person) open(path string) {
	p.t.Helper()
	p.do("open "+path, chromedp.Navigate(p.base+path))
}
