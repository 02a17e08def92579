package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// A browser has passkeys only where it takes the page for secure: HTTPS, a name
// and not an address, and no certificate error. launch leads rpID to loopback
// and vouches for the box's certificate by its key (pin): chromium then sees no
// error, where --ignore-certificate-errors would leave one and refuse.

// rpID is the host name that the tests' passkeys are made for.
const rpID = "veilbox.local"

// named is a box's address with rpID for its host.
func named(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + net.JoinHostPort(rpID, port)
}

// An authenticator stands for what a person unlocks with a finger or a PIN: it
// keeps passkeys, and agrees at once. It goes with the person's window.
type authenticator struct {
	p  *person
	id webauthn.AuthenticatorID
}

// authenticator gives a person one, synchronised with an account elsewhere or
// not. It must be called before a page asks for a passkey.
func (p *person) authenticator(synced bool) authenticator {
	p.t.Helper()
	a := authenticator{p: p}
	p.do("take an authenticator", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		made, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, AutomaticPresenceSimulation: true, IsUserVerified: true,
			DefaultBackupEligibility: synced, DefaultBackupState: synced,
		}})
		a.id = made.AuthenticatorID
		return err
	}))
	return a
}

// verifies says whether the person can prove to be the one: with the finger or
// the PIN right. Without it a passkey is refused.
func (a authenticator) verifies(ok bool) {
	a.p.t.Helper()
	a.p.do("verify the person", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: ok})
		return err
	}))
}

// present says whether the person touches the authenticator when it asks; a
// log-in page that offers passkeys in its field then waits, as with people.
func (a authenticator) present(yes bool) {
	a.p.t.Helper()
	a.p.do("touch the authenticator", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: a.id, Enabled: yes})
		return err
	}))
}

// keys returns what the authenticator keeps.
func (a authenticator) keys() []*webauthn.Credential {
	a.p.t.Helper()
	var all []*webauthn.Credential
	a.p.do("list the passkeys", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		r, err := cdp.Call(ctx, t, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
		all = r.Credentials
		return err
	}))
	return all
}

// The recipe holds: chromium makes and uses a passkey at rpID, and refuses
// without the person's verification.
func TestAuthenticator(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="da"><title>Boks</title><link rel="icon" href="data:,"><h1>Boks</h1>`)
	}))
	t.Cleanup(srv.Close)
	p := newPerson(t, launch(t, pin(t, srv.URL)), newAlbum(t), "mette", named(t, srv.URL))
	a := p.authenticator(true)
	p.open("/")
	p.until("a secure page", soon, `isSecureContext && window.PublicKeyCredential`)
	const options = `userVerification: 'required'`
	answers := func(expression string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(p.ctx, soon)
		defer cancel()
		v, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
		p.must(expression, err)
		return v
	}
	id := answers(fmt.Sprintf(`navigator.credentials.create({ publicKey: { rp: { id: %q, name: 'Boks' }, user: { id: new Uint8Array([1]), name: 'mette', displayName: 'Mette' },
		challenge: new Uint8Array(32), pubKeyCredParams: [{ type: 'public-key', alg: -7 }], authenticatorSelection: { residentKey: 'required', %s } } }).then((c) => c.id)`, rpID, options))
	if keys := a.keys(); len(keys) != 1 || !keys[0].IsResidentCredential || keys[0].RpID != rpID {
		t.Fatalf("the authenticator keeps %+v", keys)
	}
	ask := fmt.Sprintf(`navigator.credentials.get({ publicKey: { rpId: %q, challenge: new Uint8Array(32), timeout: 1500, %s } }).then((c) => JSON.stringify(c), (e) => JSON.stringify({ id: e.name }))`, rpID, options)
	var answer struct{ ID string }
	if err := json.Unmarshal([]byte(answers(ask)), &answer); err != nil || answer.ID != id {
		t.Errorf("the passkey %q answers %+v, %v", id, answer, err)
	}
	a.verifies(false)
	if err := json.Unmarshal([]byte(answers(ask)), &answer); err != nil || answer.ID != "NotAllowedError" {
		t.Errorf("without verification: %+v, %v", answer, err)
	}
}
