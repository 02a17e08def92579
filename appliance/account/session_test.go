package account

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"veilbox/internal/problem"
)

func TestSessionsEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		role  Role
		steps []time.Duration // between uses
		want  *problem.Problem
	}{
		{"staff idle for hours", Staff, []time.Duration{11 * time.Hour}, nil},
		{"staff just before twelve hours", Staff, []time.Duration{12*time.Hour - time.Second}, nil},
		{"staff at twelve hours", Staff, []time.Duration{6 * time.Hour, 6 * time.Hour}, ErrSession},
		{"assessor idle just under half an hour", Assessor, []time.Duration{30*time.Minute - time.Second}, nil},
		{"assessor idle", Assessor, []time.Duration{30 * time.Minute}, ErrSession},
		{"assessor at work", Assessor, []time.Duration{29 * time.Minute, 29 * time.Minute, 29 * time.Minute}, nil},
		{"assessor at work, then idle", Assessor, []time.Duration{29 * time.Minute, 30 * time.Minute}, ErrSession},
		{"a clock that steps back a little", Staff, []time.Duration{-time.Minute}, nil},
		{"a clock that steps back far", Staff, []time.Duration{-time.Hour}, ErrSession},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t)
			_, password := f.add(t, "bo", "Bo Dam", c.role)
			token, _ := f.in(t, "bo", password)
			var err error
			for _, d := range c.steps {
				f.clock.Advance(d)
				_, err = f.Authenticate(t.Context(), token)
			}
			wants(t, c.name, err, c.want)
			if c.want != nil {
				f.clock.Advance(-time.Minute)
				_, err = f.Authenticate(t.Context(), token)
				wants(t, "once over, over", err, ErrSession)
			}
		})
	}
}

// On a disk that takes nothing, who is logged in goes on seeing the pages, which
// say so; an assessor's time runs on from the last act that could be written.
func TestDiskTakesNothing(t *testing.T) {
	f := open(t)
	_, password := f.add(t, "eva", "Eva Friis", Assessor)
	token, _ := f.in(t, "eva", password)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	set := func(l unix.Rlimit) {
		t.Helper()
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &l); err != nil {
			t.Fatal(err)
		}
	}
	set(unix.Rlimit{Cur: 0, Max: was.Max})
	t.Cleanup(func() { set(was) })
	f.clock.Advance(20 * time.Minute)
	if _, err := f.Authenticate(t.Context(), token); err != nil {
		t.Errorf("after 20 minutes: %v", err)
	}
	f.clock.Advance(10 * time.Minute)
	if _, err := f.Authenticate(t.Context(), token); err == nil {
		t.Error("after 30 minutes without an act that was written the assessor is let in")
	}
}

func TestAssessorsWholeDay(t *testing.T) {
	f := open(t)
	_, password := f.add(t, "eva", "Eva Friis", Assessor)
	token, _ := f.in(t, "eva", password)
	for i := range 36 {
		f.clock.Advance(20 * time.Minute)
		_, err := f.Authenticate(t.Context(), token)
		if want := i == 35; want != errors.Is(err, ErrSession) {
			t.Fatalf("after %d minutes: %v", (i+1)*20, err)
		}
	}
	if n, err := f.Sweep(t.Context()); err != nil || n != 0 {
		t.Error(n, err)
	}
}

func TestSessions(t *testing.T) {
	f := open(t)
	p, password := f.add(t, "bo", "Bo Dam", Staff)
	token, s := f.in(t, "bo", password)
	other, _ := f.in(t, "bo", password)
	if token == other || len(token) != tokenLen {
		t.Fatalf("tokens %q %q", token, other)
	}
	got, err := f.Authenticate(t.Context(), token)
	if err != nil || got.Person.ID != p.ID || got.From != "10.0.0.1:4000" || got.Login != "bo" || len(got.Must) != 2 || !got.Expires.Equal(start.Add(SessionLife)) {
		t.Fatalf("%+v %v", got, err)
	}
	for _, bad := range []string{"", "x", token[:42] + "?", strings.Repeat("A", tokenLen), token + "A"} {
		_, err := f.Authenticate(t.Context(), bad)
		wants(t, bad, err, ErrSession)
	}
	wants(t, "a wrong old password", f.ChangePassword(t.Context(), s, "x", "otte grønne cykler"), ErrPassword)
	wants(t, "the same password", f.ChangePassword(t.Context(), s, password, password), ErrSamePassword)
	wants(t, "a weak password", f.ChangePassword(t.Context(), s, password, "adgangskode1"), ErrWeakPassword)
	if err := f.ChangePassword(t.Context(), s, password, "otte grønne cykler"); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Authenticate(t.Context(), token); err != nil || len(got.Must) != 1 {
		t.Errorf("the own session after a change of password: %+v %v", got, err)
	}
	_, err = f.Authenticate(t.Context(), other)
	wants(t, "another session after a change of password", err, ErrSession)
	_, _, err = f.LogIn(t.Context(), "bo", password, "", "")
	wants(t, "the old password", err, ErrLogin)
	wants(t, "again", f.Reauthenticate(t.Context(), p.ID, "otte grønne cykler"), nil)
	wants(t, "again, wrong", f.Reauthenticate(t.Context(), p.ID, password), ErrPassword)
	if err := f.LogOut(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	_, err = f.Authenticate(t.Context(), token)
	wants(t, "logged out", err, ErrSession)
	f.in(t, "bo", "otte grønne cykler")
	if _, _, err := f.ResetPassword(t.Context(), f.manager.ID, p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.DeleteSessionsBefore(t.Context(), start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

func TestLogInTellsNothing(t *testing.T) {
	f := open(t)
	for i, c := range []struct{ login, password string }{{"mette", "wrong"}, {"nobody", f.secret}, {"", ""}, {"a b", "x"}, {"mette", ""}, {"mette", strings.Repeat("x", 1<<20)}} {
		_, _, err := f.LogIn(t.Context(), c.login, c.password, "", fmt.Sprint("10.0.1.", i))
		wants(t, c.login, err, ErrLogin)
	}
}

func TestFailuresAreSlowedAndLockNobodyOut(t *testing.T) {
	f := open(t)
	try := func(password, address string) error {
		_, _, err := f.LogIn(t.Context(), "mette", password, "", address)
		return err
	}
	wants(t, "at home", try(f.secret, "10.0.0.1"), nil)
	for range 5 {
		wants(t, "guess", try("guess", "10.0.0.66:1"), ErrLogin)
	}
	wants(t, "the sixth guess", try("guess", "10.0.0.66:2"), ErrSlow)
	wants(t, "the right one, from there", try(f.secret, "10.0.0.66"), ErrSlow)
	wants(t, "the owner, elsewhere", try(f.secret, "10.0.0.1"), nil)
	f.clock.Advance(30 * time.Second)
	wants(t, "one more after half a minute", try("guess", "10.0.0.66"), ErrLogin)
	wants(t, "and no more", try("guess", "10.0.0.66"), ErrSlow)

	// From very many addresses at once: new addresses are slowed, the owner is not.
	slow := 0
	for i := range 60 {
		if errors.Is(try("guess", fmt.Sprintf("10.9.%d.1", i)), ErrSlow) {
			slow++
		}
	}
	if slow < 25 {
		t.Errorf("%d of 60 addresses were slowed", slow)
	}
	wants(t, "the owner under attack", try(f.secret, "10.0.0.1"), nil)

	// One address that tries many accounts.
	slow = 0
	for i := range 60 {
		_, _, err := f.LogIn(t.Context(), fmt.Sprint("user", i), "guess", "", "10.0.0.77")
		if errors.Is(err, ErrSlow) {
			slow++
		}
	}
	if slow != 30 {
		t.Errorf("%d of 60 accounts from one address were slowed, want 30", slow)
	}
	// Success costs nothing.
	for range 40 {
		wants(t, "the owner", try(f.secret, "10.0.0.1"), nil)
	}
	// A clock that steps back gives no attempts.
	f.clock.Advance(-time.Hour)
	wants(t, "after a step back", try("guess", "10.0.0.66"), ErrSlow)
}

func TestLimitsAreBounded(t *testing.T) {
	l, err := newLimits(nil, start)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxBuckets {
		if _, err := l.login(fmt.Sprint(i), fmt.Sprint("10.", i>>16, ".", i>>8&255, ".", i&255), start); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.buckets) > maxBuckets+3 {
		t.Errorf("%d buckets", len(l.buckets))
	}
}

func TestParametersCanBeRaised(t *testing.T) {
	f := open(t)
	b, err := New(Options{Store: f.store, Clock: f.clock, Params: Params{MemoryKiB: 16, Time: 2, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.LogIn(t.Context(), "mette", f.secret, "", ""); err != nil {
		t.Fatal(err)
	}
	r, err := b.load(t.Context(), f.manager.ID)
	if err != nil || r.Hash.Params != b.o.Params {
		t.Errorf("%+v %v", r.Hash.Params, err)
	}
	if _, _, err := b.LogIn(t.Context(), "mette", f.secret, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Store: f.store, Clock: f.clock, Params: Params{MemoryKiB: 1}}); err == nil {
		t.Error("a cost of nothing was taken")
	}
}

func TestTwoHashesAtOnce(t *testing.T) {
	f := open(t)
	if cap(f.hashing) != 2 {
		t.Fatalf("%d at once", cap(f.hashing))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, _, err := f.LogIn(t.Context(), "mette", f.secret, "", fmt.Sprint("10.0.2.", i))
			wants(t, "together", err, nil)
		})
	}
	wg.Wait()
}

func TestCheckPassword(t *testing.T) {
	for password, want := range map[string]*problem.Problem{
		"kort":                         ErrWeakPassword,
		"elleve-tegn":                  ErrWeakPassword,
		"adgangskode1":                 ErrWeakPassword,
		"Adgangskode2026!":             ErrWeakPassword,
		"P4ssw0rd!!!!!":                ErrWeakPassword,
		"velkommen1234":                ErrWeakPassword,
		"123456789012":                 ErrWeakPassword,
		"qwertyuiop12":                 ErrWeakPassword,
		"aaaaaaaaaaaaaaaa":             ErrWeakPassword,
		"abcdefghijklm":                ErrWeakPassword,
		"hejsahejsahejsa":              ErrWeakPassword,
		"correct horse battery staple": ErrWeakPassword,
		"gule heste spiser tapet":      nil,
		"correcthorsebatterystaple":    ErrWeakPassword,
		"bodam2026!!!":                 ErrWeakPassword,
		"RyIsenkram-2026":              ErrWeakPassword,
		"isenkram1234567":              ErrWeakPassword,
		"veilbox veilbox 1":            ErrWeakPassword,
		"sommersommer26":               ErrWeakPassword,
		"zxcvbnm,.-øl":                 ErrWeakPassword,
		"1qaz2wsx3edc":                 ErrWeakPassword,
		"qwertyuiopå¨":                 ErrWeakPassword,
		"liverpool2026":                ErrWeakPassword,
		"Bo spiser otte kager":         nil,
		"bo.dam.butik":                 ErrWeakPassword,
		"Bo Dam Butikken":              ErrWeakPassword,
		"            ":                 ErrWeakPassword,
		"ukendt\xff\xfeukendt":         ErrWeakPassword,
		strings.Repeat("æ", 129):       ErrLongPassword,
		"otte grønne cykler":           nil,
		"kagedåse under sengen":        nil,
		"x7Kp-q2Lm-99zRt":              nil,
		"ææøøåå og tre ugler":          nil,
	} {
		wants(t, password, CheckPassword(password, "bo.dam.butik", "Bo Dam Butikken", "Ry Isenkram"), want)
	}
}

// A letter with its accent, or a letter and an accent: the same password.
func TestPasswordFromAnotherKeyboard(t *testing.T) {
	f := open(t)
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	wants(t, "composed", f.ChangePassword(t.Context(), s, password, "p\u00e5 en gr\u00f8n cykel"), nil)
	wants(t, "decomposed", f.Reauthenticate(t.Context(), s.Person.ID, "pa\u030a en gr\u00f8n cykel"), nil)
	wants(t, "another letter", f.Reauthenticate(t.Context(), s.Person.ID, "pa en gr\u00f8n cykel"), ErrPassword)
}

func TestGeneratePassword(t *testing.T) {
	seen, letters := map[string]bool{}, map[rune]int{}
	for range 2000 {
		p := GeneratePassword()
		groups := strings.Split(p, "-")
		if len(groups) != 4 || len(p) != 23 || seen[p] {
			t.Fatalf("%q", p)
		}
		for _, g := range groups {
			if len(g) != 5 {
				t.Fatalf("%q", p)
			}
		}
		if err := CheckPassword(p, "mette", "Mette Holm", "Butikken i Ry"); err != nil {
			t.Fatalf("%q: %v", p, err)
		}
		seen[p] = true
		for _, c := range strings.ReplaceAll(p, "-", "") {
			letters[c]++
		}
	}
	for c, n := range letters { // 40000 / 31 = 1290 of each; 6 sigma is 212
		if n < 1078 || n > 1502 {
			t.Errorf("%c comes %d times", c, n)
		}
	}
	if len(letters) != len(alphabet) || strings.ContainsAny(alphabet, "01ilo") {
		t.Errorf("%d letters of %q", len(letters), alphabet)
	}
}

// The default cost must be what a log-in on a small box can bear.
func BenchmarkDefaultCost(b *testing.B) {
	a := &Accounts{o: Options{Params: DefaultParams}, hashing: make(chan struct{}, 2)}
	for b.Loop() {
		if _, err := a.hash(b.Context(), "otte grønne cykler"); err != nil {
			b.Fatal(err)
		}
	}
}
