package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/test/rig"
	"veilbox/test/story"
)

const (
	settle = 5 * time.Second // after the set-up, before the window
	window = 40 * time.Second
	clipIs = 60 * time.Second
	clips  = 5
)

// box brings the demonstration up and measures box A.
func box(ctx context.Context, e env) (err error) {
	begun := time.Now()
	r, err := rig.Start(ctx, rig.Options{Dir: e.dir, Bin: e.bin, Footage: e.footage})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Logs(os.Stderr))
		}
	}()
	if err := r.World.SetUp(ctx); err != nil {
		return err
	}
	c, err := r.World.A.As(ctx, r.World.A.Staff)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := recorded(ctx, c, 0); err != nil {
		return err
	}
	if err := figure("demo.setup", time.Since(begun).Seconds(), "s"); err != nil {
		return err
	}
	if err := steady(ctx, r.Pid("box-a")); err != nil {
		return err
	}
	span, err := recorded(ctx, c, clipIs+clips*time.Second)
	if err != nil {
		return err
	}
	var took []float64
	for i := range clips {
		// Each clip is of a span of its own: nothing may be left from the one before.
		d, err := ready(ctx, c, span.From.Add(time.Duration(i)*time.Second))
		if err != nil {
			return err
		}
		took = append(took, ms(d))
	}
	note("clip.ready of %d clips of %v: %.1f ms", clips, clipIs, took)
	return figure("clip.ready", median(took), "ms")
}

// recorded waits until the camera records and the ring holds a run longer than
// least, and returns that run.
func recorded(ctx context.Context, c *client.Client, least time.Duration) (casework.TimeSpan, error) {
	for limit := time.Now().Add(least + 30*time.Second); time.Now().Before(limit); {
		cams, err := c.Cameras(ctx)
		if err != nil {
			return casework.TimeSpan{}, err
		}
		now := time.Now()
		t, err := c.Timeline(ctx, story.CameraID, now.Add(-time.Hour), now.Add(time.Minute))
		if err != nil {
			return casework.TimeSpan{}, err
		}
		for _, s := range t.Recorded {
			if s.To.Sub(s.From) > least && len(cams) == 1 && cams[0].State == "recording" {
				return s, nil
			}
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return casework.TimeSpan{}, err
		}
	}
	return casework.TimeSpan{}, fmt.Errorf("the camera has not recorded %v without a gap", least)
}

// steady measures the process over the window. Nobody is looking at a page
// meanwhile.
func steady(ctx context.Context, pid int) error {
	if err := pause(ctx, settle); err != nil {
		return err
	}
	begun := time.Now()
	from, err := processorTime(pid)
	if err != nil {
		return err
	}
	most := int64(0)
	for time.Since(begun) < window {
		rss, err := resident(pid)
		if err != nil {
			return err
		}
		most = max(most, rss)
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	to, err := processorTime(pid)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	note("daemon.cpu and daemon.rss are veilboxd alone, over %v with one camera of 1280x720; its children are not in them", took.Round(time.Second))
	return errors.Join(
		figure("daemon.cpu", 100*float64(to-from)/float64(took), "percent-of-core"),
		figure("daemon.rss", float64(most)/(1<<20), "MiB"))
}

// ready marks an incident and reads its clip until a player could begin.
func ready(ctx context.Context, c *client.Client, from time.Time) (time.Duration, error) {
	value := 500
	begun := time.Now()
	v, err := c.NewCase(ctx, casework.NewCase{
		Camera: story.CameraID, From: from, To: from.Add(clipIs), What: "Målt", ValueDKK: &value, HappenedAt: from, Offence: incident.Theft,
	})
	if err != nil {
		return 0, err
	}
	m, err := c.CaseClip(ctx, v.ID)
	if err != nil {
		return 0, err
	}
	length, err := firstGOP(m)
	took := time.Since(begun)
	if err := errors.Join(err, m.Close()); err != nil {
		return 0, err
	}
	if length < clipIs-time.Second || length > clipIs+5*time.Second {
		return 0, fmt.Errorf("a clip of %v where %v were asked for", length, clipIs)
	}
	return took, nil
}
