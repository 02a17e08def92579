package ctl

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

func TestCheckFindsADamagedPart(t *testing.T) {
	s, dir := newShell(t), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	master, err := keys.Load(filepath.Join(dir, "keys"), "box")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "ring"), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := ring.Open(t.Context(), ring.Options{Dir: filepath.Join(dir, "ring"), Key: master.Derive("veilbox ring v1"), Quota: 1 << 30, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	start := footage.TicksOf(time.Now().Add(-time.Hour))
	for i := range 3 {
		err := r.Append(t.Context(), &footage.Part{
			Camera: "till-1", Start: start + footage.Ticks(i)*90_000,
			Format:  footage.Format{Codec: footage.H264, Width: 64, Height: 64, Params: [][]byte{{0x67, 1, 2, 3}, {0x68, 1}}},
			Samples: []footage.Sample{{Size: 5000, Duration: 90_000, Key: true}}, Data: make([]byte, 5000),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if out := s.ok("check", dir); !strings.Contains(out, "3") {
		t.Errorf("check of a whole recording: %s", out)
	}
	damage(t, filepath.Join(dir, "ring", "segments"))
	code, out, errs := s.run("", "check", dir)
	if code != 1 || !strings.Contains(out, "till-1") || !strings.Contains(errs, "1 parts") {
		t.Errorf("status %d: %s: %s", code, out, errs)
	}
}

// damage changes one byte in the middle of the one segment below dir.
func damage(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[len(b)/2] ^= 1
		return os.WriteFile(path, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
