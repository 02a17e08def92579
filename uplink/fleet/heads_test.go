package fleet_test

import (
	"crypto/ed25519"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/uplink/fleet"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

// A box that has rewritten its past, to whatever length, is refused and flagged:
// on the operator's page, in the metrics and in the health. It stays so over a
// restart and whatever heads come after, until the operator has looked.
func TestARewrittenPastStaysFlagged(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	b := w.Box("a")
	heart := fleet.Heart{Link: b.Link, Audit: b.Audit, Program: "1", Health: func() map[string]string { return nil }, Clock: w.Clock}
	add(t, b.Audit, 8, "x")
	must(t, heart.Beat(t.Context()))
	// The same name and key, another history of n entries.
	forge := func(n int64) *audit.Log {
		l, err := audit.Open(t.Context(), audit.Options{Path: filepath.Join(t.TempDir(), "audit.db"), Key: b.Store.Key, Name: "box-a", Clock: w.Clock,
			Signing: ed25519.NewKeyFromSeed(b.Store.Key.Derive("sign").Bytes())})
		must(t, err)
		t.Cleanup(func() { must(t, l.Close()) })
		add(t, l, int(n), "y")
		return l
	}
	show := func(l *audit.Log, from int64, proof *audit.Log) error {
		h, err := l.Head(t.Context())
		must(t, err)
		q := wire.HeadRequest{Version: wire.Version, Head: string(h.Note), From: from}
		if proof != nil {
			p, err := proof.ConsistencyProof(t.Context(), from, h.Size)
			must(t, err)
			for _, x := range p {
				q.Proof = append(q.Proof, footage.Hash(x))
			}
		}
		return b.Link.Head(t.Context(), q)
	}
	flagged := func(want bool) {
		t.Helper()
		r := boxes(t, w)
		page := strings.Contains(w.Page("/boxes?lang=en"), "The log does not hold together")
		metric := strings.Contains(w.Page("/metrics"), "veil_extranet_audit_alarms 1")
		health := strings.Contains(w.Page("/healthz"), "audit log of a box")
		if (r.Alarm != nil) != want || page != want || metric != want || health != want {
			t.Errorf("flagged: register %v, page %v, metric %v, health %v; want %v", r.Alarm != nil, page, metric, health, want)
		}
	}
	flagged(false)
	for _, tt := range []struct {
		name string
		show func(size int64) error
	}{
		{"shorter", func(n int64) error { return show(forge(3), n, nil) }},
		{"empty", func(n int64) error { return show(forge(0), n, nil) }},
		{"as long", func(n int64) error { l := forge(n); return show(l, n, l) }},
		{"longer, with its own proof", func(n int64) error { l := forge(n + 4); return show(l, n, l) }},
		{"longer, without a proof", func(n int64) error { return show(forge(n+4), n, nil) }},
		{"true, with a forged proof", func(n int64) error {
			add(t, b.Audit, 5, "x")
			return show(b.Audit, n, forge(n+5))
		}},
		{"signed by another key", func(n int64) error {
			l, err := audit.Open(t.Context(), audit.Options{Path: filepath.Join(t.TempDir(), "audit.db"), Key: b.Store.Key, Name: "box-a", Clock: w.Clock,
				Signing: ed25519.NewKeyFromSeed(make([]byte, 32))})
			must(t, err)
			t.Cleanup(func() { must(t, l.Close()) })
			return show(l, n, nil)
		}},
	} {
		known := boxes(t, w).HeadSize
		if err := tt.show(known); err == nil || problem.Of(err).Code != "audit.fork" {
			t.Errorf("%s: %v", tt.name, err)
		}
		if n := boxes(t, w).HeadSize; n != known {
			t.Errorf("%s: the head known is now of %d entries", tt.name, n)
		}
		flagged(true)
		w.Stop()
		w.Start()
		flagged(true)
		add(t, b.Audit, 1, "x")
		must(t, heart.Beat(t.Context())) // the true log goes on
		flagged(true)
		must(t, w.Op("POST", "/api/v1/boxes/"+boxes(t, w).ID+"/alarm", map[string]string{"reason": "undersøgt"}, nil))
		flagged(false)
	}
}

// Of several heads that are shown at once the extranet keeps one, each held against
// the one before: none slips past another.
func TestHeadsAtOnce(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	b := w.Box("a")
	var heads []wire.HeadRequest
	for n := int64(1); n <= 8; n++ {
		add(t, b.Audit, 1, "x")
		h, err := b.Audit.Head(t.Context())
		must(t, err)
		heads = append(heads, wire.HeadRequest{Version: wire.Version, Head: string(h.Note)})
	}
	errs := make(chan error)
	for _, h := range heads {
		go func() { errs <- b.Link.Head(t.Context(), h) }()
	}
	taken := 0
	for range heads {
		err := <-errs
		if err == nil {
			taken++
			continue
		}
		if c := problem.Of(err).Code; c != "busy" && c != "message" && c != "audit.fork" {
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("%d were taken", taken)
	}
}

// A box that speaks and keeps its log to itself is flagged after a day; one whose
// log does not grow shows the same head again.
func TestAHiddenLogIsFlagged(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	b := w.Box("a")
	heart := fleet.Heart{Link: b.Link, Audit: b.Audit, Program: "1", Health: func() map[string]string { return nil }, Clock: w.Clock}
	add(t, b.Audit, 3, "x")
	flagged := func(want bool) {
		t.Helper()
		page := strings.Contains(w.Page("/boxes?lang=en"), "has not shown its log")
		metric := strings.Contains(w.Page("/metrics"), "veil_extranet_audit_heads_late 1")
		health := strings.Contains(w.Page("/healthz"), "a box hides its audit log")
		if page != want || metric != want || health != want {
			t.Errorf("flagged: page %v, metric %v, health %v; want %v", page, metric, health, want)
		}
	}
	for range 10 { // two days and a half in which nothing happens
		must(t, heart.Beat(t.Context()))
		w.Clock.Advance(6 * time.Hour)
	}
	flagged(false)
	for range 4 {
		w.Clock.Advance(6 * time.Hour)
		_, err := b.Link.Heartbeat(t.Context(), wire.HeartbeatRequest{Version: wire.Version, Program: "1", At: w.Clock.Now()})
		must(t, err)
	}
	flagged(true)
	must(t, heart.Beat(t.Context()))
	flagged(false)
}
