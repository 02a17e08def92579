package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"veilbox/internal/clock"
)

// stopTime is how long open requests have to end.
const stopTime = 5 * time.Second

// servePages serves the pages and the API over TLS 1.3.
func (d *Daemon) servePages(ctx context.Context) error {
	srv := newServer(d.handler, d.log)
	srv.TLSConfig = d.ca.Config()
	return serve(ctx, srv, func() error { return srv.ServeTLS(bounded(d.listener, maxConns, maxConnsHere), "", "") })
}

// serveMetrics serves /metrics and /healthz, by default on loopback only.
func (d *Daemon) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", d.healthz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.registry, promhttp.HandlerOpts{}))
	srv := newServer(mux, d.log)
	return serve(ctx, srv, func() error { return srv.Serve(d.metrics) })
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h,
		// Videos take as long as they take: only what a client sends is timed.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.With("part", "http").Handler(), slog.LevelDebug),
	}
}

func serve(ctx context.Context, srv *http.Server, run func() error) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err := srv.Shutdown(end)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
		stopped <- err
	})
	err := run()
	if !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve: %w", err)
	}
	return <-stopped
}

// healthz answers 200 where every check holds, else 503 with the names of those
// that do not: names only, for it asks for no log-in. The pages' own says less.
func (d *Daemon) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	checks, err := d.work.Health(r.Context())
	var bad []string
	for _, c := range checks {
		if !c.OK {
			bad = append(bad, c.Name)
		}
	}
	if err != nil || len(bad) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "not well:", bad)
		return
	}
	fmt.Fprintln(w, "ok")
}

// expireEvery is how often old recordings are deleted.
const expireEvery = time.Minute

func (d *Daemon) runExpiry(ctx context.Context) error {
	for {
		e, err := d.ring.Expire(ctx)
		if ctx.Err() != nil {
			return nil
		}
		d.expiry.set(d.clock.Now(), err)
		if err != nil {
			d.log.Error("old recordings could not be deleted and will be tried again", "error", err)
		} else if e.Segments > 0 {
			d.log.Info("deleted what had expired", "parts", e.Parts, "files", e.Segments, "keys", e.Keys)
		}
		if clock.Sleep(ctx, d.clock, expireEvery) != nil {
			return nil
		}
	}
}
