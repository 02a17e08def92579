package badinput

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/test/story"
	"veilbox/uplink/extranet"
)

// A centre is an extranet within the test's process.
type centre struct {
	t   *testing.T
	cfg extranet.Config
	log *journal
	clk *clock.Shifted
	op  *story.Operator
	end func() error
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	c := &centre{t: t, log: &journal{}, clk: &clock.Shifted{}, cfg: extranet.Defaults()}
	free := []string{free(t), free(t)}
	c.cfg.Dir, c.cfg.BoxListen, c.cfg.OperatorListen = filepath.Join(t.TempDir(), "extranet"), free[0], free[1]
	c.cfg.URL, c.cfg.Hosts = "https://"+free[0], []string{"localhost", "127.0.0.1"}
	c.start()
	var err error
	if c.op, err = story.NewOperator(t.Context(), "https://"+free[1], c.cfg.Dir, false); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *centre) start() {
	t := c.t
	t.Helper()
	s, err := extranet.New(context.WithoutCancel(t.Context()), extranet.Options{Config: c.cfg, Clock: c.clk, Log: slog.New(slog.NewTextHandler(c.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c.end = sync.OnceValue(func() error { cancel(); return <-done })
	end := c.end
	t.Cleanup(func() {
		if err := end(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the extranet ended with %v", err)
		}
	})
}

// A code that was used, has run out or was mangled enrols nobody; the box says
// why and works on.
func TestEnrolmentCode(t *testing.T) {
	t.Parallel()
	c := newCentre(t)
	first := must[string](t)(c.op.AddMember(t.Context(), story.Member{ID: "butik-a", Name: "Butik A", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Elektronik"}))
	second := must[string](t)(c.op.AddMember(t.Context(), story.Member{ID: "butik-b", Name: "Butik B", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Blomster"}))
	a, b := newBox(t, t.TempDir()), newBox(t, t.TempDir())
	a.start()
	b.start()
	enrol := func(x *box, code string) error {
		_, err := x.call.Enrol(t.Context(), code)
		return err
	}
	if err := enrol(a, first); err != nil {
		t.Fatal(err)
	}
	refused(t, "used twice", enrol(b, first), "enrol.used")
	b.log.tells(t, "enrol.used")
	mid := len(second) / 2
	for name, code := range map[string]string{
		"empty": "", "not a code": "hej", "cut": second[:len(second)-9], "a letter changed": second[:mid] + string(second[mid]^1) + second[mid+1:],
		"another secret": second[:len(second)-12] + "AAAAAAAAAAAA", "much too long": second + strings.Repeat("A", 5000),
	} {
		refused(t, name, enrol(b, code), "enrol.bad", "extranet.stranger", "enrol.unreachable")
	}
	b.log.tells(t, "enrol.bad")
	c.clk.Shift(2 * time.Hour)
	refused(t, "too late", enrol(b, second), "enrol.expired")
	b.log.tells(t, "enrol.expired")
	if e, err := b.call.Enrolment(t.Context()); err != nil || e.Enrolled {
		t.Errorf("the box is enrolled: %+v, %v", e, err)
	}
	c.clk.Shift(-2 * time.Hour)
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	refused(t, "nobody there", enrol(b, second), "enrol.unreachable")
	b.log.tells(t, "enrol.unreachable")
	c.start()
	if err := enrol(b, second); err != nil {
		t.Errorf("the code does not work after all that: %v", err)
	}
}

// Without the extranet the box records on, says so, and finds it again by
// itself. What is queued meanwhile is the business of the end-to-end test.
func TestExtranetAway(t *testing.T) {
	t.Parallel()
	cam, _ := camera(t, "", clip(t), false)
	c := newCentre(t)
	b := newBox(t, t.TempDir())
	b.start()
	code := must[string](t)(c.op.AddMember(t.Context(), story.Member{ID: "butik-a", Name: "Butik A", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Elektronik"}))
	if _, err := b.call.Enrol(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	b.record(at(cam.URL()))
	k := b.keep()
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	b.stop()
	b.start() // which speaks to the extranet at once
	b.ill("extranet", "extranet.unreachable")
	b.log.tells(t, "the extranet could not be reached")
	b.more(2 * time.Second)
	b.kept(k)
	_, err := b.call.Members(t.Context())
	refused(t, "members", err, "extranet.unreachable")
	c.start()
	b.well("extranet")
}
