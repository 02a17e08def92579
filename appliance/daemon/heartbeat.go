package daemon

import (
	"context"
	"errors"
	"time"

	"veilbox/appliance/casework"
	"veilbox/internal/clock"
	"veilbox/uplink/fleet"
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
	checks, err := d.work.Health(ctx)
	if err != nil {
		return err
	}
	health := map[string]string{}
	for _, h := range checks {
		health[h.Name] = "ok"
		if h.Problem != nil {
			health[h.Name] = h.Problem.Code
		}
	}
	people, err := d.accounts.People(ctx)
	if err != nil {
		return err
	}
	acceptances, err := d.store.Acceptances(ctx)
	if err != nil {
		return err
	}
	may, accepted := viewers(people, acceptances, d.clock.Now())
	heart := fleet.Heart{
		People: may, Accepted: accepted, Conditions: casework.ConditionsVersion,
		Link: c.link, Audit: d.audit, Program: d.version, Clock: d.clock,
		Health: func() map[string]string { return health },
		OnTime: d.second.heard,
		OnRenew: func(ctx context.Context) error {
			id, err := fleet.Renew(ctx, c.link, d.uplink.store, c.id)
			if err == nil {
				d.uplink.connect(id)
			}
			return err
		},
	}
	if err := heart.Beat(ctx); err != nil {
		return err
	}
	if _, err := c.in.Refresh(ctx); err != nil {
		return err
	}
	return d.learnEndings(ctx)
}

// learnEndings takes up what the extranet has ended of what this box sent.
func (d *Daemon) learnEndings(ctx context.Context) error {
	items, err := d.uplink.own(ctx)
	if err != nil {
		return err
	}
	for _, it := range items {
		if err := d.work.Ended(ctx, it.Disclosure, it.Ended.By, whyEnded(*it.Ended).DA); err != nil {
			return err
		}
	}
	return nil
}
