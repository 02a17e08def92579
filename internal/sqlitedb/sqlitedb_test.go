package sqlitedb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"

	"veilbox/internal/problem"
)

// What a disk does wrong is told as the disk's fault; an error that knows better
// what it is stays as it is.
func TestProblemOf(t *testing.T) {
	known := problem.New(http.StatusConflict, "known", problem.Text{}, problem.Text{})
	for _, tc := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "disk.full"},
		{sqlite3.Error{Code: sqlite3.ErrFull}, "disk.full"},
		{&fs.PathError{Op: "open", Path: "box.db", Err: syscall.EROFS}, "disk.failing"},
		{syscall.EIO, "disk.failing"},
		{syscall.EFBIG, "disk.failing"},
		{sqlite3.Error{Code: sqlite3.ErrIoErr}, "disk.failing"},
		{sqlite3.Error{Code: sqlite3.ErrReadonly}, "disk.failing"},
		{sqlite3.Error{Code: sqlite3.ErrCantOpen}, "disk.failing"},
		{known.With(syscall.EIO), "known"},
		{sqlite3.Error{Code: sqlite3.ErrConstraint}, "internal"},
		{errors.New("something else"), "internal"},
	} {
		err := fmt.Errorf("store: %w", tc.err)
		p := ProblemOf(err)
		if p.Code != tc.want || !errors.Is(p, tc.err) {
			t.Errorf("%v is told as %v, want %s", tc.err, p, tc.want)
		}
	}
}

func TestMigrations(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "a b?c.db")
	one := []Migration{"CREATE TABLE a (x INTEGER) STRICT"}
	two := append(one[:1:1], "ALTER TABLE a ADD COLUMN y TEXT")
	db, err := Open(ctx, path, one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO a VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	broken := append(two[:2:2], "INSERT INTO nowhere VALUES (1)")
	if _, err := Open(ctx, path, broken); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Fatalf("broken upgrade: %v", err)
	}
	db, err = Open(ctx, path, two)
	if err != nil {
		t.Fatal(err)
	}
	var x, v int
	if err := db.QueryRow("SELECT x FROM a WHERE y IS NULL").Scan(&x); err != nil || x != 1 {
		t.Fatalf("x = %d, %v", x, err)
	}
	if err := db.QueryRow("PRAGMA user_version").Scan(&v); err != nil || v != 2 {
		t.Fatalf("version = %d, %v", v, err)
	}
	db.Close()
	if _, err := Open(ctx, path, one); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Fatalf("a newer file was opened: %v", err)
	}
}
