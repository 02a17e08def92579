package ring

import (
	"errors"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

const day = 24 * time.Hour

func TestClockGuard(t *testing.T) {
	type step struct {
		wall, mono time.Duration // how far each clock goes on
		second     any           // what the second clock says: nil, or how far off the wall clock it is
		want       time.Duration // what is believed, from the beginning
		doubt      bool
	}
	at := func(d time.Duration) any { return d }
	for name, steps := range map[string][]step{
		"it runs":            {{day, day, nil, day, false}, {40 * day, 40 * day, nil, 41 * day, false}},
		"a small step":       {{day, time.Hour, nil, day, false}},
		"small steps add up": {{day, time.Hour, nil, day, false}, {day, time.Hour, nil, 2 * time.Hour, true}},
		"a jump":             {{400 * day, time.Hour, nil, time.Hour, true}, {day, day, nil, day + time.Hour, true}},
		"and back":           {{400 * day, time.Hour, nil, time.Hour, true}, {-400 * day, 0, nil, 0, false}},
		"confirmed":          {{400 * day, time.Hour, at(time.Hour), 400 * day, false}},
		"confirmed later":    {{400 * day, time.Hour, nil, time.Hour, true}, {0, 0, at(-time.Hour), 400 * day, false}},
		"contradicted": {{400 * day, time.Hour, at(-390 * day), 10 * day, true}, {3 * day, 3 * day, at(-390 * day), 13 * day, true},
			{3 * day, 3 * day, at(0), 406 * day, false}},
		"contradicted backwards": {{400 * day, time.Hour, at(-500 * day), time.Hour, true}, {3 * day, 3 * day, at(-500 * day), 3*day + time.Hour, true}},
		"two days":               {{400 * day, 0, nil, 0, true}, {2*day - 1, 2*day - 1, nil, 2*day - 1, true}, {1, 1, nil, 402 * day, false}},
		"set back":               {{-10 * day, time.Hour, nil, -10 * day, false}, {10 * day, 0, nil, 0, false}},
		"a second jump":          {{400 * day, 0, at(0), 400 * day, false}, {2 * day, time.Hour, nil, 400*day + time.Hour, true}},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard{}
			g.believe(began, 0)
			now, mono := began, time.Duration(0)
			for i, s := range steps {
				now, mono = now.Add(s.wall), mono+s.mono
				g.look(now, mono, func() (time.Time, bool) {
					if s.second == nil {
						return time.Time{}, false
					}
					return now.Add(s.second.(time.Duration)), true
				})
				if got := g.believed(now, mono).Sub(began); got != s.want || (g.doubt != Doubt{}) != s.doubt {
					t.Errorf("step %d: believes %v, want %v; doubt %v, want %v", i, got, s.want, g.doubt, s.doubt)
				}
			}
		})
	}
}

// stepped is a ring whose wall clock and monotonic clock go apart.
type stepped struct {
	*Ring
	fake *clock.Fake
	mono time.Duration
}

func openStepped(t *testing.T, opt Options) *stepped {
	t.Helper()
	s := &stepped{fake: fakeOf(opt)}
	r, err := open(t.Context(), opt, disk{}, hooks{mono: func() time.Duration { return s.mono }})
	if err != nil {
		t.Fatal(err)
	}
	s.Ring = r
	return s
}

func (s *stepped) pass(d time.Duration) { s.fake.Advance(d); s.mono += d }

func (s *stepped) expire(t *testing.T, parts int64, doubt bool) {
	t.Helper()
	e, err := s.Expire(t.Context())
	if err != nil || e.Parts != parts {
		t.Fatalf("%+v, %v; want %d parts", e, err, parts)
	}
	if st, err := s.Stats(t.Context()); err != nil || (st.Doubt != Doubt{}) != doubt {
		t.Fatalf("%+v, %v; doubt %v", st, err, doubt)
	}
}

func TestJumpedClockDeletesNothing(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	s := openStepped(t, opt)
	fill(t, s.Ring, "a", start(), 3, 500)
	s.pass(day)
	s.expire(t, 0, false)
	fill(t, s.Ring, "a", start()+24*hour, 4, 500)
	s.fake.Advance(300 * day) // and no time has passed
	s.expire(t, 0, true)
	fill(t, s.Ring, "a", start()+301*24*hour, 5, 500)
	// What is due by the time from before goes.
	s.pass(day)
	s.expire(t, 0, true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStepped(t, opt)
	s.pass(12 * time.Hour)
	s.expire(t, 0, true)
	s.pass(12*time.Hour - time.Minute)
	s.expire(t, 0, true)
	// Two days of running time, the one before the restart among them.
	s.pass(time.Hour)
	s.expire(t, 7, false)
	s.pass(26 * day)
	s.expire(t, 0, false)
	s.pass(2 * day)
	s.expire(t, 5, false)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLongAbsenceIsConfirmed(t *testing.T) {
	for _, how := range []string{"short", "second clock", "person"} {
		t.Run(how, func(t *testing.T) {
			opt := testOptions(t, t.TempDir())
			s := openStepped(t, opt)
			fill(t, s.Ring, "a", start(), 3, 500)
			s.pass(25 * day)
			s.expire(t, 0, false)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			away := 6 * day
			if how != "short" {
				away = 60 * day
			}
			s.fake.Advance(away)
			said := false
			opt.Confirm = func() (time.Time, bool) { return opt.Clock.Now().Add(time.Minute), said }
			s = openStepped(t, opt)
			defer s.Close()
			switch how {
			case "short":
				// What came due while the box was off goes at once.
				s.expire(t, 3, false)
				return
			case "second clock":
				s.expire(t, 0, true)
				said = true
			case "person":
				s.expire(t, 0, true)
				if err := s.ConfirmClock(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			s.expire(t, 3, false)
		})
	}
}

// Footage that a clock far ahead dated in times to come does not outlive its
// time once the clock is right.
func TestFootageFromTimesToCome(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	s := openStepped(t, opt)
	defer s.Close()
	s.fake.Advance(1000 * day)
	s.expire(t, 0, true)
	fill(t, s.Ring, "a", start()+1000*24*hour, 3, 500)
	s.fake.Advance(-1000 * day)
	s.expire(t, 0, false)
	s.pass(29 * day)
	s.expire(t, 0, false)
	s.pass(day)
	s.expire(t, 3, false)
}

// Quota goes on in doubt, and no part is put before another.
func TestDoubtKeepsOrderAndQuota(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	opt.Quota = MinQuota
	s := openStepped(t, opt)
	defer s.Close()
	s.fake.Advance(100 * day)
	s.expire(t, 0, true)
	fill(t, s.Ring, "a", start()+100*24*hour, 60, 500_000)
	if used := s.used.Load(); used > opt.Quota {
		t.Errorf("%d bytes", used)
	}
	s.fake.Advance(-100 * day)
	s.expire(t, 0, false)
	if err := s.Append(t.Context(), part("a", start(), 500)); !errors.Is(err, ErrOrder) {
		t.Errorf("a part from before: %v", err)
	}
	if end, err := s.LastEnd(t.Context(), "a"); err != nil || end != start()+100*24*hour+60*footage.TicksPerSecond {
		t.Errorf("LastEnd: %v, %v", end, err)
	}
}
