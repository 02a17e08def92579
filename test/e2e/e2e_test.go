// Package e2e runs the main job from camera to another shop's page on loopback:
// a real RTSP server, real ffmpeg in its sandbox, real TLS, real files.
package e2e

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/footagetest"
	"veilbox/internal/testrun"
	"veilbox/test/lab"
)

var bin string

func TestMain(m *testing.M) { testrun.With(m, 0, &bin, "veil-redact", "veilctl") }

func begin(t *testing.T) *lab.Lab {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	l, err := lab.Start(t.Context(), lab.Options{
		Dir: t.TempDir(), Worker: filepath.Join(bin, "veil-redact"), Footage: footagetest.Vtest(t), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func step(t *testing.T, name string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Log("ok:", name)
}

func TestFromCameraToAnotherShop(t *testing.T) {
	l := begin(t)
	w, ctx := l.World, context.WithoutCancel(t.Context())
	step(t, "set up", w.SetUp(ctx))
	step(t, "record", w.Record(ctx))
	step(t, "look", w.Look(ctx))
	step(t, "tag", w.Tag(ctx))
	step(t, "veil", w.Veil(ctx))
	step(t, "ask", w.Ask(ctx, true))
	// The extranet is away while the copy is approved, and the box is started
	// again before it comes back: the outbox outlives both.
	step(t, "stop the extranet", l.StopExtranet())
	step(t, "approve", w.Approve(ctx))
	step(t, "stop box A", l.StopBox("a"))
	step(t, "start box A", l.StartBox("a"))
	step(t, "start the extranet", l.StartExtranet())
	step(t, "arrive", w.Arrive(ctx))
	step(t, "outsider", w.Outsider(ctx))
	step(t, "watch", w.Watch(ctx))
	step(t, "withdraw", w.Withdraw(ctx))
	step(t, "records", w.Records(ctx, filepath.Join(bin, "veilctl"), t.TempDir()))

	// The same by the clocks alone. The footage is still there: the first case
	// holds it.
	step(t, "tag again", w.Tag(ctx))
	step(t, "veil again", w.Veil(ctx))
	step(t, "ask with the report promised", w.Ask(ctx, false))
	step(t, "approve again", w.Approve(ctx))
	step(t, "arrive again", w.Arrive(ctx))
	step(t, "to the end of the day", l.Shift(clock.EndOfDay(l.Clock.Now()).Sub(l.Clock.Now())+time.Second))
	step(t, "ended without a report", w.Gone(ctx, "anmeld"))

	step(t, "tag a third time", w.Tag(ctx))
	step(t, "veil a third time", w.Veil(ctx))
	step(t, "ask with the report made", w.Ask(ctx, true))
	step(t, "approve a third time", w.Approve(ctx))
	step(t, "arrive a third time", w.Arrive(ctx))
	step(t, "30 days on", l.Shift(30*24*time.Hour+time.Second))
	step(t, "ended after 30 days", w.Gone(ctx, "30"))
	step(t, "records after all", w.Records(ctx, filepath.Join(bin, "veilctl"), t.TempDir()))
}
