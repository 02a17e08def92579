package casework

import (
	"context"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/passkey"
	"veilbox/redact"
)

// An AlertText is what recipients read before they view. It is sealed to them.
type AlertText struct {
	What     string
	Offence  incident.Offence
	ValueDKK *int
	When     time.Time
}

// An Approval is what an assessor's passkey is asked to sign.
type Approval struct {
	Statement []byte // canonical JSON of all that is signed
	Challenge []byte // what the passkey signs: a hash of Statement
	Draft     any    // the Uplink's own, which Disclose takes back
}

// An Access is one look that somebody at another member had at an own
// disclosure, from the extranet's access log.
type Access struct {
	Member     incident.MemberID `json:"member"`
	MemberName string            `json:"member_name"`
	Person     incident.PersonID `json:"person"`
	Function   string            `json:"function"`
	At         time.Time         `json:"at"`
	Purpose    string            `json:"purpose"`
}

// An Uplink is the way to the extranet. Everything that is sent is queued so
// that it survives a restart; an absent extranet delays and loses nothing.
// What is queued twice for one disclosure counts once: an act that could not be
// saved after it was queued is done again.
type Uplink interface {
	Enrolment(ctx context.Context) (Enrolment, error)
	Enrol(ctx context.Context, code string) (Enrolment, error)
	Members(ctx context.Context) ([]Member, error)
	// KeyID names a passkey for people.
	KeyID(key passkey.Key) string
	// Possession is what a person's passkey signs to show the operator that the
	// person has it.
	Possession(ctx context.Context, person incident.PersonID, key passkey.Key) (challenge []byte, err error)
	// RegisterAssessor asks the operator to register a passkey for approvals.
	RegisterAssessor(ctx context.Context, p incident.Person, key passkey.Key, possession passkey.Assertion) error
	// AssessorConfirmed reports whether the operator has registered a key.
	AssessorConfirmed(ctx context.Context, id incident.PersonID, key passkey.Key) (bool, error)
	// Prepare says what the assessor signs so that rel may be disclosed under id.
	// Nothing is sent and nothing kept.
	Prepare(ctx context.Context, id incident.DisclosureID, rel policy.Release, key passkey.Key, text AlertText) (Approval, error)
	// Disclose checks the signature, seals the copy to the release's circle and
	// queues it under id. approval is what Prepare gave; rel is the gate's answer
	// at this moment, a few minutes later and otherwise the same.
	Disclose(ctx context.Context, id incident.DisclosureID, rel policy.Release, cp redact.Copy, approval Approval, signature passkey.Assertion) error
	Withdraw(ctx context.Context, id incident.DisclosureID, by incident.Person, reason string) error
	Reported(ctx context.Context, id incident.DisclosureID, by incident.Person, number string, at time.Time) error
	// Narrow ends the access of the members in drop, at once, and tells them.
	Narrow(ctx context.Context, id incident.DisclosureID, by incident.Person, reason string, drop []incident.MemberID) error
	// Reassess says that all nine conditions were looked at again and hold, and
	// when they are looked at next; drop is as in Narrow and may be empty.
	Reassess(ctx context.Context, id incident.DisclosureID, by incident.Person, reason string, next time.Time, drop []incident.MemberID) error
	// Deletions returns what the members that were dropped from a circle recorded.
	Deletions(ctx context.Context, id incident.DisclosureID) ([]incident.Dropped, error)
	// Accesses returns who at other members has looked at an own disclosure.
	Accesses(ctx context.Context, id incident.DisclosureID) ([]Access, error)
	// DeletedHere says that this shop has deleted what it had of another's.
	DeletedHere(ctx context.Context, id incident.DisclosureID, by incident.Person, words string) error
	// Sending says how far a disclosure is; ok is false where id is not queued.
	Sending(ctx context.Context, id incident.DisclosureID) (s Sending, ok bool, err error)
	Alerts(ctx context.Context) ([]Alert, error)
	// View opens a copy that was shared with this box, until the time returned.
	// The extranet has logged the viewing when it returns. Each call of open
	// gives a reader of its own, and fails once the disclosure has ended.
	View(ctx context.Context, id incident.DisclosureID, p incident.Person, purpose string) (open func() (Media, error), until time.Time, err error)
}
