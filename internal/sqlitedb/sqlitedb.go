// Package sqlitedb opens the SQLite files of the box and the extranet the same
// way everywhere, and brings their schema up to date, one transaction a version.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"veilbox/internal/problem"
)

// A Migration brings a schema from version i to i+1, where i is its index.
type Migration string

// Open opens the file at path (made with mode 0600 if it is missing) with WAL,
// full fsync at commit, foreign keys on and secure delete, and runs what is
// missing of migrations. A file made by a newer program is refused.
func Open(ctx context.Context, path string, migrations []Migration) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlitedb: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("sqlitedb: %w", err)
	}
	q := url.Values{}
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", "FULL")
	q.Set("_foreign_keys", "on")
	q.Set("_secure_delete", "on")
	q.Set("_busy_timeout", "10000")
	q.Set("_txlock", "immediate")
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("sqlitedb: open %s: %w", path, err)
	}
	if err := migrate(ctx, db, migrations); err != nil {
		_ = db.Close() // the first error is the one to act on
		return nil, fmt.Errorf("sqlitedb: %s: %w", path, err)
	}
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB, migrations []Migration) error {
	var have int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if have > len(migrations) {
		return fmt.Errorf("the file has schema version %d, this program knows %d: install the program that wrote it, or a newer one", have, len(migrations))
	}
	for i := have; i < len(migrations); i++ {
		err := Tx(ctx, db, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, string(migrations[i])); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", i+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("upgrade the schema to version %d: %w", i+1, err)
		}
	}
	return nil
}

// Tx runs f in a transaction, which is committed where f returns nil.
func Tx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqlitedb: begin: %w", err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // f's error is the one to act on
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqlitedb: commit: %w", err)
	}
	return nil
}

// Full reports whether err comes from a disk without room.
func Full(err error) bool {
	var s sqlite3.Error
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.As(err, &s) && s.Code == sqlite3.ErrFull
}

// failed reports whether err comes from a disk that fails or is read-only.
func failed(err error) bool {
	for _, e := range []syscall.Errno{syscall.EROFS, syscall.EIO, syscall.EFBIG} {
		if errors.Is(err, e) {
			return true
		}
	}
	var s sqlite3.Error
	return errors.As(err, &s) && (s.Code == sqlite3.ErrIoErr || s.Code == sqlite3.ErrReadonly || s.Code == sqlite3.ErrCantOpen)
}

// DiskFault reports whether err comes from a disk that takes nothing: it has no
// room, fails or is read-only.
func DiskFault(err error) bool { return Full(err) || failed(err) }

// ProblemOf is problem.Of, which knows in addition what the disk has done.
func ProblemOf(err error) *problem.Problem {
	p := problem.Of(err)
	switch {
	case p.Code != problem.Internal.Code:
		return p
	case Full(err):
		return problem.DiskFull.With(err)
	case failed(err):
		return problem.DiskFailed.With(err)
	}
	return p
}
