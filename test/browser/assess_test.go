package browser

import (
	"fmt"
	"strings"
	"time"
)

// assess opens the case from the first page, looks at all that is revealed and
// writes the reasons.
func (k *walk) assess(reasons string) {
	p := k.assessor
	p.click(id(k.caseID()))
	p.sees(id("assess-form"))
	k.inspect(p)
	if flagged := id("assess-flagged"); get[bool](p, `Boolean(`+node(flagged)+`)`) {
		p.click(flagged)
	}
	p.click(id("assess-seen"))
	p.types(id("assess-reasons"), reasons)
}

func (k *walk) caseID() string { return "case-" + k.caseURL[strings.LastIndex(k.caseURL, "/")+1:] }

func (k *walk) refuse() {
	p := k.assessor
	a := k.approvalKey()
	k.key = a
	p.leave(a)
	p.enter(a)
	p.accept()
	p.sees(id(k.caseID()))
	p.shot("assessor-start")
	k.assess("Jeg kan ikke se, at han har gjort det før. Skriv, hvor og hvornår.")
	p.shot("assessor")
	p.all("assessor")
	p.click(id("refuse"))
	k.state(p, "refused", soon)
	// The staff's page follows by itself.
	k.state(k.staff, "refused", soon)
	k.staff.sees(".verdict.refuse")
	k.staff.shot("refused")
	k.staff.click(id("step-why"))
	k.staff.types(id("repeat-reasons"), " Det var i Svendborg den 3. og i Nyborg den 9.")
	k.staff.click(id("step-submit"))
	k.staff.saved()
	k.submit()
}

func (k *walk) approve() {
	p := k.assessor
	p.open("/")
	p.sees(id(k.caseID()))
	k.assess("Alle ni vilkår er opfyldt; gerningen ses på optagelsen.")
	p.click(id("approve"))
	p.sees(id("sign"))
	p.shot("sign")
	p.all("sign")
	k.unverified()
	p.click(id("sign-now"))
	p.until("the case is released", soon, `['released', 'disclosed'].includes(document.getElementById('case')?.dataset.state)`)
	k.state(p, "disclosed", later)
	p.sees(id("disclosure"))
	k.state(k.staff, "disclosed", soon)
	k.staff.sees(id("disclosure"))
	k.staff.shot("disclosed")
	k.staff.all("disclosed")
}

func (k *walk) watch() {
	p := k.b
	a := p.ownKey(k.w.B, k.w.B.Staff, "Tabletten bagved")
	p.leave(a)
	p.enter(a)
	p.sees(id("accept-form"))
	p.shot("conditions-of-the-system")
	p.click(id("accept-read"))
	p.click(id("accept"))
	p.sees("body.page-start")
	// The box asks for what is new now and then.
	alert := `a[data-testid^="alert-"]`
	p.appears("the alert", alert)
	p.shot("start-b")
	p.click(id("nav-alerts"))
	p.sees("body.page-alerts " + alert)
	p.click(alert)
	p.sees(id("view-form"))
	p.shot("alert-before")
	p.types(id("purpose"), "Vagten skal kunne genkende ham")
	p.click(id("view"))
	p.plays(id("alert-player"), later)
	k.shows(p, "alert", id("alert-player"))
	p.all("alert")
	p.click(id("nav-alerts"))
	p.sees("body.page-alerts " + alert)
	p.shot("alerts")
}

// appears looks at the first page again until something is on it.
func (p *person) appears(what, selector string) {
	p.t.Helper()
	deadline := time.Now().Add(later)
	for !get[bool](p, fmt.Sprintf(`Boolean(%s)`, node(selector))) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: %s: not within %v", p.name, what, later)
		}
		select {
		case <-p.ctx.Done():
			p.t.Fatalf("%s: the browser ended", p.name)
		case <-time.After(time.Second):
		}
		p.open("/")
	}
}
