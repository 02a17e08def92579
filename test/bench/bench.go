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

	"veilbox/internal/footagesrc"
)

// limit is for all figures together.
const limit = 15 * time.Minute

// A part measures some figures. What it had before it failed is printed.
type part struct {
	name string
	run  func(ctx context.Context, e env) error
}

// env is what a part has.
type env struct {
	bin     string // folder of the programs, absolute
	dir     string // empty folder, removed afterwards
	footage string // vtest.avi
}

var parts = []part{{"capture", capturing}, {"clip", clipping}, {"ring", indexing}, {"live", seeing}, {"box", box}, {"redact", redacting}}

func names() string {
	var n []string
	for _, p := range parts {
		n = append(n, p.name)
	}
	return strings.Join(n, ", ")
}

func run(ctx context.Context, bin, only string) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	footage, err := footagesrc.Find()
	if err != nil {
		return err
	}
	wanted := strings.FieldsFunc(only, func(r rune) bool { return r == ',' || r == ' ' })
	for _, w := range wanted {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == w }) {
			return fmt.Errorf("no part is called %q: %s", w, names())
		}
	}
	for _, p := range parts {
		if len(wanted) > 0 && !slices.Contains(wanted, p.name) {
			continue
		}
		if perr := within(ctx, p, env{bin: bin, footage: footage}); perr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, perr))
		}
	}
	return err
}

func within(ctx context.Context, p part, e env) (err error) {
	if e.dir, err = os.MkdirTemp("", "veilbox-bench-*"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(e.dir)) }()
	err = p.run(ctx, e)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = errors.Join(cause, err)
	}
	return err
}

// figure prints one line.
func figure(name string, value float64, unit string) error {
	_, err := fmt.Printf("%s %.*f %s\n", name, decimals(value), value, unit)
	return err
}

// decimals gives a figure three digits or more.
func decimals(v float64) int {
	switch {
	case v < 10:
		return 2
	case v < 100:
		return 1
	}
	return 0
}

func note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// median returns the middle of v, which is not empty.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
