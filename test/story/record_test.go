package story

import (
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"testing"

	"veilbox/appliance/audit"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

// The story's own tampering must be such that it can be found.
func TestChangeOneByteChangesTheLog(t *testing.T) {
	dir, ctx, key := t.TempDir(), t.Context(), keys.New()
	l, err := audit.Open(ctx, audit.Options{
		Path: filepath.Join(dir, "audit.db"), Key: key, Name: "veilbox-test", Signing: ed25519.NewKeyFromSeed(keys.New().Bytes()), Clock: clock.System{},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 40 {
		if _, err := l.Append(ctx, audit.Entry{Act: "test.act", Who: audit.Who{ID: "a", Name: "A"}, About: map[string]string{"case": "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	to := t.TempDir()
	if err := copyLog(ctx, dir, to); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(to, "audit.db")
	if _, err := audit.VerifyFile(ctx, path, key, l.VerifierKey()); err != nil {
		t.Fatal(err)
	}
	if err := changeOneByte(ctx, path); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.VerifyFile(ctx, path, key, l.VerifierKey()); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("the change was not found: %v", err)
	}
}
