package casework

import (
	"context"
	"crypto/ed25519"
	"errors"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/internal/passkey"
	"veilbox/internal/problem"
)

// Login begins a session. Where the extranet waits for the assessor's signing
// key, it is registered now: only the password opens it.
func (s *Service) Login(ctx context.Context, login, password, from string) (string, account.Session, error) {
	token, session, err := s.o.Accounts.LogIn(ctx, login, password, from)
	if err != nil {
		// Not the name that was typed: people type passwords into that field.
		p := problem.Of(err)
		return "", session, errors.Join(err, s.recordAs(ctx, audit.Who{ID: "unknown", Name: "unknown"}, from, "login.refused", p.Code, nil))
	}
	a := Actor{Session: session, From: from}
	if err := s.record(ctx, a, "login", "", nil); err != nil {
		return "", session, errors.Join(err, s.o.Accounts.End(ctx, session))
	}
	s.offerKey(ctx, session, password)
	return token, session, nil
}

// offerKey registers an assessor's key with the extranet where that can be done
// now; else it is done at the next log-in.
func (s *Service) offerKey(ctx context.Context, session account.Session, password string) {
	if !session.Can(account.Assess) || session.MustChange {
		return // a password that somebody else knows opens a key that is soon replaced
	}
	if e, err := s.o.Uplink.Enrolment(ctx); err != nil || !e.Enrolled {
		return
	}
	if p, err := s.o.Accounts.Person(ctx, session.Person.ID); err == nil {
		if signer, ok := p.Signer(); ok && (signer.Confirmed != nil || s.confirmed(ctx, p, signer.Public)) {
			return
		}
	}
	if err := s.registerKey(ctx, session.Person, password); err != nil {
		s.o.Log.Warn("an assessor's key could not be offered for registration; the next log-in tries again", "error", err)
	}
}

func (s *Service) registerKey(ctx context.Context, p incident.Person, password string) error {
	_, err := s.o.Accounts.UnlockSigner(ctx, p.ID, password)
	return err
}

// Logout ends a session.
func (s *Service) Logout(ctx context.Context, a Actor) error {
	if err := s.record(ctx, a, "logout", "", nil); err != nil {
		return err
	}
	return s.o.Accounts.End(ctx, a.Session)
}

// Authenticate returns the session of a token.
func (s *Service) Authenticate(ctx context.Context, token string) (account.Session, error) {
	return s.o.Accounts.Authenticate(ctx, token)
}

// ChangePassword replaces the person's own password.
func (s *Service) ChangePassword(ctx context.Context, a Actor, old, new string) error {
	if err := s.record(ctx, a, "password.change", "", nil); err != nil {
		return err
	}
	if err := s.o.Accounts.ChangePassword(ctx, a.Session, old, new); err != nil {
		return err
	}
	session := a.Session
	session.MustChange = false
	s.offerKey(ctx, session, new)
	return nil
}

// People returns the accounts.
func (s *Service) People(ctx context.Context, a Actor) ([]PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return nil, err
	}
	all, err := s.o.Accounts.People(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]PersonView, 0, len(all))
	for _, p := range all {
		views = append(views, s.personView(ctx, p))
	}
	return views, nil
}

func (s *Service) personView(ctx context.Context, p account.Person) PersonView {
	v := PersonView{
		ID: p.ID, Login: p.Login, Name: p.Name, Active: p.Active, Roles: p.Roles,
		Authorisation: p.Authorisation, Qualification: p.Qualification,
	}
	if signer, ok := p.Signer(); ok {
		v.KeyID = s.o.Uplink.KeyID(passkey.Key{Public: signer.Public})
		v.Confirmed = signer.Confirmed != nil || s.confirmed(ctx, p, signer.Public)
	}
	return v
}

// confirmed asks the extranet whether it takes a key, and keeps a yes.
func (s *Service) confirmed(ctx context.Context, p account.Person, key ed25519.PublicKey) bool {
	ok, err := s.o.Uplink.AssessorConfirmed(ctx, p.ID, passkey.Key{Public: key})
	if err != nil || !ok {
		return false
	}
	if _, err := s.o.Accounts.ConfirmSigner(ctx, p.ID, key); err != nil {
		s.o.Log.Warn("the registration of an assessor's key could not be kept", "error", err)
	}
	return true
}

// AddPerson makes a personal account; its generated password is in the answer
// and nowhere else.
func (s *Service) AddPerson(ctx context.Context, a Actor, n NewPerson) (PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return PersonView{}, err
	}
	if err := errors.Join(checkWords("login", n.Login, maxName), checkWords("name", n.Name, maxName)); err != nil {
		return PersonView{}, err
	}
	if err := s.record(ctx, a, "person.add", "", map[string]string{"login": n.Login, "name": n.Name}); err != nil {
		return PersonView{}, err
	}
	p, password, err := s.o.Accounts.Create(ctx, a.Session.Person.ID, account.NewPerson{
		Login: n.Login, Name: n.Name, Roles: n.Roles, Function: n.Function, Need: n.Need, Until: n.Until, Qualification: n.Qualification,
	})
	if err != nil {
		return PersonView{}, err
	}
	v := s.personView(ctx, p)
	v.Password = password
	return v, nil
}

// ChangePerson changes an account.
func (s *Service) ChangePerson(ctx context.Context, a Actor, id incident.PersonID, c PersonChange) (PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return PersonView{}, err
	}
	if err := s.recordPerson(ctx, a, "person.change", id); err != nil {
		return PersonView{}, err
	}
	p, err := s.o.Accounts.Change(ctx, a.Session.Person.ID, id, account.Change{
		Name: c.Name, Roles: c.Roles, Function: c.Function, Need: c.Need, Until: c.Until, Qualification: c.Qualification, Active: c.Active,
	})
	if err != nil {
		return PersonView{}, err
	}
	return s.personView(ctx, p), nil
}

// ResetPassword gives an account a new generated password.
func (s *Service) ResetPassword(ctx context.Context, a Actor, id incident.PersonID) (PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return PersonView{}, err
	}
	if err := s.recordPerson(ctx, a, "person.password", id); err != nil {
		return PersonView{}, err
	}
	p, password, err := s.o.Accounts.ResetPassword(ctx, a.Session.Person.ID, id)
	if err != nil {
		return PersonView{}, err
	}
	v := s.personView(ctx, p)
	v.Password = password
	return v, nil
}

// recordPerson records an act on an account that there is.
func (s *Service) recordPerson(ctx context.Context, a Actor, act string, id incident.PersonID) error {
	p, err := s.o.Accounts.Person(ctx, id)
	if err != nil {
		return err
	}
	return s.record(ctx, a, act, "", map[string]string{"person": string(p.ID), "name": p.Name})
}
