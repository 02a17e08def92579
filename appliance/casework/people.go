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
	// KeyID and Confirmed are an assessor's: which signing key, and whether the
	// operator has registered it.
	KeyID     string `json:"key_id,omitempty"`
	Confirmed bool   `json:"confirmed,omitempty"`
	// Password is only in the answer that made it.
	Password string `json:"password,omitempty"`
}
