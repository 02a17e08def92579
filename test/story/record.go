package story

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Records verifies the audit logs of both boxes and the extranet with veilctl,
// and that it finds one byte that was changed in a copy of each.
func (w *World) Records(ctx context.Context, veilctl, scratch string) error {
	for i, dir := range []string{w.A.Dir, w.B.Dir, w.ExtranetDir} {
		if out, err := verify(ctx, veilctl, dir); err != nil {
			return fmt.Errorf("story: the log in %s does not verify: %w: %s", filepath.Base(dir), err, out)
		}
		to := filepath.Join(scratch, fmt.Sprintf("tampered-%d", i))
		if err := copyLog(ctx, dir, to); err != nil {
			return err
		}
		if out, err := verify(ctx, veilctl, to); err != nil {
			return fmt.Errorf("story: the copy of the log does not verify: %w: %s", err, out)
		}
		if err := changeOneByte(ctx, filepath.Join(to, "audit.db")); err != nil {
			return err
		}
		var exit *exec.ExitError
		if out, err := verify(ctx, veilctl, to); !errors.As(err, &exit) {
			return fmt.Errorf("story: a changed byte was not found: %w: %s", err, out)
		}
		if err := os.RemoveAll(to); err != nil {
			return fmt.Errorf("story: %w", err)
		}
	}
	return nil
}

func verify(ctx context.Context, veilctl, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, veilctl, "audit", "verify", dir).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// copyLog copies what it takes to verify a log: the log as it is now, and keys.
func copyLog(ctx context.Context, dir, to string) error {
	if err := os.MkdirAll(filepath.Join(to, "keys"), 0o700); err != nil {
		return fmt.Errorf("story: %w", err)
	}
	for _, name := range []string{"keys/box.key", "audit.pub", "extranet.key"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			return fmt.Errorf("story: %w", err)
		}
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "audit.db")+"?mode=ro")
	if err != nil {
		return fmt.Errorf("story: %w", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", filepath.Join(to, "audit.db")); err != nil {
		return fmt.Errorf("story: copy the log: %w", err)
	}
	return nil
}

// third returns the sealed body of the third entry.
func third(ctx context.Context, path string) ([]byte, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		return nil, fmt.Errorf("story: %w", err)
	}
	defer db.Close()
	var body []byte
	if err := db.QueryRowContext(ctx, "SELECT body FROM entries ORDER BY seq LIMIT 1 OFFSET 2").Scan(&body); err != nil {
		return nil, fmt.Errorf("story: %w", err)
	}
	return body, nil
}

// changeOneByte changes a byte of an entry in the file. A page may hold the
// rest of an earlier state, so it is the entry as SQLite reads it that counts.
func changeOneByte(ctx context.Context, path string) error {
	body, err := third(ctx, path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("story: %w", err)
	}
	for at := 0; ; at++ {
		next := bytes.Index(b[at:], body[:40])
		if next < 0 {
			return errors.New("story: the entry is not found in the file")
		}
		at += next
		b[at+30] ^= 0x01
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return fmt.Errorf("story: %w", err)
		}
		if now, err := third(ctx, path); err != nil || !bytes.Equal(now, body) {
			return err
		}
		b[at+30] ^= 0x01
	}
}
