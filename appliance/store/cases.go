package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"veilbox/appliance/incident"
	"veilbox/redact/subject"
)

// CreateCase keeps a new case. Its version is 1, whatever c says.
func (s *Store) CreateCase(ctx context.Context, c incident.Case) error {
	c.Version = 1
	body, err := s.sealJSON("cases", string(c.ID), c)
	if err != nil {
		return err
	}
	err = s.exec(ctx, "INSERT INTO cases (id, version, state, created, changed, body) VALUES (?, ?, ?, ?, ?, ?)",
		c.ID, c.Version, c.State, micro(c.Created), micro(c.Changed), body)
	if taken(err) {
		return ErrExists.With(err)
	}
	return err
}

// UpdateCase replaces a case and returns it with its new version. c.Version must
// be the version that was read; where someone else has saved since, it is
// ErrConflict and nothing changes.
func (s *Store) UpdateCase(ctx context.Context, c incident.Case) (incident.Case, error) {
	n := c
	n.Version++
	body, err := s.sealJSON("cases", string(n.ID), n)
	if err != nil {
		return c, err
	}
	err = s.execOne(ctx, ErrConflict, "UPDATE cases SET version = ?, state = ?, changed = ?, body = ? WHERE id = ? AND version = ?",
		n.Version, n.State, micro(n.Changed), body, n.ID, c.Version)
	if errors.Is(err, ErrConflict) {
		if _, e := s.Case(ctx, c.ID); e != nil {
			return c, e // gone, or not to be read
		}
	}
	if err != nil {
		return c, err
	}
	return n, nil
}

// Case returns the case called id, or ErrNotFound.
func (s *Store) Case(ctx context.Context, id incident.CaseID) (incident.Case, error) {
	all, err := s.cases(ctx, true, "WHERE id = ?", id)
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
	return s.cases(ctx, false, where+"ORDER BY created DESC, id", args...)
}

func (s *Store) cases(ctx context.Context, single bool, rest string, args ...any) (_ []incident.Case, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, version, state, body FROM cases "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("store: cases: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []incident.Case
	var broken []error
	for rows.Next() {
		var id, state string
		var version int
		var body []byte
		if err := rows.Scan(&id, &version, &state, &body); err != nil {
			return nil, fmt.Errorf("store: cases: %w", err)
		}
		var kept storedCase
		if err := s.openJSON("cases", id, body, &kept); err != nil {
			broken = append(broken, err)
			continue
		}
		c := kept.upgraded()
		if c.Version != version || string(c.State) != state {
			broken = append(broken, s.broken("cases", id, fmt.Errorf("store: case %s: its row says version %d, %s, its sealed body %d, %s: the file was changed from outside; restore it from the backup", id, version, state, c.Version, c.State)))
			continue
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: cases: %w", err)
	}
	return readable(out, broken, single)
}

// A storedCase is a case as any version of this program wrote it. A body is
// sealed, so that the schema's upgrades cannot reach it: it is read as it is, and
// the next save writes it as it should be.
type storedCase struct {
	incident.Case
	// Subject is the one person of a case of before there could be several.
	Subject *subject.Subject `json:"subject"`
}

// wasTagged is what tagged was called until schema version 4.
const wasTagged incident.State = "redacting"

func (k storedCase) upgraded() incident.Case {
	c := k.Case
	if c.State == wasTagged {
		c.State = incident.Tagged
	}
	if len(c.Subjects) == 0 && k.Subject != nil && len(k.Subject.Keyframes) > 0 {
		c.Subjects = []subject.Subject{*k.Subject}
	}
	if c.Copy != nil && c.Copy.Media == "" { // there were only clips, of one person
		c.Copy.Media, c.Copy.Subjects = incident.MediaVideo, 1
	}
	return c
}

// DeleteCase removes a case and its redaction record.
func (s *Store) DeleteCase(ctx context.Context, id incident.CaseID) error {
	return s.execOne(ctx, ErrNotFound, "DELETE FROM cases WHERE id = ?", id)
}

// SetRedaction keeps what the redaction of a case left.
func (s *Store) SetRedaction(ctx context.Context, id incident.CaseID, record []byte) error {
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

// Redaction returns what SetRedaction kept, or ErrNotFound.
func (s *Store) Redaction(ctx context.Context, id incident.CaseID) ([]byte, error) {
	var body []byte
	err := s.db.QueryRowContext(ctx, "SELECT body FROM redactions WHERE case_id = ?", id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: redaction: %w", err)
	}
	return s.open("redactions", string(id), body)
}

// DeleteRedaction removes a case's redaction record; one that is gone is no error.
func (s *Store) DeleteRedaction(ctx context.Context, id incident.CaseID) error {
	return s.exec(ctx, "DELETE FROM redactions WHERE case_id = ?", id)
}
