package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/pquerna/otp/totp"
)

// narrow and wide are the ends of what the pages are looked at in.
var (
	narrow = [2]int64{360, 740}
	wide   = [2]int64{1920, 1080}
)

// checked looks at a page in every size, by eye (the album) and with axe-core.
func (p *person) checked(name string) {
	p.t.Helper()
	p.axe(name)
	p.keyboard(name)
	for label, s := range map[string][2]int64{"360": narrow, "768": {768, 1024}, "1280": {1280, 800}, "1920": wide} {
		p.size(s)
		p.wide()
		p.reach(label)
		if p.album.dir != "" {
			p.album.whole(p, name+"-"+label)
		}
	}
	p.size(narrow)
	p.axe(name + " at 360 pixels")
	p.size(desk)
	if name != "audit" { // whose acts are named as the texts are
		p.words()
	}
}

// keyboard walks the page with the tabulator: it comes to each thing that can be
// used, and each shows that it has the focus.
func (p *person) keyboard(name string) {
	p.t.Helper()
	n := get[int](p, `(() => { document.activeElement?.blur(); window.scrollTo(0, 0); window.veilboxSeen = new Set();
		window.veilboxAll = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')].filter((e) => e.checkVisibility() && !e.disabled && e.type !== 'hidden' && e.tabIndex >= 0);
		// A field for a date has several stops, and so has a video.
		return 4 + window.veilboxAll.length + 8 * document.querySelectorAll('input[type^=date], video[controls]').length; })()`)
	var dark []string
	for range n {
		p.do("go on", chromedp.KeyEvent(kb.Tab))
		if bad := get[string](p, `(() => { const e = document.activeElement; if (!e || e === document.body || window.veilboxSeen.has(e)) return ''; window.veilboxSeen.add(e);
			const s = getComputedStyle(e); return s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 2 ? e.outerHTML.slice(0, 120) : ''; })()`); bad != "" {
			dark = append(dark, bad)
		}
	}
	if len(dark) > 0 {
		p.t.Errorf("%s: %s has things that don't show the focus: %q", p.name, name, dark)
	}
	get[bool](p, `(document.activeElement?.blur(), true)`) // the way past the head covers it while it has the focus
	if lost := get[[]string](p, `window.veilboxAll.filter((e) => e.isConnected && !window.veilboxSeen.has(e) && !(e.type === 'radio')).map((e) => e.outerHTML.slice(0, 120))`); len(lost) > 0 {
		p.t.Errorf("%s: %s cannot be used by keyboard alone: %q", p.name, name, lost)
	}
}

// password logs in with a password.
func (p *person) password(login, password string) {
	p.t.Helper()
	p.open("/login")
	p.sees(id("passkey-button")) // which moves the fields when it comes
	p.types(id("login"), login)
	p.types(id("password"), password)
	p.click(id("login-button"))
}

// accept goes through the conditions to the start page.
func (p *person) accept() {
	p.t.Helper()
	p.sees(id("accept-form"))
	p.click(id("accept-read"))
	p.click(id("accept"))
	p.sees("body.page-start")
}

// setUpKey makes the first passkey of a new account, and goes on.
func (p *person) setUpKey(login, password, name string) {
	p.t.Helper()
	p.password(login, password)
	p.sees(id("passkey-form"))
	get[bool](p, `(`+node(id("passkey-name"))+`.value = '', true)`)
	p.types(id("passkey-name"), name)
	p.click(id("add-passkey"))
	p.accept()
}

// complain fails the test for what a page complained of, but for what is named.
func (p *person) complain(expected ...string) {
	p.t.Helper()
	for _, bad := range p.journal.complaints() {
		ok := false
		for _, e := range expected {
			ok = ok || strings.Contains(bad, e)
		}
		if !ok {
			p.t.Errorf("%s: the pages complain: %s", p.name, bad)
		}
	}
}

// hire takes a new person on by the steps of the form and returns the log-in.
func (p *person) hire(name, login, function, role string) (string, string) {
	p.t.Helper()
	p.open("/people")
	p.click(id("person-open"))
	p.types(id("person-name"), name)
	p.types(id("person-login"), login)
	p.click(id("wizard-next"))
	p.click(id("role-" + role))
	p.click(id("wizard-next"))
	p.types(id("new-function"), function)
	p.types(id("new-need"), "skal finde og mærke tyverier ved kasserne")
	if role == "assessor" {
		p.click(id("wizard-next"))
		p.types(id("new-education"), "Politiskolen")
		p.types(id("new-experience"), "Ti år med butikstyveri")
		p.click(id("new-competence-security"))
	}
	p.click(id("add-person"))
	p.sees(id("generated-password"))
	return login, get[string](p, node(id("generated-password"))+`.textContent`)
}

// From the first log-in on: a manager with a passkey, staff with a password and
// a code, an assessor who registers a key, an auditor; each page is looked at in
// every size and with axe-core.
func TestAccounts(t *testing.T) {
	h := newHouse(t)
	chrome := launch(t, pin(t, h.address))
	a := newAlbum(t)
	manager := newPerson(t, chrome, a, "manager", h.url)
	key := manager.authenticator(true)

	manager.open("/")
	manager.sees(id("passkey-button"))
	manager.checked("login")
	manager.password(h.login, h.password)
	manager.sees(id("passkey-form"))
	manager.checked("setup")
	manager.open("/people") // nothing else is open yet
	manager.sees(id("must-change"))
	manager.click(id("add-passkey"))
	manager.sees(id("accept-form"))
	manager.checked("conditions")
	manager.accept()
	if n := len(key.keys()); n != 1 {
		t.Fatalf("%d passkeys", n)
	}
	manager.open("/account")
	manager.sees(id("passkeys"))
	manager.checked("account")

	staffLogin, staffPassword := manager.hire("Anders Bech", "anders", "butiksassistent", "staff")
	manager.checked("secret")
	assessorLogin, assessorPassword := manager.hire("Jonna Lykke", "jonna", "sikkerhedschef", "assessor")
	auditorLogin, auditorPassword := manager.hire("Rita Skov", "rita", "revisor", "auditor")
	manager.click(id("secret-done"))
	manager.sees(id("people"))
	manager.click(id("edit-anders"))
	manager.checked("people")

	staff := newPerson(t, chrome, a, "staff", h.url)
	staff.password(staffLogin, staffPassword)
	staff.sees(id("passkey-form"))
	staff.click(id("other-way"))
	const own = "cykel regn havregrød 41"
	staff.types(id("old-password"), staffPassword)
	staff.types(id("new-password"), own)
	staff.types(id("new-password-again"), own)
	staff.click(id("change-password"))
	staff.click(id("totp-new"))
	staff.until("a picture of the secret", soon, `document.querySelector('.qr').naturalWidth > 100`)
	staff.checked("totp")
	secret := strings.ReplaceAll(get[string](staff, node(id("totp-secret"))+`.textContent`), " ", "")
	code := func() string {
		t.Helper()
		h.clock.Advance(30 * time.Second)
		c, err := totp.GenerateCode(secret, h.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	staff.types(id("totp-code"), code())
	staff.click(id("totp-confirm"))
	staff.accept()
	staff.checked("start-staff")
	staff.click(id("logout"))
	staff.sees(id("login-button"))
	staff.password(staffLogin, own)
	staff.sees(id("code"))
	staff.checked("code")
	staff.types(id("code"), "000000")
	staff.click(id("code-button"))
	staff.sees(id("problem"))
	staff.types(id("code"), code())
	staff.click(id("code-button"))
	staff.sees("body.page-start")
	staff.complain("401 POST", "status of 401")

	assessor := newPerson(t, chrome, a, "assessor", h.url)
	assessor.authenticator(false)
	assessor.setUpKey(assessorLogin, assessorPassword, "Min nøgle")
	assessor.open("/account")
	assessor.click(id("approval-Min nøgle"))
	assessor.sees(id("key-id"))
	assessor.checked("account-assessor")
	assessor.complain()

	auditor := newPerson(t, chrome, a, "auditor", h.url)
	auditor.authenticator(true)
	auditor.setUpKey(auditorLogin, auditorPassword, "Min telefon")
	auditor.checked("start-auditor")
	auditor.click(id("start-audit"))
	auditor.click(id("verify"))
	auditor.sees(id("report"))
	auditor.checked("audit")
	auditor.sets(id("audit-act"), "login")
	auditor.click(id("audit-show"))
	auditor.until("log-ins alone", soon, `[...document.querySelectorAll('[data-testid=audit-table] code')].every((c) => c.textContent === 'login')`)
	if lines := get[string](auditor, `document.querySelector('[data-testid=export-csv]').href`); !strings.Contains(lines, "act=login") {
		t.Errorf("the export is of %s", lines)
	}
	auditor.complain()

	// The passkey again: offered at once where it is to hand, or by the button.
	again := func() {
		t.Helper()
		get[bool](manager, `window.veilboxWas = true`)
	}
	back := func() {
		t.Helper()
		manager.until("be in again", soon, `!window.veilboxWas && document.body.classList.contains('page-start')`)
	}
	again()
	manager.click(id("logout"))
	back()
	key.present(false)
	again()
	manager.click(id("logout"))
	manager.until("be out", soon, `!window.veilboxWas && document.querySelector('[data-testid=passkey-button]')?.checkVisibility()`)
	manager.enter(key)
	back()
	manager.open("/account")
	manager.until("be in with a passkey", soon, `document.querySelector('[data-testid=sessions]').innerText.includes('med adgangsnøgle')`)
	manager.complain()

	// By number there are no passkeys; the page says where there are.
	away := newPerson(t, chrome, a, "away", h.address)
	away.open("/login")
	away.sees(id("passkeys-at"))
	if got := get[string](away, node(id("passkeys-at"))+`.querySelector('a').href`); got != h.url+"/login" {
		t.Errorf("passkeys are at %s, want %s", got, h.url)
	}
	away.checked("login-by-number")
	away.complain()
}
