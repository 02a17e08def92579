package account

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"veilbox/internal/passkey/softkey"
	vtotp "veilbox/internal/totp"
)

func codeAt(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCodeCustom(secret, at, totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// app sets up an authenticator app and returns its secret.
func (f fixture) app(t *testing.T, s Session) string {
	t.Helper()
	n, err := f.NewTOTP(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ConfirmTOTP(t.Context(), s, codeAt(t, n.Secret, f.clock.Now())); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Minute) // the code is used
	return n.Secret
}

func TestTOTP(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	p, password := f.add(t, "bo", "Bo Dam", Staff)
	token, s := f.in(t, "bo", password)
	wants(t, "without a secret", f.ConfirmTOTP(ctx, s, "123456"), ErrCeremony)
	n, err := f.NewTOTP(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(n.URI)
	raw, err2 := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(n.Secret)
	if err != nil || err2 != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("secret") != n.Secret || u.Query().Get("algorithm") != "SHA1" || u.Query().Get("digits") != "6" || u.Query().Get("period") != "30" || len(raw) != 20 {
		t.Errorf("%s %v %v", n.URI, err, err2)
	}
	if img, err := png.Decode(bytes.NewReader(n.QR)); err != nil || img.Bounds().Dx() != vtotp.QRSide {
		t.Error("no picture:", err)
	}
	wants(t, "a wrong code", f.ConfirmTOTP(ctx, s, "000000"), ErrBadCode)
	if q, err := f.Person(ctx, p.ID); err != nil || q.TOTP {
		t.Error("it counts before it was shown to work", err)
	}
	_, mine := f.in(t, "bo", password)
	wants(t, "another session", f.ConfirmTOTP(ctx, mine, codeAt(t, n.Secret, start)), ErrCeremony)
	wants(t, "the right code", f.ConfirmTOTP(ctx, s, codeAt(t, n.Secret, start)), nil)
	if got, err := f.Authenticate(ctx, token); err != nil || len(got.Must) != 1 || got.Must[0] != NeedPassword {
		t.Errorf("%+v %v", got.Must, err)
	}
	wants(t, "an own password", f.ChangePassword(ctx, s, password, own), nil)

	in := func(what, code string, want error) {
		t.Helper()
		_, x, err := f.LogIn(ctx, "bo", own, code, "10.0.0.1:1")
		if fmt.Sprint(err) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if x.Person.ID != p.ID {
			t.Errorf("%s: whose log-in it was is not told", what)
		}
		if err == nil && (x.How != ByCode || len(x.Must) != 0) {
			t.Errorf("%s: %+v", what, x)
		}
	}
	in("no code", "", ErrCode)
	in("the code that set it up", codeAt(t, n.Secret, start), ErrBadCode)
	now := f.clock.Advance(time.Minute)
	code := codeAt(t, n.Secret, now)
	in("a new code", code, nil)
	in("the same code again", code, ErrBadCode)
	in("an earlier code", codeAt(t, n.Secret, now.Add(-30*time.Second)), ErrBadCode)
	in("the next one, of a clock ahead", codeAt(t, n.Secret, now.Add(30*time.Second)), nil)
	f.clock.Advance(time.Hour)
	in("no code, again", "", ErrCode)
	_, x, err := f.LogIn(ctx, "bo", "forkert kodeord", codeAt(t, n.Secret, f.clock.Now()), "10.0.0.1:1")
	wants(t, "a right code and a wrong password", err, ErrLogin)
	if x.Person.ID != "" {
		t.Error("a guess at a password names somebody")
	}

	// It outlives a restart, and so does the last step.
	code = codeAt(t, n.Secret, f.clock.Now())
	in("before a restart", code, nil)
	a, err := New(f.o)
	if err != nil {
		t.Fatal(err)
	}
	f.Accounts = a
	in("a used code, after a restart", code, ErrBadCode)

	b, err := f.Person(ctx, p.ID)
	if err != nil || strings.Contains(fmt.Sprintf("%+v", b), n.Secret) {
		t.Error("an account tells its secret", err)
	}
	wants(t, "removed, the last factor", f.RemoveTOTP(ctx, s, own), ErrLastFactor)
	f.clock.Advance(time.Minute)
	_, s, err = f.LogIn(ctx, "bo", own, codeAt(t, n.Secret, f.clock.Now()), "10.0.0.1:1")
	wants(t, "once more", err, nil)
	f.enrol(t, s, softkey.New(""), "nøgle")
	wants(t, "removed with a wrong password", f.RemoveTOTP(ctx, s, "x"), ErrPassword)
	wants(t, "removed", f.RemoveTOTP(ctx, s, own), nil)
	wants(t, "removed again", f.RemoveTOTP(ctx, s, own), nil)
}

// A code is used once, also where two log-ins come at the same time.
func TestACodeCountsOnce(t *testing.T) {
	f := open(t)
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	secret := f.app(t, s)
	code := codeAt(t, secret, f.clock.Now())
	results := make(chan error)
	for i := range 4 {
		go func() {
			_, _, err := f.LogIn(t.Context(), "bo", password, code, fmt.Sprint("10.0.5.", i))
			results <- err
		}()
	}
	good := 0
	for range 4 {
		if err := <-results; err == nil {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d of 4 log-ins with one code", good)
	}
}
