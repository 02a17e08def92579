package extranet

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type metrics struct {
	requests, refused, ended           *prometheus.CounterVec
	viewings, purgeFailed, sweepFailed prometheus.Counter
	gatherer                           prometheus.Gatherer
}

func newMetrics(s *Server) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "veil_extranet", Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "veil_extranet", Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help, query string) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "veil_extranet", Name: name, Help: help}, func() float64 { return s.count(query) })
	}
	m := &metrics{
		requests: vec("requests_total", "Calls, by listener.", "listener"), refused: vec("refused_total", "Calls refused, by code.", "code"),
		ended: vec("disclosures_ended_total", "Disclosures ended, by code.", "code"), viewings: counter("viewings_total", "Viewings logged."),
		purgeFailed: counter("purge_failures_total", "Ciphertext that could not be removed at a try."), sweepFailed: counter("sweep_failures_total", "Sweeps that failed."),
	}
	reg := s.o.Registerer
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	reg.MustRegister(m.requests, m.refused, m.ended, m.viewings, m.purgeFailed, m.sweepFailed,
		gauge("disclosures_available", "Disclosures that can be viewed.", "SELECT count(*) FROM disclosure WHERE state = 'available'"),
		gauge("purge_pending", "Ended disclosures whose ciphertext is still to be removed.", "SELECT count(*) FROM disclosure WHERE purge <> 0"),
		gauge("boxes", "Enrolled boxes that are not revoked.", "SELECT count(*) FROM box WHERE revoked IS NULL"),
		gauge("audit_alarms", "Boxes whose audit log did not extend the one known.", "SELECT count(*) FROM box WHERE alarm IS NOT NULL"),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "veil_extranet", Name: "pentest_late", Help: "Whether a penetration test is due (two a year): 1 or 0."}, s.pentestLate),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "veil_extranet", Name: "changes_open", Help: "Essential changes and ends of operation that the agency has not been told of, or that lack a permission."}, s.openChanges),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "veil_extranet", Name: "deletions_missing", Help: "Members whose access ended two days ago and that have not recorded a deletion."}, s.undeleted),
		gauge("audit_heads_late", "Boxes that speak and have not shown the head of their audit log for a day.", "SELECT count(*) FROM box WHERE "+lateHeads),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "veil_extranet", Name: "clock_behind_seconds", Help: "How far the clock lags the latest time seen."}, func() float64 { return s.behind().Seconds() }))
	if g, ok := reg.(prometheus.Gatherer); ok {
		m.gatherer = g
	} else {
		m.gatherer = prometheus.DefaultGatherer
	}
	return m
}

func (s *Server) count(query string) float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var n float64
	if err := s.db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		s.o.Log.Warn("count for the metrics", "err", err)
		return -1
	}
	return n
}

// pentestLate is 1 where a penetration test is due, 0 where none is.
func (s *Server) pentestLate() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	tests, err := s.pentests(ctx)
	switch {
	case err != nil:
		s.o.Log.Warn("read the penetration tests for the metrics", "err", err)
		return -1
	case tests.Late:
		return 1
	}
	return 0
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.gatherer, promhttp.HandlerOpts{})
}

// health is 200 where all is well, else 503 with what is not.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	var bad []string
	if err := s.db.PingContext(r.Context()); err != nil {
		bad = append(bad, "database")
	}
	if s.count("SELECT count(*) FROM disclosure WHERE purge <> 0") != 0 {
		bad = append(bad, "ciphertext not removed")
	}
	if s.count("SELECT count(*) FROM box WHERE alarm IS NOT NULL") != 0 {
		bad = append(bad, "audit log of a box")
	}
	if s.count("SELECT count(*) FROM box WHERE "+lateHeads) != 0 {
		bad = append(bad, "a box hides its audit log")
	}
	if s.behind() > time.Minute {
		bad = append(bad, "clock set back")
	}
	w.Header().Set("Content-Type", "application/json")
	if len(bad) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// Who has gone cannot be told.
	_ = json.NewEncoder(w).Encode(struct {
		OK  bool     `json:"ok"`
		Bad []string `json:"bad,omitempty"`
	}{len(bad) == 0, bad})
}
