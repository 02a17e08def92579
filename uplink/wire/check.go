package wire

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/passkey"
)

func version(v int) error {
	if v != Version {
		return fmt.Errorf("wire: message version %d, this program knows %d: %w", v, Version, ErrMessage)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func person(id incident.PersonID, name string) error {
	return first(Text("the person", string(id), MaxName, true), Text("the person's name", name, MaxName, true))
}

// Check returns what is wrong with r.
func (r EnrolRequest) Check() error {
	if err := first(version(r.Version), Text("the name of the box", r.Name, MaxName, true), Text("the audit key", r.Audit, 400, true)); err != nil {
		return err
	}
	if len(r.Secret) == 0 || len(r.Secret) > 100 || len(r.CSR) == 0 || len(r.CSR) > 4096 || len(r.Signing) != ed25519.PublicKeySize {
		return fmt.Errorf("wire: enrolment: a key or the code is malformed: %w", ErrMessage)
	}
	if _, err := KEM().NewPublicKey(r.HPKE); err != nil {
		return fmt.Errorf("wire: enrolment: %w: %w", err, ErrMessage)
	}
	return nil
}

// maxQualified is the longest that a qualification holds before it is looked at
// again.
const maxQualified = 10 * 366 * 24 * time.Hour

// Check returns what is wrong with r as sent by member.
func (r AssessorRequest) Check(member incident.MemberID) error {
	q := r.Qualification
	err := first(version(r.Version), person(r.Person, r.Name), Text("the education", q.Education, MaxText, true), Text("the experience", q.Experience, MaxText, true))
	if err != nil {
		return err
	}
	if !q.To.After(q.From) || q.To.Sub(q.From) > maxQualified {
		return fmt.Errorf("wire: assessor: say from when until when the qualification holds, ten years at most (V9): %w", ErrMessage)
	}
	if len(q.Competences) == 0 || len(q.Competences) > 20 {
		return fmt.Errorf("wire: assessor: name the competences (V9): %w", ErrMessage)
	}
	for _, c := range q.Competences {
		if err := Text("a competence", c, MaxName, true); err != nil {
			return err
		}
	}
	if err := r.Key.Check(); err != nil {
		return fmt.Errorf("wire: assessor: the key: %w: %w", err, ErrMessage)
	}
	seen, err := passkey.Verify(r.Key, PossessionChallenge(member, r.Person, r.Key), r.Possession)
	if err != nil {
		return fmt.Errorf("wire: assessor: the key is not shown to be theirs: %w: %w", err, ErrMessage)
	}
	if !seen.UserVerified {
		return fmt.Errorf("wire: assessor: the key did not ask who it is: %w", ErrMessage)
	}
	return nil
}

// Check returns what is wrong with r.
func (r ViewRequest) Check() error {
	return first(version(r.Version), person(r.Person, r.Name), Text("the function", r.Function, MaxName, true), Text("the purpose", r.Purpose, MaxText, true))
}

// Check returns what is wrong with r.
func (r WithdrawRequest) Check() error {
	return first(version(r.Version), person(r.Person, r.Name), Text("the reason", r.Reason, MaxText, true))
}

// Check returns what is wrong with r.
func (r ReportRequest) Check() error {
	if r.Number.IsZero() || r.At.IsZero() {
		return fmt.Errorf("wire: report: the number's hash or the time is missing: %w", ErrMessage)
	}
	return first(version(r.Version), person(r.Person, r.Name))
}

// Check returns what is wrong with r.
func (r ReassessRequest) Check() error {
	if len(r.Drop) > MaxMembers || r.At.IsZero() {
		return fmt.Errorf("wire: reassessment: malformed: %w", ErrMessage)
	}
	return first(version(r.Version), person(r.Person, r.Name), Text("the reason", r.Reason, MaxText, true))
}

// Check returns what is wrong with r.
func (r DeletedRequest) Check() error {
	return first(version(r.Version), Text("the person", string(r.Person), MaxName, false), Text("the name", r.Name, MaxName, true), Text("how it was deleted", r.Words, MaxText, true))
}

// Check returns what is wrong with r.
func (r HeartbeatRequest) Check() error {
	if err := first(version(r.Version), Text("the program's version", r.Program, MaxName, true)); err != nil {
		return err
	}
	if r.People < 0 || r.People > MaxPeople || r.Accepted < 0 || r.Accepted > r.People {
		return fmt.Errorf("wire: heartbeat: %d people, %d accepted: %w", r.People, r.Accepted, ErrMessage)
	}
	if err := Text("the version of the conditions", r.Conditions, MaxName, false); err != nil {
		return err
	}
	if len(r.Health) > 50 {
		return fmt.Errorf("wire: heartbeat: too long: %w", ErrMessage)
	}
	for k, v := range r.Health {
		if err := first(Text("a part", k, MaxName, true), Text("its health", v, MaxName, false)); err != nil {
			return err
		}
	}
	return nil
}

// Check returns what is wrong with r.
func (r HeadRequest) Check() error {
	if len(r.Head) > 4096 || len(r.Proof) > 128 || r.From < 0 {
		return fmt.Errorf("wire: audit head: too long: %w", ErrMessage)
	}
	return version(r.Version)
}
