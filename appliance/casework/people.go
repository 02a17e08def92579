package casework

import (
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
)

// A NewPerson is what is asked to make a personal account.
type NewPerson struct {
	Login         string                  `json:"login"`
	Name          string                  `json:"name"`
	Roles         []account.Role          `json:"roles"`
	Function      string                  `json:"function"`        // in the shop
	Need          string                  `json:"need"`            // why that function needs access
	Until         *time.Time              `json:"until,omitempty"` // nil: one year
	Qualification *incident.Qualification `json:"qualification,omitempty"`
}

// A PersonChange changes an account; nil leaves a field as it is.
type PersonChange struct {
	Name          *string                 `json:"name,omitempty"`
	Roles         *[]account.Role         `json:"roles,omitempty"`
	Function      *string                 `json:"function,omitempty"`
	Need          *string                 `json:"need,omitempty"`
	Until         *time.Time              `json:"until,omitempty"` // in the past: ends the authorisation now
	Qualification *incident.Qualification `json:"qualification,omitempty"`
	Active        *bool                   `json:"active,omitempty"`
}

// A PersonView is an account as the manager sees it.
type PersonView struct {
	ID            incident.PersonID       `json:"id"`
	Login         string                  `json:"login"`
	Name          string                  `json:"name"`
	Active        bool                    `json:"active"`
	Roles         []account.Role          `json:"roles"`
	Authorisation incident.Authorisation  `json:"authorisation"`
	Qualification *incident.Qualification `json:"qualification,omitempty"`
	// Passkeys is what the person logs in with, those that are retired among them,
	// TOTP whether there is an authenticator app, and Must what the person has to
	// do before anything else.
	Passkeys  []PasskeyView     `json:"passkeys"`
	TOTP      bool              `json:"totp"`
	Must      []account.Need    `json:"must"`
	LastLogin *time.Time        `json:"last_login,omitempty"`
	Reviewed  *account.Reviewed `json:"reviewed,omitempty"`
	// KeyID and Confirmed are an assessor's: which passkey is for approvals, and
	// whether the operator has registered it.
	KeyID     string `json:"key_id,omitempty"`
	Confirmed bool   `json:"confirmed,omitempty"`
	// Password is only in the answer that made it.
	Password string `json:"password,omitempty"`
}

// A PasskeyView is a passkey as its person and the manager see it.
type PasskeyView struct {
	ID     string     `json:"id"` // base64url
	Name   string     `json:"name"`
	Made   time.Time  `json:"made"`
	Used   *time.Time `json:"used,omitempty"`
	Synced bool       `json:"synced,omitempty"` // it is kept in more places than one
	File   bool       `json:"file,omitempty"`   // it is kept in a file
	KeyID  string     `json:"key_id"`           // names it to the operator
	// Registered is when the operator was asked to take it for approvals, and
	// Confirmed when the box learnt that it does.
	Registered *time.Time `json:"registered,omitempty"`
	Confirmed  *time.Time `json:"confirmed,omitempty"`
	Retired    *time.Time `json:"retired,omitempty"`
}

// An AccountView is the own account.
type AccountView struct {
	PersonView
	HasPassword bool                  `json:"has_password"`
	How         account.How           `json:"how"` // by what this session was begun
	Sessions    []account.SessionInfo `json:"sessions"`
	// Accepted says whether the conditions were accepted as they stand now, in
	// the version that Conditions names (S8).
	Accepted   bool   `json:"accepted"`
	Conditions string `json:"conditions"`
}

// A ReviewView is one line of the yearly list.
type ReviewView struct {
	PersonView
	Since time.Time `json:"since"` // when the rights were last decided upon
	// Due says why a manager must look: "review", "ends", "ended", "qualified",
	// "idle", "self-given", "set-up". Empty: nothing is due.
	Due []string `json:"due"`
}
