package account

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
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
	// Signers is an assessor's signing keys, the one in use last.
	Signers []Signer `json:"signers,omitempty"`
}

// Why a signing key was made.
const (
	SignerFirst    = "first"           // with the role
	SignerReset    = "password-reset"  // someone else set a new password: the old key cannot be opened
	SignerOwned    = "password-chosen" // the password that someone else knew was replaced by an own one
	maxOldSigners  = 50
	maxAuthorised  = 3 * 366 * 24 * time.Hour
	maxTextLen     = 2000
	maxCompetences = 3
)

// A Signer is one signing key of an assessor.
type Signer struct {
	Public ed25519.PublicKey `json:"public"`
	Made   time.Time         `json:"made"`
	Why    string            `json:"why"`
	// Confirmed is when the operator registered the key; nil: not yet, and the
	// extranet does not take its signatures.
	Confirmed *time.Time `json:"confirmed,omitempty"`
	Retired   *time.Time `json:"retired,omitempty"`
}

// Can reports whether one of p's roles has permission x.
func (p Person) Can(x Permission) bool {
	return slices.ContainsFunc(p.Roles, func(r Role) bool { return Can(r, x) })
}

// Has reports whether p has role r.
func (p Person) Has(r Role) bool { return slices.Contains(p.Roles, r) }

// Signer returns the signing key in use.
func (p Person) Signer() (Signer, bool) {
	if n := len(p.Signers); n > 0 && p.Signers[n-1].Retired == nil {
		return p.Signers[n-1], true
	}
	return Signer{}, false
}

// Incident returns p as it is kept with an act.
func (p Person) Incident() incident.Person {
	return incident.Person{ID: p.ID, Name: p.Name, Authorisation: p.Authorisation, Qualification: p.Qualification}.Clone()
}

// A record is what is sealed in the store.
type record struct {
	Person
	Password passwordHash `json:"password"`
	Sealed   *sealedKey   `json:"sealed_key,omitempty"`

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
	return &r, nil
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
	p := r.Person
	p.Roles = slices.Clone(p.Roles)
	p.Signers = slices.Clone(p.Signers)
	if p.Qualification != nil {
		p.Qualification = p.Incident().Qualification
	}
	return p
}
