package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axeCore is the text of axe-core, which scripts/axe.sh fetches once.
var axeCore = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("../../scripts/axe.sh").Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			return "", fmt.Errorf("scripts/axe.sh: %w: %s", err, e.Stderr)
		}
		return "", fmt.Errorf("scripts/axe.sh: %w", err)
	}
	b, err := os.ReadFile(strings.TrimSpace(string(out)))
	return string(b), err
})

// axeRules are the sets of axe-core's rules that every page keeps.
var axeRules = []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"}

// A violation is what axe-core finds wrong on a page.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

func (v violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", v.ID, v.Impact, v.Help)
	for _, n := range v.Nodes[:min(len(v.Nodes), 5)] {
		fmt.Fprintf(&b, "\n      %.200s\n        %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n        "))
	}
	return b.String()
}

// axe looks at the page as it stands and fails the test where a person with
// another sight, hand or ear would meet a wall. It runs in a world of its own
// beside the page's, so that the page's content policy stays as it is.
func (p *person) axe(name string) {
	p.t.Helper()
	for _, v := range p.violations() {
		p.t.Errorf("%s: %s is not accessible: %s", p.name, name, v)
	}
}

func (p *person) violations() []violation {
	p.t.Helper()
	core, err := axeCore()
	p.must("fetch axe-core", err)
	rules, err := json.Marshal(axeRules)
	p.must("name the rules", err)
	var text string
	p.do("look at the page with axe-core", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tree, err := cdp.Call(ctx, t, page.GetFrameTree, cdp.Empty{})
		if err != nil {
			return err
		}
		world, err := cdp.Call(ctx, t, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tree.FrameTree.Frame.ID, WorldName: "axe"})
		if err != nil {
			return err
		}
		run := func(expression string) (string, error) {
			r, err := cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ContextID: world.ExecutionContextID, AwaitPromise: new(true), ReturnByValue: new(true)})
			if err != nil {
				return "", err
			}
			if r.ExceptionDetails != nil {
				return "", fmt.Errorf("axe-core: %s", r.ExceptionDetails.Text)
			}
			var s string
			return s, json.Unmarshal(r.Result.Value, &s)
		}
		if _, err := run(core + "\n;'ready'"); err != nil {
			return err
		}
		text, err = run(fmt.Sprintf(`axe.run(document, { runOnly: { type: 'tag', values: %s }, resultTypes: ['violations'] })
			.then((r) => JSON.stringify({ rules: r.passes.length, violations: r.violations.map((v) => ({ ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map((n) => ({ HTML: n.html, FailureSummary: n.failureSummary })) })) }))`, rules))
		return err
	}))
	var found struct {
		Rules      int
		Violations []violation
	}
	p.must("read what axe-core found", json.Unmarshal([]byte(text), &found))
	if found.Rules < 5 {
		p.t.Fatalf("axe-core looked at %d rules only: %s", found.Rules, text)
	}
	return found.Violations
}

// axe sees what is wrong, on a page whose policy lets no script in.
func TestAxe(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'unsafe-inline'")
		fmt.Fprint(w, `<!doctype html><html lang="da"><title>Side</title><link rel="icon" href="data:,"><main><h1>Side</h1><p style="color:#aaa;background:#fff">svagt</p><input name="x"><img src="data:,"><button>Gem</button></main>`)
	}))
	t.Cleanup(srv.Close)
	p := newPerson(t, launch(t, pin(t, srv.URL)), newAlbum(t), "mette", srv.URL)
	p.open("/")
	var got []string
	for _, v := range p.violations() {
		got = append(got, v.ID)
	}
	slices.Sort(got)
	if want := []string{"color-contrast", "image-alt", "label"}; !slices.Equal(got, want) {
		t.Errorf("axe-core finds %q, want %q", got, want)
	}
}
