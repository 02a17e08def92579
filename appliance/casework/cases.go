package casework

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/store"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/redact/subject"
)

// Bounds of what people write.
const (
	maxWords   = 8000
	maxName    = 200
	maxValue   = 100_000_000 // DKK
	holdReview = 30 * 24 * time.Hour
)

// checkWords refuses text that is too long or no text.
func checkWords(field, s string, most int) error {
	if len(s) > most || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return badInput("input.words", fmt.Sprintf("Feltet %q er for langt eller har ugyldige tegn (højst %d tegn).", field, most),
			fmt.Sprintf("The field %q is too long or has invalid characters (at most %d).", field, most))
	}
	return nil
}

func checkWhat(what string) error {
	if strings.TrimSpace(what) == "" {
		return badInput("input.what", "Skriv kort, hvad der skete.", "Write briefly what happened.")
	}
	return checkWords("what", what, maxWords)
}

// NewCase marks an incident: the span is held in the ring and its clip hashed,
// so that it can be played at once and is the same for ever.
func (s *Service) NewCase(ctx context.Context, a Actor, n NewCase) (CaseView, error) {
	if err := s.allow(a, account.Tag); err != nil {
		return CaseView{}, err
	}
	if err := checkWhat(n.What); err != nil {
		return CaseView{}, err
	}
	e := incident.Evidence{Offence: n.Offence, Attempt: n.Attempt, ValueDKK: n.ValueDKK}
	if err := checkEvidence(e); err != nil {
		return CaseView{}, err
	}
	if n.To.Sub(n.From) > s.o.MaxClip {
		return CaseView{}, badInput("clip.long", fmt.Sprintf("Klippet er for langt (højst %v).", s.o.MaxClip), fmt.Sprintf("The clip is too long (at most %v).", s.o.MaxClip))
	}
	enrolled, err := s.o.Uplink.Enrolment(ctx)
	if err != nil {
		// The footage is held now or lost; the submission asks again.
		s.o.Log.Warn("a case is made without the name of its member", "error", err)
	}
	span, hash, heard, err := s.cut(ctx, n.Camera, footage.SpanOf(n.From, n.To))
	if err != nil {
		return CaseView{}, err
	}
	now := s.o.Clock.Now().UTC()
	c := incident.Case{
		ID: incident.CaseID(rand.Text()), Version: 1, State: incident.Draft, Member: enrolled.Member,
		Created: now, Changed: now, ChangedBy: changer(a), Tagged: a.Session.Person, What: n.What, HappenedAt: n.HappenedAt.UTC(),
		Clip:     incident.Clip{Camera: n.Camera, Span: span, Hash: hash, Heard: heard},
		Evidence: e, Subjects: []subject.Subject{},
	}
	if c.Veiled, err = s.veiledOf(ctx, c); err != nil {
		return CaseView{}, err
	}
	if err := s.record(ctx, a, "case.create", "", caseAbout(c)); err != nil {
		return CaseView{}, err
	}
	err = s.o.Ring.Hold(ctx, ring.Hold{
		ID: string(c.ID), Camera: n.Camera, Span: span, Reason: "case " + string(c.ID),
		Person: string(a.Session.Person.ID), Review: now.Add(holdReview),
	})
	if err != nil {
		return CaseView{}, fmt.Errorf("casework: hold the footage of the case: %w", err)
	}
	if err := s.o.Store.CreateCase(ctx, c); err != nil {
		return CaseView{}, errors.Join(err, s.o.Ring.Release(ctx, string(c.ID), string(a.Session.Person.ID)))
	}
	s.spans.add(c)
	return s.view(ctx, a, c)
}

// cut finds what the ring has of span and hashes it as a clip. The clip begins
// and ends with what is recorded: times in it count from its first picture. heard
// says whether there is sound beside it.
func (s *Service) cut(ctx context.Context, cam footage.CameraID, span footage.Span) (_ footage.Span, _ footage.ClipHash, heard bool, _ error) {
	runs, err := s.o.Ring.Timeline(ctx, cam, span)
	if err != nil {
		return span, footage.ClipHash{}, false, fmt.Errorf("casework: %w", err)
	}
	if n := len(runs); n > 0 {
		span.From, span.To = max(span.From, runs[0].From), min(span.To, runs[n-1].To)
	}
	// From the keyframe on: what is marked at a second of the clip must be at
	// that second in every browser, and in the copy.
	whole, err := clip.OpenWith(ctx, s.o.Ring, cam, span, clip.Options{OneFormat: true, FromKeyframe: true})
	if err != nil {
		return span, footage.ClipHash{}, false, err
	}
	span.From = whole.Span().From
	m, err := clip.Open(ctx, s.o.Ring, cam, span)
	if err != nil {
		return span, footage.ClipHash{}, false, err
	}
	hash, err := m.Hash(ctx)
	if err != nil {
		return span, hash, false, err
	}
	return span, hash, whole.About().Audio.Other, nil
}

func caseAbout(c incident.Case) map[string]string {
	m := map[string]string{"case": string(c.ID)}
	if c.Clip.Camera != "" {
		m["camera"] = string(c.Clip.Camera)
		m["from"] = c.Clip.Span.From.Time().Format(time.RFC3339)
		m["to"] = c.Clip.Span.To.Time().Format(time.RFC3339)
	}
	if c.Copy != nil {
		m["copy"] = c.Copy.Hash.String()
	}
	if c.Disclosure != nil {
		m["disclosure"] = string(c.Disclosure.ID)
	}
	return m
}

// load returns a case.
func (s *Service) load(ctx context.Context, id incident.CaseID) (incident.Case, error) {
	c, err := s.o.Store.Case(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return c, errNoCase.With(err)
	}
	return c, err
}

// change loads a case, lets f change it, records the act, lets the effects
// happen and saves the case. A version over 0 must be the one in store.
func (s *Service) change(ctx context.Context, a Actor, id incident.CaseID, version int, act, why string, f func(*incident.Case) error, effects ...func(incident.Case) error) (CaseView, error) {
	return s.changeAbout(ctx, a, id, version, act, why, nil, f, effects...)
}

// changeAbout is change with further details for the record, which f may fill in.
func (s *Service) changeAbout(ctx context.Context, a Actor, id incident.CaseID, version int, act, why string, about map[string]string, f func(*incident.Case) error, effects ...func(incident.Case) error) (CaseView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return CaseView{}, err
	}
	if s.releasing[id] {
		return CaseView{}, wrongState("Sagen er ved at blive sendt.", "The case is just being sent.")
	}
	if version > 0 && version != c.Version {
		return CaseView{}, errConflict
	}
	if err := f(&c); err != nil {
		return CaseView{}, err
	}
	c.ChangedBy = changer(a)
	all := caseAbout(c)
	maps.Copy(all, about)
	if err := s.record(ctx, a, act, why, all); err != nil {
		return CaseView{}, err
	}
	for _, effect := range effects {
		if err := effect(c); err != nil {
			return CaseView{}, err
		}
	}
	if c, err = s.save(ctx, c); err != nil {
		return CaseView{}, err
	}
	return s.view(ctx, a, c)
}

func changer(a Actor) *incident.Changer {
	return &incident.Changer{ID: a.Session.Person.ID, Name: a.Session.Person.Name}
}

// save writes c as the next version. The caller holds mu.
func (s *Service) save(ctx context.Context, c incident.Case) (incident.Case, error) {
	c.Changed = s.o.Clock.Now().UTC()
	saved, err := s.o.Store.UpdateCase(ctx, c)
	if err != nil {
		return c, fmt.Errorf("casework: save the case: %w", err)
	}
	return saved, nil
}

// Cases returns the cases of this box but the deleted, newest first.
func (s *Service) Cases(ctx context.Context, a Actor) ([]CaseView, error) {
	if err := s.allow(a, account.ViewCases); err != nil {
		return nil, err
	}
	cases, err := s.o.Store.Cases(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]CaseView, 0, len(cases))
	for _, c := range cases {
		if c.State == incident.Deleted {
			continue
		}
		v, err := s.view(ctx, a, c)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// Case returns one case.
func (s *Service) Case(ctx context.Context, a Actor, id incident.CaseID) (CaseView, error) {
	if err := s.allow(a, account.ViewCases); err != nil {
		return CaseView{}, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return CaseView{}, err
	}
	return s.view(ctx, a, c)
}

func changeable(c *incident.Case) error {
	switch c.State {
	case incident.Draft, incident.Redacted, incident.Refused:
		return nil
	case incident.Tagged:
		return wrongState("Kopien er ved at blive lavet.", "The copy is being made.")
	case incident.Submitted:
		return wrongState("Sagen ligger hos fagpersonen og kan ikke ændres.", "The case is with the assessor and cannot be changed.")
	default:
		return wrongState("Sagen er videregivet eller afsluttet og kan ikke ændres.", "The case is disclosed or ended and cannot be changed.")
	}
}

// answerable says whether the form's answers may be changed. They are no part of
// the copy: while it is made they stay open, unless the assessor asked for it.
func answerable(c *incident.Case) error {
	if c.State == incident.Tagged && !c.Assessing {
		return nil
	}
	return changeable(c)
}

// ChangeCase replaces the answers of the form. The report to the police has an
// act of its own once the case is disclosed.
func (s *Service) ChangeCase(ctx context.Context, a Actor, id incident.CaseID, ch Change) (CaseView, error) {
	if err := s.allow(a, account.Tag); err != nil {
		return CaseView{}, err
	}
	if err := errors.Join(checkWhat(ch.What), checkEvidence(ch.Evidence)); err != nil {
		return CaseView{}, err
	}
	return s.change(ctx, a, id, ch.Version, "case.change", "", func(c *incident.Case) error {
		if err := answerable(c); err != nil {
			return err
		}
		if err := s.checkLinks(ctx, *c, ch.Evidence.Links); err != nil {
			return err
		}
		c.What, c.HappenedAt, c.Evidence = ch.What, ch.HappenedAt.UTC(), ch.Evidence
		applyFacts(c)
		return nil
	})
}

// view says all that can be said about c to a.
func (s *Service) view(ctx context.Context, a Actor, c incident.Case) (CaseView, error) {
	if c.State == incident.Deleted {
		return tombView(c), nil
	}
	if err := s.hold(ctx, &c); err != nil {
		return CaseView{}, err
	}
	verdict := policy.Assess(c, s.deadlineNow(), s.o.Settings)
	findings := verdict.Findings()
	v := CaseView{
		Case: c, ClipFrom: c.Clip.Span.From.Time(), ClipTo: c.Clip.Span.To.Time(),
		Findings: findings[:], Missing: verdict.Missing(), May: s.may(a, c),
	}
	if v.Missing == nil {
		v.Missing = []policy.Refusal{}
	}
	if p, ok := s.jobs.progress(c.ID); ok {
		v.Progress = &p
	}
	if c.Disclosure != nil {
		sending, ok, err := s.o.Uplink.Sending(ctx, c.Disclosure.ID)
		if err != nil {
			return v, err
		}
		if ok {
			v.Sending = &sending
		}
	}
	return v, nil
}

// may lists the acts that are open to a on c.
func (s *Service) may(a Actor, c incident.Case) []string {
	may := []string{}
	add := func(act string, p account.Permission, ok bool) {
		if ok && s.allow(a, p) == nil {
			may = append(may, act)
		}
	}
	open := changeable(&c) == nil
	running := c.State.Running()
	add("change", account.Tag, answerable(&c) == nil)
	add("redact", account.Tag, open)
	add("submit", account.Submit, open && c.Copy != nil && !training(c))
	add("assess", account.Assess, c.State == incident.Submitted)
	add("sound", account.Assess, c.State == incident.Submitted && c.Clip.Heard && c.Choice.Still == nil)
	add("report", account.Tag, running && !policy.Documented(c))
	add("withdraw", account.Withdraw, running)
	add("reassess", account.Assess, delivered(c))
	add("narrow", account.Narrow, delivered(c))
	add("fact", account.RecordFact, !c.State.Over())
	add("delete", account.DeleteCase, !running && c.State != incident.Submitted && c.State != incident.Tagged)
	if s.documentable(a, c) == nil {
		may = append(may, "document")
	}
	add("download", account.ExportFootage, training(c))
	return may
}
