package account

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"veilbox/appliance/incident"
	"veilbox/internal/passkey"
	"veilbox/internal/place"
)

const (
	maxPasskeys = 20 // in use, of one person
	maxRetired  = 50
	maxKeyName  = 60 // characters
)

// on returns an error unless the box has a name that passkeys can be made for.
func (a *Accounts) on() error {
	if passkey.CheckRPID(a.o.RPID) != nil {
		return ErrNoPasskeys
	}
	return nil
}

// PasskeyLoginOptions begins a log-in by passkey: without a name, as the passkey
// knows whose it is.
func (a *Accounts) PasskeyLoginOptions(_ context.Context, address string) (Ceremony, error) {
	if err := a.on(); err != nil {
		return Ceremony{}, err
	}
	at := place.Of(trimmed(address))
	c := ceremony{kind: kindLogin, challenge: newChallenge(), from: at, known: a.limits.placeKnown(at, a.now())}
	options, err := passkey.RequestOptions(a.o.RPID, c.challenge, CeremonyLife)
	if err != nil {
		return Ceremony{}, err
	}
	return Ceremony{ID: a.ceremonies.add(c, a.now()), Options: options}, nil
}

// LogInPasskey ends a log-in by passkey and begins a session. response is what
// the browser gave, as PublicKeyCredential.toJSON().
func (a *Accounts) LogInPasskey(ctx context.Context, id string, response json.RawMessage, address string) (token string, s Session, err error) {
	address = trimmed(address)
	try, err := a.limits.passkey(address, a.now())
	if err != nil {
		return "", Session{}, err
	}
	defer try.end(ctx)
	c, err := a.ceremonies.take(id, kindLogin, "", a.now())
	if err != nil {
		return "", Session{}, err
	}
	x, err := passkey.ParseAssertion(response)
	if err != nil {
		return "", Session{}, ErrPasskey.With(err)
	}
	owner, err := a.owner(ctx, x.Credential)
	if err != nil {
		return "", Session{}, err
	}
	_, err = a.assert(ctx, owner, c.challenge, x, func(r *record) (err error) {
		token, s, err = a.begin(ctx, r, address, ByPasskey)
		return err
	})
	if err != nil {
		return "", Session{Person: incident.Person{ID: owner}}, err
	}
	try.good(s.Login)
	return token, s, nil
}

// owner returns whose passkey is called credential.
func (a *Accounts) owner(ctx context.Context, credential []byte) (incident.PersonID, error) {
	all, err := a.People(ctx)
	if err != nil {
		return "", err
	}
	for _, p := range all {
		if slices.ContainsFunc(p.Passkeys, func(k Passkey) bool { return bytes.Equal(k.Key.ID, credential) }) {
			return p.ID, nil
		}
	}
	return "", ErrPasskey
}

// Assert checks that an active person signed challenge with a passkey in use,
// and counts it as use.
func (a *Accounts) Assert(ctx context.Context, id incident.PersonID, challenge []byte, x passkey.Assertion) (Passkey, error) {
	return a.assert(ctx, id, challenge, x, nil)
}

// assert is Assert; with enter it is a log-in, which begins in the same step, so
// that none begins after a change that ends them all.
func (a *Accounts) assert(ctx context.Context, id incident.PersonID, challenge []byte, x passkey.Assertion, enter func(*record) error) (Passkey, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.load(ctx, id)
	if err != nil {
		return Passkey{}, err
	}
	i := slices.IndexFunc(r.Passkeys, func(k Passkey) bool { return bytes.Equal(k.Key.ID, x.Credential) })
	if !r.Active || i < 0 || r.Passkeys[i].Retired != nil {
		return Passkey{}, ErrPasskey
	}
	k := &r.Passkeys[i]
	seen, err := passkey.Verify(k.Key, challenge, x)
	if err != nil {
		return Passkey{}, ErrPasskey.With(err)
	}
	if (seen.Counter != 0 || k.Counter != 0) && seen.Counter <= k.Counter {
		return Passkey{}, ErrPasskeyCopied
	}
	now := a.now()
	k.Counter, k.Synced, k.Used = seen.Counter, seen.BackedUp, &now
	if enter != nil {
		r.LastLogin = &now
	}
	if err := a.save(ctx, r); err != nil {
		return Passkey{}, err
	}
	if enter != nil {
		return *k, enter(r)
	}
	return *k, nil
}

// NewPasskey begins to add a passkey to the person of s.
func (a *Accounts) NewPasskey(ctx context.Context, s Session) (Ceremony, error) {
	if err := a.on(); err != nil {
		return Ceremony{}, err
	}
	if err := a.fresh(s); err != nil {
		return Ceremony{}, err
	}
	r, err := a.load(ctx, s.Person.ID)
	if err != nil {
		return Ceremony{}, err
	}
	if len(r.InUse()) >= maxPasskeys {
		return Ceremony{}, ErrManyPasskeys
	}
	c := ceremony{kind: kindPasskey, challenge: newChallenge(), from: s.ID(), person: r.ID}
	var exclude [][]byte
	for _, k := range r.InUse() {
		exclude = append(exclude, k.Key.ID)
	}
	name := a.o.RPName
	if name == "" {
		name = a.o.RPID
	}
	options, err := passkey.CreationOptions(passkey.Creation{
		RPID: a.o.RPID, RPName: name, UserID: []byte(r.ID), User: r.Login, UserName: r.Name,
		Challenge: c.challenge, Exclude: exclude, Timeout: CeremonyLife,
	})
	if err != nil {
		return Ceremony{}, err
	}
	return Ceremony{ID: a.ceremonies.add(c, a.now()), Options: options}, nil
}

// AddPasskey ends what NewPasskey began. A generated password, which somebody
// else knows, is gone from then on. The first factor of an account ends the
// person's other sessions: they were begun with a password alone. record is told
// the passkey before it counts, and refuses it with an error; nil: nobody is told.
func (a *Accounts) AddPasskey(ctx context.Context, s Session, id, name string, response json.RawMessage, record func(Passkey) error) (Passkey, error) {
	name = strings.TrimSpace(name)
	if !short(name, maxKeyName) {
		return Passkey{}, ErrPasskeyName
	}
	c, err := a.ceremonies.take(id, kindPasskey, s.ID(), a.now())
	if err != nil {
		return Passkey{}, err
	}
	m, err := passkey.ParseMade(a.o.RPID, c.challenge, response)
	if err != nil {
		return Passkey{}, ErrPasskeyMade.With(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if owner, err := a.owner(ctx, m.Key.ID); err == nil {
		return Passkey{}, ErrPasskeyMade.With(fmt.Errorf("account: the passkey is %s's already", owner))
	} else if err != ErrPasskey {
		return Passkey{}, err
	}
	r, err := a.load(ctx, c.person)
	if err != nil {
		return Passkey{}, err
	}
	if !r.Active || r.ID != s.Person.ID {
		return Passkey{}, ErrSession
	}
	if len(r.InUse()) >= maxPasskeys {
		return Passkey{}, ErrManyPasskeys
	}
	k := Passkey{
		ID: base64.RawURLEncoding.EncodeToString(m.Key.ID), Key: m.Key, Name: name, Made: a.now(),
		Counter: m.Seen.Counter, Synced: m.Seen.BackedUp, File: m.AAGUID == passkey.FileAAGUID || m.Key.File(),
	}
	if record != nil {
		if err := record(k); err != nil {
			return Passkey{}, err
		}
	}
	others := len(r.Must()) > 0
	r.Passkeys = append(r.Passkeys, k)
	if r.MustChange {
		r.Hash, r.MustChange = passwordHash{}, false
	}
	if err := a.save(ctx, r); err != nil {
		return Passkey{}, err
	}
	if others {
		if err := a.o.Store.DeleteOtherSessions(ctx, r.ID, s.token); err != nil {
			return Passkey{}, err
		}
	}
	return k, nil
}

// RemovePasskey retires a passkey of the person of s, and ends the person's other
// sessions. The last factor stays: without it nobody could log in.
func (a *Accounts) RemovePasskey(ctx context.Context, s Session, id string) error {
	if err := a.fresh(s); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.load(ctx, s.Person.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.Passkeys, func(k Passkey) bool { return k.ID == id && k.Retired == nil })
	if i < 0 {
		return ErrNoPasskey
	}
	if len(r.InUse()) == 1 && !(r.TOTP && r.Password) {
		return ErrLastFactor
	}
	a.retire(r, i)
	if err := a.save(ctx, r); err != nil {
		return err
	}
	return a.o.Store.DeleteOtherSessions(ctx, r.ID, s.token)
}

// retire takes r's passkey i out of use. One that the operator was told of stays
// on record: approvals were signed with it.
func (a *Accounts) retire(r *record, i int) {
	if r.Passkeys[i].Retired != nil {
		return
	}
	if r.Passkeys[i].Registered == nil {
		r.Passkeys = slices.Delete(r.Passkeys, i, i+1)
		return
	}
	now := a.now()
	r.Passkeys[i].Retired = &now
	if n := len(r.Passkeys) - len(r.InUse()); n > maxRetired {
		oldest := slices.IndexFunc(r.Passkeys, func(k Passkey) bool { return k.Retired != nil })
		r.Passkeys = slices.Delete(r.Passkeys, oldest, oldest+1)
	}
}

func (a *Accounts) retireAll(r *record) {
	for i := len(r.Passkeys) - 1; i >= 0; i-- {
		a.retire(r, i)
	}
}

// RegisteredPasskey records that the operator was asked to take a passkey for
// approvals.
func (a *Accounts) RegisteredPasskey(ctx context.Context, id incident.PersonID, key string) (Person, error) {
	return a.mark(ctx, id, key, func(k *Passkey) bool {
		now := a.now()
		k.Registered = &now
		return true
	})
}

// ConfirmPasskey records that the operator takes a passkey for approvals.
func (a *Accounts) ConfirmPasskey(ctx context.Context, id incident.PersonID, key string) (Person, error) {
	return a.mark(ctx, id, key, func(k *Passkey) bool {
		if k.Confirmed != nil {
			return false
		}
		now := a.now()
		k.Confirmed = &now
		if k.Registered == nil {
			k.Registered = &now
		}
		return true
	})
}

// UnconfirmPasskey records that the operator takes it no more.
func (a *Accounts) UnconfirmPasskey(ctx context.Context, id incident.PersonID, key string) (Person, error) {
	return a.mark(ctx, id, key, func(k *Passkey) bool {
		was := k.Confirmed != nil
		k.Confirmed = nil
		return was
	})
}

func (a *Accounts) mark(ctx context.Context, id incident.PersonID, key string, change func(*Passkey) bool) (Person, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.load(ctx, id)
	if err != nil {
		return Person{}, err
	}
	i := slices.IndexFunc(r.Passkeys, func(k Passkey) bool { return k.ID == key && k.Retired == nil })
	if i < 0 || !r.Active || !r.Can(Assess) {
		return Person{}, ErrNoPasskey
	}
	if change(&r.Passkeys[i]) {
		if err := a.save(ctx, r); err != nil {
			return Person{}, err
		}
	}
	return r.public(), nil
}
