package casework

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/passkey"
	"veilbox/redact"
)

type sent struct {
	id        incident.DisclosureID
	rel       policy.Release
	key       passkey.Key
	signature passkey.Assertion
	text      AlertText
}

// A draft is what the fake keeps of what is to be signed.
type draft struct {
	id        incident.DisclosureID
	key       passkey.Key
	text      AlertText
	statement []byte
}

// An uplink is an extranet that is not there but keeps what it is told.
type uplink struct {
	mu        sync.Mutex
	members   []Member
	sent      []sent
	withdrawn map[incident.DisclosureID]string
	reported  map[incident.DisclosureID]string
	narrowed  map[incident.DisclosureID][]incident.MemberID
	next      map[incident.DisclosureID]time.Time
	dropped   []incident.Dropped
	accesses  []Access
	viewed    int
	until     time.Time
	calls     []string
	// during runs within Disclose, before it answers.
	during func(incident.DisclosureID)
	fail   error
	// enrolment is what stands in the way of saying who the box is; alone, the
	// box belongs to no extranet.
	enrolment error
	alone     bool
	// unconfirmed says that the operator has confirmed no key.
	unconfirmed bool
}

func newUplink() *uplink {
	return &uplink{
		withdrawn: map[incident.DisclosureID]string{}, reported: map[incident.DisclosureID]string{},
		narrowed: map[incident.DisclosureID][]incident.MemberID{}, next: map[incident.DisclosureID]time.Time{},
		until: start.Add(5 * time.Minute),
		members: []Member{
			{ID: "butik-a", Name: "Butik A", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "tøj", Chain: "A", Boxes: 1, People: 5, Own: true},
			{ID: "butik-b", Name: "Butik B", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "tøj", Chain: "B", Boxes: 1, People: 4},
			{ID: "butik-c", Name: "Butik C", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "sko", Chain: "B", Boxes: 2, People: 7},
			{ID: "butik-d", Name: "Butik D", Town: "Vejle", Region: "Syddanmark", Country: "DK", Trade: "tøj", Boxes: 3, People: 9},
			{ID: "butik-e", Name: "Butik E", Town: "Aarhus", Region: "Midtjylland", Country: "DK", Trade: "tøj", Boxes: 1, People: 2},
			{ID: "butik-f", Name: "Butik F", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "tøj"}, // no box yet
		},
	}
}

func (u *uplink) called(what string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, what)
	return u.fail
}

func (u *uplink) Enrolment(context.Context) (Enrolment, error) {
	if u.enrolment != nil || u.alone {
		return Enrolment{}, u.enrolment
	}
	return Enrolment{Enrolled: true, Member: "butik-a", Name: "Butik A"}, nil
}

func (u *uplink) Enrol(ctx context.Context, _ string) (Enrolment, error) {
	if err := u.called("enrol"); err != nil {
		return Enrolment{}, err
	}
	return u.Enrolment(ctx)
}

func (u *uplink) Members(context.Context) ([]Member, error) {
	return slices.Clone(u.members), u.called("members")
}

func (u *uplink) KeyID(k passkey.Key) string { return fmt.Sprintf("%x", sha256.Sum256(k.Public)) }

func (u *uplink) Possession(_ context.Context, person incident.PersonID, key passkey.Key) ([]byte, error) {
	sum := sha256.Sum256(append([]byte(person), key.Public...))
	return sum[:], nil
}

func (u *uplink) RegisterAssessor(ctx context.Context, p incident.Person, key passkey.Key, possession passkey.Assertion) error {
	challenge, err := u.Possession(ctx, p.ID, key)
	if err != nil {
		return err
	}
	if _, err := passkey.Verify(key, challenge, possession); err != nil {
		return err
	}
	return u.called("register")
}

func (u *uplink) AssessorConfirmed(context.Context, incident.PersonID, passkey.Key) (bool, error) {
	return !u.unconfirmed, nil
}

// approvalSum is the challenge as uplink/wire computes it.
func approvalSum(statement []byte) [32]byte {
	return sha256.Sum256(append([]byte("veilbox approval 3\x00"), statement...))
}

func (u *uplink) Prepare(_ context.Context, id incident.DisclosureID, rel policy.Release, key passkey.Key, text AlertText) (Approval, error) {
	if rel.IsZero() {
		return Approval{}, errors.New("there is no release")
	}
	b, err := json.Marshal(map[string]any{
		"case": rel.Case(), "disclosure": id, "copy": rel.Copy().String(), "proof": rel.Proof().String(), "sheet": rel.Sheet().String(),
		"circle": rel.Circle(), "not_after": rel.NotAfter(), "assessor": rel.Assessor().Name,
	})
	sum := approvalSum(b)
	return Approval{Statement: b, Challenge: sum[:], Draft: draft{id, key, text, b}}, err
}

func (u *uplink) Disclose(_ context.Context, id incident.DisclosureID, rel policy.Release, cp redact.Copy, approval Approval, signature passkey.Assertion) error {
	if u.during != nil {
		u.during(id)
	}
	if err := u.called("disclose"); err != nil {
		return err
	}
	if cp.IsZero() || rel.IsZero() || cp.Hash() != rel.Copy() {
		return errors.New("the release is of another copy")
	}
	d, ok := approval.Draft.(draft)
	sum := approvalSum(d.statement)
	if !ok || d.id != id || !bytes.Equal(sum[:], approval.Challenge) || !bytes.Equal(d.statement, approval.Statement) {
		return errors.New("it is not what was prepared")
	}
	if _, err := passkey.Verify(d.key, sum[:], signature); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sent = append(u.sent, sent{id, rel, d.key, signature, d.text})
	return nil
}

func (u *uplink) Withdraw(_ context.Context, id incident.DisclosureID, by incident.Person, reason string) error {
	if err := u.called("withdraw"); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.withdrawn[id] = by.Name + ": " + reason
	return nil
}

func (u *uplink) Reported(_ context.Context, id incident.DisclosureID, _ incident.Person, number string, _ time.Time) error {
	if err := u.called("reported"); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reported[id] = number
	return nil
}

func (u *uplink) Narrow(_ context.Context, id incident.DisclosureID, _ incident.Person, _ string, drop []incident.MemberID) error {
	if err := u.called("narrow"); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.narrowed[id] = append(u.narrowed[id], drop...)
	return nil
}

func (u *uplink) Reassess(_ context.Context, id incident.DisclosureID, _ incident.Person, _ string, next time.Time, drop []incident.MemberID) error {
	if err := u.called("reassess"); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.next[id] = next
	u.narrowed[id] = append(u.narrowed[id], drop...)
	return nil
}

func (u *uplink) Deletions(context.Context, incident.DisclosureID) ([]incident.Dropped, error) {
	return slices.Clone(u.dropped), u.called("deletions")
}

func (u *uplink) Accesses(context.Context, incident.DisclosureID) ([]Access, error) {
	return slices.Clone(u.accesses), u.called("accesses")
}

func (u *uplink) DeletedHere(context.Context, incident.DisclosureID, incident.Person, string) error {
	return u.called("deleted")
}

func (u *uplink) Sending(_ context.Context, id incident.DisclosureID) (Sending, bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return Sending{State: "queued"}, slices.ContainsFunc(u.sent, func(s sent) bool { return s.id == id }), nil
}

func (u *uplink) Alerts(context.Context) ([]Alert, error) {
	return []Alert{{ID: "SHARED", What: "tricktyveri"}}, u.called("alerts")
}

type memoryMedia struct{ *bytes.Reader }

func (memoryMedia) Close() error { return nil }

func (u *uplink) View(context.Context, incident.DisclosureID, incident.Person, string) (func() (Media, error), time.Time, error) {
	if err := u.called("view"); err != nil {
		return nil, time.Time{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.viewed++
	return func() (Media, error) { return memoryMedia{bytes.NewReader([]byte("0000ftyp shared copy"))}, nil }, u.until, nil
}

func (u *uplink) log() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(u.calls), func(s string) bool { return s == "members" || s == "deletions" })
}
