package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

// A Session is who is logged in.
type Session struct {
	Person incident.Person `json:"person"`
	Roles  []account.Role  `json:"roles"`
	// Must is what the person has to do before anything else.
	Must []account.Need `json:"must"`
}

// Login logs a person in with a password; c keeps the session's token. It is
// enough for a first log-in with a password that the box made; after that the box
// wants a code too (the problem "login.code").
func (c *Client) Login(ctx context.Context, login, password string) (Session, error) {
	return c.LoginCode(ctx, login, password, "")
}

// LoginCode is Login with the code of the moment (TOTP).
func (c *Client) LoginCode(ctx context.Context, login, password, code string) (Session, error) {
	return c.begin(ctx, path("session"), struct {
		Login    string `json:"login"`
		Password string `json:"password"`
		Code     string `json:"code,omitempty"`
	}{login, password, code})
}

// begin asks for a session and keeps its token.
func (c *Client) begin(ctx context.Context, path string, in any) (Session, error) {
	var s Session
	h, err := c.askHeader(ctx, http.MethodPost, path, nil, in, &s)
	if err != nil {
		return Session{}, err
	}
	for _, cookie := range (&http.Response{Header: h}).Cookies() {
		if cookie.Name == CookieName && cookie.Value != "" {
			c.SetToken(cookie.Value)
			return s, nil
		}
	}
	return Session{}, errors.New("client: the box gave no session: check that the address is a box's")
}

// Session returns who is logged in.
func (c *Client) Session(ctx context.Context) (Session, error) {
	var s Session
	return s, c.ask(ctx, http.MethodGet, path("session"), nil, nil, &s)
}

// Logout ends the session on the box.
func (c *Client) Logout(ctx context.Context) error {
	err := c.ask(ctx, http.MethodDelete, path("session"), nil, nil, nil)
	if err == nil {
		c.SetToken("")
	}
	return err
}

// ChangePassword replaces the logged-in person's password.
func (c *Client) ChangePassword(ctx context.Context, old, new string) error {
	return c.ask(ctx, http.MethodPost, path("session", "password"), nil, map[string]string{"old": old, "new": new}, nil)
}

// People returns the accounts.
func (c *Client) People(ctx context.Context) ([]casework.PersonView, error) {
	var v []casework.PersonView
	return v, c.ask(ctx, http.MethodGet, path("people"), nil, nil, &v)
}

// AddPerson makes an account; the answer has its password, once.
func (c *Client) AddPerson(ctx context.Context, p casework.NewPerson) (casework.PersonView, error) {
	var v casework.PersonView
	return v, c.ask(ctx, http.MethodPost, path("people"), nil, p, &v)
}

// ChangePerson changes an account.
func (c *Client) ChangePerson(ctx context.Context, id incident.PersonID, p casework.PersonChange) (casework.PersonView, error) {
	var v casework.PersonView
	return v, c.ask(ctx, http.MethodPatch, path("people", string(id)), nil, p, &v)
}

// ReviewPeople returns the yearly list: everybody's rights, those due first.
func (c *Client) ReviewPeople(ctx context.Context) ([]casework.ReviewView, error) {
	var v []casework.ReviewView
	return v, c.ask(ctx, http.MethodGet, path("people", "review"), nil, nil, &v)
}

// ConfirmAuthorisation records that a person's rights were gone through and are
// still needed, until then; nil: for a year.
func (c *Client) ConfirmAuthorisation(ctx context.Context, id incident.PersonID, until *time.Time) (casework.PersonView, error) {
	var v casework.PersonView
	in := struct {
		Until *time.Time `json:"until,omitempty"`
	}{until}
	return v, c.ask(ctx, http.MethodPost, path("people", string(id), "review"), nil, in, &v)
}

// ResetPassword gives an account a new password, which is in the answer.
func (c *Client) ResetPassword(ctx context.Context, id incident.PersonID) (casework.PersonView, error) {
	var v casework.PersonView
	return v, c.ask(ctx, http.MethodPost, path("people", string(id), "password"), nil, nil, &v)
}

// An Acceptance is whether this person has accepted the conditions (S8).
type Acceptance struct {
	Accepted bool       `json:"accepted"`
	Version  string     `json:"version"`
	At       *time.Time `json:"at,omitempty"`
}

// AcceptedConditions returns whether the person has accepted the conditions.
func (c *Client) AcceptedConditions(ctx context.Context) (Acceptance, error) {
	var a Acceptance
	return a, c.ask(ctx, http.MethodGet, path("conditions"), nil, nil, &a)
}

// AcceptConditions accepts that version of the conditions.
func (c *Client) AcceptConditions(ctx context.Context, version string) error {
	return c.ask(ctx, http.MethodPost, path("conditions"), nil, map[string]string{"version": version}, nil)
}
