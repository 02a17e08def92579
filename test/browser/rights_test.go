package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

func (d *caseDesk) FindCases(_ context.Context, _ casework.Actor, q casework.FindQuery) (casework.FindResult, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found = append(d.found, q)
	r := casework.FindResult{Recorded: []casework.FoundFootage{{Camera: "kasse-1", Name: "Kasse 1", Span: casework.TimeSpan{From: stageNow.Add(-2 * time.Hour), To: stageNow}}}}
	if strings.Contains(d.c.What, q.Words) {
		r.Cases = append(r.Cases, casework.FoundCase{ID: d.c.ID, State: d.c.State, What: d.c.What, HappenedAt: d.c.HappenedAt, Camera: "kasse-1", CameraName: "Kasse 1"})
	}
	return r, nil
}

func (d *caseDesk) Reassess(_ context.Context, _ casework.Actor, _ incident.CaseID, r casework.Reassess) (casework.CaseView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.again = append(d.again, r)
	d.c.Reassessments = append(d.c.Reassessments, incident.Reassessment{By: d.who.Person, At: stageNow, Reasons: r.Reasons, Next: r.Next})
	d.c.Version++
	return d.seen()
}

// shared gives the case a disclosure that runs, to two shops.
func (d *caseDesk) shared() {
	d.copied(incident.Disclosed, incident.Copy{Media: incident.MediaVideo, Mode: subject.SubjectOnly, Subjects: 1})
	d.elsewhere(func(c *incident.Case) {
		c.Evidence.Circle = incident.Circle{Area: "town", Place: "Odense", Members: []incident.MemberID{"netto", "rema"}}
		c.Evidence.Report = &incident.Report{Number: "0700-1", At: stageNow}
		c.Evidence.NextReassessment = new(stageNow.AddDate(0, 0, 14))
		c.Disclosure = &incident.Disclosure{ID: "D1", Released: stageNow, Disclosed: new(stageNow), NotAfter: stageNow.AddDate(0, 0, 30), ReportDue: stageNow}
	})
}

// A person asks what the shop has: when the answer is due, what is found, and
// the ways to what the answer must say.
func TestRequestForAccess(t *testing.T) {
	d, p := newCaseDesk(t)
	d.shared()
	p.open("/")
	p.click(id("nav-rights"))
	p.sees(id("rights-form"))
	p.until("when the answer is due", soon, node(id("rights-by"))+`.textContent`)
	for day, by := range map[string]string{"2026-01-31": "28. februar 2026", "2026-11-22": "22. december 2026", "2026-12-15": "15. januar 2027"} {
		get[bool](p, fmt.Sprintf(`(() => { const e = document.getElementById('got'); e.value = %q; e.dispatchEvent(new Event('change')); return true; })()`, day))
		if said := get[string](p, node(id("rights-by"))+`.textContent`); !strings.Contains(said, by) {
			t.Errorf("asked on %s: %q, want %q", day, said, by)
		}
	}
	p.checked("rights")
	p.types(id("rights-words"), "høretelefoner")
	p.types(id("rights-why"), "Henvendelse 7")
	p.click(id("rights-find"))
	p.until("the case", soon, `document.querySelector('[data-case=STAGE]')`)
	p.until("the focus is at what was found", soon, `document.activeElement.id === 'h-found'`)
	p.shot("rights-found")
	p.checked("rights-found")
	d.mu.Lock()
	q := d.found[0]
	d.mu.Unlock()
	if q.Why != "Henvendelse 7" || q.Words != "høretelefoner" || q.Camera != footage.CameraID("") || q.To.Sub(q.From) < 29*24*time.Hour {
		t.Errorf("asked for %+v", q)
	}
	for part, open := range map[string]string{"holdings": "holdings", "inform": "inform-words", "handout": "handout-to"} {
		p.open("/rights")
		p.types(id("rights-why"), "Henvendelse 7")
		p.click(id("rights-find"))
		p.click(fmt.Sprintf(`[data-case=STAGE] a[href="/cases/STAGE#%s"]`, part))
		p.until(part+" is open", soon, node(id(open))+`?.checkVisibility()`)
	}
}

// The look whether all still holds also takes shops out.
func TestReassessAndDrop(t *testing.T) {
	d, p := newCaseDesk(t)
	d.shared()
	p.open("/cases/STAGE")
	p.click(id("reassess-open"))
	p.click(id("reassess-drop-open"))
	p.click(id("reassess-drop-rema"))
	p.types(id("reassess-reasons"), "Rema har lukket; for Netto holder alle ni vilkår.")
	p.shot("reassess-drop")
	p.checked("reassess-drop")
	p.click(id("reassess-save"))
	p.click(id("sure"))
	p.until("it is kept", soon, `document.readyState === 'complete' && document.body.textContent.includes('Rema har lukket')`)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.again) != 1 || !slices.Equal(d.again[0].Drop, []incident.MemberID{"rema"}) || d.again[0].Next.IsZero() {
		t.Errorf("looked at again: %+v", d.again)
	}
}

func (d *caseDesk) Cases(context.Context, casework.Actor) ([]casework.CaseView, error) {
	return nil, nil
}

func (d *caseDesk) Holds(context.Context, casework.Actor) ([]casework.HoldView, error) {
	return nil, nil
}
