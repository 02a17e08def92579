// Package account is the people of a box: personal accounts, roles, formal
// authorisations (condition 7), qualifications (condition 9), passwords,
// passkeys, authenticator apps and sessions.
//
// Accounts are personal: a name is asked, and generic ones are refused. A role
// says which acts are open (the table in role.go); footage asks for a valid
// authorisation beside, which ends by itself.
//
// People log in with a passkey, which verifies its user, or with a password and a
// code of an authenticator app. A generated password alone lets its person in to
// set one of them up, and to nothing else (Session.Must). Passwords are kept as
// argon2id (RFC 9106) and chosen as NIST SP 800-63B asks: length and no list of
// known ones, no rules of composition. Sessions live on the box and end by
// themselves: after 12 hours, and an assessor's after 30 minutes without an act.
//
// The host name that passkeys are made for is Options.RPID. A box that gets
// another name leaves its people's passkeys behind: a manager with a password and
// a code resets the others.
//
// The methods that a manager calls take who calls and check that person's
// permission. The caller records acts in the audit log. Errors that a person
// can act on are *problem.Problem.
package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/internal/clock"
	"veilbox/internal/known"
)

// DefaultAuthorisation is how long an authorisation holds where no end is given:
// one year, counted in days so that it ends on a date.
func DefaultAuthorisation(from time.Time) time.Time { return from.AddDate(1, 0, 0) }

// Options are what Accounts need.
type Options struct {
	Store  *store.Store
	Clock  clock.Clock
	Params Params // zero: DefaultParams
	// FirstLogin and FirstName are the account that EnsureFirst makes. Without
	// a name it must be named before anyone can be authorised by or as it.
	FirstLogin string // empty: "leder"
	FirstName  string
	// RPID is the host name that passkeys are made for, and RPName what people
	// know the box by. A name that is none, such as an address: no passkeys.
	RPID, RPName string
	// Breached is a file in the form of Pwned Passwords, SHA-1 and count in order
	// of the SHA-1; empty: only the passwords that come with the program.
	Breached string
}

// Accounts is the people of one box. It is safe for concurrent use.
type Accounts struct {
	o       Options
	hashing chan struct{}
	limits  *limits
	decoy   passwordHash // what an unknown name is checked against

	ceremonies ceremonies
	breached   *known.File

	mu sync.Mutex // orders changes of accounts
}

// New returns the accounts kept in o.Store.
func New(o Options) (*Accounts, error) {
	if o.Store == nil || o.Clock == nil {
		return nil, errors.New("account: store and clock are needed")
	}
	if o.Params == (Params{}) {
		o.Params = DefaultParams
	}
	if !o.Params.valid() {
		return nil, fmt.Errorf("account: argon2id parameters %+v are out of bounds", o.Params)
	}
	if o.FirstLogin == "" {
		o.FirstLogin = "leder"
	}
	a := &Accounts{o: o, hashing: make(chan struct{}, 2), ceremonies: ceremonies{m: map[string]ceremony{}}}
	var err error
	if a.limits, err = newLimits(o.Store, a.now()); err != nil {
		return nil, err
	}
	if a.breached, err = known.Open(o.Breached); err != nil {
		return nil, err
	}
	a.decoy = passwordHash{Params: o.Params, Salt: make([]byte, 16), Hash: make([]byte, 32)}
	rand.Read(a.decoy.Salt)
	rand.Read(a.decoy.Hash)
	return a, nil
}

func (a *Accounts) now() time.Time { return a.o.Clock.Now().UTC() }

// provisional is the name of a first account that nobody has named yet.
const provisional = "(navn mangler)"

// A NewPerson is what is asked to make an account.
type NewPerson struct {
	Login string
	Name  string
	Roles []Role
	// Function and Need make an authorisation by who makes the account, until
	// Until, or for a year. Both empty: none yet.
	Function, Need string
	Until          *time.Time
	Qualification  *incident.Qualification
}

// A Change changes an account; nil leaves a field as it is.
type Change struct {
	Name  *string
	Roles *[]Role
	// Function, Need and Until make a new authorisation by who makes the change,
	// from now; what is nil is taken from the old one. Until in the past ends
	// the authorisation now.
	Function, Need *string
	Until          *time.Time
	Qualification  *incident.Qualification
	Active         *bool
}

// Create makes an account with a generated password, which is returned once.
func (a *Accounts) Create(ctx context.Context, by incident.PersonID, n NewPerson) (Person, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	giver, err := a.manager(ctx, by)
	if err != nil {
		return Person{}, "", err
	}
	name, err := checkName(n.Name)
	if err != nil {
		return Person{}, "", err
	}
	var au incident.Authorisation
	if n.Function != "" || n.Need != "" || n.Until != nil {
		if au, err = a.authorisation(giver, name, n.Function, n.Need, n.Until); err != nil {
			return Person{}, "", err
		}
	}
	return a.create(ctx, n, name, au)
}

// create makes the account; the caller holds mu.
func (a *Accounts) create(ctx context.Context, n NewPerson, name string, au incident.Authorisation) (Person, string, error) {
	login, err := normalLogin(n.Login)
	if err != nil {
		return Person{}, "", err
	}
	if !knownRoles(n.Roles) || !compatible(n.Roles) {
		return Person{}, "", ErrRoles
	}
	if err := checkQualification(n.Qualification, slices.Contains(n.Roles, Assessor)); err != nil {
		return Person{}, "", err
	}
	password := GeneratePassword()
	r := &record{Person: Person{
		ID: incident.PersonID(rand.Text()), Login: login, Name: name, Roles: slices.Clone(n.Roles), Active: true,
		Created: a.now(), Authorisation: au, Qualification: n.Qualification, MustChange: true,
	}}
	if r.Hash, err = a.hash(ctx, password); err != nil {
		return Person{}, "", err
	}
	row, err := r.row()
	if err != nil {
		return Person{}, "", err
	}
	if err := a.o.Store.CreatePerson(ctx, row); err != nil {
		if errors.Is(err, store.ErrExists) {
			err = ErrLoginTaken.With(err)
		}
		return Person{}, "", err
	}
	return r.public(), password, nil
}

// Person returns one account.
func (a *Accounts) Person(ctx context.Context, id incident.PersonID) (Person, error) {
	r, err := a.load(ctx, id)
	if err != nil {
		return Person{}, err
	}
	return r.public(), nil
}

// People returns all accounts in the order they were made.
func (a *Accounts) People(ctx context.Context) ([]Person, error) {
	rows, err := a.o.Store.People(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Person, 0, len(rows))
	for _, row := range rows {
		r, err := decode(row)
		if err != nil {
			return nil, err
		}
		out = append(out, r.public())
	}
	return out, nil
}

// Change changes an account. Whoever loses a role, an authorisation or the
// account is logged out. Nobody gives rights to himself as long as somebody else
// could give them.
func (a *Accounts) Change(ctx context.Context, by, id incident.PersonID, c Change) (Person, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	giver, err := a.manager(ctx, by)
	if err != nil {
		return Person{}, err
	}
	r, err := a.load(ctx, id)
	if err != nil {
		return Person{}, err
	}
	logout, more := false, false // rights were lost; rights were given
	if c.Name != nil {
		if r.Name, err = checkName(*c.Name); err != nil {
			return Person{}, err
		}
		if r.ID == giver.ID {
			giver = r // who names himself can authorise in the same change
		}
	}
	wasManager := r.Active && r.Has(Manager)
	if c.Roles != nil {
		if !knownRoles(*c.Roles) || !compatible(*c.Roles) {
			return Person{}, ErrRoles
		}
		logout = logout || !sameRoles(r.Roles, *c.Roles)
		more = more || slices.ContainsFunc(*c.Roles, func(x Role) bool { return !r.Has(x) })
		r.Roles = slices.Clone(*c.Roles)
	}
	if c.Qualification != nil {
		q := *c.Qualification
		r.Qualification, more = &q, true
	}
	if c.Qualification != nil || c.Roles != nil {
		if err := checkQualification(r.Qualification, r.Has(Assessor)); err != nil {
			return Person{}, err
		}
	}
	if c.Function != nil || c.Need != nil || c.Until != nil {
		lost, err := a.reauthorise(giver, r, c)
		if err != nil {
			return Person{}, err
		}
		logout = logout || lost
		more = more || c.Until == nil || c.Until.After(a.now())
	}
	if more {
		if err := a.self(ctx, giver, id); err != nil {
			return Person{}, err
		}
	}
	if c.Active != nil {
		logout = logout || !*c.Active
		r.Active = *c.Active
	}
	if wasManager && !(r.Active && r.Has(Manager)) {
		if err := a.otherManager(ctx, id); err != nil {
			return Person{}, err
		}
	}
	if err := a.save(ctx, r); err != nil {
		return Person{}, err
	}
	if logout {
		if err := a.o.Store.DeleteSessions(ctx, id); err != nil {
			return Person{}, err
		}
	}
	return r.public(), nil
}

func sameRoles(x, y []Role) bool {
	return len(x) == len(y) && !slices.ContainsFunc(x, func(r Role) bool { return !slices.Contains(y, r) })
}

func (a *Accounts) load(ctx context.Context, id incident.PersonID) (*record, error) {
	row, err := a.o.Store.Person(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoAccount.With(err)
	}
	if err != nil {
		return nil, err
	}
	return decode(row)
}

func (a *Accounts) save(ctx context.Context, r *record) error {
	row, err := r.row()
	if err != nil {
		return err
	}
	if err := a.o.Store.SavePerson(ctx, row); err != nil {
		if errors.Is(err, store.ErrConflict) {
			err = ErrConflict.With(err)
		}
		return err
	}
	r.version++
	return nil
}

// manager returns the account of by, which must be one that manages people.
func (a *Accounts) manager(ctx context.Context, by incident.PersonID) (*record, error) {
	r, err := a.load(ctx, by)
	if err != nil {
		return nil, err
	}
	if !r.Active || !r.Can(ManagePeople) {
		return nil, ErrPermission
	}
	return r, nil
}

// otherManager returns an error unless someone but id is an active manager.
func (a *Accounts) otherManager(ctx context.Context, id incident.PersonID) error {
	all, err := a.People(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.ID != id && p.Active && p.Has(Manager) {
			return nil
		}
	}
	return ErrLastManager
}
