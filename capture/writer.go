package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

// write stores parts as they come, all that wait in one call, and the last ones
// when recording ends. What the store refuses for good is left out, and so is a
// part that it cannot take for storeGiveUp, for the sake of those after it.
func (r *recorder) write() {
	var batch []*footage.Part
	var failing time.Time // since when the first part of the batch is refused
	wait := backoffMin
	for {
		batch = r.withoutOrphans(r.queue.next(batch))
		if len(batch) == 0 {
			if r.queue.ended() {
				return
			}
			continue
		}
		last := r.ctx.Err() != nil
		n, err := r.append(batch)
		if n > 0 {
			r.wrote(batch[:n])
			batch = shift(batch, n)
			wait, failing = backoffMin, time.Time{}
		}
		if err == nil {
			r.stored(nil)
			continue
		}
		var never interface{ Permanent() bool }
		if errors.As(err, &never) && never.Permanent() {
			r.refused(batch[0], err)
			batch = shift(batch, 1)
			wait, failing = backoffMin, time.Time{}
			continue
		}
		r.stored(err)
		r.storageErrors.Add(1)
		now := r.opt.Clock.Now()
		if failing.IsZero() {
			failing = now
		}
		if last || now.Sub(failing) >= storeGiveUp {
			r.lost(batch[0], err)
			batch = shift(batch, 1)
			failing = time.Time{}
			continue
		}
		// Once recording has ended there is one more attempt, at once.
		_ = clock.Sleep(r.ctx, r.opt.Clock, wait)
		wait = min(2*wait, storeRetry)
	}
}

// shift takes the first n away.
func shift(batch []*footage.Part, n int) []*footage.Part {
	m := copy(batch, batch[n:])
	clear(batch[m:])
	return batch[:m]
}

// withoutOrphans leaves out of the batch what continues a part that the store
// does not have, which is of no use.
func (r *recorder) withoutOrphans(batch []*footage.Part) []*footage.Part {
	for len(batch) > 0 && r.waiting && batch[0].Continues {
		r.refusedParts.Add(1)
		r.missed(batch[0])
		r.queue.done(batch[0])
		batch = shift(batch, 1)
	}
	if len(batch) > 0 {
		r.waiting = false
	}
	return batch
}

func (r *recorder) wrote(parts []*footage.Part) {
	for _, p := range parts {
		r.parts.Add(1)
		r.partBytes.Add(uint64(partBytes(p)))
		r.queue.done(p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastPart = r.opt.Clock.Now()
}

// missed counts what is in a part that is not stored.
func (r *recorder) missed(p *footage.Part) {
	r.lostUnits.Add(uint64(len(p.Samples)))
	r.lostSound.Add(uint64(len(p.Audio.Samples)))
	for i := range p.Samples {
		if p.Samples[i].Key || i == 0 {
			r.lostGOPs.Add(1)
		}
	}
}

// lost gives up on a part.
func (r *recorder) lost(p *footage.Part, err error) {
	r.lostParts.Add(1)
	r.missed(p)
	r.log.Error("part not stored", slog.Any("err", err), slog.Time("from", p.Start.Time()))
	r.waiting = true
	r.queue.done(p)
}

// refused leaves out a part that the store will never take, for the sake of
// those after it: the recording goes on at the next keyframe, after what the
// store says it has.
func (r *recorder) refused(p *footage.Part, err error) {
	r.refusedParts.Add(1)
	r.lostUnits.Add(uint64(len(p.Samples)))
	r.lostSound.Add(uint64(len(p.Audio.Samples)))
	r.log.Error("the store refused a part for good; recording goes on at the next keyframe",
		slog.Any("err", err), slog.Time("from", p.Start.Time()), slog.Duration("lasts", p.Duration().Duration()))
	r.stored(ErrRefused.With(err))
	r.waiting = true
	r.queue.done(p)
	end, err := r.opt.Store.LastEnd(r.ctx, r.cam)
	if err != nil {
		r.log.Error("the end of the recording cannot be read", slog.Any("err", err))
		return
	}
	r.floor.Store(int64(end))
}

// append offers parts to the store; once recording has ended, for a short time.
func (r *recorder) append(parts []*footage.Part) (int, error) {
	ctx := r.ctx
	if ctx.Err() != nil {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		ctx = c
	}
	n, err := r.opt.Store.AppendAll(ctx, parts)
	switch {
	case n < 0 || n > len(parts) || err == nil && n < len(parts):
		return 0, fmt.Errorf("capture: store: it says that it has %d of %d parts: %w", n, len(parts), errStore)
	case err != nil && n < len(parts):
		return n, fmt.Errorf("capture: store: %w", err)
	}
	return n, nil
}

var errStore = errors.New("the store contradicts itself")
