package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An Attempt is what is kept between restarts of attempts to log in: how many
// are left, or that a place is known. appliance/account owns the body. The name
// says who and from where, so it is kept only as a hash.
type Attempt struct {
	Name string // empty where it was read
	At   time.Time
	Body []byte
}

// SaveAttempts keeps all of list, or nothing. A row without a body is removed.
func (s *Store) SaveAttempts(ctx context.Context, list []Attempt) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: attempts: %w", err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the first error is the one to act on
		}
	}()
	for _, a := range list {
		name := s.loginHash(a.Name)
		if a.Body == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM attempts WHERE name = ?", name)
		} else {
			var body []byte
			if body, err = s.seal("attempts", string(name), a.Body); err == nil {
				_, err = tx.ExecContext(ctx, "INSERT INTO attempts (name, at, body) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at, body = excluded.body", name, micro(a.At), body)
			}
		}
		if err != nil {
			return fmt.Errorf("store: attempts: %w", err)
		}
	}
	if err = tx.Commit(); err != nil {
		return fmt.Errorf("store: attempts: %w", err)
	}
	return nil
}

// Attempts returns the latest rows, at most limit of them.
func (s *Store) Attempts(ctx context.Context, limit int) (_ []Attempt, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT name, at, body FROM attempts ORDER BY at DESC LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("store: attempts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Attempt
	for rows.Next() {
		var name, body []byte
		var at int64
		if err := rows.Scan(&name, &at, &body); err != nil {
			return nil, fmt.Errorf("store: attempts: %w", err)
		}
		plain, err := s.open("attempts", string(name), body)
		if err != nil {
			continue // it is noted as damaged; one row costs no log-in
		}
		out = append(out, Attempt{At: fromMicro(at), Body: plain})
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: attempts: %w", err)
	}
	return out, nil
}

// DropAttempts removes the rows from before, and the oldest beyond keep rows.
func (s *Store) DropAttempts(ctx context.Context, before time.Time, keep int) error {
	return s.exec(ctx, "DELETE FROM attempts WHERE at < ? OR name NOT IN (SELECT name FROM attempts ORDER BY at DESC LIMIT ?)", micro(before), keep)
}
