package account

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/internal/passkey"
	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
)

const own = "otte grønne cykler"

// enrol gives the person of s a passkey of k.
func (f fixture) enrol(t *testing.T, s Session, k *softkey.Key, name string) Passkey {
	t.Helper()
	c, err := f.NewPasskey(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	response, err := k.Create(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.AddPasskey(t.Context(), s, c.ID, name, response, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask begins a log-in and answers it with k.
func (f fixture) ask(t *testing.T, k *softkey.Key) (string, json.RawMessage) {
	t.Helper()
	c, err := f.PasskeyLoginOptions(t.Context(), "10.0.0.1:4000")
	if err != nil {
		t.Fatal(err)
	}
	response, err := k.Get(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	return c.ID, response
}

func (f fixture) tap(t *testing.T, k *softkey.Key) (string, Session, error) {
	t.Helper()
	id, response := f.ask(t, k)
	return f.LogInPasskey(t.Context(), id, response, "10.0.0.1:4000")
}

func TestPasskeyRoundTrip(t *testing.T) {
	f, k := open(t), softkey.New("")
	p, password := f.add(t, "bo", "Bo Dam", Staff)
	token, s := f.in(t, "bo", password)
	other, _ := f.in(t, "bo", password)
	if !slices.Equal(s.Must, []Need{NeedPassword, NeedFactor}) || s.How != ByPassword {
		t.Fatalf("%+v", s)
	}
	made := f.enrol(t, s, k, " Bos telefon ")
	if made.Name != "Bos telefon" || !made.File || made.Synced || made.Registered != nil || made.ID != base64.RawURLEncoding.EncodeToString(made.Key.ID) {
		t.Errorf("%+v", made)
	}
	got, err := f.Authenticate(t.Context(), token)
	if err != nil || len(got.Must) != 0 {
		t.Errorf("the session that made it: %+v %v", got, err)
	}
	_, err = f.Authenticate(t.Context(), other)
	wants(t, "a session of the password that others knew", err, ErrSession)
	_, _, err = f.LogIn(t.Context(), "bo", password, "", "10.0.0.1")
	wants(t, "the generated password, once there is a passkey", err, ErrLogin)

	first, s, err := f.tap(t, k)
	if err != nil || s.Person.ID != p.ID || s.How != ByPasskey || len(s.Must) != 0 {
		t.Fatalf("%+v %v", s, err)
	}
	second, _, err := f.tap(t, k)
	if err != nil || first == second || first == token {
		t.Error("a token was given twice", err)
	}
	who, err := f.Person(t.Context(), p.ID)
	if err != nil || who.Password || who.MustChange || who.LastLogin == nil || who.Passkeys[0].Used == nil {
		t.Errorf("%+v %v", who, err)
	}
	// A password may come back, but does not log in alone.
	if err := f.ChangePassword(t.Context(), s, "", own); err != nil {
		t.Fatal(err)
	}
	_, in, err := f.LogIn(t.Context(), "bo", own, "", "10.0.0.1")
	wants(t, "the own password alone", err, ErrUsePasskey)
	if in.Person.ID != p.ID {
		t.Error("whose log-in was refused is not told")
	}
	row, err := f.store.Person(t.Context(), p.ID)
	if err != nil || !bytes.Contains(row.Body, []byte(made.ID)) {
		t.Error("the passkey is not in the sealed body", err)
	}
}

func TestPasskeyLogInRefusals(t *testing.T) {
	f, k := open(t), softkey.New("")
	p, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	f.enrol(t, s, k, "nøgle")
	ctx := t.Context()

	id, response := f.ask(t, k)
	_, _, err := f.LogInPasskey(ctx, id, response, "")
	wants(t, "once", err, nil)
	_, _, err = f.LogInPasskey(ctx, id, response, "")
	wants(t, "the same again", err, ErrCeremony)
	id, _ = f.ask(t, k)
	_, _, err = f.LogInPasskey(ctx, id, response, "")
	wants(t, "an old answer to a new question", err, ErrPasskey)
	_, _, err = f.LogInPasskey(ctx, id, response, "")
	wants(t, "a question that was answered wrongly", err, ErrCeremony)
	_, _, err = f.LogInPasskey(ctx, "x", response, "")
	wants(t, "no question", err, ErrCeremony)
	id, response = f.ask(t, k)
	f.clock.Advance(CeremonyLife)
	_, _, err = f.LogInPasskey(ctx, id, response, "")
	wants(t, "too late", err, ErrCeremony)
	id, response = f.ask(t, k)
	f.clock.Advance(-time.Hour)
	_, _, err = f.LogInPasskey(ctx, id, response, "")
	wants(t, "a clock that steps back", err, ErrCeremony)
	f.clock.Advance(time.Hour)

	// A passkey of somebody who is not here, at the same host.
	stranger := softkey.New("")
	options, err := passkey.CreationOptions(passkey.Creation{RPID: rpid, UserID: []byte(p.ID), User: "bo", Challenge: newChallenge()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Create(options); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.tap(t, stranger)
	wants(t, "a foreign passkey", err, ErrPasskey)

	// Of another host: the question is put through by a page that looks alike.
	id, response = f.ask(t, k)
	var x map[string]any
	if err := json.Unmarshal(response, &x); err != nil {
		t.Fatal(err)
	}
	inner := x["response"].(map[string]any)
	client, err := base64.RawURLEncoding.DecodeString(inner["clientDataJSON"].(string))
	if err != nil {
		t.Fatal(err)
	}
	inner["clientDataJSON"] = base64.RawURLEncoding.EncodeToString(bytes.Replace(client, []byte(rpid), []byte("veilbox.evil"), 1))
	forged, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = f.LogInPasskey(ctx, id, forged, "")
	wants(t, "another origin", err, ErrPasskey)
	for _, junk := range []string{"", "null", "{}", "[", strings.Repeat("x", 100_000)} {
		id, _ := f.ask(t, k)
		_, _, err = f.LogInPasskey(ctx, id, json.RawMessage(junk), fmt.Sprint("10.0.3.", len(junk)%250))
		wants(t, "junk", err, ErrPasskey)
	}

	no := false
	if _, err := f.Change(ctx, f.manager.ID, p.ID, Change{Active: &no}); err != nil {
		t.Fatal(err)
	}
	_, in, err := f.tap(t, k)
	wants(t, "a closed account", err, ErrPasskey)
	if in.Person.ID != p.ID {
		t.Error("whose passkey was refused is not told")
	}
}

func TestPasskeyCounter(t *testing.T) {
	f, k := open(t), softkey.New("tre ugler i regnvejr")
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	f.enrol(t, s, k, "nøgle")
	_, _, err := f.tap(t, k)
	wants(t, "it does not count", err, nil)
	k.Count()
	var file bytes.Buffer
	if err := k.Write(&file); err != nil {
		t.Fatal(err)
	}
	copied, err := softkey.Read(&file, "tre ugler i regnvejr")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = f.tap(t, k)
	wants(t, "one", err, nil)
	_, _, err = f.tap(t, k)
	wants(t, "two", err, nil)
	_, _, err = f.tap(t, copied)
	wants(t, "the copy says one", err, ErrPasskeyCopied)
	_, _, err = f.tap(t, copied)
	wants(t, "the copy says two", err, ErrPasskeyCopied)
	_, _, err = f.tap(t, k)
	wants(t, "three", err, nil)
}

func TestAddPasskeyRefusals(t *testing.T) {
	f, k := open(t), softkey.New("")
	ctx := t.Context()
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	_, later := f.in(t, "bo", password)
	_, other := f.in(t, "mette", f.secret)
	answer := func(s Session) (string, json.RawMessage) {
		t.Helper()
		c, err := f.NewPasskey(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		response, err := softkey.New("").Create(c.Options)
		if err != nil {
			t.Fatal(err)
		}
		return c.ID, response
	}
	try := func(what string, s Session, id, name string, response json.RawMessage, want *problem.Problem) {
		t.Helper()
		_, err := f.AddPasskey(ctx, s, id, name, response, nil)
		wants(t, what, err, want)
	}
	id, response := answer(s)
	try("a stolen ceremony", other, id, "nøgle", response, ErrCeremony)
	try("another session of the same person", later, id, "nøgle", response, ErrCeremony)
	try("no name", s, id, "  ", response, ErrPasskeyName)
	try("a long name", s, id, strings.Repeat("æ", 61), response, ErrPasskeyName)
	try("two lines", s, id, "a\nb", response, ErrPasskeyName)
	try("the right one", s, id, "nøgle", response, nil)
	try("again", s, id, "nøgle", response, ErrCeremony)
	id, _ = answer(s)
	try("an old answer", s, id, "nøgle", response, ErrPasskeyMade)
	id, response = answer(s)
	f.clock.Advance(CeremonyLife)
	try("too late", s, id, "nøgle", response, ErrCeremony)

	// What logs in is no answer to a question for a new one, nor the other way.
	login, assertion := func() (string, json.RawMessage) {
		f.enrol(t, s, k, "to")
		return f.ask(t, k)
	}()
	try("a log-in's ceremony", s, login, "nøgle", assertion, ErrCeremony)
	id, _ = answer(s)
	_, _, err := f.LogInPasskey(ctx, id, assertion, "")
	wants(t, "a new passkey's ceremony", err, ErrCeremony)

	// A session that was left open, or stolen, makes no key of its own.
	f.clock.Advance(freshFor)
	_, err = f.NewPasskey(ctx, s)
	wants(t, "a quarter of an hour after the log-in", err, ErrFresh)
	_, err = f.NewTOTP(ctx, s)
	wants(t, "an app, a quarter of an hour after the log-in", err, ErrFresh)
	wants(t, "removing, a quarter of an hour after the log-in", f.RemovePasskey(ctx, s, "x"), ErrFresh)
}

func TestOnePasskeyOfTwoPeople(t *testing.T) {
	f, k := open(t), softkey.New("")
	_, password := f.add(t, "bo", "Bo Dam", Staff)
	_, s := f.in(t, "bo", password)
	c, err := f.NewPasskey(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	response, err := k.Create(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	var x struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(c.Options, &x); err != nil {
		t.Fatal(err)
	}
	if _, err := f.AddPasskey(t.Context(), s, c.ID, "nøgle", response, nil); err != nil {
		t.Fatal(err)
	}
	// The other's ceremony is made to have the same challenge.
	_, other := f.in(t, "mette", f.secret)
	challenge, err := base64.RawURLEncoding.DecodeString(x.Challenge)
	if err != nil {
		t.Fatal(err)
	}
	id := f.ceremonies.add(ceremony{kind: kindPasskey, challenge: challenge, from: other.ID(), person: other.Person.ID}, f.clock.Now())
	_, err = f.AddPasskey(t.Context(), other, id, "nøgle", response, nil)
	wants(t, "a passkey that is another's", err, ErrPasskeyMade)
}

func TestRemovePasskey(t *testing.T) {
	f, one, two := open(t), softkey.New(""), softkey.New("")
	ctx := t.Context()
	p, password := f.add(t, "eva", "Eva Friis", Assessor)
	_, s := f.in(t, "eva", password)
	first := f.enrol(t, s, one, "en")
	wants(t, "the last one", f.RemovePasskey(ctx, s, first.ID), ErrLastFactor)
	second := f.enrol(t, s, two, "to")
	wants(t, "one that is not there", f.RemovePasskey(ctx, s, "x"), ErrNoPasskey)
	if q, err := f.RegisteredPasskey(ctx, p.ID, first.ID); err != nil || q.Passkeys[0].Registered == nil || len(q.Approving()) != 0 {
		t.Fatalf("%+v %v", q, err)
	}
	if q, err := f.ConfirmPasskey(ctx, p.ID, first.ID); err != nil || len(q.Approving()) != 1 {
		t.Fatalf("%+v %v", q, err)
	}
	old, _, err := f.tap(t, one)
	wants(t, "before", err, nil)
	wants(t, "one of two", f.RemovePasskey(ctx, s, first.ID), nil)
	_, err = f.Authenticate(ctx, old)
	wants(t, "a session of the passkey that was removed", err, ErrSession)
	q, err := f.Person(ctx, p.ID)
	if err != nil || len(q.Passkeys) != 2 || q.Passkeys[0].Retired == nil || len(q.Approving()) != 0 || len(q.InUse()) != 1 {
		t.Errorf("a key that approvals were signed with is not on record: %+v %v", q.Passkeys, err)
	}
	_, _, err = f.tap(t, one)
	wants(t, "a retired passkey", err, ErrPasskey)
	_, err = f.ConfirmPasskey(ctx, p.ID, first.ID)
	wants(t, "the operator confirms a retired one", err, ErrNoPasskey)
	wants(t, "again", f.RemovePasskey(ctx, s, first.ID), ErrNoPasskey)

	// With a password and a code the last passkey may go.
	wants(t, "a password", f.ChangePassword(ctx, s, "", own), nil)
	wants(t, "the last, with a password alone", f.RemovePasskey(ctx, s, second.ID), ErrLastFactor)
	f.app(t, s)
	wants(t, "the last, with password and code", f.RemovePasskey(ctx, s, second.ID), nil)
	if q, err := f.Person(ctx, p.ID); err != nil || len(q.Passkeys) != 1 {
		t.Errorf("a key that nothing was signed with is kept: %+v %v", q.Passkeys, err)
	}
	wants(t, "the code, then", f.RemoveTOTP(ctx, s, own), ErrLastFactor)
}

func TestAssert(t *testing.T) {
	f, k := open(t), softkey.New("")
	ctx, challenge := t.Context(), newChallenge()
	p, password := f.add(t, "eva", "Eva Friis", Assessor)
	_, s := f.in(t, "eva", password)
	made := f.enrol(t, s, k, "nøgle")
	sign := func(challenge []byte) passkey.Assertion {
		t.Helper()
		options, err := passkey.RequestOptions(rpid, challenge, time.Minute, made.Key.ID)
		if err != nil {
			t.Fatal(err)
		}
		response, err := k.Get(options)
		if err != nil {
			t.Fatal(err)
		}
		x, err := passkey.ParseAssertion(response)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	got, err := f.Assert(ctx, p.ID, challenge, sign(challenge))
	if err != nil || got.ID != made.ID || got.Used == nil {
		t.Errorf("%+v %v", got, err)
	}
	_, err = f.Assert(ctx, p.ID, challenge, sign(newChallenge()))
	wants(t, "another challenge", err, ErrPasskey)
	_, err = f.Assert(ctx, f.manager.ID, challenge, sign(challenge))
	wants(t, "another person's", err, ErrPasskey)
}

// A reset is the way back in: it takes every factor.
func TestResetTakesTheFactors(t *testing.T) {
	f, k := open(t), softkey.New("")
	ctx := t.Context()
	p, password := f.add(t, "eva", "Eva Friis", Assessor)
	_, s := f.in(t, "eva", password)
	made := f.enrol(t, s, k, "nøgle")
	f.enrol(t, s, softkey.New(""), "to")
	f.app(t, s)
	if _, err := f.RegisteredPasskey(ctx, p.ID, made.ID); err != nil {
		t.Fatal(err)
	}
	token, _, err := f.tap(t, k)
	wants(t, "before", err, nil)
	q, fresh, err := f.ResetPassword(ctx, f.manager.ID, p.ID)
	if err != nil || !q.MustChange || q.TOTP || len(q.InUse()) != 0 || len(q.Passkeys) != 1 {
		t.Fatalf("%+v %v", q, err)
	}
	_, err = f.Authenticate(ctx, token)
	wants(t, "a session from before", err, ErrSession)
	_, _, err = f.tap(t, k)
	wants(t, "the old passkey", err, ErrPasskey)
	_, s = f.in(t, "eva", fresh)
	if len(s.Must) != 2 {
		t.Errorf("%q", s.Must)
	}
	_, _, err = f.ResetPassword(ctx, f.manager.ID, f.manager.ID)
	wants(t, "a manager's own", err, ErrSelf)
}

func TestWithoutAHostName(t *testing.T) {
	f := open(t)
	for _, name := range []string{"", "192.0.2.7", "Boks"} {
		f.o.RPID = name
		_, err := f.PasskeyLoginOptions(t.Context(), "")
		wants(t, name, err, ErrNoPasskeys)
		_, s := f.in(t, "mette", f.secret)
		_, err = f.NewPasskey(t.Context(), s)
		wants(t, name, err, ErrNoPasskeys)
	}
}

// Nobody's question is pushed out by a stranger's.
func TestCeremoniesAreBounded(t *testing.T) {
	w := ceremonies{m: map[string]ceremony{}}
	known := w.add(ceremony{kind: kindLogin, from: "10.0.0.1", known: true}, start)
	for i := range maxCeremonies + 500 {
		w.add(ceremony{kind: kindLogin, from: fmt.Sprint("10.", i>>8, ".", i&255)}, start.Add(time.Duration(i)*time.Microsecond))
	}
	if len(w.m) > maxCeremonies {
		t.Errorf("%d wait", len(w.m))
	}
	if _, err := w.take(known, kindLogin, "", start.Add(time.Minute)); err != nil {
		t.Error("the question of a known place is gone:", err)
	}
	w.m = map[string]ceremony{}
	first := w.add(ceremony{kind: kindLogin, from: "10.9.9.9"}, start)
	for i := range 400 {
		w.add(ceremony{kind: kindLogin, from: "10.9.9.9"}, start.Add(time.Duration(i)*time.Millisecond))
	}
	if _, err := w.take(first, kindLogin, "", start.Add(time.Minute)); err != nil {
		t.Error("somebody at the same address pushed a question out:", err)
	}
	for range 3 * maxPlace {
		w.add(ceremony{kind: kindLogin, from: "10.9.9.9"}, start.Add(time.Second))
		w.add(ceremony{kind: kindPasskey, from: "a session"}, start.Add(time.Second))
	}
	if n := len(w.m); n > maxPlace+maxHere {
		t.Errorf("one place and one session hold %d", n)
	}
	w.add(ceremony{kind: kindLogin, from: "10.0.0.1"}, start.Add(CeremonyLife+time.Minute))
	if len(w.m) != 1 {
		t.Errorf("%d wait after their time", len(w.m))
	}
}

func FuzzLogInPasskey(f *testing.F) {
	f.Add([]byte(`{"id":"","rawId":"","type":"public-key","response":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := open(t)
		c, err := x.PasskeyLoginOptions(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.LogInPasskey(t.Context(), c.ID, b, ""); err == nil {
			t.Error("logged in")
		}
	})
}
