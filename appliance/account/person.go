package account

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/internal/passkey"
)

// A Person is an account as others may see it: it holds no secret.
type Person struct {
	ID            incident.PersonID       `json:"id"`
	Login         string                  `json:"login"`
	Name          string                  `json:"name"`
	Roles         []Role                  `json:"roles"`
	Active        bool                    `json:"active"`
	Created       time.Time               `json:"created"`
	Authorisation incident.Authorisation  `json:"authorisation"`
	Qualification *incident.Qualification `json:"qualification,omitempty"`
	// MustChange says that someone else knows the password: it was generated.
	MustChange bool `json:"must_change,omitempty"`
	// Passkeys is the person's passkeys in the order they were made, the retired
	// ones of approvals among them.
	Passkeys []Passkey `json:"passkeys,omitempty"`
	// LastLogin is the last log-in; nil: none yet.
	LastLogin *time.Time `json:"last_login,omitempty"`
	// Reviewed is the last time that a manager went through the person's rights.
	Reviewed *Reviewed `json:"reviewed,omitempty"`
	// Password and TOTP say whether there is an own or generated password, and
	// an authenticator app beside it.
	Password bool `json:"-"`
	TOTP     bool `json:"-"`
}

const (
	maxAuthorised  = 3 * 366 * 24 * time.Hour
	maxQualified   = 10 * 366 * 24 * time.Hour
	maxTextLen     = 2000
	maxCompetences = 3
)

// A Reviewed says who went through a person's rights, and when.
type Reviewed struct {
	At time.Time         `json:"at"`
	By incident.PersonID `json:"by"`
	// Name is the manager's, as it was then.
	Name string `json:"name"`
}

// A Passkey is one passkey of a person.
type Passkey struct {
	ID   string      `json:"id"` // the credential's name, base64url
	Key  passkey.Key `json:"key"`
	Name string      `json:"name"` // the person's own word for it
	Made time.Time   `json:"made"`
	Used *time.Time  `json:"used,omitempty"`
	// Counter is the last signature's number; 0: the passkey does not count.
	Counter uint32 `json:"counter,omitempty"`
	Synced  bool   `json:"synced,omitempty"` // it is kept in more places than one
	File    bool   `json:"file,omitempty"`   // it is kept in a file
	// Registered is when the operator was asked to take it for approvals, and
	// Confirmed when it did; nil: not yet.
	Registered *time.Time `json:"registered,omitempty"`
	Confirmed  *time.Time `json:"confirmed,omitempty"`
	// Retired is when it was removed. Nothing is signed with it any more.
	Retired *time.Time `json:"retired,omitempty"`
}

// A Need is what a person must do before anything else.
type Need string

const (
	NeedPassword Need = "password" // somebody else knows it
	NeedFactor   Need = "factor"   // there is neither a passkey nor an authenticator app
)

// Must returns what p must do first.
func (p Person) Must() []Need {
	var must []Need
	if p.MustChange {
		must = append(must, NeedPassword)
	}
	if !p.TOTP && len(p.InUse()) == 0 {
		must = append(must, NeedFactor)
	}
	return must
}

// InUse returns p's passkeys that are not retired.
func (p Person) InUse() []Passkey {
	return slices.DeleteFunc(slices.Clone(p.Passkeys), func(k Passkey) bool { return k.Retired != nil })
}

// Approving returns the passkeys that the operator takes p's approvals from.
func (p Person) Approving() []Passkey {
	return slices.DeleteFunc(p.InUse(), func(k Passkey) bool { return k.Confirmed == nil })
}

// Can reports whether one of p's roles has permission x.
func (p Person) Can(x Permission) bool {
	return slices.ContainsFunc(p.Roles, func(r Role) bool { return Can(r, x) })
}

// Has reports whether p has role r.
func (p Person) Has(r Role) bool { return slices.Contains(p.Roles, r) }

// Incident returns p as it is kept with an act.
func (p Person) Incident() incident.Person {
	return incident.Person{ID: p.ID, Name: p.Name, Authorisation: p.Authorisation, Qualification: p.Qualification}.Clone()
}

// A record is what is sealed in the store.
type record struct {
	Person
	Hash passwordHash `json:"password"` // without a hash: none
	App  *app         `json:"totp,omitempty"`

	version int
}

func decode(p store.Person) (*record, error) {
	var r record
	if err := json.Unmarshal(p.Body, &r); err != nil {
		return nil, fmt.Errorf("account: %s: %w", p.ID, err)
	}
	if r.ID != p.ID {
		return nil, fmt.Errorf("account: the row of %s holds another account: restore the store from the backup", p.ID)
	}
	r.version = p.Version
	r.know()
	return &r, nil
}

// know sets what is said of the secrets without telling them.
func (r *record) know() {
	r.Person.Password, r.Person.TOTP = len(r.Hash.Hash) > 0, r.App != nil
}

func (r *record) row() (store.Person, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return store.Person{}, fmt.Errorf("account: %w", err)
	}
	return store.Person{ID: r.ID, Login: r.Login, Version: r.version, Body: b}, nil
}

// public returns a copy of the account without its secrets.
func (r *record) public() Person {
	r.know()
	p := r.Person
	p.Roles = slices.Clone(p.Roles)
	p.Passkeys = slices.Clone(p.Passkeys)
	if p.Qualification != nil {
		p.Qualification = p.Incident().Qualification
	}
	return p
}
