package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// An album keeps screenshots.
type album struct {
	t     *testing.T
	dir   string
	texts *regexp.Regexp // what the name of a text looks like
}

// newAlbum keeps pictures where VEILBOX_PICTURES says, or else only what shows
// a failure, in a folder that outlives the test.
func newAlbum(t *testing.T) *album {
	t.Helper()
	a := &album{t: t, dir: os.Getenv("VEILBOX_PICTURES"), texts: textNames(t)}
	if a.dir == "" {
		return a
	}
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return a
}

// shot takes a picture of what is on the screen.
func (p *person) shot(name string) {
	p.t.Helper()
	p.wide()
	p.words()
	if p.album.dir != "" {
		p.album.keep(p, name)
	}
}

// textNames returns what a text's name looks like, which a page shows where the
// text is missing.
func textNames(t *testing.T) *regexp.Regexp {
	t.Helper()
	b, err := os.ReadFile("../../appliance/web/text/da.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(b, &texts); err != nil {
		t.Fatal(err)
	}
	prefixes := map[string]bool{}
	for name := range texts {
		prefixes[name[:strings.Index(name, ".")]] = true
	}
	return regexp.MustCompile(`\b(` + strings.Join(slices.Sorted(maps.Keys(prefixes)), "|") + `)\.[a-z]\w*`)
}

// words checks that the page speaks: no text's name, no value that is none.
func (p *person) words() {
	p.t.Helper()
	text := get[string](p, `document.body.innerText`)
	if found := p.album.texts.FindAllString(text, -1); len(found) > 0 {
		p.t.Errorf("%s: %s shows names of texts: %q", p.name, p.where(), found)
	}
	for _, bad := range []string{"undefined", "NaN", "[object", "%!", "Invalid Date"} {
		if strings.Contains(text, bad) {
			p.t.Errorf("%s: %s shows %q", p.name, p.where(), bad)
		}
	}
}

// wide checks that the page is no wider than the screen: sideways scrolling
// loses people.
func (p *person) wide() {
	p.t.Helper()
	over := get[[]string](p, `(() => { const w = document.documentElement.clientWidth;
		return document.documentElement.scrollWidth <= w ? [] : [...document.querySelectorAll('main *, header *, footer *')]
			.filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > w + 1).slice(-4).map((e) => e.outerHTML.slice(0, 120)); })()`)
	if len(over) > 0 {
		p.t.Errorf("%s: %s is wider than the screen: %q", p.name, p.where(), over)
	}
}

// reach checks that what is pressed is big enough for a finger: 44 pixels high
// (WCAG 2.5.5). Links within a text are as high as it.
func (p *person) reach(label string) {
	p.t.Helper()
	small := get[[]string](p, `[...document.querySelectorAll('button, .button, summary, select, input:not([type=checkbox], [type=radio]), nav a, label.check')]
		.filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest('.skip') && e.getBoundingClientRect().height < 43.5)
		.map((e) => e.getBoundingClientRect().height.toFixed(0) + ' px: ' + e.outerHTML.slice(0, 120))`)
	if len(small) > 0 {
		p.t.Errorf("%s: %s on a %s is hard to press: %q", p.name, p.where(), label, small)
	}
}

// all takes the whole page at a telephone's and a tablet's size.
func (p *person) all(name string) {
	p.t.Helper()
	for label, s := range map[string][2]int64{"phone": phone, "tablet": upright} {
		p.size(s)
		p.wide()
		p.reach(label)
		if p.album.dir != "" {
			p.album.whole(p, name+"-"+label)
		}
	}
	p.size(desk)
}

func (a *album) keep(p *person, name string) { a.take(p, name, false) }

func (a *album) whole(p *person, name string) { a.take(p, name, true) }

func (a *album) take(p *person, name string, whole bool) {
	dir := a.dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "veilbox-pictures-*"); err != nil {
			a.t.Error(err)
			return
		}
		a.dir = dir
	}
	ctx, cancel := context.WithTimeout(p.ctx, soon)
	defer cancel()
	b, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		c := page.CaptureScreenshotParams{}
		if whole {
			m, err := cdp.Call(ctx, t, page.GetLayoutMetrics, cdp.Empty{})
			if err != nil {
				return nil, err
			}
			yes := true
			c.CaptureBeyondViewport = &yes
			c.Clip = &page.Viewport{Width: m.CSSContentSize.Width, Height: min(m.CSSContentSize.Height, 6000), Scale: 1}
		}
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, c)
		if err != nil {
			return nil, err
		}
		return r.Data, nil
	})
	path := filepath.Join(dir, name+".png")
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		a.t.Error(fmt.Errorf("picture %s: %w", name, err))
		return
	}
	a.t.Log("picture:", path)
}
