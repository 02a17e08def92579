package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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
	How     How
	// Must is what the person must do first; until then only the own account is
	// open.
	Must []Need

	token [32]byte
}

// How says by what a session was begun.
type How string

const (
	ByPasskey  How = "passkey"
	ByCode     How = "password+totp"
	ByPassword How = "password" // the first set-up, before there is a second factor
)

type sessionBody struct {
	From string `json:"from"`
	How  How    `json:"how,omitempty"`
}

// ID names the session for lists and for what is bound to it. It opens nothing.
func (s Session) ID() string { return sessionID(s.token) }

func sessionID(token [32]byte) string { return hex.EncodeToString(token[:12]) }

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

func (a *Accounts) session(r *record, x store.Session, body sessionBody) Session {
	return Session{Person: r.Incident(), Login: r.Login, Roles: slices.Clone(r.Roles), Created: x.Created, Expires: x.Created.Add(SessionLife),
		From: body.From, How: body.How, Must: r.Must(), token: x.Token}
}

// begin makes a session with a token of its own for r, and returns the token.
func (a *Accounts) begin(ctx context.Context, r *record, address string, how How) (token string, s Session, err error) {
	raw := make([]byte, 32)
	rand.Read(raw)
	token = base64.RawURLEncoding.EncodeToString(raw)
	now := a.now()
	body := sessionBody{From: address, How: how}
	b, err := json.Marshal(body)
	if err != nil {
		return "", Session{}, fmt.Errorf("account: %w", err)
	}
	x := store.Session{Token: sha256.Sum256([]byte(token)), Person: r.ID, Created: now, Used: now, Body: b}
	if err := a.o.Store.CreateSession(ctx, x); err != nil {
		return "", Session{}, err
	}
	return token, a.session(r, x, body), nil
}

// freshFor is how long after a log-in the factors of an account may be changed:
// who finds a page left open, or steals its session, makes no key of his own.
const freshFor = 15 * time.Minute

func (a *Accounts) fresh(s Session) error {
	if d := a.now().Sub(s.Created); d >= freshFor || d < -backwards {
		return ErrFresh
	}
	return nil
}

// A SessionInfo is one of a person's own sessions.
type SessionInfo struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"`
	From    string    `json:"from"`
	How     How       `json:"how"`
	Current bool      `json:"current"` // it is the one that asks
}

// Sessions returns the sessions of the person of s that run, the oldest first.
func (a *Accounts) Sessions(ctx context.Context, s Session) ([]SessionInfo, error) {
	rows, err := a.o.Store.Sessions(ctx, s.Person.ID)
	if err != nil {
		return nil, err
	}
	assessor := slices.Contains(s.Roles, Assessor)
	var out []SessionInfo
	for _, x := range rows {
		if a.over(x, assessor) {
			continue
		}
		var body sessionBody
		if err := json.Unmarshal(x.Body, &body); err != nil {
			return nil, fmt.Errorf("account: session: %w", err)
		}
		out = append(out, SessionInfo{ID: sessionID(x.Token), Created: x.Created, Used: x.Used, From: body.From, How: body.How, Current: x.Token == s.token})
	}
	return out, nil
}

// EndOther ends one of the person's sessions; one that is gone is no error.
func (a *Accounts) EndOther(ctx context.Context, s Session, id string) error {
	rows, err := a.o.Store.Sessions(ctx, s.Person.ID)
	if err != nil {
		return err
	}
	for _, x := range rows {
		if sessionID(x.Token) == id {
			return a.o.Store.DeleteSession(ctx, x.Token)
		}
	}
	return nil
}

// EndOthers ends all of the person's sessions but s.
func (a *Accounts) EndOthers(ctx context.Context, s Session) error {
	return a.o.Store.DeleteOtherSessions(ctx, s.Person.ID, s.token)
}

// over reports whether x has run out.
func (a *Accounts) over(x store.Session, assessor bool) bool {
	now := a.now()
	return !now.Before(x.Created.Add(SessionLife)) || now.Before(x.Used.Add(-backwards)) || assessor && !now.Before(x.Used.Add(AssessorIdle))
}

type unattended struct{}

// Unattended returns a context in which Authenticate counts as no act: a page asks
// by itself, and perhaps nobody sits before it.
func Unattended(ctx context.Context) context.Context {
	return context.WithValue(ctx, unattended{}, true)
}

// Authenticate returns the session of token, or ErrSession, and counts as an act
// of it unless ctx is Unattended. Roles and authorisation are those of now, not of the log-in.
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
	if !r.Active || a.over(x, r.Has(Assessor)) {
		if err := a.o.Store.DeleteSession(ctx, x.Token); err != nil {
			return Session{}, err
		}
		return Session{}, ErrSession
	}
	if now := a.now(); now.Sub(x.Used) >= touchEvery && ctx.Value(unattended{}) == nil {
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
	return a.session(r, x, body), nil
}

// LogOut ends the session of token; one that is gone is no error.
func (a *Accounts) LogOut(ctx context.Context, token string) error {
	return a.o.Store.DeleteSession(ctx, sha256.Sum256([]byte(token)))
}

// End ends s.
func (a *Accounts) End(ctx context.Context, s Session) error {
	return a.o.Store.DeleteSession(ctx, s.token)
}

// Sweep forgets sessions that are over and returns how many, and the attempts to
// log in that say nothing any more.
func (a *Accounts) Sweep(ctx context.Context) (int64, error) {
	if err := a.limits.sweep(ctx, a.now()); err != nil {
		return 0, err
	}
	return a.o.Store.DeleteSessionsBefore(ctx, a.now().Add(-SessionLife))
}

// trimmed keeps an address short enough to be kept.
func trimmed(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "")
}
