package daemon

import (
	"context"
	"time"

	"veilbox/internal/clock"
)

// pruneEvery is how often old entries of the audit log are looked for.
const pruneEvery = 6 * time.Hour

// runPrune drops what the audit log says of acts that are older than it is kept.
func (d *Daemon) runPrune(ctx context.Context) error {
	for {
		if err := d.prune(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("old entries of the audit log could not be dropped and will be tried again", "error", err)
		}
		if clock.Sleep(ctx, d.clock, pruneEvery) != nil {
			return nil
		}
	}
}

// prune goes by the earlier of two clocks: whoever sets one ahead must not
// thereby have the record of what he did dropped. Without a second clock nothing
// is.
func (d *Daemon) prune(ctx context.Context) error {
	now := d.clock.Now()
	second, ok := d.second.now()
	if !ok {
		return nil
	}
	if second.Before(now) {
		now = second
	}
	r, err := d.audit.Prune(ctx, now.Add(-time.Duration(d.cfg.Keep.Audit)))
	if err == nil && r.Dropped > 0 {
		d.log.Info("dropped old entries of the audit log; their hashes stay", "dropped", r.Dropped, "upto", r.Upto, "entry", r.Seq)
	}
	return err
}
