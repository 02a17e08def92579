package ctl

import (
	"strings"
	"time"

	"veilbox/internal/clock"
)

const whenHelp = `RFC 3339, "2026-02-03 14:05:06" in Copenhagen time, "now" or "10m ago"`

// when reads a time as people write it.
func (e *env) when(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "now" {
		return e.Clock.Now().UTC(), nil
	}
	if ago, ok := strings.CutSuffix(s, " ago"); ok {
		if d, err := time.ParseDuration(strings.TrimSpace(ago)); err == nil && d >= 0 {
			return e.Clock.Now().Add(-d).UTC(), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, clock.Copenhagen); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usage("%.40q is no time: write %s", s, whenHelp)
}

// local is a time for people.
func local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(clock.Copenhagen).Format("2006-01-02 15:04:05")
}
