package account

import (
	"context"
	"strings"
)

// Recover is the way back for a shop in which no manager can log in any more, for
// whoever rules the machine: it gives an active manager a generated password and
// takes the passkeys and the app. login may be empty where there is one active
// manager alone. record is told whose account it is before anything changes, and
// forbids it with an error.
func (a *Accounts) Recover(ctx context.Context, login string, record func(Person) error) (p Person, password string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, err := a.People(ctx)
	if err != nil {
		return Person{}, "", err
	}
	var found []Person
	for _, p := range all {
		if p.Active && p.Has(Manager) && (login == "" || p.Login == strings.ToLower(login)) {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return Person{}, "", ErrRecover
	}
	r, err := a.load(ctx, found[0].ID)
	if err != nil {
		return Person{}, "", err
	}
	if err := record(r.public()); err != nil {
		return Person{}, "", err
	}
	return a.reset(ctx, r)
}
