// Package logging makes the structured log of a program. Log no secret and no
// person's name: those belong in the audit log alone.
package logging

import (
	"io"
	"log/slog"
)

// New returns a logger that writes to w at level "debug", "info", "warn" or
// "error" (anything else is info), as "json" or else as text.
func New(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
