package account

import (
	"context"
	"errors"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
)

// EnsureFirst makes one manager's account with a generated password where the
// box has no account yet, and returns its log-in once.
func (a *Accounts) EnsureFirst(ctx context.Context) (login, password string, created bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, err := a.o.Store.People(ctx)
	if errors.Is(err, store.ErrDamaged) {
		// There is an account, though it cannot be read: the others log in, and
		// the cameras are recorded.
		return "", "", false, nil
	}
	if err != nil || len(all) > 0 {
		return "", "", false, err
	}
	name := provisional
	if a.o.FirstName != "" {
		if name, err = checkName(a.o.FirstName); err != nil {
			return "", "", false, err
		}
	}
	_, password, err = a.create(ctx, NewPerson{Login: a.o.FirstLogin, Roles: []Role{Manager}}, name, incident.Authorisation{})
	if err != nil {
		return "", "", false, err
	}
	return a.o.FirstLogin, password, true, nil
}

// RenewFirst gives the first account a new password where nobody can have used
// the one it got: it is the only account, with the generated password and no factor. A
// stop between the account and the note of its log-in would lock everyone out.
func (a *Accounts) RenewFirst(ctx context.Context) (login, password string, renewed bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, err := a.o.Store.People(ctx)
	if errors.Is(err, store.ErrDamaged) {
		return "", "", false, nil // there may be others, who can log in
	}
	if err != nil || len(all) != 1 {
		return "", "", false, err
	}
	r, err := decode(all[0])
	if err != nil || !r.MustChange || r.TOTP {
		return "", "", false, err
	}
	password = GeneratePassword()
	if r.Hash, err = a.hash(ctx, password); err != nil {
		return "", "", false, err
	}
	if err := a.save(ctx, r); err != nil {
		return "", "", false, err
	}
	return r.Login, password, true, a.o.Store.DeleteSessions(ctx, r.ID)
}
