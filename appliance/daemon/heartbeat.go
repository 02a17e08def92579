package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/uplink/fleet"
	"veilbox/uplink/wire"
)

// beatEvery is how often an enrolled box speaks to the extranet by itself.
const beatEvery = 20 * time.Second

// runHeartbeat tells the extranet that the box lives and shows it the head of
// the audit log, and learns what the extranet has ended.
func (d *Daemon) runHeartbeat(ctx context.Context) error {
	for {
		err := d.beat(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, fleet.ErrNotEnrolled) {
			err = nil
		}
		if _, last := d.uplink.beat.get(); err != nil && last == nil {
			d.log.Warn("the extranet could not be reached; recording goes on and what is queued waits", "error", err)
		}
		d.uplink.beat.set(d.clock.Now(), err)
		if clock.Sleep(ctx, d.clock, beatEvery) != nil {
			return nil
		}
	}
}

func (d *Daemon) beat(ctx context.Context) error {
	c, err := d.uplink.conn()
	if err != nil {
		return err
	}
	health := map[string]string{}
	checks, err := d.work.Health(ctx)
	if err != nil {
		return err
	}
	for _, h := range checks {
		health[h.Name] = "ok"
		if h.Problem != nil {
			health[h.Name] = h.Problem.Code
		}
	}
	resp, err := c.link.Heartbeat(ctx, wire.HeartbeatRequest{Version: wire.Version, Program: d.version, At: d.clock.Now().UTC(), Health: health})
	if err != nil {
		return err
	}
	if resp.Renew {
		id, err := fleet.Renew(ctx, c.link, d.uplink.store, c.id)
		if err != nil {
			return fmt.Errorf("daemon: renew the certificate: %w", err)
		}
		d.uplink.connect(id)
	}
	if err := d.sendHead(ctx, c, resp.HeadSize); err != nil {
		return err
	}
	if _, err := c.in.Refresh(ctx); err != nil {
		return err
	}
	return d.learnEndings(ctx)
}

// sendHead shows how far the audit log is, with the proof that it extends what
// the extranet saw last.
func (d *Daemon) sendHead(ctx context.Context, c *connection, seen int64) error {
	head, err := d.audit.Head(ctx)
	if err != nil {
		return fmt.Errorf("daemon: %w", err)
	}
	if head.Size == seen {
		return nil
	}
	r := wire.HeadRequest{Version: wire.Version, Head: string(head.Note), From: seen}
	if seen > 0 && seen < head.Size {
		proof, err := d.audit.ConsistencyProof(ctx, seen, head.Size)
		if err != nil {
			return fmt.Errorf("daemon: %w", err)
		}
		for _, h := range proof {
			r.Proof = append(r.Proof, footage.Hash(h))
		}
	}
	if err := c.link.Head(ctx, r); err != nil {
		return fmt.Errorf("daemon: show the audit log's head: %w", err)
	}
	return nil
}

// learnEndings takes up what the extranet has ended of what this box sent.
func (d *Daemon) learnEndings(ctx context.Context) error {
	items, err := d.uplink.own(ctx)
	if err != nil {
		return err
	}
	for _, it := range items {
		if err := d.work.Ended(ctx, it.Disclosure, it.Ended.By, whyEnded(*it.Ended)); err != nil {
			return err
		}
	}
	return nil
}
