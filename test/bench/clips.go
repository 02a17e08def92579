package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

const clipTries = 7

var clipLengths = []struct {
	name string
	is   time.Duration
}{{"10s", 10 * time.Second}, {"60s", time.Minute}, {"10m", 10 * time.Minute}}

// clipping measures how long a person waits for a clip to begin, over HTTPS:
// from the question to the index, the first GOP and, where the clip is that
// long, the first MiB.
func clipping(ctx context.Context, e env) (err error) {
	path := filepath.Join(e.dir, "clip.h264")
	if err := draw(ctx, path); err != nil {
		return err
	}
	const recorded = 12 * time.Minute
	begin := time.Now().Add(-recorded - time.Minute).Truncate(time.Second)
	b, err := startBox(ctx, e)
	if err != nil {
		return err
	}
	b.Close()
	// The box's own recording would take as long as it lasts: its ring is filled
	// between two starts, with the same code.
	if err := b.end(syscall.SIGTERM); err != nil {
		return err
	}
	if err := fill(ctx, filepath.Join(b.dir, "ring"), b.dir, path, begin, recorded); err != nil {
		return err
	}
	if b, err = startBox(ctx, e); err != nil {
		return err
	}
	defer func() { b.Close(); err = errors.Join(err, b.end(syscall.SIGTERM)) }()
	cams, err := sendCameras(ctx, e, path, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cams.end(syscall.SIGTERM)) }()
	if err := b.record(ctx, cams, 0, 1); err != nil {
		return err
	}
	worst := 0.0
	for _, l := range clipLengths {
		var took []float64
		for i := range clipTries {
			from := begin.Add(time.Duration(5+7*i) * time.Second)
			// What was recorded is seldom what was last read.
			if err := forget(filepath.Join(b.dir, "ring")); err != nil {
				return err
			}
			d, err := begins(ctx, b, from, l.is)
			if err != nil {
				return fmt.Errorf("a clip of %v: %w", l.is, err)
			}
			took = append(took, ms(d))
		}
		note("clip.start.%s, each of another span: %.1f ms", l.name, took)
		m := median(took)
		worst = max(worst, m)
		if err := figure("clip.start."+l.name, m, "ms"); err != nil {
			return err
		}
	}
	return figure("clip.start", worst, "ms")
}

// begins opens a clip and reads its beginning.
func begins(ctx context.Context, b *boxProc, from time.Time, length time.Duration) (time.Duration, error) {
	begun := time.Now()
	m, err := b.Footage(ctx, "cam-0", from, from.Add(length), false, "")
	if err != nil {
		return 0, err
	}
	in := &counter{r: m}
	is, err := firstGOP(in)
	if err == nil && in.n < 1<<20 {
		if _, err = io.CopyN(io.Discard, in, 1<<20-in.n); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	took := time.Since(begun)
	if err := errors.Join(err, m.Close()); err != nil {
		return 0, err
	}
	if is < length || is > length+5*time.Second {
		return 0, fmt.Errorf("it lasts %v", is)
	}
	return took, nil
}

// fill records a clip in a loop into a box's ring, as camera cam-0.
func fill(ctx context.Context, dir, data, path string, begin time.Time, length time.Duration) (err error) {
	master, err := keys.Load(filepath.Join(data, "keys"), "box")
	if err != nil {
		return err
	}
	r, err := ring.Open(ctx, ring.Options{Dir: dir, Key: master.Derive("veilbox ring v1"), Quota: 16 << 30, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	parts, err := cut(b)
	if err != nil {
		return err
	}
	at := footage.TicksOf(begin)
	for i := 0; at < footage.TicksOf(begin.Add(length)); i++ {
		p := *parts[i%len(parts)]
		p.Start = at
		if err := r.Append(ctx, &p); err != nil {
			return err
		}
		at += p.Duration()
	}
	return nil
}

// cut makes parts of one GOP each of the clip.
func cut(b []byte) ([]*footage.Part, error) {
	f := footage.Format{Codec: footage.H264, Width: drawnWidth, Height: drawnHeight, Params: make([][]byte, 2)}
	var parts []*footage.Part
	var unit [][]byte
	key := false
	flush := func() {
		if len(unit) == 0 {
			return
		}
		if key || len(parts) == 0 {
			parts = append(parts, &footage.Part{Camera: "cam-0"})
		}
		p := parts[len(parts)-1]
		before := len(p.Data)
		p.Data = f.Codec.AppendSample(p.Data, unit)
		p.Samples = append(p.Samples, footage.Sample{Size: uint32(len(p.Data) - before), Duration: frameTick, Key: key})
		unit, key = unit[:0], false
	}
	for n := range nalus(b) {
		switch n[0] & 0x1f {
		case 9:
			flush()
		case 7:
			f.Params[0] = n
		case 8:
			f.Params[1] = n
		case 1, 5:
			key = key || n[0]&0x1f == 5
			unit = append(unit, n)
		}
	}
	flush()
	if len(parts) != drawnSeconds || f.Params[0] == nil || f.Params[1] == nil {
		return nil, fmt.Errorf("%d GOPs in a clip of %d s", len(parts), drawnSeconds)
	}
	for _, p := range parts {
		p.Format = f
	}
	return parts, nil
}
