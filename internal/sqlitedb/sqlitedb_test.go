package sqlitedb

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

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
