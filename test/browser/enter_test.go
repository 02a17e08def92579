package browser

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"veilbox/test/story"
)

// carries puts a session into the browser, as if it had been begun there.
func (p *person) carries(token string) {
	p.t.Helper()
	p.do("take up a session", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCookie, network.SetCookieParams{Name: "__Host-veilbox", Value: token, URL: p.base + "/", Path: "/", Secure: new(true), HTTPOnly: new(true)})
		return err
	}))
}

// holds logs somebody of the story in from within the browser, which doesn't ask
// when the box's certificate holds: here the box's clock may be another.
func (p *person) holds(l story.Login) {
	p.t.Helper()
	p.open("/login")
	type ceremony struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	}
	text := awaits[string](p, `fetch('/api/v1/session/passkey/options', { method: 'POST' }).then((r) => r.text())`)
	var c ceremony
	p.must("read the options "+text, json.Unmarshal([]byte(text), &c))
	response, err := l.Key.Get(c.Options)
	p.must("use the key", err)
	body, err := json.Marshal(map[string]any{"ceremony": c.ID, "response": json.RawMessage(response)})
	p.must("write the answer", err)
	if got := awaits[int](p, fmt.Sprintf(`fetch('/api/v1/session/passkey', { method: 'POST', body: %q, headers: { 'Content-Type': 'application/json' } }).then((r) => r.status)`, body)); got >= 300 {
		p.t.Fatalf("%s: the box answers %d to the passkey", p.name, got)
	}
}

// ownKey gives somebody of the story, whose passkey is a file, a passkey in the
// browser.
func (p *person) ownKey(b *story.Box, l story.Login, name string) authenticator {
	p.t.Helper()
	a := p.authenticator(true)
	c, err := b.As(p.t.Context(), l)
	p.must("log in by the API", err)
	p.carries(c.Token())
	p.open("/account")
	p.sees(id("passkeys"))
	p.click(id("passkey-open"))
	p.sees(id("passkey-name"))
	get[string](p, node(id("passkey-name"))+`.value = ''`) // the name of the machine
	p.types(id("passkey-name"), name)
	p.click(id("add-passkey"))
	p.until("the passkey is on the list", soon, node(id("remove-"+name)))
	return a
}

// leave logs out; the log-in page waits until the person touches the key.
func (p *person) leave(a authenticator) {
	p.t.Helper()
	a.present(false)
	p.click(id("logout"))
	p.sees(id("passkey-button"))
}

// enter logs in with the browser's passkey, on the log-in page.
func (p *person) enter(a authenticator) {
	p.t.Helper()
	a.present(true)
	p.clicks++
	// The page asks by itself too, and may be gone before the button is pressed.
	get[bool](p, `(document.querySelector('[data-testid=passkey-button]')?.click(), true)`)
}

// approvalKey gives the assessor a passkey in the browser that signs approvals,
// once the operator has confirmed it.
func (k *walk) approvalKey() authenticator {
	p := k.assessor
	const name = "Min nøgle"
	a := p.ownKey(k.w.A, k.w.A.Assessor, name)
	p.click(id("approval-" + name))
	p.sees(id("key-id"))
	p.shot("account-assessor")
	n, err := k.w.Operator.ConfirmAssessors(p.t.Context())
	p.must("the operator confirms the key", err)
	if n != 1 {
		p.t.Fatalf("%d keys wait for the operator, want 1", n)
	}
	return a
}
