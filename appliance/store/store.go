// Package store keeps what the box knows in one SQLite file: cases, cameras,
// settings, accounts and sessions. The ring has its own index, the audit log
// its own file.
//
// Every body is sealed under the box's key for its table and row, so that
// a row moved to another place does not open. Times are kept in microseconds
// since 1970 UTC. schema.sql is the schema as it stands; upgrades/ is how it
// came to be.
package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/internal/sqlitedb"
)

//go:embed upgrades/*.sql
var upgrades embed.FS

// MaxBody is the longest body of a row, in bytes of JSON.
const MaxBody = 16 << 20

// What can go wrong in a way that the caller can act on.
var (
	ErrNotFound = problem.New(http.StatusNotFound, "store.not-found",
		problem.Text{DA: "Det, du leder efter, findes ikke (længere).", EN: "What you look for does not exist (any more)."},
		problem.Text{DA: "Gå tilbage til oversigten og vælg igen.", EN: "Go back to the overview and choose again."})
	ErrConflict = problem.New(http.StatusConflict, "store.conflict",
		problem.Text{DA: "En anden har ændret dette, siden du åbnede det.", EN: "Someone else has changed this since you opened it."},
		problem.Text{DA: "Hent siden igen, se ændringerne, og lav din ændring igen.", EN: "Load the page again, look at the changes, and make yours again."})
	ErrExists = problem.New(http.StatusConflict, "store.exists",
		problem.Text{DA: "Navnet er allerede i brug.", EN: "The name is already in use."},
		problem.Text{DA: "Vælg et andet navn.", EN: "Choose another name."})
	ErrDamaged = problem.New(http.StatusInternalServerError, "store.damaged",
		problem.Text{DA: "Noget i boksens database er beskadiget eller ændret udefra.", EN: "Something in the box's database is damaged or was changed from outside."},
		problem.Text{DA: "Resten kan bruges. Gendan box.db fra sikkerhedskopien, og kontrollér disken; loggen siger, hvad der er ramt.", EN: "The rest is usable. Restore box.db from the backup and check the disk; the log says what is hit."})
)

// Options are what a Store needs.
type Options struct {
	Path  string // such as DIR/box.db
	Key   keys.Key
	Clock clock.Clock
}

// A Store is safe for concurrent use.
type Store struct {
	db    *sql.DB
	key   keys.Key
	login keys.Key
	clock clock.Clock

	mu      sync.Mutex
	damaged map[string]struct{} // table/row, found since Open
}

// Open opens the file, makes it if it is missing, and upgrades its schema. A key
// that does not fit the file is refused.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Path == "" || o.Key.IsZero() || o.Clock == nil {
		return nil, errors.New("store: path, key and clock are needed")
	}
	steps, err := migrations()
	if err != nil {
		return nil, err
	}
	db, err := sqlitedb.Open(ctx, o.Path, steps)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{db: db, key: o.Key.Derive("veilbox store 1"), login: o.Key.Derive("veilbox store log-in names 1"), clock: o.Clock, damaged: map[string]struct{}{}}
	if err := s.checkKey(ctx); err != nil {
		_ = db.Close() // the first error is the one to act on
		return nil, err
	}
	return s, nil
}

func migrations() ([]sqlitedb.Migration, error) {
	list, err := upgrades.ReadDir("upgrades") // in the order of their names
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var out []sqlitedb.Migration
	for i, e := range list {
		if e.Name() != fmt.Sprintf("%03d.sql", i+1) {
			return nil, fmt.Errorf("store: upgrade %s is out of order", e.Name())
		}
		b, err := upgrades.ReadFile("upgrades/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		out = append(out, sqlitedb.Migration(b))
	}
	return out, nil
}

const keyCheck = "store.key-check"

func (s *Store) checkKey(ctx context.Context) error {
	_, err := s.Setting(ctx, keyCheck)
	if errors.Is(err, ErrNotFound) {
		return s.SetSetting(ctx, keyCheck, []byte{1})
	}
	if err != nil {
		return fmt.Errorf("store: the key does not fit the file; restore the key that belongs to it from the backup: %w", err)
	}
	return nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Setting returns the setting called name, or ErrNotFound.
func (s *Store) Setting(ctx context.Context, name string) ([]byte, error) {
	var sealed []byte
	err := s.db.QueryRowContext(ctx, "SELECT body FROM settings WHERE name = ?", name).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: setting %s: %w", name, err)
	}
	return s.open("settings", name, sealed)
}

// SetSetting sets name to value.
func (s *Store) SetSetting(ctx context.Context, name string, value []byte) error {
	body, err := s.seal("settings", name, value)
	if err != nil {
		return err
	}
	return s.exec(ctx, "INSERT INTO settings (name, changed, body) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET changed = excluded.changed, body = excluded.body",
		name, micro(s.clock.Now()), body)
}

// DeleteSetting removes name; one that is gone is no error.
func (s *Store) DeleteSetting(ctx context.Context, name string) error {
	return s.exec(ctx, "DELETE FROM settings WHERE name = ?", name)
}

func (s *Store) exec(ctx context.Context, query string, args ...any) error {
	if _, err := s.db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// execOne is exec for a statement that must change a row, else none is returned.
func (s *Store) execOne(ctx context.Context, none error, query string, args ...any) error {
	r, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if n == 0 {
		return none
	}
	return nil
}

func (s *Store) seal(table, row string, body []byte) ([]byte, error) {
	if len(body) > MaxBody {
		return nil, fmt.Errorf("store: %s: %d bytes, at most %d", table, len(body), MaxBody)
	}
	return s.key.Seal(table+"/"+row, body), nil
}

func (s *Store) sealJSON(table, row string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", table, err)
	}
	return s.seal(table, row, b)
}

func (s *Store) open(table, row string, sealed []byte) ([]byte, error) {
	b, err := s.key.Open(table+"/"+row, sealed)
	if err != nil {
		return nil, s.broken(table, row, fmt.Errorf("store: %s: a row is damaged or was moved; restore the file from the backup: %w", table, err))
	}
	return b, nil
}

func (s *Store) openJSON(table, row string, sealed []byte, v any) error {
	b, err := s.open(table, row, sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return s.broken(table, row, fmt.Errorf("store: %s: %w", table, err))
	}
	return nil
}

// maxDamaged bounds what is remembered of damage.
const maxDamaged = 1000

// broken notes that a row cannot be read, and returns err as ErrDamaged.
func (s *Store) broken(table, row string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.damaged) < maxDamaged {
		s.damaged[table+"/"+row] = struct{}{}
	}
	return ErrDamaged.With(fmt.Errorf("%s/%s: %w", table, row, err))
}

// Damaged returns the rows that could not be read since Open, as table/row. A
// list leaves them out, so that one damaged row costs no other; asked for by
// itself such a row is ErrDamaged.
func (s *Store) Damaged() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.damaged))
}

// readable leaves out the rows of a list that could not be read; a row that was
// asked for alone is an error.
func readable[T any](all []T, broken []error, single bool) ([]T, error) {
	if single && len(broken) > 0 {
		return nil, broken[0]
	}
	return all, nil
}

// loginHash is what a log-in name is found by.
func (s *Store) loginHash(login string) []byte {
	m := hmac.New(sha256.New, s.login.Bytes())
	m.Write([]byte(login))
	return m.Sum(nil)
}

func micro(t time.Time) int64     { return t.UnixMicro() }
func fromMicro(u int64) time.Time { return time.UnixMicro(u).UTC() }

// taken reports whether err is a name used twice.
func taken(err error) bool {
	return err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed")
}
