package daemon

import (
	"path/filepath"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/config"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

// Old entries go by the earlier of two clocks, and not at all where only one
// tells the time.
func TestPruneGoesByTheEarlierClock(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	c := clock.NewFake(start)
	synced := false
	options := options()
	d := &Daemon{cfg: config.DefaultBox(), clock: c, log: options.Log, second: &secondClock{clock: c, synced: func() bool { return synced }}}
	key := keys.New()
	log, err := audit.Open(t.Context(), audit.Options{Path: filepath.Join(t.TempDir(), "audit.db"), Key: key, Name: "veilbox-box-test", Signing: auditSigning(key), Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	d.audit = log
	defer func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := log.Append(t.Context(), audit.Entry{Act: "footage.view", Who: audit.Who{ID: "p", Name: "Bo Dam"}}); err != nil {
		t.Fatal(err)
	}
	pruned := func() int64 {
		t.Helper()
		if err := d.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := log.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.Pruned
	}
	c.Advance(401 * day) // the clock alone was set ahead
	if n := pruned(); n != 0 {
		t.Fatalf("%d entries were dropped by one clock", n)
	}
	d.second.heard(start.Add(30 * day))
	if n := pruned(); n != 0 {
		t.Fatalf("%d entries were dropped while the extranet says that a month has gone by", n)
	}
	d.second.heard(start.Add(399 * day))
	if n := pruned(); n != 0 {
		t.Fatalf("%d entries were dropped before their time", n)
	}
	d.second.heard(start.Add(402 * day))
	if n := pruned(); n != 1 {
		t.Fatalf("%d entries were dropped of one that is old", n)
	}
}
