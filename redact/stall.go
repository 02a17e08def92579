//go:build linux

package redact

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// Stalled is the problem of a worker that is there and gets nowhere: a decoder
// that a clip has brought to a standstill, for one.
var Stalled = problem.New(http.StatusUnprocessableEntity, "redact.stalled",
	problem.Text{DA: "Sløringen kom ikke videre og blev standset.", EN: "The redaction got nowhere and was stopped."},
	problem.Text{DA: "Prøv igen; går det galt igen, så vælg et andet tidsrum.", EN: "Try again; if it happens again, choose another span."})

// A watch ends a run that has not moved for a while. What moves it are bytes in
// either direction, and progress that says something else than before.
type watch struct {
	clk  clock.Clock
	last atomic.Int64 // time.Duration since begun
	from time.Time
	said Progress
}

func newWatch(clk clock.Clock) *watch { return &watch{clk: clk, from: clk.Now()} }

func (w *watch) moved() { w.last.Store(int64(w.clk.Now().Sub(w.from))) }

// heard takes a progress, from one goroutine.
func (w *watch) heard(p Progress) {
	if p != w.said {
		w.said = p
		w.moved()
	}
}

// idle returns for how long nothing has moved.
func (w *watch) idle() time.Duration { return w.clk.Now().Sub(w.from) - time.Duration(w.last.Load()) }

// run calls stop when nothing has moved for most, and ends with ctx.
func (w *watch) run(ctx context.Context, most time.Duration, stop func()) {
	for clock.Sleep(ctx, w.clk, most/8) == nil {
		if w.idle() > most {
			stop()
			return
		}
	}
}

// A movingWriter tells a watch of what is written.
type movingWriter struct {
	io.Writer
	watch *watch
}

func (m movingWriter) Write(b []byte) (int, error) {
	n, err := m.Writer.Write(b)
	m.watch.moved()
	return n, err
}
