package account

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
)

// restart opens the accounts anew on the same store.
func (f *fixture) restart(t *testing.T) {
	t.Helper()
	a, err := New(f.o)
	if err != nil {
		t.Fatal(err)
	}
	f.Accounts = a
}

func TestARestartGivesNoAttempts(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	try := func(login, password, from string) error {
		_, _, err := f.LogIn(ctx, login, password, "", from)
		return err
	}
	wants(t, "at home", try("mette", f.secret, "10.0.0.1"), nil)
	for i := range 5 {
		wants(t, "guess", try("mette", "guess", "10.0.0.66"), ErrLogin)
		if i%2 == 0 {
			f.restart(t)
		}
	}
	f.restart(t)
	wants(t, "the sixth guess, after a restart", try("mette", "guess", "10.0.0.66"), ErrSlow)
	f.clock.Advance(30 * time.Second)
	wants(t, "one is back", try("mette", "guess", "10.0.0.66"), ErrLogin)
	f.restart(t)
	wants(t, "and no more", try("mette", "guess", "10.0.0.66"), ErrSlow)

	// From everywhere: the account is closed to strangers, restart or not, and
	// open to its person.
	for i := range 60 {
		if err := try("mette", "guess", fmt.Sprintf("10.9.%d.1", i)); err == nil {
			t.Fatal("guessed")
		}
	}
	f.restart(t)
	wants(t, "a stranger with the password", try("mette", f.secret, "10.8.0.1"), ErrSlow)
	wants(t, "the person at a known place", try("mette", f.secret, "10.0.0.1"), nil)

	// What is full again leaves the store, and a known place is forgotten in time.
	f.clock.Advance(2 * time.Hour)
	if _, err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	rows, err := f.store.Attempts(ctx, 1000)
	if err != nil || len(rows) != 1 {
		t.Errorf("%d rows are kept, want the known place alone: %v", len(rows), err)
	}
	f.clock.Advance(knownFor + time.Hour)
	if _, err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if rows, err := f.store.Attempts(ctx, 1000); err != nil || len(rows) != 0 {
		t.Errorf("%d rows are kept after their time: %v", len(rows), err)
	}
}

// Who knows the password guesses codes: strangers are slowed, the person is not.
func TestCodesAreSlowedAndLockNobodyOut(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	secret := f.app(t, s)
	try := func(code, from string) error {
		_, _, err := f.LogIn(ctx, "bo", password, code, from)
		return err
	}
	tries := 0
	for i := range 40 {
		err := try("000000", fmt.Sprintf("10.7.%d.1", i))
		if errors.Is(err, ErrBadCode) {
			tries++
		} else {
			wants(t, "a stranger", err, ErrSlow)
		}
		if i%10 == 9 {
			f.restart(t)
		}
	}
	if tries != 5 {
		t.Errorf("a stranger had %d codes looked at, want 5", tries)
	}
	wants(t, "a stranger with the right code", try(codeAt(t, secret, f.clock.Now()), "10.7.99.1"), ErrSlow)
	wants(t, "the person at a known place", try(codeAt(t, secret, f.clock.Now()), "10.0.0.1"), nil)

	// A day of it: what a stranger gets to try of a million codes.
	tries = 0
	for range 24 * 6 {
		f.clock.Advance(10 * time.Minute)
		for i := range 3 {
			if errors.Is(try("000000", fmt.Sprintf("10.6.0.%d", i)), ErrBadCode) {
				tries++
			}
		}
	}
	if tries < 140 || tries > 160 {
		t.Errorf("a stranger had %d codes looked at in a day, want about 150", tries)
	}
	wants(t, "the person, still", try(codeAt(t, secret, f.clock.Now()), "10.0.0.1"), nil)
}

// A passkey works whatever is done to the account's password, and from a place
// that is known whatever is done there.
func TestPasskeysAreNotLockedOut(t *testing.T) {
	f, k := open(t), softkey.New("")
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	f.enrol(t, s, k, "nøgle")
	for i := range 200 {
		if _, _, err := f.LogIn(t.Context(), "bo", "guess", "", fmt.Sprint("10.0.0.", 1+i%3)); err == nil {
			t.Fatal("guessed")
		}
		id, _ := f.ask(t, k)
		if _, _, err := f.LogInPasskey(t.Context(), id, []byte("{}"), "10.0.0.1"); err == nil {
			t.Fatal("logged in")
		}
	}
	_, _, err := f.tap(t, k)
	wants(t, "the person", err, nil)
	rows, err := f.store.Attempts(t.Context(), 1000)
	if err != nil || len(rows) == 0 {
		t.Fatal(err)
	}
	// A stranger's place is slowed, and writes nothing.
	defer func() {
		if now, err := f.store.Attempts(t.Context(), 1000); err != nil || len(now) != len(rows) {
			t.Errorf("%d rows are %d: %v", len(rows), len(now), err)
		}
	}()
	var want *problem.Problem = ErrPasskey
	for i := range 40 {
		if i == 30 {
			want = ErrSlow
		}
		id, _ := f.ask(t, k)
		_, _, err := f.LogInPasskey(t.Context(), id, []byte("{}"), "10.200.0.1")
		wants(t, fmt.Sprint("attempt ", i), err, want)
	}
}

// An asked-for code is the second step of a log-in, not a failure.
func TestAskingForACodeCostsNothing(t *testing.T) {
	f := open(t)
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	f.app(t, s)
	for range 50 {
		_, _, err := f.LogIn(t.Context(), "bo", password, "", "10.44.0.1")
		wants(t, "the first step", err, ErrCode)
	}
}
