package ctl

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

// dataFolder writes a log as a box or the extranet does.
func dataFolder(t *testing.T, extranet bool) string {
	t.Helper()
	dir := t.TempDir()
	o := audit.Options{Path: filepath.Join(dir, "audit.db"), Clock: clock.NewFake(at)}
	if extranet {
		master, err := keys.Load(dir, "extranet")
		if err != nil {
			t.Fatal(err)
		}
		o.Key, o.Name, o.Signing = master.Derive("audit"), "veilbox-extranet", ed25519.NewKeyFromSeed(master.Derive("audit signing").Bytes())
	} else {
		if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
			t.Fatal(err)
		}
		master, err := keys.Load(filepath.Join(dir, "keys"), "box")
		if err != nil {
			t.Fatal(err)
		}
		o.Key, o.Name, o.Signing = master.Derive("veilbox audit v1"), "veilbox-box-x", ed25519.NewKeyFromSeed(master.Derive("veilbox audit signing v1").Bytes())
	}
	l, err := audit.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, act := range []string{"login", "footage.view", "case.create"} {
		if _, err := l.Append(t.Context(), audit.Entry{Act: act, Who: audit.Who{ID: "p1", Name: "Mette Holm", Role: "staff"}}); err != nil {
			t.Fatal(err)
		}
	}
	if !extranet {
		if err := os.WriteFile(filepath.Join(dir, "audit.pub"), []byte(l.VerifierKey()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAuditVerifyOfADataFolder(t *testing.T) {
	for what, extranet := range map[string]bool{"box": false, "extranet": true} {
		s := newShell(t)
		dir := dataFolder(t, extranet)
		if out := s.ok("audit", "verify", dir); !strings.Contains(out, "as it was written") || !strings.Contains(out, "entries  3") {
			t.Errorf("%s: %s", what, out)
		}
		path := filepath.Join(dir, "audit.db")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// The signed head is in the clear: one bit of its signature.
		i := bytes.LastIndex(b, []byte("\u2014 veilbox-"))
		if i < 0 {
			t.Fatalf("%s: no signed head in the file", what)
		}
		b[i+40] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := s.run("", "audit", "verify", dir); code != 1 || strings.Contains(out, "verdict  as it was") {
			t.Errorf("%s, one bit changed: %d %s %s", what, code, out, errs)
		}
	}
}

func TestAuditVerifyMakesNothing(t *testing.T) {
	s := newShell(t)
	if code, _, errs := s.run("", "audit", "verify", s.dir); code != 1 || !strings.Contains(errs, "no data folder") {
		t.Errorf("empty folder: %d %s", code, errs)
	}
	dir := dataFolder(t, false)
	key := filepath.Join(dir, "keys", "box.key")
	moved := filepath.Join(t.TempDir(), "k")
	if err := os.Rename(key, moved); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := s.run("", "audit", "verify", dir); code != 1 || !strings.Contains(errs, "--key") {
		t.Errorf("no key: %d %s", code, errs)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("a key was made")
	}
	s.ok("audit", "verify", dir, "--key", moved)
	other := dataFolder(t, false)
	pub, err := os.ReadFile(filepath.Join(other, "audit.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if code, _, _ := s.run("", "audit", "verify", dir, "--key", moved, "--verifier", strings.TrimSpace(string(pub))); code != 1 {
		t.Errorf("another verifier: %d", code)
	}
}

func TestAuditProveAndCheck(t *testing.T) {
	for _, extranet := range []bool{false, true} {
		s, dir := newShell(t), dataFolder(t, extranet)
		proof := filepath.Join(s.dir, "proof.json")
		if out := s.ok("audit", "prove", dir, "2", "-o", proof); !strings.Contains(out, "footage.view") || !strings.Contains(out, "Mette Holm") {
			t.Errorf("prove: %s", out)
		}
		k, err := keysOf(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		pub := s.file("audit.pub", k.verifier+"\n")
		for _, key := range []string{k.verifier, pub} {
			if out := s.ok("audit", "check", proof, "--verifier", key); !strings.Contains(out, "the log has this entry") {
				t.Errorf("check: %s", out)
			}
		}
		b, err := os.ReadFile(proof)
		if err != nil {
			t.Fatal(err)
		}
		forged := s.file("forged.json", strings.Replace(string(b), "Mette", "Malte", 1))
		if code, out, errs := s.run("", "audit", "check", forged, "--verifier", pub); code != 1 || out != "" || !strings.Contains(errs, "does not cover") {
			t.Errorf("forged: %d %s %s", code, out, errs)
		}
		if code, _, errs := s.run("", "audit", "prove", dir, "9", "-o", filepath.Join(s.dir, "x")); code != 1 || !strings.Contains(errs, "no entry 9") {
			t.Errorf("no such entry: %d %s", code, errs)
		}
	}
}

func TestAuditPruneOfAStoppedBox(t *testing.T) {
	s, dir := newShell(t), dataFolder(t, false)
	later := clock.NewFake(at.Add(500 * 24 * time.Hour))
	s.clock = later
	lock := filepath.Join(dir, "ring", "ring.lock")
	if err := os.MkdirAll(filepath.Dir(lock), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(lock)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := s.run("", "audit", "prune", dir, "--before", "2027-01-01"); code != 1 || !strings.Contains(errs, "box that runs") {
		t.Fatalf("a running box: %d %s", code, errs)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if out := s.ok("audit", "prune", dir, "--before", "2027-01-01"); !strings.Contains(out, "3        3            4") {
		t.Errorf("prune: %s", out)
	}
	if out := s.ok("audit", "verify", dir); !strings.Contains(out, "as it was written") || !strings.Contains(out, "entries 1 to 3") || strings.Contains(out, "NOT") {
		t.Errorf("verify: %s", out)
	}
	if code, _, errs := s.run("", "audit", "prove", dir, "2", "-o", filepath.Join(s.dir, "x")); code != 1 || !strings.Contains(errs, "before the prune") {
		t.Errorf("prove a pruned entry: %d %s", code, errs)
	}
	if code, _, errs := s.run("", "audit", "prune", dataFolder(t, true), "--before", "2027-01-01"); code != 1 || !strings.Contains(errs, "extranet") {
		t.Errorf("the extranet's: %d %s", code, errs)
	}
}
