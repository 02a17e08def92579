package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"veilbox/appliance/incident"
)

// CreateCase keeps a new case and sets its version to 1 and its times.
func (s *Store) CreateCase(ctx context.Context, c *incident.Case) error {
	n := *c
	n.Version = 1
	n.Created = s.clock.Now().UTC()
	n.Changed = n.Created
	body, err := s.seal("cases", string(n.ID), n)
	if err != nil {
		return err
	}
	err = s.exec(ctx, "INSERT INTO cases (id, version, state, created, changed, body) VALUES (?, ?, ?, ?, ?, ?)",
		n.ID, n.Version, n.State, micro(n.Created), micro(n.Changed), body)
	if taken(err) {
		return ErrExists.With(err)
	}
	if err == nil {
		*c = n
	}
	return err
}

// SaveCase replaces a case. c.Version must be the version that was read; where
// someone else has saved since, it is ErrConflict and nothing changes. On
// success c's version and time of change are the new ones.
func (s *Store) SaveCase(ctx context.Context, c *incident.Case) error {
	n := *c
	n.Version++
	n.Changed = s.clock.Now().UTC()
	body, err := s.seal("cases", string(n.ID), n)
	if err != nil {
		return err
	}
	err = s.execOne(ctx, ErrConflict, "UPDATE cases SET version = ?, state = ?, changed = ?, body = ? WHERE id = ? AND version = ?",
		n.Version, n.State, micro(n.Changed), body, n.ID, c.Version)
	if errors.Is(err, ErrConflict) {
		if _, e := s.Case(ctx, c.ID); e != nil {
			return e // gone, or not to be read
		}
		return err
	}
	if err == nil {
		*c = n
	}
	return err
}

// Case returns the case called id, or ErrNotFound.
func (s *Store) Case(ctx context.Context, id incident.CaseID) (incident.Case, error) {
	all, err := s.cases(ctx, "WHERE id = ?", id)
	if err != nil {
		return incident.Case{}, err
	}
	if len(all) == 0 {
		return incident.Case{}, ErrNotFound
	}
	return all[0], nil
}

// Cases returns the cases in one of states, or all where none is given, newest
// first.
func (s *Store) Cases(ctx context.Context, states ...incident.State) ([]incident.Case, error) {
	where, args := "", make([]any, 0, len(states))
	if len(states) > 0 {
		where = "WHERE state IN (?" + strings.Repeat(", ?", len(states)-1) + ") "
		for _, st := range states {
			args = append(args, st)
		}
	}
	return s.cases(ctx, where+"ORDER BY created DESC, id", args...)
}

func (s *Store) cases(ctx context.Context, rest string, args ...any) (_ []incident.Case, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, version, state, body FROM cases "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("store: cases: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []incident.Case
	for rows.Next() {
		var id, state string
		var version int
		var body []byte
		if err := rows.Scan(&id, &version, &state, &body); err != nil {
			return nil, fmt.Errorf("store: cases: %w", err)
		}
		var c incident.Case
		if err := s.open("cases", id, body, &c); err != nil {
			return nil, err
		}
		if c.Version != version || string(c.State) != state {
			return nil, fmt.Errorf("store: case %s: its row says version %d, %s, its sealed body %d, %s: the file was changed from outside; restore it from the backup", id, version, state, c.Version, c.State)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: cases: %w", err)
	}
	return out, nil
}

// DeleteCase removes a case and its redaction record.
func (s *Store) DeleteCase(ctx context.Context, id incident.CaseID) error {
	return s.execOne(ctx, ErrNotFound, "DELETE FROM cases WHERE id = ?", id)
}

// PutRedaction keeps what the redaction of a case left, as JSON.
func (s *Store) PutRedaction(ctx context.Context, id incident.CaseID, record json.RawMessage) error {
	body, err := s.seal("redactions", string(id), record)
	if err != nil {
		return err
	}
	err = s.exec(ctx, "INSERT INTO redactions (case_id, changed, body) VALUES (?, ?, ?) ON CONFLICT (case_id) DO UPDATE SET changed = excluded.changed, body = excluded.body",
		id, micro(s.clock.Now()), body)
	if err != nil && strings.Contains(err.Error(), "FOREIGN KEY constraint failed") {
		return ErrNotFound.With(err)
	}
	return err
}

// Redaction returns what PutRedaction kept, or ErrNotFound.
func (s *Store) Redaction(ctx context.Context, id incident.CaseID) (json.RawMessage, error) {
	var body []byte
	err := s.db.QueryRowContext(ctx, "SELECT body FROM redactions WHERE case_id = ?", id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: redaction: %w", err)
	}
	var record json.RawMessage
	return record, s.open("redactions", string(id), body, &record)
}

// DeleteRedaction removes a case's redaction record; one that is gone is no error.
func (s *Store) DeleteRedaction(ctx context.Context, id incident.CaseID) error {
	return s.exec(ctx, "DELETE FROM redactions WHERE case_id = ?", id)
}
