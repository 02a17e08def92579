package browser

import (
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"veilbox/uplink/uplinktest"
	uplink "veilbox/uplink/wire"
)

// An operator comes in with a first password, which opens nothing but the setting
// up of the account, makes a passkey in the browser, and with it shows who is there
// before an assessor's key is confirmed. Each page of the extranet holds for every
// eye and hand, at a desk and on a telephone.
func TestOperatorOfTheExtranet(t *testing.T) {
	w := uplinktest.New(t, time.Now().Truncate(time.Second))
	w.Member("a")
	box := w.Box("a")
	waiting := w.Assessor(box, "pia", false)
	var first struct{ Name, Password string }
	if err := w.Op("POST", "/api/v1/operators", map[string]string{"name": "mia", "person": "Mia Juul"}, &first); err != nil {
		t.Fatal(err)
	}
	address := "https://" + w.Config.OperatorListen
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, launch(t, pin(t, address)), newAlbum(t), "mia", "https://"+net.JoinHostPort("localhost", u.Port()))
	a := p.authenticator(false)
	look := func(name string) {
		t.Helper()
		p.until("load "+name, soon, `document.readyState === 'complete'`)
		p.axe(name)
		for size, s := range map[string][2]int64{"desk": desk, "phone": phone} {
			p.size(s)
			p.shot("extranet-" + name + "-" + size)
		}
		p.size(desk)
	}

	p.open("/disclosures")
	p.sees(`input[name=password]`)
	look("login")
	p.types(`input[name=name]`, first.Name)
	p.types(`input[name=password]`, first.Password)
	p.click(`form button:not([type=button])`)
	p.sees(`[data-make]`)
	look("set-up")
	p.open("/assessors")
	p.sees(`[data-make]`) // nothing else is open yet
	p.types(`[data-make] input`, "Bærbar")
	p.click(`[data-make] button`)
	p.until("the account is set up", soon, `document.querySelector('nav a[href^="/assessors"]') && document.querySelector('main').innerText.includes('Bærbar')`)
	if keys := a.keys(); len(keys) != 1 || keys[0].RpID != "localhost" {
		t.Fatalf("the authenticator keeps %+v", keys)
	}
	p.click(`nav form button`)
	p.sees(`[data-passkey]`)
	a.verifies(false)
	p.click(`[data-passkey]`)
	p.sees(`[data-failed]`)
	a.verifies(true)
	p.click(`[data-passkey]`)
	p.sees(`nav`)

	w.Clock.Advance(6 * time.Minute)
	p.open("/assessors")
	look("assessors")
	row := `tbody tr:first-child`
	read := strings.ReplaceAll(get[string](p, node(row+" code")+`.textContent`), " ", "")
	if read != string(waiting.ID()) {
		t.Errorf("the page shows the key %q, not %q", read, waiting.ID())
	}
	p.types(row+` form[action$=confirm] input`, "læst op på 12 34 56 78")
	p.click(row + ` form[action$=confirm] button`)
	p.until("it asks who is there", soon, `document.querySelector('.prove [data-passkey]') && location.pathname.endsWith('/confirm')`)
	look("proof")
	p.click(`.prove [data-passkey]`)
	p.until("back on the page, and the key is confirmed", soon, `location.pathname === '/assessors' && !document.querySelector('.prove') && document.querySelector('tbody tr').innerText.includes('Confirmed')`)
	var rows []struct {
		State    uplink.AssessorState `json:"state"`
		Operator string               `json:"operator"`
	}
	if err := w.Op("GET", "/api/v1/assessors", nil, &rows); err != nil || rows[0].State != uplink.AssessorConfirmed || rows[0].Operator != "mia" {
		t.Errorf("%+v %v", rows, err)
	}
	if err := w.Op("POST", "/api/v1/changes", map[string]any{"kind": "change", "day": w.Clock.Now().Format(time.DateOnly), "what": "Lyd i delinger", "needed": true}, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"members", "boxes", "disclosures", "access", "pentests", "changes", "audit", "operators", "account"} {
		p.open("/" + name + "?lang=da")
		p.sees("main")
		look(name)
	}
	p.open("/account")
	p.click(`form[action="/api/v1/totp"] button`)
	p.sees(`img`)
	p.until("the picture is there", soon, `document.querySelector('img').naturalWidth > 0`)
	look("app")
	if bad := p.journal.complaints(); len(bad) > 0 {
		for _, b := range bad {
			if !strings.Contains(b, "403") { // the proof that was asked for
				t.Error(b)
			}
		}
	}
}
