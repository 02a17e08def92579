package extranet

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/sqlitedb"
)

// However many addresses guess at an account, it logs in from where it has before;
// from there too guesses are slowed, and a success costs nothing.
func TestNobodyLocksAnotherOut(t *testing.T) {
	ctx := t.Context()
	clk := clock.NewFake(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC))
	db, err := sqlitedb.Open(ctx, filepath.Join(t.TempDir(), "extranet.db"), migrations)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &Server{db: db, o: Options{Clock: clk}}
	const home = "192.0.2.7"
	for _, q := range []string{
		"INSERT INTO operator (name, salt, hash, created, changed) VALUES ('mia', x'01', x'02', 1, 1)",
		fmt.Sprintf("INSERT INTO operator_place (operator, place, at) VALUES ('mia', '%s', %d)", hashOf(home), ms(clk.Now())),
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	try := func(at string) error {
		_, err := s.attemptPassword(ctx, "mia", at)
		return err
	}
	for i := range 100 {
		if err := try(fmt.Sprintf("198.51.100.%d", i)); err != nil && !errors.Is(err, errBusy) {
			t.Fatal(err)
		}
	}
	if err := try("203.0.113.9"); !errors.Is(err, errBusy) {
		t.Errorf("the 101st stranger: %v", err)
	}
	for range 10 {
		a, err := s.attemptPassword(ctx, "mia", home)
		if err != nil {
			t.Fatalf("at home: %v", err)
		}
		a.good()
		a.good() // once is all it gives back
	}
	for i := range 5 {
		if err := try(home); err != nil {
			t.Errorf("guess %d at home: %v", i, err)
		}
	}
	if err := try(home); !errors.Is(err, errBusy) {
		t.Errorf("the sixth guess at home: %v", err)
	}
	clk.Advance(31 * time.Second)
	if err := try(home); err != nil {
		t.Errorf("half a minute later: %v", err)
	}
	// Codes are counted by themselves, few from where nobody is known.
	n := 0
	for i := range 100 {
		if _, err := s.attemptCode(ctx, "mia", fmt.Sprintf("198.51.100.%d", i)); err == nil {
			n++
		}
	}
	if n != 5 {
		t.Errorf("strangers try %d codes at once", n)
	}
	if _, err := s.attemptCode(ctx, "mia", home); err != nil {
		t.Errorf("a code at home: %v", err)
	}
	// A place is known for 90 days.
	clk.Advance(knownFor + time.Second)
	if ok, err := s.knows(ctx, "mia", home); ok || err != nil {
		t.Errorf("after 90 days: %v %v", ok, err)
	}
	for remote, want := range map[string]string{"192.0.2.7:99": "192.0.2.7", "[2001:db8::1]:9": "2001:db8::/64", "[::ffff:192.0.2.7]:1": "192.0.2.7", "odd": "odd"} {
		if got := place(remote); got != want {
			t.Errorf("%s is at %s, not %s", remote, got, want)
		}
	}
}

// Many questions push out the oldest of the same place first.
func TestQuestionsAreBounded(t *testing.T) {
	var w questions
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	w.put("mine", question{kind: askLogin, from: "home"}, now)
	for i := range maxQuestionsHere + 10 {
		now = now.Add(time.Second)
		w.put(fmt.Sprint("flood", i), question{kind: askLogin, from: "elsewhere"}, now)
	}
	if _, err := w.take("flood9", askLogin, "", now); !errors.Is(err, errQuestion) {
		t.Error("an address has more questions open than it may")
	}
	if _, err := w.take("mine", askLogin, "", now); err != nil {
		t.Error("another's flood took it:", err)
	}
	w.put("p", question{kind: askProof, from: "s1"}, now)
	if _, err := w.take("p", askProof, "s2", now); !errors.Is(err, errQuestion) {
		t.Error("another session answered")
	}
	for i := range maxQuestions + 100 {
		w.put(fmt.Sprint(i), question{kind: askLogin, from: fmt.Sprint(i)}, now)
	}
	if len(w.m) > maxQuestions {
		t.Errorf("%d questions are kept", len(w.m))
	}
}
