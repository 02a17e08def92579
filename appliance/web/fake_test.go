package web

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"veilbox/internal/clock"
)

func newTestServer(t *testing.T) *server {
	t.Helper()
	s, err := newServer(Options{Box: struct{ Box }{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Clock: clock.NewFake(time.Date(2026, 11, 22, 13, 30, 0, 0, time.UTC)), Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
