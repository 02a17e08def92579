package casework

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/passkey"
	"veilbox/internal/problem"
)

var errNotEnrolled = problem.New(409, "box.enrol",
	problem.Text{DA: "Boksen er ikke tilsluttet det fælles system endnu.", EN: "The box does not belong to the shared system yet."},
	problem.Text{DA: "Få driften til at tilslutte den, og tilmeld så nøglen.", EN: "Have the operator connect it, and register the key then."})

// keyProofs is the proofs of possession that wait for a signature, the last one
// of each person. It is small: one a person.
type keyProofs struct {
	mu sync.Mutex
	m  map[incident.PersonID]keyProof
}

type keyProof struct {
	ceremony, session, key string
	challenge              []byte
	until                  time.Time
}

func (w *keyProofs) put(id incident.PersonID, p keyProof) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		w.m = map[incident.PersonID]keyProof{}
	}
	w.m[id] = p
}

// take returns the proof that waits and forgets it.
func (w *keyProofs) take(id incident.PersonID, session, ceremony, key string, now time.Time) (keyProof, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.m[id]
	if !ok || p.ceremony != ceremony || p.session != session || p.key != key {
		return keyProof{}, account.ErrCeremony
	}
	delete(w.m, id)
	if !now.Before(p.until) || p.until.After(now.Add(account.CeremonyLife)) {
		return keyProof{}, account.ErrCeremony
	}
	return p, nil
}

// ApprovalKey begins to register one of an assessor's own passkeys for approvals:
// the passkey signs what shows the operator that the assessor has it.
func (s *Service) ApprovalKey(ctx context.Context, a Actor, id string) (account.Ceremony, error) {
	if err := s.allow(a, account.Assess); err != nil {
		return account.Ceremony{}, err
	}
	k, err := s.ownPasskey(ctx, a, id)
	if err != nil {
		return account.Ceremony{}, err
	}
	if e, err := s.o.Uplink.Enrolment(ctx); err != nil {
		return account.Ceremony{}, err
	} else if !e.Enrolled {
		return account.Ceremony{}, errNotEnrolled
	}
	challenge, err := s.o.Uplink.Possession(ctx, a.Session.Person.ID, k.Key)
	if err != nil {
		return account.Ceremony{}, err
	}
	options, err := passkey.RequestOptions(k.Key.RPID, challenge, account.CeremonyLife, k.Key.ID)
	if err != nil {
		return account.Ceremony{}, err
	}
	c := account.Ceremony{ID: rand.Text(), Options: options}
	s.proofs.put(a.Session.Person.ID, keyProof{c.ID, a.Session.ID(), k.ID, challenge, s.o.Clock.Now().Add(account.CeremonyLife)})
	return c, nil
}

// RegisterApprovalKey asks the operator to take a passkey for approvals. It is
// asked again as long as the operator has not answered; the box looks for the
// answer by itself.
func (s *Service) RegisterApprovalKey(ctx context.Context, a Actor, id, ceremony string, response json.RawMessage) (PasskeyView, error) {
	if err := s.allow(a, account.Assess); err != nil {
		return PasskeyView{}, err
	}
	proof, err := s.proofs.take(a.Session.Person.ID, a.Session.ID(), ceremony, id, s.o.Clock.Now())
	if err != nil {
		return PasskeyView{}, err
	}
	x, err := passkey.ParseAssertion(response)
	if err != nil {
		return PasskeyView{}, account.ErrPasskey.With(err)
	}
	k, err := s.o.Accounts.Assert(ctx, a.Session.Person.ID, proof.challenge, x)
	if err != nil {
		return PasskeyView{}, err
	}
	if k.ID != id {
		return PasskeyView{}, account.ErrPasskey
	}
	if err := s.record(ctx, a, "passkey.register", "", map[string]string{"key": s.o.Uplink.KeyID(k.Key)}); err != nil {
		return PasskeyView{}, err
	}
	if err := s.o.Uplink.RegisterAssessor(ctx, a.Session.Person, k.Key, x); err != nil {
		return PasskeyView{}, err
	}
	p, err := s.o.Accounts.RegisteredPasskey(ctx, a.Session.Person.ID, id)
	if err != nil {
		return PasskeyView{}, err
	}
	for _, now := range p.InUse() {
		if now.ID == id {
			k = now
		}
	}
	return s.passkeyView(k), nil
}

// confirmKeys asks the extranet which of the passkeys that were registered it
// takes by now, and returns the account as it is then. An absent extranet
// confirms nothing.
func (s *Service) confirmKeys(ctx context.Context, p account.Person) account.Person {
	if !p.Active || !p.Can(account.Assess) {
		return p
	}
	for _, k := range p.InUse() {
		if k.Registered == nil || k.Confirmed != nil {
			continue
		}
		if ok, err := s.o.Uplink.AssessorConfirmed(ctx, p.ID, k.Key); err != nil || !ok {
			continue
		}
		now, err := s.o.Accounts.ConfirmPasskey(ctx, p.ID, k.ID)
		if err != nil {
			s.o.Log.Warn("the registration of an assessor's passkey could not be kept", "error", err)
			continue
		}
		p = now
	}
	return p
}

// peopleEvery is how often the box forgets sessions that are over, and asks which
// passkeys the operator takes.
const peopleEvery = 10 * time.Minute

func (s *Service) runPeople(ctx context.Context) {
	for {
		if err := s.sweepPeople(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("what is over of the accounts could not be cleared and will be tried again", "error", err)
		}
		if clock.Sleep(ctx, s.o.Clock, peopleEvery) != nil {
			return
		}
	}
}

// sweepPeople forgets sessions that are over, and asks the extranet about the
// passkeys of approvals: of those that wait, and whether it still takes those
// that it took.
func (s *Service) sweepPeople(ctx context.Context) error {
	if _, err := s.o.Accounts.Sweep(ctx); err != nil {
		return err
	}
	if e, err := s.o.Uplink.Enrolment(ctx); err != nil || !e.Enrolled {
		return err
	}
	all, err := s.o.Accounts.People(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range all {
		errs = append(errs, s.dropRevoked(ctx, s.confirmKeys(ctx, p)))
	}
	return errors.Join(errs...)
}

// dropRevoked takes back the confirmation of passkeys that the operator takes no
// more. An extranet that does not answer revokes nothing; it refuses the approval
// itself.
func (s *Service) dropRevoked(ctx context.Context, p account.Person) error {
	if !p.Active || !p.Can(account.Assess) {
		return nil
	}
	for _, k := range p.Approving() {
		if ok, err := s.o.Uplink.AssessorConfirmed(ctx, p.ID, k.Key); err != nil || ok {
			continue
		}
		about := map[string]string{"person": string(p.ID), "name": p.Name, "key": s.o.Uplink.KeyID(k.Key)}
		if err := s.recordAs(ctx, clockWho, "", "passkey.revoked", "", about); err != nil {
			return err
		}
		if _, err := s.o.Accounts.UnconfirmPasskey(ctx, p.ID, k.ID); err != nil {
			return err
		}
	}
	return nil
}
