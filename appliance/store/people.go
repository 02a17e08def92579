package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"veilbox/appliance/incident"
)

// A Person is an account's row; appliance/account owns the body.
type Person struct {
	ID      incident.PersonID
	Login   string // found by, never kept in the clear; empty where it was read
	Version int
	Body    []byte
}

// CreatePerson keeps a new account with version 1. A log-in name in use is ErrExists.
func (s *Store) CreatePerson(ctx context.Context, p Person) error {
	body, err := s.seal("people", string(p.ID), p.Body)
	if err != nil {
		return err
	}
	err = s.exec(ctx, "INSERT INTO people (id, login, version, body) VALUES (?, ?, 1, ?)", p.ID, s.loginHash(p.Login), body)
	if taken(err) {
		return ErrExists.With(err)
	}
	return err
}

// SavePerson replaces the body of p's account. p.Version must be the one read,
// else it is ErrConflict.
func (s *Store) SavePerson(ctx context.Context, p Person) error {
	body, err := s.seal("people", string(p.ID), p.Body)
	if err != nil {
		return err
	}
	return s.execOne(ctx, ErrConflict, "UPDATE people SET version = version + 1, body = ? WHERE id = ? AND version = ?", body, p.ID, p.Version)
}

// Person returns the account called id, or ErrNotFound.
func (s *Store) Person(ctx context.Context, id incident.PersonID) (Person, error) {
	return one(s.people(ctx, "WHERE id = ?", id))
}

// PersonByLogin returns the account with that log-in name, or ErrNotFound.
func (s *Store) PersonByLogin(ctx context.Context, login string) (Person, error) {
	return one(s.people(ctx, "WHERE login = ?", s.loginHash(login)))
}

// People returns all accounts.
func (s *Store) People(ctx context.Context) ([]Person, error) {
	return s.people(ctx, "ORDER BY rowid")
}

func one(all []Person, err error) (Person, error) {
	if err != nil {
		return Person{}, err
	}
	if len(all) == 0 {
		return Person{}, ErrNotFound
	}
	return all[0], nil
}

func (s *Store) people(ctx context.Context, rest string, args ...any) (_ []Person, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, version, body FROM people "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("store: people: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Person
	for rows.Next() {
		var p Person
		var body []byte
		if err := rows.Scan(&p.ID, &p.Version, &body); err != nil {
			return nil, fmt.Errorf("store: people: %w", err)
		}
		if p.Body, err = s.open("people", string(p.ID), body); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: people: %w", err)
	}
	return out, nil
}

// A Session is a log-in that runs, found by the SHA-256 of its token.
type Session struct {
	Token   [32]byte
	Person  incident.PersonID
	Created time.Time
	Used    time.Time
	Body    []byte
}

// CreateSession keeps a session.
func (s *Store) CreateSession(ctx context.Context, x Session) error {
	body, err := s.seal("sessions", string(x.Token[:]), x.Body)
	if err != nil {
		return err
	}
	return s.exec(ctx, "INSERT INTO sessions (token, person, created, used, body) VALUES (?, ?, ?, ?, ?)",
		x.Token[:], x.Person, micro(x.Created), micro(x.Used), body)
}

// Session returns the session of a token's hash, or ErrNotFound.
func (s *Store) Session(ctx context.Context, token [32]byte) (Session, error) {
	x := Session{Token: token}
	var created, used int64
	var body []byte
	err := s.db.QueryRowContext(ctx, "SELECT person, created, used, body FROM sessions WHERE token = ?", token[:]).Scan(&x.Person, &created, &used, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, ErrNotFound
	}
	if err != nil {
		return Session{}, fmt.Errorf("store: session: %w", err)
	}
	x.Created, x.Used = fromMicro(created), fromMicro(used)
	x.Body, err = s.open("sessions", string(token[:]), body)
	return x, err
}

// Sessions returns a person's sessions, the oldest first.
func (s *Store) Sessions(ctx context.Context, id incident.PersonID) (_ []Session, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT token, created, used, body FROM sessions WHERE person = ? ORDER BY created, rowid", id)
	if err != nil {
		return nil, fmt.Errorf("store: sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Session
	for rows.Next() {
		x := Session{Person: id}
		var token, body []byte
		var created, used int64
		if err := rows.Scan(&token, &created, &used, &body); err != nil {
			return nil, fmt.Errorf("store: sessions: %w", err)
		}
		if copy(x.Token[:], token) != len(x.Token) {
			return nil, fmt.Errorf("store: sessions: a token of %d bytes: restore the file from the backup", len(token))
		}
		x.Created, x.Used = fromMicro(created), fromMicro(used)
		if x.Body, err = s.open("sessions", string(token), body); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: sessions: %w", err)
	}
	return out, nil
}

// TouchSession sets when a session was last used.
func (s *Store) TouchSession(ctx context.Context, token [32]byte, used time.Time) error {
	return s.execOne(ctx, ErrNotFound, "UPDATE sessions SET used = ? WHERE token = ?", micro(used), token[:])
}

// DeleteSession ends a session; one that is gone is no error.
func (s *Store) DeleteSession(ctx context.Context, token [32]byte) error {
	return s.exec(ctx, "DELETE FROM sessions WHERE token = ?", token[:])
}

// DeleteSessions ends every session of a person.
func (s *Store) DeleteSessions(ctx context.Context, id incident.PersonID) error {
	return s.exec(ctx, "DELETE FROM sessions WHERE person = ?", id)
}

// DeleteOtherSessions ends every session of a person but one.
func (s *Store) DeleteOtherSessions(ctx context.Context, id incident.PersonID, keep [32]byte) error {
	return s.exec(ctx, "DELETE FROM sessions WHERE person = ? AND token <> ?", id, keep[:])
}

// DeleteSessionsBefore ends sessions made before created and returns how many.
func (s *Store) DeleteSessionsBefore(ctx context.Context, created time.Time) (int64, error) {
	r, err := s.db.ExecContext(ctx, "DELETE FROM sessions WHERE created < ?", micro(created))
	if err != nil {
		return 0, fmt.Errorf("store: sessions: %w", err)
	}
	return r.RowsAffected()
}

// An Acceptance is a person's acceptance of one version of the conditions (S8).
type Acceptance struct {
	Person  incident.PersonID `json:"person"`
	Name    string            `json:"name"`
	Version string            `json:"version"`
	At      time.Time         `json:"at"`
}

// PutAcceptance keeps an acceptance; the first of a person and version stands.
func (s *Store) PutAcceptance(ctx context.Context, a Acceptance) error {
	if a.At.IsZero() {
		a.At = s.clock.Now().UTC()
	}
	body, err := s.sealJSON("acceptances", string(a.Person)+"/"+a.Version, a)
	if err != nil {
		return err
	}
	return s.exec(ctx, "INSERT INTO acceptances (person, version, accepted, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		a.Person, a.Version, micro(a.At), body)
}

// Accepted reports whether a person has accepted that version.
func (s *Store) Accepted(ctx context.Context, id incident.PersonID, version string) (bool, error) {
	all, err := s.acceptances(ctx, "WHERE person = ? AND version = ?", id, version)
	return len(all) > 0, err
}

// Acceptances returns all acceptances in order of time.
func (s *Store) Acceptances(ctx context.Context) ([]Acceptance, error) {
	return s.acceptances(ctx, "ORDER BY accepted, person")
}

func (s *Store) acceptances(ctx context.Context, rest string, args ...any) (_ []Acceptance, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT person, version, body FROM acceptances "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("store: acceptances: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Acceptance
	for rows.Next() {
		var person, version string
		var body []byte
		if err := rows.Scan(&person, &version, &body); err != nil {
			return nil, fmt.Errorf("store: acceptances: %w", err)
		}
		var a Acceptance
		if err := s.openJSON("acceptances", person+"/"+version, body, &a); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: acceptances: %w", err)
	}
	return out, nil
}
