package account

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
)

// LogIn checks a log-in name, a password and a code of the authenticator app, and
// begins a session. Without a code where one is needed it is ErrCode, which tells
// that the password is right and costs no attempt. The password alone is enough
// until the account has a second factor, for setting one up. The token is
// returned once; only its hash is kept. address is where the attempt comes from,
// with or without a port. Of a refused log-in s names the person where the
// password was right, and nobody else.
func (a *Accounts) LogIn(ctx context.Context, login, password, code, address string) (token string, s Session, err error) {
	address = trimmed(address)
	name, err := normalLogin(login)
	if err != nil {
		name = "" // no account has it; the attempt costs the same
	}
	try, err := a.limits.login(name, address, a.now())
	if err != nil {
		return "", Session{}, err
	}
	defer try.end(ctx)
	r, err := a.prove(ctx, name, password)
	if err != nil {
		return "", Session{}, err
	}
	how := ByPassword
	switch must := r.Must(); {
	case r.TOTP && code == "":
		try.good("")
		return "", Session{Person: r.Incident()}, ErrCode
	case r.TOTP:
		codes, err := a.limits.code(name, address, a.now())
		if err != nil {
			return "", Session{Person: r.Incident()}, err
		}
		defer codes.end(ctx)
		if err := a.useCode(ctx, r, code); err != nil {
			return "", Session{Person: r.Incident()}, err
		}
		codes.good("")
		how = ByCode
	case !slices.Contains(must, NeedFactor):
		try.good("")
		return "", Session{Person: r.Incident()}, ErrUsePasskey
	}
	if token, s, err = a.afterProof(ctx, r, password, address, how); err != nil {
		return "", Session{}, err
	}
	try.good(name)
	return token, s, nil
}

// prove returns the account with that log-in and password. Whatever is wrong,
// it costs one password hash and is ErrLogin.
func (a *Accounts) prove(ctx context.Context, login, password string) (*record, error) {
	h := a.decoy
	var r *record
	row, err := a.o.Store.PersonByLogin(ctx, login)
	switch {
	case err == nil:
		if r, err = decode(row); err != nil {
			return nil, err
		}
		if r.Password {
			h = r.Hash
		}
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	ok, err := a.fits(ctx, h, password)
	if err != nil {
		return nil, err
	}
	if !ok || r == nil || !r.Active || !r.Password {
		return nil, ErrLogin
	}
	return r, nil
}

// afterProof notes the log-in, hashes the password anew where the parameters were
// raised, and begins the session: in one, so that none begins after a change that
// ends them all.
func (a *Accounts) afterProof(ctx context.Context, r *record, password, address string, how How) (string, Session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh, err := a.load(ctx, r.ID)
	if err != nil {
		return "", Session{}, err
	}
	if !sameHash(fresh, r) || !fresh.Active || !slices.Equal(fresh.Must(), r.Must()) {
		return "", Session{}, ErrLogin // the account was changed meanwhile
	}
	if fresh.Hash.Params != a.o.Params {
		if fresh.Hash, err = a.hash(ctx, password); err != nil {
			return "", Session{}, err
		}
	}
	now := a.now()
	fresh.LastLogin = &now
	if err := a.save(ctx, fresh); err != nil {
		return "", Session{}, err
	}
	return a.begin(ctx, fresh, address, how)
}

func sameHash(x, y *record) bool {
	return len(x.Hash.Hash) > 0 && subtle.ConstantTimeCompare(x.Hash.Hash, y.Hash.Hash) == 1
}

// Reauthenticate checks a logged-in person's own password again.
func (a *Accounts) Reauthenticate(ctx context.Context, id incident.PersonID, password string) error {
	_, err := a.reauthenticate(ctx, id, password)
	return err
}

func (a *Accounts) reauthenticate(ctx context.Context, id incident.PersonID, password string) (*record, error) {
	try, err := a.limits.person(id, a.now())
	if err != nil {
		return nil, err
	}
	defer try.end(ctx)
	r, err := a.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if !r.Password {
		return nil, ErrPassword
	}
	ok, err := a.fits(ctx, r.Hash, password)
	if err != nil {
		return nil, err
	}
	if !ok || !r.Active {
		return nil, ErrPassword
	}
	try.good("")
	return r, nil
}

// ChangePassword sets the person's own password and ends that person's other
// sessions. Where there is none yet, old is not looked at, but the log-in must be
// fresh.
func (a *Accounts) ChangePassword(ctx context.Context, s Session, old, new string) error {
	r, err := a.load(ctx, s.Person.ID)
	if err != nil {
		return err
	}
	if r.Password {
		if r, err = a.reauthenticate(ctx, r.ID, old); err != nil {
			return err
		}
		if old == new {
			return ErrSamePassword
		}
	} else if err := a.fresh(s); err != nil {
		return err
	}
	if err := a.choose(new, r); err != nil {
		return err
	}
	hash, err := a.hash(ctx, new)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh, err := a.load(ctx, r.ID)
	if err != nil {
		return err
	}
	if !slices.Equal(fresh.Hash.Hash, r.Hash.Hash) || !fresh.Active {
		return ErrConflict
	}
	fresh.Hash, fresh.MustChange = hash, false
	if err := a.save(ctx, fresh); err != nil {
		return err
	}
	return a.o.Store.DeleteOtherSessions(ctx, fresh.ID, s.token)
}

// ResetPassword is how a person comes in again who has lost the password or the
// factors: a generated password, returned once, no passkey and no authenticator
// app. It logs the person out, and the operator must be asked anew to take an
// assessor's passkey.
func (a *Accounts) ResetPassword(ctx context.Context, by, id incident.PersonID) (Person, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	giver, err := a.manager(ctx, by)
	if err != nil {
		return Person{}, "", err
	}
	if giver.ID == id {
		return Person{}, "", ErrSelf // who holds an open page makes no way in from it
	}
	r, err := a.load(ctx, id)
	if err != nil {
		return Person{}, "", err
	}
	return a.reset(ctx, r)
}

// reset leaves r a generated password and nothing else to come in with; the
// caller holds mu.
func (a *Accounts) reset(ctx context.Context, r *record) (_ Person, password string, err error) {
	password = GeneratePassword()
	if r.Hash, err = a.hash(ctx, password); err != nil {
		return Person{}, "", err
	}
	r.MustChange, r.App = true, nil
	a.retireAll(r)
	if err := a.save(ctx, r); err != nil {
		return Person{}, "", err
	}
	if err := a.o.Store.DeleteSessions(ctx, r.ID); err != nil {
		return Person{}, "", err
	}
	return r.public(), password, nil
}
