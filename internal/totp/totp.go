// Package totp is time-based codes as authenticator apps know them (RFC 6238):
// SHA-1, six digits, a new one every 30 seconds, counted from 1970; one step to
// either side is taken, as clocks differ. Log-ins of the box and of the extranet's
// operators use it beside a password.
package totp

import (
	"bytes"
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

const (
	secretLen = 20 // bytes
	period    = 30 * time.Second
	skew      = 1
	maxCode   = 32 // bytes of what is typed

	// QRSide is the width and height of the picture, in pixels.
	QRSide = 264
)

// A Secret is what an app is given, told once.
type Secret struct {
	Secret string `json:"secret"` // base32, to be typed
	URI    string `json:"uri"`    // otpauth:, for an app on the same machine
	QR     []byte `json:"qr"`     // the URI as a picture, PNG
}

// New returns a secret for the app of account at issuer, also as bytes.
func New(issuer, account string) (Secret, []byte, error) {
	secret := make([]byte, secretLen)
	rand.Read(secret)
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, Secret: secret, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1, Period: uint(period / time.Second)})
	if err != nil {
		return Secret{}, nil, fmt.Errorf("totp: %w", err)
	}
	picture, err := key.Image(QRSide, QRSide)
	if err != nil {
		return Secret{}, nil, fmt.Errorf("totp: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return Secret{}, nil, fmt.Errorf("totp: %w", err)
	}
	return Secret{Secret: key.Secret(), URI: key.URL(), QR: b.Bytes()}, secret, nil
}

// Step returns the step of which code is at now, where it is later than last: no
// code counts twice.
func Step(secret []byte, code string, now time.Time, last int64) (int64, bool) {
	code = strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' || c == '\u00a0' {
			return -1
		}
		return c
	}, code[:min(len(code), maxCode)])
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	if now.Unix() < 0 {
		return 0, false // before there were steps
	}
	at, found := now.Unix()/int64(period/time.Second), int64(-1)
	for step := at - skew; step <= at+skew; step++ {
		want, err := hotp.GenerateCodeCustom(text, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && step > last && step >= 0 {
			found = step
		}
	}
	return found, found >= 0
}
