package clock

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestEndOfDay(t *testing.T) {
	for _, tc := range []struct{ name, at, want string }{
		{"winter", "2026-01-15T12:00:00Z", "2026-01-15T23:00:00Z"},
		{"summer", "2026-07-15T12:00:00Z", "2026-07-15T22:00:00Z"},
		{"just before midnight", "2026-07-15T21:59:59Z", "2026-07-15T22:00:00Z"},
		{"midnight belongs to the new day", "2026-07-15T22:00:00Z", "2026-07-16T22:00:00Z"},
		{"summer time begins, 23 hours", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"summer time ends, 25 hours", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := EndOfDay(at).UTC().Format(time.RFC3339); got != tc.want {
				t.Errorf("EndOfDay(%s) = %s, want %s", tc.at, got, tc.want)
			}
		})
	}
}

func TestFakeWakesWhoWaited(t *testing.T) {
	f := NewFake(time.Unix(0, 0))
	short, long := f.After(time.Second), f.After(time.Minute)
	f.Advance(time.Second)
	select {
	case <-short:
	default:
		t.Error("the one-second wait did not end after one second")
	}
	select {
	case <-long:
		t.Error("the one-minute wait ended after one second")
	default:
	}
	f.Advance(-time.Hour)
	f.Advance(time.Hour + time.Minute)
	select {
	case <-long:
	default:
		t.Error("the one-minute wait did not end")
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	why := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	if err := Sleep(ctx, NewFake(time.Unix(0, 0)), time.Hour); !errors.Is(err, why) {
		t.Errorf("Sleep = %v, want %v", err, why)
	}
}

func TestShifted(t *testing.T) {
	var s Shifted
	before := time.Now()
	if got := s.Shift(48 * time.Hour); got.Sub(before) < 48*time.Hour || got.Sub(before) > 49*time.Hour {
		t.Errorf("shifted to %v from %v", got, before)
	}
	s.Shift(-48 * time.Hour)
	if d := s.Now().Sub(before); d < 0 || d > time.Hour {
		t.Errorf("shifted back, off by %v", d)
	}
}
