package account

import (
	"sync"
	"testing"
	"time"

	"veilbox/internal/passkey/softkey"
)

// Who came in with a password alone, before the account had a second factor, is
// out once it has one: the session would open everything that the factor guards.
func TestTheFirstFactorEndsOtherSessions(t *testing.T) {
	for name, set := range map[string]func(*testing.T, fixture, Session){
		"a passkey": func(t *testing.T, f fixture, s Session) { f.enrol(t, s, softkey.New(""), "min") },
		"an app":    func(t *testing.T, f fixture, s Session) { f.app(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			_, password := f.add(t, "bo", "Bo Dam", Staff)
			token, s := f.in(t, "bo", password)
			if err := f.ChangePassword(t.Context(), s, password, own); err != nil {
				t.Fatal(err)
			}
			thief, _ := f.in(t, "bo", own)
			set(t, f, s)
			_, err := f.Authenticate(t.Context(), thief)
			wants(t, "a session of the password alone", err, ErrSession)
			if got, err := f.Authenticate(t.Context(), token); err != nil || len(got.Must) != 0 {
				t.Errorf("the session that set it up: %+v %v", got, err)
			}
		})
	}
}

// Another app in place of the first ends what was begun with that; a second
// passkey beside the first ends nothing.
func TestAnotherFactor(t *testing.T) {
	f, k := open(t), softkey.New("")
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	f.enrol(t, s, k, "den ene")
	other, _, err := f.tap(t, k)
	if err != nil {
		t.Fatal(err)
	}
	f.enrol(t, s, softkey.New(""), "den anden")
	_, err = f.Authenticate(t.Context(), other)
	wants(t, "after a second passkey", err, nil)
	f.app(t, s)
	_, err = f.Authenticate(t.Context(), other)
	wants(t, "after an app beside the passkey", err, nil)
	f.app(t, s)
	_, err = f.Authenticate(t.Context(), other)
	wants(t, "after another app", err, ErrSession)
}

// A log-in that runs while the account is reset begins no session that outlives
// the reset.
func TestNoSessionOutlivesAReset(t *testing.T) {
	f, k := open(t), softkey.New("")
	p, password := f.add(t, "bo", "Bo Dam", Staff)
	for range 40 {
		_, s := f.in(t, "bo", password)
		f.enrol(t, s, k, "min")
		id, response := f.ask(t, k)
		var wg sync.WaitGroup
		var token string
		wg.Go(func() { token, _, _ = f.LogInPasskey(t.Context(), id, response, "10.0.0.1:4000") }) // refused where the reset came first
		var err error
		wg.Go(func() { _, password, err = f.ResetPassword(t.Context(), f.manager.ID, p.ID) })
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Authenticate(t.Context(), token)
		wants(t, "a session of a key that was reset", err, ErrSession)
		if t.Failed() {
			return
		}
		f.clock.Advance(time.Minute)
	}
}

// A page that is left open and asks by itself keeps no assessor logged in, and
// takes nothing from one who works.
func TestAPageAloneKeepsNobodyLoggedIn(t *testing.T) {
	f := open(t)
	_, password := f.add(t, "eva", "Eva Friis", Assessor)
	token, _ := f.in(t, "eva", password)
	idle := Unattended(t.Context())
	for range 29 {
		f.clock.Advance(time.Minute)
		if _, err := f.Authenticate(idle, token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(29 * time.Minute)
	if _, err := f.Authenticate(idle, token); err != nil {
		t.Errorf("29 minutes after an act: %v", err)
	}
	f.clock.Advance(time.Minute)
	_, err := f.Authenticate(idle, token)
	wants(t, "half an hour after an act", err, ErrSession)
}
