package browser

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

// PrepareApproval on a stage says that the verdict was put.
func (s *stage) PrepareApproval(_ context.Context, _ casework.Actor, _ incident.CaseID, v casework.Verdict) (casework.ApprovalView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict = v
	a := casework.ApprovalView{Statement: `{}`, Hash: strings.Repeat("0", 64), Until: stageNow.Add(5 * time.Minute)}
	a.Ceremony.ID, a.Ceremony.Options = "C1", json.RawMessage(`{"challenge":"AAAA"}`)
	return a, nil
}

// The assessor has it all on one page, and sees what is signed before a key is
// asked for.
func TestAssessorsPage(t *testing.T) {
	d, p := newCaseDesk(t)
	d.copied(incident.Submitted, incident.Copy{Media: incident.MediaVideo, Mode: subject.SubjectOnly, Subjects: 1, Flagged: incident.Flagged{Spans: 2, Frames: 20}})
	d.elsewhere(func(c *incident.Case) {
		c.Evidence.Circle = incident.Circle{Area: "town", Place: "Odense", Members: []incident.MemberID{"netto", "rema"}, Reason: "Set i byen"}
		c.Documents = []incident.Document{{ID: "DOC1", Kind: incident.DocumentReceipt, Name: "kvittering.pdf", Media: incident.MediaPDF, Size: 2048, Hash: footage.Hash{1}, ByName: "Mette", Added: stageNow}}
		c.Assessments = []incident.Assessment{{Assessor: d.who.Person, At: stageNow.Add(-time.Hour), Decision: incident.Refuse, Reasons: "Skriv hvor han er set."}}
	})
	p.open("/cases/STAGE")
	p.sees(id("assess-form"))
	p.until("the sheet", soon, `document.querySelectorAll('.sheet img').length >= 3`)
	p.until("the nine", soon, `document.querySelectorAll('.finding').length === 9`)
	p.shot("assessor")
	p.checked("assessor")
	p.types(id("assess-reasons"), "Alle ni vilkår er opfyldt.")
	p.click(id("approve"))
	p.until("the flags come first", soon, `document.querySelector('[data-code=unflagged]')`)
	p.click(id("assess-flagged"))
	p.click(id("assess-seen"))
	p.click(id("approve"))
	p.sees(id("sign"))
	p.shot("sign")
	p.checked("sign")
	if got := get[string](p, node(id("sign-says"))+`.textContent`); !strings.Contains(got, "2 butikker, ca. 16 personer") || !strings.Contains(got, "22. dec") {
		t.Errorf("what is signed: %q", got)
	}
	if len(d.asked) != 1 || d.asked[0].Decision != incident.Approve || d.asked[0].SawFlagged != 2 || d.asked[0].Key != "DESK" {
		t.Errorf("asked: %+v", d.asked)
	}
}
