//go:build linux

package redact

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/redact/subject"
)

func TestWatch(t *testing.T) {
	clk := clock.NewFake(time.Unix(1_000_000, 0))
	w := newWatch(clk)
	idle := func(step string, want time.Duration) {
		t.Helper()
		clk.Advance(time.Second)
		if got := w.idle(); got != want {
			t.Errorf("%s: idle for %v, want %v", step, got, want)
		}
	}
	idle("nothing", time.Second)
	w.heard(Progress{Stage: "veil", Done: 1})
	idle("progress", time.Second)
	w.heard(Progress{Stage: "veil", Done: 1})
	idle("the same again", 2*time.Second)
	if _, err := (movingWriter{io.Discard, w}).Write([]byte("clip")); err != nil {
		t.Fatal(err)
	}
	idle("bytes", time.Second)
}

// counted counts how often a clip was read from its beginning.
type counted struct {
	*bytes.Reader
	begun int
}

func (c *counted) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		c.begun++
	}
	return c.Reader.Seek(offset, whence)
}

func TestAStandstillIsEnded(t *testing.T) {
	w := oddFFmpeg(t, "hold")
	w.Limits.Stall = time.Second
	clip, store := &counted{Reader: bytes.NewReader(bytes.Repeat([]byte("clip"), 1000))}, &memory{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := w.Produce(ctx, Job{Subjects: []subject.Subject{theBox()}}, clip, store, nil)
	if !errors.Is(err, Stalled) || store.b != nil {
		t.Errorf("%v", err)
	}
	if clip.begun != 1 {
		t.Errorf("tried again %d times, want once", clip.begun)
	}
}
