package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"veilbox/redact/subject"
)

// options are the flags.
type options struct {
	bin, only, draw, table string
	drawAll, direct        bool
	detect                 bool
	loose                  float64
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
		t.loose = o.loose
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
	var with tracker
	if o.direct {
		with, err = newDirect(ctx, t, clip)
	} else {
		with, err = open(ctx, o, clip)
	}
	if err != nil {
		return Result{}, err
	}
	defer with.close()
	rounds, err := work(ctx, t, with)
	if err != nil {
		return Result{}, err
	}
	for _, r := range rounds {
		_, share := shown(r.Frames)
		note("%s, keyframes at %s: shown in %.1f %% of what can be seen, %s; %.2f s", t.Name, t.said(r.Keys), share, leaks(r.Frames), r.Took.Seconds())
	}
	if o.draw != "" {
		err := errors.Join(
			draw(ctx, filepath.Join(o.draw, "first"), clip, t, rounds[0], o.drawAll),
			draw(ctx, filepath.Join(o.draw, "last"), clip, t, rounds[len(rounds)-1], o.drawAll))
		if err != nil {
			return Result{}, err
		}
	}
	return result(t, rounds), nil
}

// said names the frames of keyframes, those of "gone" with a minus.
func (t *Truth) said(keys []subject.Keyframe) string {
	var out []string
	for _, k := range keys {
		f := t.From + int(math.Round(k.At*float64(t.FPS)))
		if k.Gone {
			f = -f
		}
		out = append(out, fmt.Sprint(f))
	}
	return strings.Join(out, " ")
}

// leaks says in which frames the subject is veiled although it can be seen, and
// in which something else is shown.
func leaks(frames []Frame) string {
	some := func(is func(Frame) bool) string {
		var out []string
		for i := 0; i < len(frames); i++ {
			from := i
			for i < len(frames) && is(frames[i]) {
				i++
			}
			switch {
			case i == from+1:
				out = append(out, fmt.Sprint(frames[from].At))
			case i > from:
				out = append(out, fmt.Sprintf("%d-%d", frames[from].At, frames[i-1].At))
			}
		}
		return strings.Join(out, " ")
	}
	return fmt.Sprintf("veiled in [%s], others unflagged in [%s], flagged in [%s]",
		some(func(f Frame) bool { return f.Counts && !f.Shown }),
		some(func(f Frame) bool { return f.leaks() && !f.Flagged }),
		some(func(f Frame) bool { return f.leaks() && f.Flagged }))
}

func note(format string, args ...any) {
	// What cannot be told on standard error cannot be told at all.
	_, _ = fmt.Fprintf(os.Stderr, "bench-redact: "+format+"\n", args...)
}
