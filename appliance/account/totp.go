package account

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// Time-based codes as authenticator apps know them (RFC 6238): SHA-1, six digits,
// a new one every 30 seconds; one step to either side is taken, as clocks differ.
const (
	totpSecret = 20 // bytes
	totpStep   = 30 * time.Second
	totpSkew   = 1
	qrSide     = 264 // pixels
)

// An app is an authenticator app that was shown to work.
type app struct {
	Secret []byte    `json:"secret"`
	Made   time.Time `json:"made"`
	// Step is the last 30 seconds of which a code was used: no code counts twice.
	Step int64 `json:"step"`
}

// A TOTP is the secret for an authenticator app, told once.
type TOTP struct {
	Secret string `json:"secret"` // base32, to be typed
	URI    string `json:"uri"`    // otpauth:, for an app on the same machine
	QR     []byte `json:"qr"`     // the URI as a picture, PNG
}

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
	secret := make([]byte, totpSecret)
	rand.Read(secret)
	issuer := "Veilbox"
	if a.o.RPID != "" {
		issuer += " " + a.o.RPID
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: r.Login, Secret: secret, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1, Period: uint(totpStep / time.Second)})
	if err != nil {
		return TOTP{}, fmt.Errorf("account: authenticator app: %w", err)
	}
	picture, err := key.Image(qrSide, qrSide)
	if err != nil {
		return TOTP{}, fmt.Errorf("account: authenticator app: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return TOTP{}, fmt.Errorf("account: authenticator app: %w", err)
	}
	a.ceremonies.forget(s.ID(), kindApp)
	a.ceremonies.add(ceremony{kind: kindApp, challenge: secret, from: s.ID(), person: r.ID}, a.now())
	return TOTP{Secret: key.Secret(), URI: key.URL(), QR: b.Bytes()}, nil
}

// ConfirmTOTP takes the app that NewTOTP gave a secret to, where code is one of it.
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
	step, ok := codeStep(c.challenge, code, a.now(), -1)
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
	r.App = &app{Secret: c.challenge, Made: a.now(), Step: step}
	if err := a.save(ctx, r); err != nil {
		return err
	}
	a.ceremonies.forget(s.ID(), kindApp)
	try.good("")
	return nil
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
	step, ok := codeStep(fresh.App.Secret, code, a.now(), fresh.App.Step)
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

// codeStep returns the step of which code is, later than last.
func codeStep(secret []byte, code string, now time.Time, last int64) (int64, bool) {
	code = strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' || c == '\u00a0' {
			return -1
		}
		return c
	}, code[:min(len(code), 32)])
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	if now.Unix() < 0 {
		return 0, false // before there were steps
	}
	at, found := now.Unix()/int64(totpStep/time.Second), int64(-1)
	for step := at - totpSkew; step <= at+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(text, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && step > last && step >= 0 {
			found = step
		}
	}
	return found, found >= 0
}
