package casework

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/internal/problem"
)

// Alerts returns what other members share with this one, newest first.
func (s *Service) Alerts(ctx context.Context, a Actor) ([]Alert, error) {
	if err := s.allowShared(ctx, a); err != nil {
		return nil, err
	}
	return s.o.Uplink.Alerts(ctx)
}

// allowShared is allowAccepted for what other members share.
func (s *Service) allowShared(ctx context.Context, a Actor) error {
	return s.allowAccepted(ctx, a, account.ViewShared)
}

// allowAccepted is allow for what is disclosed, here and elsewhere, which asks for
// the conditions as they stand to be accepted (S8). An end asks for nothing.
func (s *Service) allowAccepted(ctx context.Context, a Actor, p account.Permission) error {
	if err := s.allow(a, p); err != nil {
		return err
	}
	ok, err := s.AcceptedConditions(ctx, a)
	if err == nil && !ok {
		return errNotAccepted
	}
	return err
}

// View opens an alert's copy for one person. The look is in this box's audit
// log and in the extranet's access log, by name, before the first byte.
func (s *Service) View(ctx context.Context, a Actor, id incident.DisclosureID, purpose string) (Viewing, error) {
	if err := s.allowShared(ctx, a); err != nil {
		return Viewing{}, err
	}
	if err := checkWords("purpose", purpose, maxName); err != nil {
		return Viewing{}, err
	}
	if strings.TrimSpace(purpose) == "" {
		return Viewing{}, badInput("view.purpose", "Skriv, hvad du skal bruge klippet til.", "Write what you need the clip for.")
	}
	err := s.record(ctx, a, "disclosure.view", purpose, map[string]string{"disclosure": string(id)})
	if err != nil {
		return Viewing{}, err
	}
	open, until, err := s.o.Uplink.View(ctx, id, a.Session.Person, purpose)
	if err != nil {
		return Viewing{}, err
	}
	v := Viewing{ID: rand.Text(), Until: until}
	if v.Media, err = mediaOf(open); err != nil {
		return Viewing{}, err
	}
	v.URL = fmt.Sprintf("/api/v1/viewings/%s/copy%s", v.ID, map[string]string{incident.MediaVideo: ".mp4", incident.MediaPicture: ".jpg"}[v.Media])
	err = s.viewings.add(v.ID, viewing{person: a.Session.Person.ID, open: open, until: until}, s.o.Clock.Now())
	return v, err
}

// mediaOf looks at what another shop's box has sent.
func mediaOf(open func() (Media, error)) (_ string, err error) {
	m, err := open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	media, err := Kind(m)
	if err != nil {
		return "", err
	}
	return media, nil
}

// Kind returns what m is by its first bytes, and leaves m at its start. Nothing
// but a clip or a picture is ever handed to a browser.
func Kind(m Media) (string, error) {
	var head [12]byte
	if _, err := m.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("casework: %w", err)
	}
	if _, err := io.ReadFull(m, head[:]); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("casework: read the copy: %w", err)
	}
	if _, err := m.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("casework: %w", err)
	}
	switch {
	case string(head[4:8]) == "ftyp":
		return incident.MediaVideo, nil
	case head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff:
		return incident.MediaPicture, nil
	}
	return "", errKind
}

var errKind = problem.New(422, "copy.kind",
	problem.Text{DA: "Det delte er hverken et klip eller et billede.", EN: "What was shared is neither a clip nor a picture."},
	problem.Text{DA: "Åbn det ikke; giv driften besked.", EN: "Do not open it; tell the operator."})

// ViewingMedia opens the video of a viewing, for the person who began it.
func (s *Service) ViewingMedia(_ context.Context, a Actor, viewingID string) (Media, error) {
	if err := s.allow(a, account.ViewShared); err != nil {
		return nil, err
	}
	v, ok := s.viewings.get(viewingID, a.Session.Person.ID, s.o.Clock.Now())
	if !ok {
		return nil, problem.New(404, "viewing.over",
			problem.Text{DA: "Visningen er udløbet.", EN: "The viewing is over."},
			problem.Text{DA: "Åbn advarslen igen og vælg Se klip.", EN: "Open the alert again and choose View clip."})
	}
	return v.open()
}

// Members returns the connected retailers.
func (s *Service) Members(ctx context.Context, a Actor) ([]Member, error) {
	if err := s.allow(a, account.ViewCases); err != nil {
		return nil, err
	}
	return s.o.Uplink.Members(ctx)
}

// ConditionsVersion is the version of the conditions that everyone who connects
// accepts (the operator's condition 8). It changes with their text.
const ConditionsVersion = "2026-1"

var errNotAccepted = problem.New(403, "conditions.accept",
	problem.Text{DA: "Du har ikke accepteret vilkårene for videregivelse endnu.", EN: "You have not accepted the conditions of disclosure yet."},
	problem.Text{DA: "Læs dem under Vilkår på forsiden og acceptér dem; det skal kun gøres én gang.", EN: "Read them under Conditions on the start page and accept them; it is asked once."})

// AcceptedConditions reports whether the person has accepted the conditions as
// they stand.
func (s *Service) AcceptedConditions(ctx context.Context, a Actor) (bool, error) {
	return s.o.Store.Accepted(ctx, a.Session.Person.ID, ConditionsVersion)
}

// AcceptConditions records that the person accepts the conditions. Who came in
// with a password that another knows may not be that person.
func (s *Service) AcceptConditions(ctx context.Context, a Actor, version string) error {
	if err := setUp(a); err != nil {
		return err
	}
	if version != ConditionsVersion {
		return badInput("conditions.version", "Vilkårene er ændret; hent siden igen.", "The conditions have changed; load the page again.")
	}
	if err := s.record(ctx, a, "conditions.accept", "", map[string]string{"version": version}); err != nil {
		return err
	}
	p := a.Session.Person
	return s.o.Store.PutAcceptance(ctx, store.Acceptance{Person: p.ID, Name: p.Name, Version: version, At: s.o.Clock.Now().UTC()})
}

// Enrolment says whether the box belongs to an extranet.
func (s *Service) Enrolment(ctx context.Context, a Actor) (Enrolment, error) {
	if err := s.allow(a, account.ViewHealth); err != nil {
		return Enrolment{}, err
	}
	return s.o.Uplink.Enrolment(ctx)
}

// Enrol connects the box to the extranet that a one-time code names. Assessors
// are registered at their next log-in, which opens their keys.
func (s *Service) Enrol(ctx context.Context, a Actor, code string) (Enrolment, error) {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return Enrolment{}, err
	}
	if err := s.record(ctx, a, "box.enrol", "", nil); err != nil {
		return Enrolment{}, err
	}
	e, err := s.o.Uplink.Enrol(ctx, strings.TrimSpace(code))
	return e, s.refused(ctx, a, "box.enrol", nil, err)
}
