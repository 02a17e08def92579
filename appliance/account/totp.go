package account

import (
	"context"
	"fmt"
	"time"

	"veilbox/internal/totp"
)

// An app is an authenticator app that was shown to work.
type app struct {
	Secret []byte    `json:"secret"`
	Made   time.Time `json:"made"`
	// Step is the last 30 seconds of which a code was used: no code counts twice.
	Step int64 `json:"step"`
}

// A TOTP is the secret for an authenticator app, told once.
type TOTP = totp.Secret

// NewTOTP returns a secret for the person's authenticator app. It counts once
// ConfirmTOTP has a code of it; until then an older one stays.
func (a *Accounts) NewTOTP(ctx context.Context, s Session) (TOTP, error) {
	if err := a.fresh(s); err != nil {
		return TOTP{}, err
	}
	r, err := a.load(ctx, s.Person.ID)
	if err != nil {
		return TOTP{}, err
	}
	issuer := "Veilbox"
	if a.o.RPID != "" {
		issuer += " " + a.o.RPID
	}
	t, secret, err := totp.New(issuer, r.Login)
	if err != nil {
		return TOTP{}, fmt.Errorf("account: authenticator app: %w", err)
	}
	a.ceremonies.forget(s.ID(), kindApp)
	a.ceremonies.add(ceremony{kind: kindApp, challenge: secret, from: s.ID(), person: r.ID}, a.now())
	return t, nil
}

// ConfirmTOTP takes the app that NewTOTP gave a secret to, where code is one of
// it. The first factor of an account, and an app in place of another, end the
// person's other sessions.
func (a *Accounts) ConfirmTOTP(ctx context.Context, s Session, code string) error {
	try, err := a.limits.person(s.Person.ID, a.now())
	if err != nil {
		return err
	}
	defer try.end(ctx)
	c, err := a.ceremonies.peek(s.ID(), kindApp, a.now())
	if err != nil {
		return err
	}
	step, ok := totp.Step(c.challenge, code, a.now(), -1)
	if !ok {
		return ErrBadCode
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.load(ctx, c.person)
	if err != nil {
		return err
	}
	if !r.Active || r.ID != s.Person.ID {
		return ErrSession
	}
	others := len(r.Must()) > 0 || r.App != nil
	r.App = &app{Secret: c.challenge, Made: a.now(), Step: step}
	if err := a.save(ctx, r); err != nil {
		return err
	}
	a.ceremonies.forget(s.ID(), kindApp)
	try.good("")
	if !others {
		return nil
	}
	return a.o.Store.DeleteOtherSessions(ctx, r.ID, s.token)
}

// RemoveTOTP takes the authenticator app away, after the person's password; a
// person without a passkey keeps it.
func (a *Accounts) RemoveTOTP(ctx context.Context, s Session, password string) error {
	if _, err := a.reauthenticate(ctx, s.Person.ID, password); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.load(ctx, s.Person.ID)
	if err != nil {
		return err
	}
	if r.App == nil {
		return nil
	}
	if len(r.InUse()) == 0 {
		return ErrLastFactor
	}
	r.App = nil
	if err := a.save(ctx, r); err != nil {
		return err
	}
	return a.o.Store.DeleteOtherSessions(ctx, r.ID, s.token)
}

// useCode takes code as r's, once.
func (a *Accounts) useCode(ctx context.Context, r *record, code string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh, err := a.load(ctx, r.ID)
	if err != nil {
		return err
	}
	if fresh.App == nil || !fresh.Active || !sameHash(fresh, r) {
		return ErrLogin // it was changed meanwhile
	}
	step, ok := totp.Step(fresh.App.Secret, code, a.now(), fresh.App.Step)
	if !ok {
		return ErrBadCode
	}
	fresh.App.Step = step
	if err := a.save(ctx, fresh); err != nil {
		return err
	}
	*r = *fresh
	return nil
}
