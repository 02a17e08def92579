package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

// A Key is an authenticator such as a softkey.Key. Options and answers are the
// JSON forms of WebAuthn Level 3, as a browser's parseCreationOptionsFromJSON
// takes and toJSON gives them.
type Key interface {
	Create(options []byte) ([]byte, error)
	Get(options []byte) ([]byte, error)
}

// A Ceremony is what the box wants a key to do; Options go to the key.
type Ceremony struct {
	ID      string          `json:"id"`
	Options json.RawMessage `json:"options"`
}

// signed is the answer to a ceremony.
type signed struct {
	Ceremony string          `json:"ceremony"`
	Name     string          `json:"name,omitempty"`
	Response json.RawMessage `json:"response"`
}

func (c *Client) ceremony(ctx context.Context, in any, elements ...string) (Ceremony, error) {
	var v Ceremony
	if err := c.ask(ctx, http.MethodPost, path(elements...), nil, in, &v); err != nil {
		return Ceremony{}, err
	}
	if v.ID == "" || len(v.Options) == 0 {
		return Ceremony{}, errors.New("client: the box did not say what the key is to sign: use a veilctl of the box's own version")
	}
	return v, nil
}

// LogInPasskey logs the key's owner in; c keeps the session's token.
func (c *Client) LogInPasskey(ctx context.Context, k Key) (Session, error) {
	v, err := c.ceremony(ctx, nil, "session", "passkey", "options")
	if err != nil {
		return Session{}, err
	}
	response, err := k.Get(v.Options)
	if err != nil {
		return Session{}, err
	}
	return c.begin(ctx, path("session", "passkey"), signed{Ceremony: v.ID, Response: response})
}

// AddPasskey makes k a passkey of the logged-in person.
func (c *Client) AddPasskey(ctx context.Context, k Key, name string) error {
	v, err := c.ceremony(ctx, nil, "session", "passkeys", "options")
	if err != nil {
		return err
	}
	response, err := k.Create(v.Options)
	if err != nil {
		return err
	}
	return c.ask(ctx, http.MethodPost, path("session", "passkeys"), nil, signed{v.ID, name, response}, nil)
}

// RemovePasskey ends a passkey of the logged-in person.
func (c *Client) RemovePasskey(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodDelete, path("session", "passkeys", id), nil, nil, nil)
}

// RegisterApprovalKey has the operator asked to confirm k, a passkey of the
// logged-in person, as a key that signs approvals. k signs that he has it.
func (c *Client) RegisterApprovalKey(ctx context.Context, k Key) error {
	// What k answers to a log-in names the passkey that it has for this box.
	v, err := c.ceremony(ctx, nil, "session", "passkey", "options")
	if err != nil {
		return err
	}
	response, err := k.Get(v.Options)
	if err != nil {
		return err
	}
	var credential struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(response, &credential); err != nil || credential.ID == "" {
		return fmt.Errorf("client: the key does not say which passkey it is (%v)", err)
	}
	return c.RegisterApprovalPasskey(ctx, credential.ID, k)
}

// RegisterApprovalPasskey is RegisterApprovalKey where the passkey's name is known.
func (c *Client) RegisterApprovalPasskey(ctx context.Context, id string, k Key) error {
	v, err := c.ceremony(ctx, nil, "session", "passkeys", id, "approval", "options")
	if err != nil {
		return err
	}
	response, err := k.Get(v.Options)
	if err != nil {
		return err
	}
	return c.ask(ctx, http.MethodPost, path("session", "passkeys", id, "approval"), nil, signed{Ceremony: v.ID, Response: response}, nil)
}

// PrepareApproval has the box say what an approval of the case signs.
func (c *Client) PrepareApproval(ctx context.Context, id incident.CaseID, v casework.Verdict) (casework.ApprovalView, error) {
	var a casework.ApprovalView
	return a, c.ask(ctx, http.MethodPost, path("cases", string(id), "assessment", "options"), nil, v, &a)
}

// Approve prepares an approval, has k sign it and gives it to the box.
func (c *Client) Approve(ctx context.Context, id incident.CaseID, v casework.Verdict, k Key) (casework.CaseView, error) {
	v.Decision = incident.Approve
	a, err := c.PrepareApproval(ctx, id, v)
	if err != nil {
		return casework.CaseView{}, err
	}
	return c.Sign(ctx, id, v, a, k)
}

// Sign has k sign a prepared approval and gives it to the box.
func (c *Client) Sign(ctx context.Context, id incident.CaseID, v casework.Verdict, a casework.ApprovalView, k Key) (casework.CaseView, error) {
	response, err := k.Get(a.Ceremony.Options)
	if err != nil {
		return casework.CaseView{}, err
	}
	v.Ceremony, v.Response = a.Ceremony.ID, response
	return c.Assess(ctx, id, v)
}
