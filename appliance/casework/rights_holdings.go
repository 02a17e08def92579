package casework

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// looks are the acts that show footage of a case to a person on this box.
var looks = []string{"clip.view", "copy.view", "copy.download", "copy.handout", "sheet.view", "footage.export"}

// Holdings returns everything that is kept about a case, for the person concerned.
func (s *Service) Holdings(ctx context.Context, a Actor, id incident.CaseID) (Holdings, error) {
	if err := s.allowFile(a); err != nil {
		return Holdings{}, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return Holdings{}, err
	}
	if err := s.record(ctx, a, "case.holdings", "", caseAbout(c)); err != nil {
		return Holdings{}, err
	}
	h := Holdings{
		Case: id, At: s.o.Clock.Now().UTC(), Purpose: holdingPurpose, Source: holdingSource, Rights: holdingRights,
		Items: []Holding{}, Given: []Recipient{}, Own: []OwnAccess{}, Informed: c.Informed,
	}
	if h.Informed == nil {
		h.Informed = []incident.Informed{}
	}
	if err := s.heldFootage(ctx, c, &h); err != nil {
		return Holdings{}, err
	}
	heldPapers(c, &h)
	names := s.memberNames(ctx)
	h.Given = recipients(c, names)
	h.Accesses, h.Unknown = s.accesses(ctx, c)
	for i := range h.Accesses {
		h.Accesses[i].Person = "" // one shop's staff are no recipients of their own
	}
	if err := s.heldLog(ctx, c, &h); err != nil {
		return Holdings{}, err
	}
	return h, nil
}

func dateOf(t time.Time) string { return t.In(clock.Copenhagen).Format("02.01.2006") }

func text(da, en string) problem.Text { return problem.Text{DA: da, EN: en} }

var (
	holdingPurpose = text("Forebyggelse og opklaring af berigelseskriminalitet i butikken, herunder videregivelse efter tv-overvågningslovens § 4 c.",
		"Prevention and clearing up of property crime in the shop, disclosure under § 4 c of tv-overvågningsloven among it.")
	holdingSource = text("Butikkens egne kameraer, personalets forklaringer og eventuelle dokumenter i sagen.",
		"The shop's own cameras, what its staff explained and any documents of the case.")
	holdingRights = text("Du kan bede om indsigt, berigtigelse, sletning og begrænsning, gøre indsigelse og klage til Datatilsynet.",
		"You can ask for access, rectification, erasure and restriction, object, and complain to Datatilsynet.")
	onThisBox = text("På butikkens boks, krypteret.", "On the shop's box, encrypted.")
)

// heldFootage tells of the original and the copy, and of what was taken out.
func (s *Service) heldFootage(ctx context.Context, c incident.Case, h *Holdings) error {
	holds, err := s.o.Ring.Holds(ctx)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	if i := slices.IndexFunc(holds, func(x ring.Hold) bool { return x.ID == string(c.ID) }); i >= 0 {
		review := holds[i].Review.UTC()
		h.Items = append(h.Items, Holding{Kind: "clip", What: text("Den originale optagelse fra kameraet.", "The original recording of the camera."), Where: onThisBox,
			Since: c.Clip.Span.From.Time(), Hash: c.Clip.Hash.String(),
			Ends: text("Bevares til sagen; butikken ser senest "+dateOf(review)+", om den stadig skal bruges.", "Held for the case; the shop looks by "+dateOf(review)+" whether it is still needed.")})
	} else if c.Deletion == nil {
		runs, err := s.o.Ring.Timeline(ctx, c.Clip.Camera, c.Clip.Span)
		if err != nil {
			return fmt.Errorf("casework: %w", err)
		}
		if len(runs) > 0 {
			until := c.Clip.Span.To.Time().Add(30 * 24 * time.Hour)
			h.Items = append(h.Items, Holding{Kind: "clip", What: text("Den originale optagelse fra kameraet.", "The original recording of the camera."), Where: onThisBox,
				Since: c.Clip.Span.From.Time(), Until: &until, Hash: c.Clip.Hash.String(), Ends: text("Slettes senest 30 dage efter optagelsen.", "Deleted 30 days after it was recorded at the latest.")})
		}
	}
	if _, err := s.copyRecord(ctx, c.ID); err == nil && c.Copy != nil {
		x := Holding{Kind: "copy", What: text("En kopi, hvor andre end den mistænkte er slørede.", "A copy in which everybody but the suspect is veiled."), Where: onThisBox,
			Since: c.Copy.Made, Hash: c.Copy.Hash.String(), Ends: text("Slettes, når sagen slettes eller videregivelsen ophører.", "Deleted when the case is deleted or the disclosure ends.")}
		if d := c.Disclosure; d != nil && d.Ended == nil {
			x.Until = &d.NotAfter
		}
		h.Items = append(h.Items, x)
	} else if err != nil && problem.Of(err).Status != 404 {
		return err
	}
	return s.takenOut(ctx, c, h)
}

// takenOut tells of originals that were taken out of the box and that overlap the
// case's.
func (s *Service) takenOut(ctx context.Context, c incident.Case, h *Holdings) error {
	if c.Clip.Camera == "" {
		return nil // deleted: what was its camera and its time is not known any more
	}
	entries, err := s.o.Audit.Entries(ctx, audit.Filter{Act: "footage.export", About: "camera=" + string(c.Clip.Camera)})
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for _, e := range entries {
		from, err1 := time.Parse(time.RFC3339, e.About["from"])
		to, err2 := time.Parse(time.RFC3339, e.About["to"])
		if err1 != nil || err2 != nil || !overlap(c.Clip.Span, from, to) {
			continue
		}
		h.Items = append(h.Items, Holding{Kind: "export", What: text("Udlevering af den originale optagelse: "+e.Why, "The original handed out: "+e.Why),
			Where: text("Hos den, der har fået den.", "With whoever got it."), Since: e.At,
			Ends: text("Reglerne for modtageren gælder, fx politiet.", "The rules for the recipient hold, such as the police.")})
	}
	return nil
}

func overlap(s footage.Span, from, to time.Time) bool {
	return s.From.Time().Before(to) && from.Before(s.To.Time())
}

// heldPapers tells of the answers, the documents and the disclosure.
func heldPapers(c incident.Case, h *Holdings) {
	if c.Deletion != nil {
		h.Items = append(h.Items, Holding{Kind: "deletion", What: text("Beviset for, at sagen er slettet; det har ingen oplysninger om personen.", "The proof that the case is deleted; it says nothing of the person."),
			Where: onThisBox, Since: c.Deletion.At})
		return
	}
	h.Items = append(h.Items, Holding{Kind: "answers", What: text("Sagens oplysninger: hvad der skete, vurderingen af de ni vilkår og hvem der har gjort hvad.", "The answers of the case: what happened, the assessment of the nine conditions, and who did what."),
		Where: onThisBox, Since: c.Created, Ends: text("Slettes, når de ikke længere er nødvendige, senest når sagens frist for opbevaring er udløbet.", "Deleted when they are no longer needed, at the latest when the time for keeping ended cases is over.")})
	for _, d := range c.Documents {
		h.Items = append(h.Items, Holding{Kind: "document", What: text("Dokument: "+d.Name, "Document: "+d.Name), Where: onThisBox, Since: d.Added, Hash: d.Hash.String(),
			Ends: text("Slettes med sagen.", "Deleted with the case.")})
	}
	if d := c.Disclosure; d != nil {
		x := Holding{Kind: "disclosure", What: text("Videregivelse af den slørede kopi i det lukkede system.", "Disclosure of the veiled copy in the closed system."),
			Where: text("På systemejerens server, krypteret, så den ikke kan læses der.", "On the operator's server, encrypted so that it cannot be read there."), Since: d.Released, Until: &d.NotAfter,
			Ends: text("Ophører senest 30 dage efter, at den blev delt, og før, hvis et vilkår ikke er opfyldt mere.", "Ends 30 days after it was shared at the latest, and earlier where a condition is no longer met.")}
		if d.Ended != nil {
			x.Until, x.Ends = d.Ended, text("Ophørt: "+d.EndReason, "Ended: "+d.EndReason)
		}
		h.Items = append(h.Items, x)
	}
}

// recipients lists the members that the copy was made available to.
func recipients(c incident.Case, names map[incident.MemberID]string) []Recipient {
	out := []Recipient{}
	if c.Disclosure == nil {
		return out
	}
	index := map[incident.MemberID]int{}
	add := func(m incident.MemberID, ended *time.Time) {
		i, ok := index[m]
		if !ok {
			i = len(out)
			index[m] = i
			out = append(out, Recipient{Member: m, Name: names[m], Ended: c.Disclosure.Ended})
		}
		if ended != nil {
			out[i].Ended = ended
		}
	}
	for _, m := range c.Evidence.Circle.Members {
		add(m, nil)
	}
	for _, n := range c.Narrowings {
		for _, d := range n.Dropped {
			at := n.At
			add(d.Member, &at)
		}
	}
	return out
}

// heldLog tells of the log's entries about the case, and which were looks.
func (s *Service) heldLog(ctx context.Context, c incident.Case, h *Holdings) error {
	entries, err := s.o.Audit.Entries(ctx, audit.Filter{About: "case=" + string(c.ID)})
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for _, e := range entries {
		if slices.Contains(looks, e.Act) {
			why := e.Why
			if strings.HasPrefix(e.Act, "copy.handout") {
				why = "" // it names whom the copy was given to
			}
			h.Own = append(h.Own, OwnAccess{At: e.At, Role: e.Who.Role, Act: e.Act, Why: why})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	h.Items = append(h.Items, Holding{Kind: "log", Count: len(entries), What: text("Loggen over, hvem der har gjort hvad i sagen.", "The log of who did what in the case."), Where: onThisBox, Since: entries[0].At,
		Ends: text("Opbevares i mindst et år.", "Kept for a year at least.")})
	return nil
}
