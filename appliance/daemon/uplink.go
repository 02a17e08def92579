package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/store"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/passkey"
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
	now  *connection                    // nil until enrolled
	told map[incident.DisclosureID]bool // whose deletion was queued since the start
	lost error                          // why there is none, where it is not for want of enrolment
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
			Trade: m.Trade, Chain: m.Chain, Boxes: boxes, People: m.People, Own: m.ID == c.id.Member,
		})
	}
	return out, nil
}

func (*extranet) KeyID(key passkey.Key) string { return string(wire.KeyIDOf(key)) }

func (x *extranet) Possession(_ context.Context, person incident.PersonID, key passkey.Key) ([]byte, error) {
	c, err := x.conn()
	if err != nil {
		return nil, err
	}
	return wire.PossessionChallenge(c.id.Member, person, key), nil
}

func (x *extranet) RegisterAssessor(ctx context.Context, p incident.Person, key passkey.Key, possession passkey.Assertion) error {
	c, err := x.conn()
	if err != nil {
		return err
	}
	if p.Qualification == nil {
		return fmt.Errorf("daemon: %s has no qualification to register", p.ID)
	}
	_, err = c.link.RegisterAssessor(ctx, wire.AssessorRequest{
		Version: wire.Version, Person: p.ID, Name: p.Name, Key: key, File: key.File(), Qualification: *p.Qualification, Possession: possession,
	})
	return err
}

func (x *extranet) AssessorConfirmed(ctx context.Context, id incident.PersonID, key passkey.Key) (bool, error) {
	c, err := x.conn()
	if err != nil {
		return false, err
	}
	d, err := c.in.Directory(ctx)
	if err != nil {
		return false, err
	}
	if confirmed(d, c.id.Member, id, key) {
		return true, nil
	}
	// The operator may have confirmed it since: who waits for that asks now.
	if d, err = c.in.Refresh(ctx); err != nil {
		return false, err
	}
	return confirmed(d, c.id.Member, id, key), nil
}

func confirmed(d wire.Directory, member incident.MemberID, id incident.PersonID, key passkey.Key) bool {
	name := wire.KeyIDOf(key)
	for _, m := range d.Members {
		if m.ID != member {
			continue
		}
		for _, a := range m.Assessors {
			if a.Person == id && a.Key != nil && a.ID == name {
				return a.State == wire.AssessorConfirmed
			}
		}
	}
	return false
}

// sender is what a parcel of this box is made with.
func (c *connection) sender(id incident.DisclosureID, key passkey.Key) parcel.Sender {
	return parcel.Sender{Box: c.id.Box, Signing: c.id.Signing, Key: key, Disclosure: id}
}

// A prepared is the Draft of a casework.Approval.
type prepared struct {
	parcel.Draft
	key passkey.Key
}

func (x *extranet) Prepare(_ context.Context, id incident.DisclosureID, rel policy.Release, key passkey.Key, text casework.AlertText) (casework.Approval, error) {
	c, err := x.conn()
	if err != nil {
		return casework.Approval{}, err
	}
	alert := wire.Alert{
		What: text.What, Offence: text.Offence, ValueDKK: text.ValueDKK, When: text.When,
		Where: x.name, Sender: c.id.MemberName,
	}
	d, err := parcel.Prepare(rel, alert, c.sender(id, key))
	if err != nil {
		return casework.Approval{}, err
	}
	return casework.Approval{Statement: d.Statement(), Challenge: d.Challenge(), Draft: prepared{d, key}}, nil
}

func (x *extranet) Disclose(ctx context.Context, id incident.DisclosureID, rel policy.Release, cp redact.Copy, approval casework.Approval, signature passkey.Assertion) error {
	c, err := x.conn()
	if err != nil {
		return err
	}
	draft, ok := approval.Draft.(prepared)
	if !ok {
		return errors.New("daemon: the approval is none that Prepare gave")
	}
	to, err := c.in.Recipients(ctx, rel.Circle().Members)
	if err != nil {
		return err
	}
	f, err := x.out.NewFile()
	if err != nil {
		return err
	}
	sm, env, err := parcel.Seal(ctx, rel, draft.Draft, cp, signature, to, c.sender(id, draft.key), f)
	if err == nil {
		err = x.out.Disclose(ctx, sm, env, f)
	}
	return errors.Join(err, f.Discard())
}

func (x *extranet) Withdraw(ctx context.Context, id incident.DisclosureID, by incident.Person, reason string) error {
	return x.out.Withdraw(ctx, id, wire.WithdrawRequest{Version: wire.Version, Reason: reason, Person: by.ID, Name: by.Name})
}

func (x *extranet) Reported(ctx context.Context, id incident.DisclosureID, by incident.Person, number string, at time.Time) error {
	return x.out.Report(ctx, id, wire.ReportRequest{
		Version: wire.Version, Number: footage.Hash(sha256.Sum256([]byte(number))), At: at, Person: by.ID, Name: by.Name,
	})
}

func (x *extranet) Narrow(ctx context.Context, id incident.DisclosureID, by incident.Person, reason string, drop []incident.MemberID) error {
	return x.Reassess(ctx, id, by, reason, time.Time{}, drop)
}

func (x *extranet) Reassess(ctx context.Context, id incident.DisclosureID, by incident.Person, reason string, next time.Time, drop []incident.MemberID) error {
	return x.out.Reassess(ctx, id, wire.ReassessRequest{
		Version: wire.Version, At: x.clock.Now().UTC(), Person: by.ID, Name: by.Name, Reason: reason, Next: next.UTC(), Drop: drop,
	})
}

func (x *extranet) Deletions(ctx context.Context, id incident.DisclosureID) ([]incident.Dropped, error) {
	c, err := x.conn()
	if err != nil {
		return nil, err
	}
	items, err := c.in.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.Own && it.Disclosure == id {
			return it.Dropped, nil
		}
	}
	return nil, nil
}

func (x *extranet) Accesses(ctx context.Context, id incident.DisclosureID) ([]casework.Access, error) {
	c, err := x.conn()
	if err != nil {
		return nil, err
	}
	log, err := c.link.Accesses(ctx, id)
	if err != nil && problem.Of(err).Code == "missing" {
		return []casework.Access{}, nil // it has not arrived: nobody has looked
	}
	if err != nil {
		return nil, err
	}
	out := make([]casework.Access, 0, len(log.Items))
	for _, a := range log.Items {
		out = append(out, casework.Access{Member: a.Member, MemberName: a.MemberName, Person: a.Person, Function: a.Function, At: a.At, Purpose: a.Purpose})
	}
	return out, nil
}

func (x *extranet) DeletedHere(ctx context.Context, id incident.DisclosureID, by incident.Person, words string) error {
	return x.out.Deleted(ctx, id, wire.DeletedRequest{Version: wire.Version, Person: by.ID, Name: by.Name, Words: words})
}

// nothingKept is what a box says by itself of what it was shown and is to delete.
const nothingKept = "Boksen gemmer intet af det delte; intet er hentet ud af systemet. / The box keeps nothing of what is shared; nothing was taken out of the system."

// acknowledge records the deletion of what other members shared and has ended
// here. Copies are shown from memory and cannot be exported, so that nothing is
// left once the access has ended; a person who has taken something out by other
// means says so, and when it is gone, with DeletedHere.
func (x *extranet) acknowledge(ctx context.Context, items []inbox.Item) error {
	for _, it := range items {
		if it.Own || it.Ended == nil || it.Deleted != nil {
			continue
		}
		x.mu.Lock()
		asked := x.told[it.Disclosure]
		x.mu.Unlock()
		if asked {
			continue // it is queued, or was refused for good
		}
		if err := x.out.Deleted(ctx, it.Disclosure, wire.DeletedRequest{Version: wire.Version, Name: x.name, Words: nothingKept}); err != nil {
			return err
		}
		x.mu.Lock()
		if x.told == nil {
			x.told = map[incident.DisclosureID]bool{}
		}
		x.told[it.Disclosure] = true
		x.mu.Unlock()
	}
	return nil
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

// viewers is how many of people may look at what other members share at now (V7),
// and how many of these have accepted the conditions as they stand (S8).
func viewers(people []account.Person, accepted []store.Acceptance, now time.Time) (may, have int) {
	yes := map[incident.PersonID]bool{}
	for _, a := range accepted {
		if a.Version == casework.ConditionsVersion {
			yes[a.Person] = true
		}
	}
	for _, p := range people {
		if !p.Active || !p.Can(account.ViewShared) || !p.Authorisation.Valid(now) {
			continue
		}
		may++
		if yes[p.ID] {
			have++
		}
	}
	return may, have
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

// own returns what the extranet has ended of what this box sent, and records the
// deletion of what has ended of other members'.
func (x *extranet) own(ctx context.Context) ([]inbox.Item, error) {
	c, err := x.conn()
	if err != nil {
		return nil, err
	}
	items, err := c.in.List(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.acknowledge(ctx, items); err != nil {
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
