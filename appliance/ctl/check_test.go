package ctl

import (
	"encoding/json"
	"errors"
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
	if out := s.ok("check", dir); !strings.Contains(out, "whole") || !strings.Contains(strings.Join(strings.Fields(out), " "), "parts 3 bytes 15000 files 1 keys 1") {
		t.Errorf("check of a whole recording: %s", out)
	}
	damage(t, filepath.Join(dir, "ring", "segments"))
	code, out, errs := s.run("", "check", dir)
	if code != 1 || !strings.Contains(out, "DAMAGED") || !strings.Contains(out, "changed on the disk, 1 part") || !strings.Contains(out, "till-1/") || !strings.Contains(errs, "1 parts") {
		t.Errorf("status %d: %s: %s", code, out, errs)
	}
	_, out, _ = s.run("", "--json", "check", dir)
	var v checked
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.OK || v.Damaged != 1 || len(v.Damage) != 1 || v.Damage[0].Kind != ring.KindRecord || v.Damage[0].Why == "" {
		t.Errorf("json: %s %v", out, err)
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

func TestCheckTablesEveryKindOfDamageGolden(t *testing.T) {
	at := func(s int64) footage.Span {
		from := footage.TicksOf(time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)) + footage.Ticks(s)*footage.TicksPerSecond
		return footage.Span{From: from, To: from + footage.TicksPerSecond}
	}
	rep := ring.Report{Parts: 100, Bytes: 1 << 20, Segments: 9, Keys: 2, Recovered: 1, Torn: 1, More: 7}
	for i, k := range []ring.Kind{ring.KindRecord, ring.KindRecord, ring.KindIndex, ring.KindMissing, ring.KindShort, ring.KindDisk, "new"} {
		rep.Damaged = append(rep.Damaged, ring.Damage{Camera: "till-1", Span: at(int64(i)), Kind: k, File: "till-1/a", Err: errors.New("ring: x")})
	}
	rep.Faults = []ring.Fault{
		{Kind: ring.KindKey, Camera: "till-1", Span: at(0), Err: errors.New("ring: key")},
		{Kind: ring.KindHeader, Camera: "till-1", Span: at(1), File: "till-1/b"},
		{Kind: ring.KindStray, Camera: "till-9", File: "till-9/\x1b[2Jc"},
	}
	var b strings.Builder
	e := &env{World: World{Out: &b}}
	v := checkedOf(rep)
	if err := e.show(nil, v.table()); err != nil {
		t.Fatal(err)
	}
	golden(t, "check.txt", b.String())
	if v.Damaged != 14 || v.broken() != 2 || v.OK {
		t.Errorf("%d damaged, %d broken, ok %v", v.Damaged, v.broken(), v.OK)
	}
	if v := checkedOf(ring.Report{Faults: rep.Faults[2:]}); !v.OK {
		t.Error("a stray file is no damage")
	}
}
