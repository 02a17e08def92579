// Package account is the people of a box: personal accounts, roles, formal
// authorisations (condition 7), qualifications (condition 9), passwords,
// sessions, and the assessor's signing key.
//
// Accounts are personal: a name is asked, and generic ones are refused. A role
// says which acts are open (the table in role.go); footage asks for a valid
// authorisation beside, which ends by itself. Passwords are kept as argon2id;
// sessions live on the box and end by themselves: after 12 hours, and an
// assessor's after 30 minutes without an act.
//
// An assessor approves by a signature. The Ed25519 key is made on the box and
// kept sealed under a key derived from the assessor's password, so that nobody
// else, the box's own services among them, can sign.
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
	"strings"
	"sync"
	"time"
	"unicode"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/store"
	"veilbox/internal/clock"
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
}

// Accounts is the people of one box. It is safe for concurrent use.
type Accounts struct {
	o       Options
	hashing chan struct{}
	limits  *limits
	decoy   passwordHash // what an unknown name is checked against

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
	a := &Accounts{o: o, hashing: make(chan struct{}, 2), limits: newLimits()}
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
	if !known(n.Roles) || !compatible(n.Roles) {
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
	if r.Password, err = a.hash(ctx, password); err != nil {
		return Person{}, "", err
	}
	if r.Has(Assessor) {
		if err := a.newSigner(ctx, r, password, SignerFirst); err != nil {
			return Person{}, "", err
		}
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

// Review returns the active people whose authorisation ends within d, or has
// ended: the list that a manager goes through each year.
func (a *Accounts) Review(ctx context.Context, d time.Duration) ([]Person, error) {
	all, err := a.People(ctx)
	if err != nil {
		return nil, err
	}
	until := a.now().Add(d)
	return slices.DeleteFunc(all, func(p Person) bool {
		return !p.Active || p.Authorisation.By == "" || p.Authorisation.To.After(until)
	}), nil
}

// Change changes an account. Whoever loses a role, an authorisation or the
// account is logged out.
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
	logout := false
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
		if !known(*c.Roles) || !compatible(*c.Roles) {
			return Person{}, ErrRoles
		}
		logout = logout || !slices.Equal(r.Roles, *c.Roles)
		r.Roles = slices.Clone(*c.Roles)
		if !r.Has(Assessor) {
			a.retireSigner(r)
		}
	}
	if c.Qualification != nil {
		q := *c.Qualification
		r.Qualification = &q
	}
	if c.Qualification != nil || c.Roles != nil {
		if err := checkQualification(r.Qualification, r.Has(Assessor)); err != nil {
			return Person{}, err
		}
	}
	if c.Function != nil || c.Need != nil || c.Until != nil {
		if err := a.reauthorise(giver, r, c); err != nil {
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

// ResetPassword gives an account a generated password, which is returned once,
// and logs the person out. An assessor gets a new signing key, as the old one
// cannot be opened without the old password; the operator must register it.
func (a *Accounts) ResetPassword(ctx context.Context, by, id incident.PersonID) (Person, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.manager(ctx, by); err != nil {
		return Person{}, "", err
	}
	r, err := a.load(ctx, id)
	if err != nil {
		return Person{}, "", err
	}
	password := GeneratePassword()
	if r.Password, err = a.hash(ctx, password); err != nil {
		return Person{}, "", err
	}
	r.MustChange = true
	a.retireSigner(r)
	if r.Has(Assessor) {
		if err := a.newSigner(ctx, r, password, SignerReset); err != nil {
			return Person{}, "", err
		}
	}
	if err := a.save(ctx, r); err != nil {
		return Person{}, "", err
	}
	if err := a.o.Store.DeleteSessions(ctx, id); err != nil {
		return Person{}, "", err
	}
	return r.public(), password, nil
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

func (a *Accounts) authorisation(giver *record, name, function, need string, until *time.Time) (incident.Authorisation, error) {
	now := a.now()
	au := incident.Authorisation{By: giver.Name, Function: strings.TrimSpace(function), Need: strings.TrimSpace(need), From: now, To: DefaultAuthorisation(now)}
	if until != nil {
		au.To = until.UTC()
	}
	if giver.Name == provisional || name == provisional {
		return au, ErrName
	}
	if au.Function == "" || au.Need == "" || len(au.Function) > maxTextLen || len(au.Need) > maxTextLen || !au.To.After(now) || au.To.Sub(now) > maxAuthorised {
		return au, ErrAuthorisationText
	}
	return au, nil
}

func (a *Accounts) reauthorise(giver, r *record, c Change) error {
	old, now := r.Authorisation, a.now()
	if c.Until != nil && !c.Until.After(now) {
		if old.To.After(now) {
			r.Authorisation.To = now
		}
		return nil
	}
	function, need, until := old.Function, old.Need, c.Until
	if c.Function != nil {
		function = *c.Function
	}
	if c.Need != nil {
		need = *c.Need
	}
	if until == nil && old.Valid(now) {
		until = &old.To
	}
	au, err := a.authorisation(giver, r.Name, function, need, until)
	if err == nil {
		r.Authorisation = au
	}
	return err
}

func normalLogin(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	n := 0
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("._-@", c) {
			return "", ErrLoginName
		}
		n++
	}
	if n < 2 || n > 64 || len(s) > 128 {
		return "", ErrLoginName
	}
	return s, nil
}

// generic are words that name a place or a function, not a person.
var generic = []string{"butik", "butikken", "butikschef", "kasse", "kassen", "personale", "medarbejder", "leder", "admin", "administrator", "bruger", "user", "staff", "shop", "store", "manager", "test", "fælles", "shared", "vagt", "assessor", "operator"}

// checkName returns name tidied, or ErrName where it is not a person's: a first
// and a last name in letters, not all of them generic words.
func checkName(name string) (string, error) {
	words := strings.Fields(name)
	if len(words) < 2 || len(name) > 200 {
		return "", ErrName
	}
	own := 0
	for _, w := range words {
		for _, c := range w {
			if !unicode.IsLetter(c) && !unicode.IsMark(c) && !strings.ContainsRune("-'’.", c) {
				return "", ErrName
			}
		}
		if !slices.Contains(generic, strings.ToLower(w)) {
			own++
		}
	}
	if own < 2 {
		return "", ErrName
	}
	return strings.Join(words, " "), nil
}

// checkQualification checks q, which an assessor must have.
func checkQualification(q *incident.Qualification, needed bool) error {
	if q == nil {
		if needed {
			return ErrQualification
		}
		return nil
	}
	if strings.TrimSpace(q.Education) == "" || strings.TrimSpace(q.Experience) == "" || len(q.Education) > maxTextLen || len(q.Experience) > maxTextLen ||
		len(q.Competences) == 0 || len(q.Competences) > maxCompetences || !q.To.After(q.From) {
		return ErrQualification
	}
	for i, c := range q.Competences {
		if !slices.Contains(policy.Competences[:], c) || slices.Contains(q.Competences[:i], c) {
			return ErrQualification
		}
	}
	return nil
}
