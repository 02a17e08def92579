package ring

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"veilbox/internal/sqlitedb"
)

//go:embed schema1.sql
var schema1 string

//go:embed schema2.sql
var schema2 string

func migrations() []sqlitedb.Migration {
	return []sqlitedb.Migration{sqlitedb.Migration(schema1), sqlitedb.Migration(schema2)}
}

const (
	// pageSize is small because an append writes one page, and now and then,
	// where the next camera's parts are its neighbours, four.
	pageSize = 2048
	// logPages is after how many pages the log is written into the database.
	// More saves nothing measurable; less begins to cost.
	logPages = 2000
	// logLimit is how long the log's file stays, bytes.
	logLimit = 8 << 20
)

// openIndex opens the index three times: to write what must last at once, to
// write what may wait, and to read.
func (r *Ring) openIndex(ctx context.Context) (err error) {
	path := filepath.Join(r.opt.Dir, "ring.db")
	if err := makeIndex(ctx, path); err != nil {
		return failure("make the index", err)
	}
	for _, db := range []**sql.DB{&r.wdb, &r.fast, &r.rdb} {
		if *db, err = sqlitedb.Open(ctx, path, migrations()); err != nil {
			return failure("open the index", err)
		}
		(*db).SetMaxOpenConns(1)
	}
	r.rdb.SetMaxOpenConns(4)
	// The one connection of each is never given up, so what is set of it stays.
	sync := map[*sql.DB]string{r.wdb: "FULL", r.fast: "NORMAL"}
	for db, mode := range sync {
		if r.hooks.unsynced {
			mode = "OFF"
		}
		for _, q := range []string{"synchronous = " + mode, fmt.Sprintf("wal_autocheckpoint = %d", logPages), fmt.Sprintf("journal_size_limit = %d", logLimit)} {
			if _, err := db.ExecContext(ctx, "PRAGMA "+q); err != nil {
				return failure("open the index", err)
			}
		}
	}
	return nil
}

// makeIndex makes an empty database with pages of pageSize, unless there is one.
func makeIndex(ctx context.Context, path string) (err error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA page_size = %d; VACUUM", pageSize))
	return err
}
