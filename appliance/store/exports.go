package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// PutExport keeps what is said of an original that was taken out; casework owns
// the body.
func (s *Store) PutExport(ctx context.Context, id string, created time.Time, body []byte) error {
	sealed, err := s.seal("exports", id, body)
	if err != nil {
		return err
	}
	err = s.exec(ctx, "INSERT INTO exports (id, created, body) VALUES (?, ?, ?)", id, micro(created), sealed)
	if taken(err) {
		return ErrExists.With(err)
	}
	return err
}

// Export returns what PutExport kept, or ErrNotFound.
func (s *Store) Export(ctx context.Context, id string) ([]byte, error) {
	var sealed []byte
	err := s.db.QueryRowContext(ctx, "SELECT body FROM exports WHERE id = ?", id).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: export: %w", err)
	}
	return s.open("exports", id, sealed)
}

// DeleteExportsBefore forgets exports made before created and returns how many.
func (s *Store) DeleteExportsBefore(ctx context.Context, created time.Time) (int64, error) {
	r, err := s.db.ExecContext(ctx, "DELETE FROM exports WHERE created < ?", micro(created))
	if err != nil {
		return 0, fmt.Errorf("store: exports: %w", err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("store: exports: %w", err)
	}
	return n, nil
}
