package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSealOpens(t *testing.T) {
	k := New()
	s := k.Seal("case/1", []byte("what was seen"))
	p, err := k.Open("case/1", s)
	if err != nil || string(p) != "what was seen" {
		t.Fatalf("Open = %q, %v", p, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"other context": func() ([]byte, error) { return k.Open("case/2", s) },
		"other key":     func() ([]byte, error) { return New().Open("case/1", s) },
		"short":         func() ([]byte, error) { return k.Open("case/1", s[:Overhead-1]) },
		"empty":         func() ([]byte, error) { return k.Open("case/1", nil) },
	} {
		if _, err := open(); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v, want ErrOpen", name, err)
		}
	}
	for i := range s {
		bad := append([]byte(nil), s...)
		bad[i] ^= 1
		if _, err := k.Open("case/1", bad); !errors.Is(err, ErrOpen) {
			t.Fatalf("byte %d changed: %v, want ErrOpen", i, err)
		}
	}
}

func TestKeyNeverPrints(t *testing.T) {
	k := New()
	raw := fmt.Sprintf("%x", k.Bytes()[:4])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		if s := fmt.Sprintf(verb, k); strings.Contains(s, raw) || !strings.Contains(s, "***") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
	if _, err := k.MarshalText(); err == nil {
		t.Error("a key was marshalled")
	}
}

func TestLoadMakesOnceAndRefusesLooseModes(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	dir := t.TempDir()
	a, err := Load(dir, "box")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(dir, "box")
	if err != nil {
		t.Fatal(err)
	}
	if string(a.Bytes()) != string(b.Bytes()) {
		t.Error("the second Load gave another key")
	}
	path := filepath.Join(dir, "box.key")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, "box"); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by all: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, "box"); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("damaged key: %v", err)
	}
	cred := t.TempDir()
	want := New()
	if err := os.WriteFile(filepath.Join(cred, "box"), want.Bytes(), 0o400); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", cred)
	got, err := Load(dir, "box")
	if err != nil || string(got.Bytes()) != string(want.Bytes()) {
		t.Errorf("the credential was not used: %v", err)
	}
}
