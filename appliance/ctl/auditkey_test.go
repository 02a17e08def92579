package ctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An auditor with a copy of the log, the key of its entries and the verifier key
// checks it all, and has nothing that opens the rest of the box.
func TestAuditorsKey(t *testing.T) {
	for what, extranet := range map[string]bool{"box": false, "extranet": true} {
		s, dir, copied := newShell(t), dataFolder(t, extranet), t.TempDir()
		key := filepath.Join(t.TempDir(), "log.key")
		out := s.ok("audit", "key", dir, "-o", key)
		var verifier string
		for _, line := range strings.Split(out, "\n") {
			if rest, ok := strings.CutPrefix(line, "verifier"); ok {
				verifier = strings.TrimSpace(rest)
			}
		}
		b, err := os.ReadFile(filepath.Join(dir, "audit.db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, "audit.db"), b, 0o400); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
			t.Errorf("%s: the key's file: %v %v", what, info, err)
		}
		if err := os.Chmod(copied, 0o500); err != nil { // as a medium that takes nothing
			t.Fatal(err)
		}
		if out := s.ok("audit", "verify", copied, "--entries", key, "--verifier", verifier); !strings.Contains(out, "as it was written") {
			t.Errorf("%s: %s", what, out)
		}
		proof := filepath.Join(t.TempDir(), "proof.json")
		if out := s.ok("audit", "prove", copied, "2", "--entries", key, "--verifier", verifier, "-o", proof); !strings.Contains(out, "footage.view") {
			t.Errorf("%s: %s", what, out)
		}
		for name, args := range map[string][]string{
			"without the verifier": {"audit", "verify", copied, "--entries", key},
			"as the master key":    {"audit", "verify", dir, "--key", key},
			"another key":          {"audit", "verify", copied, "--entries", another(t), "--verifier", verifier},
			"from itself":          {"audit", "key", copied, "--entries", key, "--verifier", verifier, "-o", key + "2"},
			"pruned with it":       {"audit", "prune", copied, "--entries", key, "--verifier", verifier},
		} {
			if code, out, errs := s.run("", args...); code == 0 {
				t.Errorf("%s, %s: %s %s", what, name, out, errs)
			}
		}
		if found, err := filepath.Glob(filepath.Join(copied, "*")); err != nil || len(found) != 1 {
			t.Errorf("%s: beside the copy there is %v %v", what, found, err)
		}
	}
}

func another(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(path, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
