package ring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"veilbox/capture/footage"
)

// Expired is what an Expire deleted.
type Expired struct {
	Parts    int64
	Segments int64 // files removed
	Bytes    int64 // given back to the disk
	Keys     int64 // day keys destroyed
}

// Expire deletes what is older than the retention and what exceeds the quota,
// oldest first, except what is held. What could not be deleted is in the error
// and is tried again by the next Expire.
func (r *Ring) Expire(ctx context.Context) (Expired, error) {
	r.expire.Lock()
	defer r.expire.Unlock()
	now, err := r.trusted(ctx)
	cutoff := footage.TicksOf(now.Add(Ahead - r.opt.Retention))
	var e Expired
	err = errors.Join(err, r.sweep(ctx, &e, plan{cutoff: cutoff}))
	err = errors.Join(err, r.sweep(ctx, &e, plan{limit: r.opt.Quota}))
	// A released hold is remembered as long as footage is, against its repeat.
	err = errors.Join(err, r.forgetHolds(ctx, footage.TicksOf(now.Add(-r.opt.Retention))))
	n, x := r.forgetKeys(ctx, cutoff)
	e.Keys += n
	err = errors.Join(err, x, r.scrub(ctx))
	return e, err
}

// makeRoom deletes the oldest footage until need more bytes fit in the quota.
func (r *Ring) makeRoom(ctx context.Context, need int64) error {
	r.expire.Lock()
	defer r.expire.Unlock()
	var e Expired
	err := r.sweep(ctx, &e, plan{limit: r.opt.Quota - need})
	if r.used.Load()+need <= r.opt.Quota {
		return nil // a file that would not go is reported by Expire
	}
	return full.With(errors.Join(fmt.Errorf("ring: quota of %d bytes, %d in use and not to be deleted: %w", r.opt.Quota, r.used.Load(), ErrFull), err))
}

// Spare is what a full disk never costs: footage younger than that stays, and
// then recording stops until a person has made room.
const Spare = 24 * time.Hour

// giveUp deletes the oldest footage because the disk, not the quota, is full,
// and reports whether need bytes came free.
func (r *Ring) giveUp(ctx context.Context, need int64) bool {
	r.expire.Lock()
	defer r.expire.Unlock()
	limit := r.used.Load() - need
	var e Expired
	err := r.sweep(ctx, &e, plan{limit: limit, before: footage.TicksOf(r.now().Add(-Spare))})
	r.opt.Log.Warn("the disk is full before the quota is; the oldest footage is deleted: free space on the disk or set the quota lower",
		"parts", e.Parts, "bytes", e.Bytes, "error", err)
	return r.used.Load() <= limit
}

// plan is what a sweep deletes: where cutoff is set, the parts that start
// before it; else the oldest segments while the ring holds more than limit
// bytes, where before is set only those that end before that.
type plan struct {
	cutoff footage.Ticks
	limit  int64
	before footage.Ticks
}
