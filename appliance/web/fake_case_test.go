package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"veilbox/appliance/casefile"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

func (b *fakeBox) PrepareApproval(_ context.Context, _ casework.Actor, _ incident.CaseID, _ casework.Verdict) (casework.ApprovalView, error) {
	v := casework.ApprovalView{Statement: `{"not_after":"2026-12-22T13:30:00Z"}`, Hash: strings.Repeat("0", 64), Until: b.clock.Now().Add(5 * time.Minute)}
	v.Ceremony.ID, v.Ceremony.Options = "C1", json.RawMessage(`{"challenge":"AAAA"}`)
	return v, b.act("PrepareApproval")
}
func (b *fakeBox) Suggest(context.Context, casework.Actor, incident.CaseID) (casework.Suggestions, error) {
	return casework.Suggestions{Version: 3, Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "dagligvarer", Links: []casework.LinkSuggestion{
		{Case: "CASE9", What: "Mand tog spiritus", HappenedAt: testNow.AddDate(0, 0, -9), Offence: incident.Theft, State: incident.Expired, SameCamera: true, SameKind: true}}}, b.act("Suggest")
}
func (b *fakeBox) CircleCount(_ context.Context, _ casework.Actor, k incident.Circle) (casework.CircleCount, error) {
	return casework.CircleCount{Members: len(k.Members), Shops: len(k.Members), People: 4 * len(k.Members)}, b.act("CircleCount " + k.Area + " " + k.Place)
}

// document is what the fake box has of every case.
var document = incident.Document{ID: "DOC1", Kind: incident.DocumentReceipt, Name: "kvittering.pdf", Media: incident.MediaPDF, Size: 990, Hash: footage.Hash{7}, By: "mette", ByName: "Mette Sørensen", Added: testNow}

func (b *fakeBox) AddDocument(_ context.Context, a casework.Actor, id incident.CaseID, n casework.NewDocument, r io.Reader) (casework.CaseView, error) {
	size, err := io.Copy(io.Discard, r)
	if err != nil {
		return casework.CaseView{}, problem.New(http.StatusBadRequest, "document.read", problem.Text{DA: "Filen kan ikke læses.", EN: "The file cannot be read."}, problem.Text{DA: "Prøv igen.", EN: "Try again."}).With(err)
	}
	d := document
	d.Kind, d.Name, d.Size = n.Kind, n.Name, size
	return b.change(a, "AddDocument", id, -1, func(c *incident.Case) { c.Documents = append(c.Documents, d) })
}
func (b *fakeBox) Document(context.Context, casework.Actor, incident.CaseID, incident.DocumentID) (incident.Document, casework.Media, error) {
	m, err := b.media("Document")
	return document, m, err
}
func (b *fakeBox) RemoveDocument(_ context.Context, a casework.Actor, id incident.CaseID, _ incident.DocumentID, r casework.DocumentRemoval) (casework.CaseView, error) {
	return b.change(a, "RemoveDocument "+r.Reason, id, -1, func(c *incident.Case) { c.Documents = nil })
}
func (b *fakeBox) SetFact(_ context.Context, a casework.Actor, id incident.CaseID, n casework.NewFact) (casework.CaseView, error) {
	return b.change(a, "SetFact "+n.What, id, n.Version, func(c *incident.Case) {
		c.State = incident.Expired
		c.Facts = append(c.Facts, incident.Fact{What: n.What, At: n.At, Words: n.Words, By: a.Session.Person.ID, Name: a.Session.Person.Name, Added: b.clock.Now()})
	})
}
func (b *fakeBox) Reassess(_ context.Context, a casework.Actor, id incident.CaseID, r casework.Reassess) (casework.CaseView, error) {
	return b.change(a, "Reassess", id, r.Version, func(c *incident.Case) {
		c.Evidence.NextReassessment = &r.Next
		c.Reassessments = append(c.Reassessments, incident.Reassessment{By: a.Session.Person, At: b.clock.Now(), Reasons: r.Reasons, Next: r.Next})
	})
}
func (b *fakeBox) Narrow(_ context.Context, a casework.Actor, id incident.CaseID, n casework.Narrow) (casework.CaseView, error) {
	return b.change(a, "Narrow", id, n.Version, func(c *incident.Case) {
		x := incident.Narrowing{By: a.Session.Person, At: b.clock.Now(), Reason: n.Reason}
		for _, m := range n.Drop {
			x.Dropped = append(x.Dropped, incident.Dropped{Member: m, Told: new(b.clock.Now())})
		}
		c.State, c.Narrowings = incident.Narrowed, append(c.Narrowings, x)
	})
}
func (b *fakeBox) DeleteCase(_ context.Context, _ casework.Actor, _ incident.CaseID, reason string) error {
	return b.act("DeleteCase " + reason)
}
func (b *fakeBox) DeletionProof(context.Context, casework.Actor, incident.CaseID) ([]byte, error) {
	return []byte("veilbox deletion 1\n"), b.act("DeletionProof")
}
func (b *fakeBox) CaseFile(context.Context, casework.Actor, incident.CaseID) (casefile.File, error) {
	return casefile.File{}, b.act("CaseFile")
}
func (b *fakeBox) CaseFilePDF(_ context.Context, _ casework.Actor, _ incident.CaseID, lang string, w io.Writer) error {
	if err := b.act("CaseFilePDF " + lang); err != nil {
		return err
	}
	_, err := io.WriteString(w, "%PDF-1.7\n")
	return err
}
func (b *fakeBox) Holdings(_ context.Context, _ casework.Actor, id incident.CaseID) (casework.Holdings, error) {
	return casework.Holdings{Case: id, At: testNow, Items: []casework.Holding{}}, b.act("Holdings")
}
func (b *fakeBox) Inform(_ context.Context, a casework.Actor, id incident.CaseID, n casework.NewInformed) (casework.CaseView, error) {
	return b.change(a, "Inform "+n.How, id, n.Version, func(c *incident.Case) {
		c.Informed = append(c.Informed, incident.Informed{At: testNow, How: n.How, Words: n.Words, Name: a.Session.Person.Name})
	})
}
func (b *fakeBox) SubjectCopy(_ context.Context, _ casework.Actor, _ incident.CaseID, h casework.Handout) (casework.Media, error) {
	return b.media("SubjectCopy " + h.To)
}
func (b *fakeBox) FindCases(_ context.Context, _ casework.Actor, q casework.FindQuery) (casework.FindResult, error) {
	return casework.FindResult{Cases: []casework.FoundCase{}, Recorded: []casework.FoundFootage{}}, b.act("FindCases " + q.Why)
}
func (b *fakeBox) DeletedHere(_ context.Context, _ casework.Actor, _ incident.DisclosureID, words string) error {
	return b.act("DeletedHere " + words)
}
