//go:build linux

package redact

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
	"veilbox/redact/subject"

	"veilbox/internal/problem"
)

// A clip with broken bytes ends in a proven copy of what could be decoded, or
// in a problem and nothing kept; in time either way.
func TestBrokenBitstreams(t *testing.T) {
	for _, name := range []string{"a.mkv", "b.h264", "c.avi"} {
		codec := "libx264"
		if name == "c.avi" {
			codec = "mjpeg"
		}
		clean := makeClip(t, name, 2, "-c:v", codec)
		for seed := range uint64(2) {
			clip, r := bytes.Clone(clean), rand.New(rand.NewPCG(seed, 7))
			for range 40 {
				clip[len(clip)/8+r.IntN(len(clip)*7/8)] ^= byte(1 + r.IntN(255))
			}
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			store := &memory{}
			c, err := worker().Produce(ctx, Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(clip), store, nil)
			cancel()
			var p *problem.Problem
			switch {
			case err == nil && !c.IsZero() && len(store.b) > 0:
			case errors.As(err, &p) && !errors.Is(err, Crashed) && c.IsZero() && store.b == nil:
				t.Logf("%s, seed %d: %v", name, seed, err)
			default:
				t.Errorf("%s, seed %d: %v, %d bytes kept", name, seed, err, len(store.b))
			}
		}
	}
}

// Progress comes at least twice a second, in the order of the stages.
func TestProgress(t *testing.T) {
	clip := makeClip(t, "a.mp4", 20, "-c:v", "libx264", "-preset", "ultrafast")
	order := map[string]int{"receive": 0, "decode": 1, "track": 2, "veil": 3, "write": 4, "prove": 5}
	stage, from, calls := 0, time.Now(), 0
	_, err := worker().Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(clip), &memory{}, func(p Progress) {
		n, known := order[p.Stage]
		if !known || n < stage && p.Stage != "receive" || p.Total > 0 && p.Done > p.Total {
			t.Errorf("%+v after stage %d", p, stage)
		}
		stage = max(stage, n)
		calls++
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := int(time.Since(from).Milliseconds() / 500); calls < want {
		t.Errorf("%d calls in %v", calls, time.Since(from))
	}
}

// Whatever has taken the worker over can say what it likes: nothing is kept.
func TestHostileWorker(t *testing.T) {
	clip := []byte("the clip")
	for name, says := range map[string]string{
		"nothing":             `exit 0`,
		"a result alone":      `printf 'R\000\000\000\002{}'`,
		"a copy, no proof":    `printf 'C\000\000\000\004copyR\000\000\000\002{}'`,
		"a frame too large":   `printf 'C\377\377\377\377'`,
		"an unknown frame":    `printf 'Z\000\000\000\000'`,
		"half a frame":        `printf 'C\000\000\000\004co'`,
		"an unknown stage":    `printf 'P\000\000\000\020{"stage":"<b>"}  '`,
		"no JSON":             `printf 'R\000\000\000\002zz'`,
		"pictures of nothing": `printf 'I\000\000\000\001x'`,
		"its own problem":     `printf 'X\000\000\000\020{"code":"made-up"}'`,
	} {
		path := filepath.Join(t.TempDir(), "veil-redact")
		if err := os.WriteFile(path, []byte("#!/bin/sh\nPATH=/bin:/usr/bin\n"+says+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		store := &memory{}
		c, err := (&Worker{Path: path}).Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(clip), store, nil)
		if !errors.Is(err, Crashed) || !c.IsZero() || store.b != nil {
			t.Errorf("%s: %v, %d bytes kept", name, err, len(store.b))
		}
	}
}
