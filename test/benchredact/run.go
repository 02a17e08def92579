package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

// options are the flags.
type options struct {
	bin, only, draw, table string
	drawAll, direct        bool
}

// keeper remembers the last mask, to be drawn.
type keeper struct {
	tracker
	last *mask.Mask
}

func (k *keeper) track(ctx context.Context, s subject.Subject) (*mask.Mask, error) {
	m, err := k.tracker.track(ctx, s)
	k.last = m
	return m, err
}

func run(ctx context.Context, o options) (err error) {
	all, err := truths()
	if err != nil {
		return err
	}
	if o.only != "" {
		names := strings.Split(o.only, ",")
		all = slices.DeleteFunc(all, func(t *Truth) bool { return !slices.Contains(names, t.Name) })
		if len(all) != len(names) {
			return fmt.Errorf("benchredact: of %s not all are subjects", o.only)
		}
	}
	dir, err := os.MkdirTemp("", "bench-redact-")
	if err != nil {
		return fmt.Errorf("benchredact: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var results []Result
	for _, t := range all {
		r, err := measure(ctx, t, o, dir)
		if err != nil {
			return err
		}
		if err := r.figures(os.Stdout); err != nil {
			return err
		}
		results = append(results, r)
	}
	if err := table(os.Stderr, results, time.Now()); err != nil {
		return err
	}
	if o.table == "" {
		return nil
	}
	f, err := os.Create(o.table)
	if err != nil {
		return fmt.Errorf("benchredact: %w", err)
	}
	return errors.Join(table(f, results, time.Now()), f.Close())
}

// measure lets the person work on one subject.
func measure(ctx context.Context, t *Truth, o options, dir string) (Result, error) {
	clip := filepath.Join(dir, t.Name+".mp4")
	err := t.cut(ctx, clip)
	if err != nil {
		return Result{}, err
	}
	k, used := new(keeper), children
	if o.direct {
		k.tracker, err = newDirect(ctx, t, clip)
		used = own
	} else {
		k.tracker, err = newCopier(o.bin, clip)
	}
	if err != nil {
		return Result{}, err
	}
	rounds, err := work(ctx, t, k, used)
	if err != nil {
		return Result{}, err
	}
	for i, r := range rounds {
		_, share := shown(r.Frames)
		note("%s, %d keyframes: shown in %.1f %% of what can be seen, %s; %.1f s, processor %.1f s", t.Name, i+1, share, leaks(r.Frames), r.Took.Seconds(), r.Spent.Seconds())
	}
	if o.draw != "" {
		if err := draw(ctx, o.draw, clip, t, k.last, rounds[len(rounds)-1].Frames, o.drawAll); err != nil {
			return Result{}, err
		}
	}
	return result(t, rounds), nil
}

// leaks says in which frames something else is shown.
func leaks(frames []Frame) string {
	var flagged, not []string
	for _, f := range frames {
		switch {
		case !f.leaks():
		case f.Flagged:
			flagged = append(flagged, fmt.Sprint(f.At))
		default:
			not = append(not, fmt.Sprint(f.At))
		}
	}
	return fmt.Sprintf("others unflagged in frames [%s], flagged in [%s]", strings.Join(not, " "), strings.Join(flagged, " "))
}

func note(format string, args ...any) {
	// What cannot be told on standard error cannot be told at all.
	_, _ = fmt.Fprintf(os.Stderr, "bench-redact: "+format+"\n", args...)
}
