package browser

import (
	"testing"
	"time"
)

// The manager's day: the first log-in with a passkey, a formal authorisation for
// each, and a year later the review of who still needs it.
func TestYearlyReview(t *testing.T) {
	h := newHouse(t)
	p := newPerson(t, launch(t, pin(t, h.address)), newAlbum(t), "manager", h.url)
	key := p.authenticator(true)
	p.setUpKey(h.login, h.password, "Kontoret")
	p.hire("Anders Bech", "anders", "butiksassistent", "staff")
	p.hire("Rita Skov", "rita", "revisor", "auditor")
	h.clock.Advance(350 * 24 * time.Hour)
	key.present(false)
	p.open("/people")
	p.sees(id("passkey-button")) // the session has long ended
	p.enter(key)
	p.sees(id("people"))
	p.shot("yearly-review")
	due := get[[]string](p, `[...document.querySelectorAll('[data-testid=review] summary')].map((e) => e.dataset.testid)`)
	if len(due) != 3 {
		t.Errorf("a year later %q are to be looked at, want all three", due)
	}
	p.click(id("review-anders"))
	p.click(id("confirm-anders"))
	p.until("the authorisation is extended", soon, `document.querySelector('[data-person=anders]')?.textContent.includes('2028')`)
	p.click(id("review-rita"))
	p.click(id("end-rita"))
	p.click(id("sure"))
	p.until("the authorisation has ended", soon, `document.querySelector('[data-person=rita] .bad')`)
	p.checked("yearly-review")
	p.complain("401")
}
