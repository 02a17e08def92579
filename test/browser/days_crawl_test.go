package browser

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// widths are what a shop looks at the pages in, from a telephone to a big screen.
var widths = []int64{360, 768, 1280, 1920}

// Every page that a manager's navigation leads to, and the log-in, in both
// languages and in every width.
func TestBothLanguages(t *testing.T) {
	h := newHouse(t)
	p := newPerson(t, launch(t, pin(t, h.address)), newAlbum(t), "manager", h.url)
	key := p.authenticator(true)
	key.present(true)
	p.setUpKey(h.login, h.password, "Kontoret")
	seen := map[string]bool{}
	for _, lang := range []string{"da", "en"} {
		p.speaks(lang)
		for _, path := range p.paths(nil) {
			p.page("manager", lang, path, seen)
		}
	}
	p.do("be nobody", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.ClearBrowserCookies, cdp.Empty{})
		return err
	}))
	key.present(false)
	for _, lang := range []string{"da", "en"} {
		p.speaks(lang)
		p.page("nobody", lang, "/login", seen)
	}
	t.Logf("%d pages looked at", len(seen))
	p.complain()
}

// speaks sets the language of the pages.
func (p *person) speaks(lang string) {
	p.t.Helper()
	p.do("choose the language", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCookie, network.SetCookieParams{Name: "lang", Value: lang, URL: p.base + "/", Path: "/", Secure: new(true)})
		return err
	}))
}

// paths are the addresses of the navigation and more, once each.
func (p *person) paths(more []string) []string {
	p.t.Helper()
	p.open("/")
	if get[bool](p, `Boolean(document.querySelector('[data-testid=accept-form]'))`) {
		p.accept()
	}
	all := append(get[[]string](p, `[...document.querySelectorAll('header nav a, header a.me')].map((a) => new URL(a.href).pathname)`), "/conditions")
	all = append(all, more...)
	slices.Sort(all)
	return slices.Compact(all)
}

// page looks at one page in every width; axe-core looks at the narrowest and at
// a desk's.
func (p *person) page(role, lang, path string, seen map[string]bool) {
	name := fmt.Sprintf("%s of the %s in %s", path, role, lang)
	p.t.Helper()
	seen[name] = true
	p.open(path)
	p.until("be quiet: "+name, soon, `document.readyState === 'complete' && !document.querySelector('[aria-busy=true]')`)
	if got := get[string](p, `document.documentElement.lang`); got != lang {
		p.t.Errorf("%s is in %q", name, got)
	}
	if bad := get[bool](p, `document.body.classList.contains('page-error')`); bad {
		p.t.Errorf("%s is an error", name)
	}
	p.foreign(name, lang)
	if !strings.HasPrefix(path, "/audit") {
		p.words()
	}
	for _, w := range widths {
		p.size([2]int64{w, 900})
		p.wide()
		p.reach(fmt.Sprint(w))
		if w == 360 || w == 1280 {
			if lang == "da" || w == 360 {
				p.axe(fmt.Sprintf("%s at %d", name, w))
			}
			if p.album.dir != "" {
				p.album.whole(p, fmt.Sprintf("crawl-%s%s-%s-%d", role, strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(path), lang, w))
			}
		}
	}
}

// Words that only one of the languages has, and that no name in the story is.
var (
	danish  = regexp.MustCompile(`(?i)(^|[^\p{L}])(og|ikke|eller|skal|kan du|er den|siden|hvis|deres|fra den|bliver|ingen|boksen|butikken|sagen|vilkår|gem|vælg|slet)($|[^\p{L}])`)
	english = regexp.MustCompile(`(?i)(^|[^\p{L}])(the|and|not|this|with|your|from|which|been|save|choose|shop)($|[^\p{L}])`)
)

// foreign fails the test for words of the other language: those that the page
// itself says, not those that people wrote or are called.
func (p *person) foreign(name, lang string) {
	p.t.Helper()
	words := danish
	if lang == "da" {
		words = english
	}
	lines := get[[]string](p, `(() => { const out = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let n = walk.nextNode(); n; n = walk.nextNode()) {
			const e = n.parentElement;
			if (e.closest('[lang]:not(html), script, style, textarea, pre, code, .log td, .me, q, cite, [data-user]')) continue;
			if (n.textContent.trim()) out.push(n.textContent.trim());
		}
		for (const a of ['placeholder', 'aria-label', 'title', 'alt']) for (const e of document.querySelectorAll('[' + a + ']')) if (!e.closest('[lang]:not(html)')) out.push(e.getAttribute(a));
		return out; })()`)
	for _, line := range lines {
		if own := slices.ContainsFunc(written, func(w string) bool { return strings.Contains(line, w) }); own {
			continue
		}
		if words.MatchString(line) {
			p.t.Errorf("%s says %.160q", name, line)
		}
	}
}

// written is what people of the story wrote, whatever the page's language.
var written = []string{"høretelefoner", "Han har gjort", "Han er set", "Han går efter", "Butikken har skiftet", "Der var intet", "Jeg kan ikke se", "Alle ni vilkår er", "Brev fra Fyns",
	"Har ansvaret for", "Markerer hændelser", "Vurderer om", "Kontrollerer loggen", "Politiskolen", "Vagten skal", "leder butikken", "Det var i Svendborg"}
