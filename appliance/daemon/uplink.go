package daemon

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/uplink/fleet"
	"veilbox/uplink/inbox"
	"veilbox/uplink/link"
	"veilbox/uplink/outbox"
	"veilbox/uplink/parcel"
	"veilbox/uplink/wire"
)

// extranet fills casework.Uplink with the packages of uplink.
type extranet struct {
	ctx   context.Context // the daemon's: open viewings end with it
	clock clock.Clock
	log   *slog.Logger
	store fleet.IdentityStore
	name  string // what people call the box
	audit string // verifier key of the audit log
	out   *outbox.Outbox
	beat  lastRun // the last word to the extranet

	mu   sync.Mutex
	now  *connection // nil until enrolled
	lost error       // why there is none, where it is not for want of enrolment
}

// A connection is what an enrolled box works with.
type connection struct {
	id   fleet.Identity
	link *link.Client
	in   *inbox.Inbox
}

var _ casework.Uplink = (*extranet)(nil)

// connect takes up an identity; the connection before it is closed.
func (x *extranet) connect(id fleet.Identity) {
	l := link.New(id.Credentials(), x.clock)
	c := &connection{id: id, link: l, in: inbox.New(inbox.Options{Identity: id, Link: l, Clock: x.clock, Log: x.log})}
	x.mu.Lock()
	old := x.now
	x.now, x.lost = c, nil
	x.mu.Unlock()
	if old != nil {
		old.link.Close()
	}
}

// conn returns the connection, or fleet.ErrNotEnrolled.
func (x *extranet) conn() (*connection, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.now == nil && x.lost != nil {
		return nil, x.lost
	}
	if x.now == nil {
		return nil, fleet.ErrNotEnrolled
	}
	return x.now, nil
}

// client is conn for the outbox.
func (x *extranet) client() (*link.Client, error) {
	c, err := x.conn()
	if err != nil {
		return nil, err
	}
	return c.link, nil
}

func (x *extranet) Enrolment(context.Context) (casework.Enrolment, error) {
	c, err := x.conn()
	if errors.Is(err, fleet.ErrNotEnrolled) {
		return casework.Enrolment{}, nil
	}
	if err != nil {
		return casework.Enrolment{}, err
	}
	until := c.id.Expires()
	return casework.Enrolment{
		Enrolled: true, Member: c.id.Member, Name: c.id.MemberName, Box: string(c.id.Box), URL: c.id.URL, Until: &until,
	}, nil
}

func (x *extranet) Enrol(ctx context.Context, code string) (casework.Enrolment, error) {
	id, err := fleet.Enrol(ctx, code, fleet.Options{Store: x.store, Name: x.name, Audit: x.audit, Clock: x.clock})
	if err != nil {
		return casework.Enrolment{}, err
	}
	x.connect(id)
	x.out.Wake()
	return x.Enrolment(ctx)
}

func (x *extranet) Members(ctx context.Context) ([]casework.Member, error) {
	c, err := x.conn()
	if err != nil {
		return nil, err
	}
	d, err := c.in.Directory(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]casework.Member, 0, len(d.Members))
	for _, m := range d.Members {
		if !m.Active {
			continue
		}
		boxes := 0
		for _, b := range m.Boxes {
			if !b.Revoked {
				boxes++
			}
		}
		out = append(out, casework.Member{
			ID: m.ID, Name: m.Name, Town: m.Town, Region: m.Region, Country: m.Country,
			Trade: m.Trade, Chain: m.Chain, Boxes: boxes, Own: m.ID == c.id.Member,
		})
	}
	return out, nil
}

func (*extranet) KeyID(key ed25519.PublicKey) string { return string(wire.KeyIDOf(key)) }

func (x *extranet) RegisterAssessor(ctx context.Context, p incident.Person, key ed25519.PrivateKey) error {
	c, err := x.conn()
	if err != nil {
		return err
	}
	if p.Qualification == nil {
		return fmt.Errorf("daemon: %s has no qualification to register", p.ID)
	}
	public := key.Public().(ed25519.PublicKey)
	_, err = c.link.RegisterAssessor(ctx, wire.AssessorRequest{
		Version: wire.Version, Person: p.ID, Name: p.Name, Key: public, Qualification: *p.Qualification,
		Possession: ed25519.Sign(key, wire.PossessionOf(c.id.Member, p.ID, public)),
	})
	return err
}

func (x *extranet) AssessorConfirmed(ctx context.Context, id incident.PersonID, key ed25519.PublicKey) (bool, error) {
	c, err := x.conn()
	if err != nil {
		return false, err
	}
	d, err := c.in.Directory(ctx)
	if err != nil {
		return false, err
	}
	for _, m := range d.Members {
		if m.ID != c.id.Member {
			continue
		}
		for _, a := range m.Assessors {
			if a.Person == id && key.Equal(ed25519.PublicKey(a.Key)) {
				return a.State == wire.AssessorConfirmed, nil
			}
		}
	}
	return false, nil
}

func (x *extranet) Disclose(ctx context.Context, id incident.DisclosureID, rel policy.Release, cp redact.Copy, text casework.AlertText, signer ed25519.PrivateKey) (err error) {
	c, err := x.conn()
	if err != nil {
		return err
	}
	to, err := c.in.Recipients(ctx, rel.Circle().Members)
	if err != nil {
		return err
	}
	f, err := x.out.NewFile()
	if err != nil {
		return err
	}
	alert := wire.Alert{
		What: text.What, Offence: text.Offence, ValueDKK: text.ValueDKK, When: text.When,
		Where: x.name, Sender: c.id.MemberName,
	}
	from := parcel.Sender{Box: c.id.Box, Signing: c.id.Signing, Assessor: signer, Disclosure: id}
	sm, env, err := parcel.Seal(ctx, rel, cp, alert, to, from, f)
	if err != nil {
		return errors.Join(err, f.Discard())
	}
	return x.out.Disclose(ctx, sm, env, f)
}

func (x *extranet) Withdraw(ctx context.Context, id incident.DisclosureID, by incident.Person, reason string) error {
	return x.out.Withdraw(ctx, id, wire.WithdrawRequest{Version: wire.Version, Reason: reason, Person: by.ID, Name: by.Name})
}

func (x *extranet) Reported(ctx context.Context, id incident.DisclosureID, by incident.Person, number string, at time.Time) error {
	return x.out.Report(ctx, id, wire.ReportRequest{
		Version: wire.Version, Number: footage.Hash(sha256.Sum256([]byte(number))), At: at, Person: by.ID, Name: by.Name,
	})
}

func (x *extranet) Sending(ctx context.Context, id incident.DisclosureID) (casework.Sending, bool, error) {
	it, ok, err := x.out.Disclosure(ctx, id)
	if err != nil || !ok {
		return casework.Sending{}, false, err
	}
	s := casework.Sending{State: sendingState(it), Sent: it.Sent, Size: it.Size}
	if it.Code != "" {
		s.Problem = &casework.ProblemView{Code: it.Code, Cause: it.Cause, Remedy: it.Remedy}
	}
	return s, true, nil
}

func sendingState(it outbox.Item) string {
	switch it.State {
	case outbox.Done:
		return "delivered"
	case outbox.Refused, outbox.Cancelled:
		return "refused"
	}
	switch {
	case it.Code != "":
		return "waiting"
	case it.Sent > 0:
		return "sending"
	default:
		return "queued"
	}
}

func (x *extranet) Alerts(ctx context.Context) ([]casework.Alert, error) {
	c, err := x.conn()
	if errors.Is(err, fleet.ErrNotEnrolled) {
		return []casework.Alert{}, nil
	}
	if err != nil {
		return nil, err
	}
	items, err := c.in.List(ctx)
	if err != nil {
		return nil, err
	}
	out := []casework.Alert{}
	for _, it := range items {
		if it.Own || it.Fault {
			continue
		}
		a := casework.Alert{ID: it.Disclosure, Media: it.Manifest.Media(), Sender: it.SenderName, Made: it.Manifest.Created, NotAfter: it.Ends, Seen: it.Viewings > 0}
		if it.Available != nil {
			a.Made = *it.Available
		}
		if it.Alert != nil {
			a.What, a.Offence, a.ValueDKK, a.When = it.Alert.What, it.Alert.Offence, it.Alert.ValueDKK, it.Alert.When
		}
		if it.Ended != nil {
			at := it.Ended.At
			a.Ended, a.Why = &at, whyEnded(*it.Ended)
		}
		out = append(out, a)
	}
	return out, nil
}

func (x *extranet) View(_ context.Context, id incident.DisclosureID, p incident.Person, purpose string) (func() (casework.Media, error), time.Time, error) {
	c, err := x.conn()
	if err != nil {
		return nil, time.Time{}, err
	}
	// The request's own context would end the reads of the requests after it.
	v, err := c.in.View(x.ctx, id, wire.ViewRequest{
		Version: wire.Version, Person: p.ID, Name: p.Name, Function: p.Authorisation.Function, Purpose: purpose,
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	open := func() (casework.Media, error) {
		r, err := v.Open()
		if err != nil {
			return nil, err
		}
		return openMedia{io.NewSectionReader(r, 0, r.Size())}, nil
	}
	return open, v.Expires, nil
}

// An openMedia has nothing to close.
type openMedia struct{ *io.SectionReader }

func (openMedia) Close() error { return nil }

// whyEnded returns the reason for people: the clocks' in the words of the gate,
// a person's as it was written.
func whyEnded(e wire.Ending) problem.Text {
	switch e.Code {
	case wire.EndThirtyDays, wire.EndReportMissing:
		return policy.EndText(string(e.Code))
	}
	return problem.Text{DA: e.Reason, EN: e.Reason}
}

// own returns what the extranet has ended of what this box sent.
func (x *extranet) own(ctx context.Context) ([]inbox.Item, error) {
	c, err := x.conn()
	if err != nil {
		return nil, err
	}
	items, err := c.in.List(ctx)
	if err != nil {
		return nil, err
	}
	var ended []inbox.Item
	for _, it := range items {
		if it.Own && it.Ended != nil {
			ended = append(ended, it)
		}
	}
	return ended, nil
}
