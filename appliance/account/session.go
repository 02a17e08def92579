package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/internal/sqlitedb"
)

// How long a session lives.
const (
	SessionLife  = 12 * time.Hour   // from log-in, for everyone
	AssessorIdle = 30 * time.Minute // without an act, for an assessor
	touchEvery   = time.Minute      // how often the time of the last act is written
	backwards    = 5 * time.Minute  // how far a clock may step back under a session
	tokenLen     = 43               // 32 bytes in base64url
)

// A Session is a log-in that runs, with the person as the account stands now.
type Session struct {
	Person  incident.Person
	Login   string
	Roles   []Role
	Created time.Time
	Expires time.Time // at the latest
	From    string    // address of the log-in
	// MustChange says that someone else knows the password.
	MustChange bool

	token [32]byte
}

type sessionBody struct {
	From string `json:"from"`
}

// Can reports whether one of the person's roles has permission p. It does not
// ask for the authorisation; Allow does.
func (s Session) Can(p Permission) bool {
	return slices.ContainsFunc(s.Roles, func(r Role) bool { return Can(r, p) })
}

// Allow returns nil where the person may do p at now: ErrPermission without the
// role, ErrAuthorisation where p needs a formal authorisation and there is none
// in force.
func (s Session) Allow(p Permission, now time.Time) error {
	if !s.Can(p) {
		return ErrPermission
	}
	if NeedsAuthorisation(p) && !s.Person.Authorisation.Valid(now) {
		return ErrAuthorisation
	}
	return nil
}

// LogIn checks a log-in name and password and begins a session. The token is
// returned once; only its hash is kept. address is where the attempt comes from,
// with or without a port.
func (a *Accounts) LogIn(ctx context.Context, login, password, address string) (token string, s Session, err error) {
	address = trimmed(address)
	name, err := normalLogin(login)
	if err != nil {
		name = "" // no account has it; the attempt costs the same
	}
	good, err := a.limits.login(name, address, a.now())
	if err != nil {
		return "", Session{}, err
	}
	r, err := a.prove(ctx, name, password)
	if err != nil {
		return "", Session{}, err
	}
	good()
	if err := a.afterProof(ctx, r, password); err != nil {
		return "", Session{}, err
	}
	raw := make([]byte, 32)
	rand.Read(raw)
	token = base64.RawURLEncoding.EncodeToString(raw)
	now := a.now()
	body, err := json.Marshal(sessionBody{From: address})
	if err != nil {
		return "", Session{}, fmt.Errorf("account: %w", err)
	}
	x := store.Session{Token: sha256.Sum256([]byte(token)), Person: r.ID, Created: now, Used: now, Body: body}
	if err := a.o.Store.CreateSession(ctx, x); err != nil {
		return "", Session{}, err
	}
	return token, a.session(r, x, address), nil
}

// prove returns the account with that log-in and password. Whatever is wrong,
// it costs one password hash and is ErrLogin.
func (a *Accounts) prove(ctx context.Context, login, password string) (*record, error) {
	h := a.decoy
	var r *record
	row, err := a.o.Store.PersonByLogin(ctx, login)
	switch {
	case err == nil:
		if r, err = decode(row); err != nil {
			return nil, err
		}
		h = r.Password
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	ok, err := a.fits(ctx, h, password)
	if err != nil {
		return nil, err
	}
	if !ok || r == nil || !r.Active {
		return nil, ErrLogin
	}
	return r, nil
}

// afterProof does what needs the password in the clear: it hashes it anew where
// the parameters were raised, and makes a new assessor's signing key.
func (a *Accounts) afterProof(ctx context.Context, r *record, password string) error {
	_, has := r.Signer()
	needs := r.Has(Assessor) && !has
	if r.Password.Params == a.o.Params && !needs {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh, err := a.load(ctx, r.ID)
	if err != nil {
		return err
	}
	if !slices.Equal(fresh.Password.Hash, r.Password.Hash) {
		return ErrLogin // the password was changed meanwhile
	}
	if fresh.Password.Params != a.o.Params {
		if fresh.Password, err = a.hash(ctx, password); err != nil {
			return err
		}
	}
	if _, has := fresh.Signer(); fresh.Has(Assessor) && !has {
		if err := a.newSigner(ctx, fresh, password, SignerFirst); err != nil {
			return err
		}
	}
	if err := a.save(ctx, fresh); err != nil {
		return err
	}
	*r = *fresh
	return nil
}

func (a *Accounts) session(r *record, x store.Session, from string) Session {
	return Session{Person: r.Incident(), Login: r.Login, Roles: slices.Clone(r.Roles), Created: x.Created, Expires: x.Created.Add(SessionLife),
		From: from, MustChange: r.MustChange, token: x.Token}
}

// Authenticate returns the session of token, or ErrSession, and counts as an act
// of it. Roles and authorisation are those of now, not of the log-in.
func (a *Accounts) Authenticate(ctx context.Context, token string) (Session, error) {
	if len(token) != tokenLen {
		return Session{}, ErrSession
	}
	x, err := a.o.Store.Session(ctx, sha256.Sum256([]byte(token)))
	if errors.Is(err, store.ErrNotFound) {
		return Session{}, ErrSession
	}
	if err != nil {
		return Session{}, err
	}
	r, err := a.load(ctx, x.Person)
	if err != nil {
		return Session{}, err
	}
	now := a.now()
	over := !now.Before(x.Created.Add(SessionLife)) || now.Before(x.Used.Add(-backwards))
	idle := r.Has(Assessor) && !now.Before(x.Used.Add(AssessorIdle))
	if over || idle || !r.Active {
		if err := a.o.Store.DeleteSession(ctx, x.Token); err != nil {
			return Session{}, err
		}
		return Session{}, ErrSession
	}
	if now.Sub(x.Used) >= touchEvery {
		if err := a.o.Store.TouchSession(ctx, x.Token, now); errors.Is(err, store.ErrNotFound) {
			return Session{}, ErrSession // ended meanwhile
		} else if err != nil && !sqlitedb.DiskFault(err) {
			// A disk that takes nothing is told on pages that must be seen. The
			// act is not written, so an assessor's session ends the sooner.
			return Session{}, err
		}
	}
	var body sessionBody
	if err := json.Unmarshal(x.Body, &body); err != nil {
		return Session{}, fmt.Errorf("account: session: %w", err)
	}
	return a.session(r, x, body.From), nil
}

// LogOut ends the session of token; one that is gone is no error.
func (a *Accounts) LogOut(ctx context.Context, token string) error {
	return a.o.Store.DeleteSession(ctx, sha256.Sum256([]byte(token)))
}

// End ends s.
func (a *Accounts) End(ctx context.Context, s Session) error {
	return a.o.Store.DeleteSession(ctx, s.token)
}

// Sweep forgets sessions that are over and returns how many.
func (a *Accounts) Sweep(ctx context.Context) (int64, error) {
	return a.o.Store.DeleteSessionsBefore(ctx, a.now().Add(-SessionLife))
}

// Reauthenticate checks a logged-in person's own password again.
func (a *Accounts) Reauthenticate(ctx context.Context, id incident.PersonID, password string) error {
	_, err := a.reauthenticate(ctx, id, password)
	return err
}

func (a *Accounts) reauthenticate(ctx context.Context, id incident.PersonID, password string) (*record, error) {
	good, err := a.limits.person(id, a.now())
	if err != nil {
		return nil, err
	}
	r, err := a.load(ctx, id)
	if err != nil {
		return nil, err
	}
	ok, err := a.fits(ctx, r.Password, password)
	if err != nil {
		return nil, err
	}
	if !ok || !r.Active {
		return nil, ErrPassword
	}
	good()
	return r, nil
}

// ChangePassword sets the person's own password and ends that person's other
// sessions. An assessor's signing key is sealed anew under it; where someone
// else knew the old password the key is replaced, and the operator must register
// the new one.
func (a *Accounts) ChangePassword(ctx context.Context, s Session, old, new string) error {
	r, err := a.reauthenticate(ctx, s.Person.ID, old)
	if err != nil {
		return err
	}
	if old == new {
		return ErrSamePassword
	}
	if err := CheckPassword(new, r.Login, r.Name); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh, err := a.load(ctx, r.ID)
	if err != nil {
		return err
	}
	if !slices.Equal(fresh.Password.Hash, r.Password.Hash) {
		return ErrConflict
	}
	if err := a.resealSigner(ctx, fresh, old, new); err != nil {
		return err
	}
	if fresh.Password, err = a.hash(ctx, new); err != nil {
		return err
	}
	fresh.MustChange = false
	if err := a.save(ctx, fresh); err != nil {
		return err
	}
	return a.o.Store.DeleteOtherSessions(ctx, fresh.ID, s.token)
}

func (a *Accounts) resealSigner(ctx context.Context, r *record, old, new string) error {
	if !r.Has(Assessor) {
		return nil
	}
	if _, ok := r.Signer(); !ok || r.MustChange {
		return a.newSigner(ctx, r, new, SignerOwned)
	}
	private, err := a.openSigner(ctx, r, old)
	if err != nil {
		return err
	}
	r.Sealed, err = a.sealSigner(ctx, r.ID, private, new)
	return err
}

// trimmed keeps an address short enough to be kept.
func trimmed(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "")
}
