package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/capture/ring/ringtest"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

const (
	ringCameras = 8
	ringDays    = 30
	ringPart    = 500_000 // bytes: 4 Mbit/s in parts of a second
	ringStarts  = 5
)

// A ringTask is what a process is told to open, on standard input.
type ringTask struct {
	Dir string
	Key []byte
}

// A ringAnswer is how long that took, in milliseconds.
type ringAnswer struct {
	Start float64
	Month []float64 // the time line of all days, of each camera
	Day   []float64 // of the last day
}

// indexing measures how a ring starts that was not closed, and answers, after
// 30 days of 8 cameras in parts of a second. Each start is a process of its
// own, with nothing of the ring in the kernel's cache.
func indexing(ctx context.Context, e env) error {
	dir, key := filepath.Join(e.dir, "ring"), keys.New()
	begun := time.Now()
	err := ringtest.Fill(ctx, ringtest.Spec{Dir: dir, Key: key, Cameras: ringCameras, Days: ringDays, Part: time.Second, Bytes: ringPart, End: begun})
	if err != nil {
		return err
	}
	size, err := folderSize(dir)
	if err != nil {
		return err
	}
	note("ring: %d days of %d cameras, made in %v, take %.0f MiB beside the footage", ringDays, ringCameras, time.Since(begun).Round(time.Second), float64(size)/(1<<20))
	var starts, month, day []float64
	for i := range ringStarts + 1 {
		a, err := openRing(ctx, e, ringTask{dir, key.Bytes()})
		if err != nil {
			return err
		}
		if i == 0 {
			continue // the filling was closed; the starts after this one follow a kill
		}
		starts, month, day = append(starts, a.Start/1000), append(month, a.Month...), append(day, a.Day...)
	}
	note("ring.start after each kill: %.2f s; the time line of one day: %.1f ms", starts, median(day))
	return errors.Join(figure("ring.start", median(starts), "s"), figure("timeline.query", median(month), "ms"))
}

// openRing opens the ring in a process that is killed once it has answered.
func openRing(ctx context.Context, e env, t ringTask) (a ringAnswer, err error) {
	if err := forget(t.Dir); err != nil {
		return a, err
	}
	self, err := os.Executable()
	if err != nil {
		return a, err
	}
	cmd := exec.CommandContext(ctx, self, "-ring")
	in, err := cmd.StdinPipe()
	if err != nil {
		return a, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return a, err
	}
	p, err := start(cmd, filepath.Join(e.dir, "ring.log"))
	if err != nil {
		return a, err
	}
	err = json.NewEncoder(in).Encode(t)
	if err == nil {
		err = json.NewDecoder(out).Decode(&a)
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(e.dir, "ring.log")) // what there is of it
		err = fmt.Errorf("the process that opens the ring: %w: %s", err, log)
	}
	return a, errors.Join(err, p.end(syscall.SIGKILL))
}

// serveRing opens a ring as it is told to, answers, and waits to be killed.
func serveRing(ctx context.Context) error {
	in := bufio.NewReader(os.Stdin)
	var t ringTask
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		return err
	}
	key, err := keys.FromBytes(t.Key)
	if err != nil {
		return err
	}
	begun := time.Now()
	r, err := ring.Open(ctx, ring.Options{Dir: t.Dir, Key: key, Quota: 1 << 50, Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	a := ringAnswer{Start: ms(time.Since(begun))}
	for i := range ringCameras {
		last, err := r.Latest(ctx, ringtest.Camera(i))
		if err != nil {
			return err
		}
		// What the kill leaves behind: a segment that was being written.
		p := &footage.Part{Camera: ringtest.Camera(i), Start: last.Span().To, Data: make([]byte, ringPart),
			Format:  footage.Format{Codec: footage.H264, Width: drawnWidth, Height: drawnHeight, Params: [][]byte{{0x67, 0x4d, 0, 0x28}, {0x68, 1}}},
			Samples: []footage.Sample{{Size: ringPart, Duration: footage.TicksPerSecond, Key: true}}}
		if err := r.Append(ctx, p); err != nil {
			return err
		}
		for _, q := range []struct {
			days int
			took *[]float64
		}{{ringDays, &a.Month}, {1, &a.Day}} {
			from := last.Span().To - footage.Ticks(q.days)*24*3600*footage.TicksPerSecond
			begun := time.Now()
			runs, err := r.Timeline(ctx, ringtest.Camera(i), footage.Span{From: from, To: last.Span().To})
			if err != nil {
				return err
			}
			*q.took = append(*q.took, ms(time.Since(begun)))
			if len(runs) == 0 {
				return errors.New("the time line is empty")
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
