package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casefile"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// Ways in which a person is informed (incident.Informed).
const (
	InformedSign     = "sign"      // by the signs in the shop
	InformedLetter   = "letter"    // in writing
	InformedInPerson = "in-person" // by word of mouth
	InformedExempt   = "exempt"    // not informed, for a reason that is written down
)

const maxInformed = 50

// Inform notes that the person on the footage was told, or why not.
func (s *Service) Inform(ctx context.Context, a Actor, id incident.CaseID, n NewInformed) (CaseView, error) {
	if err := s.allow(a, account.Tag); err != nil {
		return CaseView{}, err
	}
	if !slices.Contains([]string{InformedSign, InformedLetter, InformedInPerson, InformedExempt}, n.How) {
		return CaseView{}, badInput("informed.how", "Vælg, hvordan personen er oplyst, eller at oplysningen er undladt.", "Choose how the person was informed, or that it was left out.")
	}
	if err := checkWords("words", n.Words, audit.MaxText); err != nil {
		return CaseView{}, err
	}
	if n.How == InformedExempt && strings.TrimSpace(n.Words) == "" {
		return CaseView{}, badInput("informed.why", "Skriv, hvorfor personen ikke er oplyst.", "Write why the person was not informed.")
	}
	now := s.o.Clock.Now()
	if n.At.IsZero() {
		n.At = now
	}
	if n.At.After(now.Add(time.Minute)) {
		return CaseView{}, badInput("informed.at", "Tidspunktet ligger ude i fremtiden.", "The time is in the future.")
	}
	return s.change(ctx, a, id, n.Version, "case.informed", n.How, func(c *incident.Case) error {
		if c.State == incident.Deleted {
			return wrongState("Sagen er slettet.", "The case is deleted.")
		}
		if len(c.Informed) >= maxInformed {
			return badInput("informed.many", "Der er noter nok om oplysning i sagen.", "The case has notes enough of information given.")
		}
		p := a.Session.Person
		c.Informed = append(c.Informed, incident.Informed{At: n.At.UTC(), How: n.How, Words: n.Words, By: p.ID, Name: p.Name})
		return nil
	})
}

var (
	errHandoutWarning = problem.New(409, "handout.understood",
		problem.Text{DA: "Når kopien er taget ud af systemet, gælder de almindelige regler: den, der får den, svarer selv for, hvad der videre sker med den.", EN: "Once the copy is taken out of the system ordinary rules hold: whoever gets it answers for what becomes of it."},
		problem.Text{DA: "Fortæl det til den, der får kopien, og bekræft, at du har gjort det.", EN: "Tell whoever gets the copy, and confirm that you did."})
	errHandoutOthers = problem.New(409, "handout.others",
		problem.Text{DA: "Kopien viser eller lader høre andre end den ene person og kan ikke udleveres til den registrerede.", EN: "The copy shows or lets hear others than the one person, and cannot be handed out to the data subject."},
		problem.Text{DA: "Tag optagelsen ud, slør de andre med veilctl redact, og udlevér den kopi.", EN: "Take the footage out, veil the others with veilctl redact, and hand out that copy."})
	errHandoutNobody = problem.New(409, "handout.nobody",
		problem.Text{DA: "I kopien er alle slørede, også den, der beder om indsigt.", EN: "Everybody is veiled in the copy, whoever asks for access too."},
		problem.Text{DA: "Tag optagelsen ud, slør de andre med veilctl redact, og udlevér den kopi.", EN: "Take the footage out, veil the others with veilctl redact, and hand out that copy."})
	errHandoutOld = problem.New(409, "handout.old",
		problem.Text{DA: "Kopien er ikke længere, som den skal være: det, der altid skal sløres, er ændret.", EN: "The copy is no longer as it must be: what is always veiled has changed."},
		problem.Text{DA: "Lav den slørede kopi igen, og udlevér den nye.", EN: "Make the veiled copy again and hand out the new one."})
)

// SubjectCopy opens the veiled copy of a case to hand it out to the one person
// that it shows (GDPR art. 15(3) and (4)): nobody else is seen or heard in it.
func (s *Service) SubjectCopy(ctx context.Context, a Actor, id incident.CaseID, h Handout) (Media, error) {
	if err := s.allow(a, account.ExportFootage); err != nil {
		return nil, err
	}
	h.To = strings.TrimSpace(h.To)
	if h.To == "" {
		return nil, badInput("handout.to", "Skriv, hvem der får kopien, og hvordan I ved, at det er den viste person.", "Write who gets the copy, and how you know that it is the person shown.")
	}
	if err := checkWords("to", h.To, audit.MaxText); err != nil {
		return nil, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.hold(ctx, &c); err != nil {
		return nil, err
	}
	if _, err := s.copyRecord(ctx, id); err != nil {
		return nil, err
	}
	switch {
	case c.Copy == nil || !c.Copy.Passed || c.Copy.Outdated:
		return nil, errHandoutOld
	case training(c):
		return nil, errHandoutNobody
	case c.Copy.Subjects != 1 || c.Copy.Sound != nil:
		return nil, errHandoutOthers
	case !h.Understood:
		return nil, errHandoutWarning
	}
	if err := s.record(ctx, a, "copy.handout", h.To, caseAbout(c)); err != nil {
		return nil, err
	}
	return s.copyFiles(id).open()
}

// DeletionProof returns the signed proof that a case is deleted.
func (s *Service) DeletionProof(ctx context.Context, a Actor, id incident.CaseID) ([]byte, error) {
	if err := s.allow(a, account.CaseFile); err != nil {
		return nil, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.State != incident.Deleted || c.Deletion == nil {
		return nil, wrongState("Sagen er ikke slettet.", "The case is not deleted.")
	}
	if err := s.record(ctx, a, "case.deletion.proof", "", map[string]string{"case": string(id)}); err != nil {
		return nil, err
	}
	entries, err := s.o.Audit.Entries(ctx, audit.Filter{Act: "case.delete", About: "case=" + string(id), Newest: true, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("casework: %w", err)
	}
	head, err := s.o.Audit.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("casework: %w", err)
	}
	d := c.Deletion
	p := casefile.Deletion{
		Box: s.o.Signer.Name(), Case: id, Created: c.Created, Deleted: d.At, By: d.Name, Why: d.Why, Gone: d.What,
		Made: s.o.Clock.Now(), Size: head.Size, Root: head.Hash.String(),
	}
	if len(entries) > 0 {
		p.Entry = entries[0].Seq
	}
	text, err := casefile.SignDeletion(p, s.o.Signer)
	if err != nil {
		return nil, fmt.Errorf("casework: %w", err)
	}
	return text, nil
}

const (
	findMost    = 366 * 24 * time.Hour
	findFootage = 200 // spans
)

// FindCases finds what concerns a person who was in the shop at some time: the
// cases of that time, and what is recorded of it.
func (s *Service) FindCases(ctx context.Context, a Actor, q FindQuery) (FindResult, error) {
	if err := errors.Join(s.allow(a, account.CaseFile), s.allow(a, account.ViewCases)); err != nil {
		return FindResult{}, err
	}
	if !q.To.After(q.From) || q.To.Sub(q.From) > findMost {
		return FindResult{}, badInput("find.span", "Vælg et tidsrum på højst et år.", "Choose a span of a year at most.")
	}
	if err := errors.Join(checkWords("words", q.Words, maxName), checkWords("why", q.Why, maxName)); err != nil {
		return FindResult{}, err
	}
	if strings.TrimSpace(q.Why) == "" {
		return FindResult{}, badInput("find.why", "Skriv, hvad søgningen skal bruges til, fx henvendelsens nummer.", "Write what the search is for, such as the number of the request.")
	}
	about := map[string]string{"from": q.From.UTC().Format(time.RFC3339), "to": q.To.UTC().Format(time.RFC3339)}
	if q.Camera != "" {
		if _, err := footage.ParseCameraID(string(q.Camera)); err != nil {
			return FindResult{}, badInput("find.camera", "Kameraet findes ikke.", "There is no such camera.")
		}
		about["camera"] = string(q.Camera)
	}
	if err := s.record(ctx, a, "rights.find", q.Why, about); err != nil {
		return FindResult{}, err
	}
	names, err := s.cameraNames(ctx)
	if err != nil {
		return FindResult{}, err
	}
	cases, err := s.o.Store.Cases(ctx)
	if err != nil {
		return FindResult{}, fmt.Errorf("casework: %w", err)
	}
	span := footage.SpanOf(q.From, q.To)
	r := FindResult{Cases: []FoundCase{}, Recorded: []FoundFootage{}}
	for _, c := range cases {
		if !concerns(c, q, span) {
			continue
		}
		r.Cases = append(r.Cases, FoundCase{ID: c.ID, State: c.State, What: c.What, HappenedAt: c.HappenedAt, Camera: c.Clip.Camera,
			CameraName: names[c.Clip.Camera], ClipFrom: c.Clip.Span.From.Time(), ClipTo: c.Clip.Span.To.Time()})
	}
	cams, err := s.o.Ring.Cameras(ctx)
	if err != nil {
		return FindResult{}, fmt.Errorf("casework: %w", err)
	}
	for _, cam := range cams {
		if q.Camera != "" && cam != q.Camera {
			continue
		}
		runs, err := s.o.Ring.Timeline(ctx, cam, span)
		if err != nil {
			return FindResult{}, fmt.Errorf("casework: %w", err)
		}
		for _, run := range runs {
			if len(r.Recorded) == findFootage {
				r.More++
				continue
			}
			run.From, run.To = max(run.From, span.From), min(run.To, span.To)
			r.Recorded = append(r.Recorded, FoundFootage{Camera: cam, Name: names[cam], Span: spanView(run)})
		}
	}
	return r, nil
}

// concerns reports whether a case is of q's time, camera and words. One whose
// footage is outside of it counts by the time that was given for what happened.
func concerns(c incident.Case, q FindQuery, span footage.Span) bool {
	if q.Camera != "" && c.Clip.Camera != q.Camera {
		return false
	}
	clip := c.Clip.Span
	filmed := clip.From < span.To && clip.To > span.From
	happened := !c.HappenedAt.Before(q.From) && c.HappenedAt.Before(q.To)
	if !filmed && !happened {
		return false
	}
	e := c.Evidence
	text := []string{c.What, e.BasisWords, e.Repetition, e.Professional, e.RepeatReasons}
	for _, st := range e.Statements {
		text = append(text, st.Witness, st.Words)
	}
	for _, d := range c.Documents {
		text = append(text, d.Name)
	}
	if e.Report != nil {
		text = append(text, e.Report.Number)
	}
	all := strings.ToLower(strings.Join(text, "\n"))
	for _, w := range strings.Fields(strings.ToLower(q.Words)) {
		if !strings.Contains(all, w) {
			return false
		}
	}
	return true
}
