//go:build linux

package redact

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact/codec"
	"veilbox/redact/work"
)

const (
	// liveTime is how long one process serves a live view. Then it is begun
	// anew, so that its limit of CPU time is one of a rate.
	liveTime = 2 * time.Hour
	// liveStuck is how long it may take a picture and give none.
	liveStuck = 10 * time.Second
	// liveSpace is the address space of one of its processes.
	liveSpace = 4 << 30
	// liveNice keeps recording ahead of it (setpriority(2)).
	liveNice = 10
)

// errAnew ends a live transcode that has run for liveTime.
var errAnew = errors.New("redact: the live transcode begins anew")

// Transcode makes H.264 of a live stream in the sandbox, as it comes: at most
// 1280 pixels wide and 15 pictures a second, a keyframe each 2 s, no B-frames.
// next gives the pictures, the first a keyframe; times are theirs, and go on by
// the clock of arrival where they begin anew. sink gets the coded pictures, whose
// PTS is that of the picture they were made of, cut to a millisecond, with DTS
// the same; it is called from this goroutine and must not keep the NAL units.
// Transcode returns next's error, ctx's cause, or nil when it wants to be called
// again.
func (w *Worker) Transcode(ctx context.Context, c footage.Codec,
	next func(context.Context) (footage.Format, footage.AccessUnit, error), sink func(footage.Format, footage.AccessUnit)) error {
	f, au, err := next(ctx)
	if err != nil {
		return err
	}
	if f.Codec != c {
		return fmt.Errorf("redact: a picture of %v where %v is", f.Codec, c)
	}
	l := w.Limits.defaults()
	l.AddressSpace = min(l.AddressSpace, liveSpace)
	outer := ctx
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, min(liveTime, l.Time), errAnew)
	defer cancel()
	r, err := w.start(ctx, l, nil)
	if err != nil {
		return err
	}
	defer r.in.Close()  // a second close of what feed closed
	defer r.out.Close() // nobody wants the rest
	// Where the kernel says no, it only competes on equal terms.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, r.p.PID(), liveNice)

	t := &stream{to: &work.Conn{W: r.in}, next: next, sink: sink, first: au.PTS, format: footage.Format{Codec: footage.H264}}
	t.format.Width, t.format.Height = f.Width, f.Height
	if f.Width > codec.LiveWidth {
		t.format.Width, t.format.Height = codec.LiveWidth, f.Height*codec.LiveWidth/f.Width&^1
	}
	job := w.job(work.KindLive, l)
	job.Codec, job.Width, job.Height = c, f.Width, f.Height
	job.Encoder.Preset = "" // a live picture has its own
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); end(t.feed(ctx, job, f, au)) }()
	go func() { defer wg.Done(); t.guard(ctx, end) }()
	rerr := t.receive(r.out)
	end(rerr)
	r.p.Kill()
	werr := r.p.Wait()
	r.in.Close() // frees feed from a pipe that nobody reads
	wg.Wait()
	var told *problem.Problem
	switch cause := context.Cause(ctx); {
	case outer.Err() != nil:
		return context.Cause(outer)
	case errors.As(rerr, &told):
		return rerr
	case errors.Is(cause, errAnew):
		return nil
	case errors.Is(cause, io.ErrUnexpectedEOF), errors.Is(cause, io.EOF), errors.Is(cause, os.ErrClosed), errors.Is(cause, syscall.EPIPE):
		return Crashed.With(fmt.Errorf("redact: live: %w; the process: %w; it said %q", errors.Join(cause, rerr), errors.Join(werr), r.said.b))
	default:
		return cause
	}
}

// A stream is one transcode under way.
type stream struct {
	to     *work.Conn
	next   func(context.Context) (footage.Format, footage.AccessUnit, error)
	sink   func(footage.Format, footage.AccessUnit)
	first  int64 // presentation time of the first picture
	format footage.Format

	mu      sync.Mutex
	waiting time.Time // since a picture went in and none came out
}

func (t *stream) mark(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.IsZero() || t.waiting.IsZero() {
		t.waiting = at
	}
}

// guard ends a transcode that takes pictures and gives none.
func (t *stream) guard(ctx context.Context, end context.CancelCauseFunc) {
	clk := clock.System{}
	for clock.Sleep(ctx, clk, time.Second) == nil {
		t.mu.Lock()
		stuck := !t.waiting.IsZero() && clk.Now().Sub(t.waiting) > liveStuck
		t.mu.Unlock()
		if stuck {
			end(Crashed.With(fmt.Errorf("redact: live: no picture came out in %v", liveStuck)))
			return
		}
	}
}

// feed sends the job and then pictures until next fails.
func (t *stream) feed(ctx context.Context, job work.Job, f footage.Format, au footage.AccessUnit) error {
	if err := t.to.SendJSON(work.TypeJob, job); err != nil {
		return err
	}
	clk := clock.System{}
	var buf []byte
	shift, dts, arrived := -au.PTS, au.DTS, au.Arrived
	for n := 0; ; n++ {
		if n > 0 && au.DTS <= dts {
			// A new session of the camera: its times begin anew.
			gap := max(1, int64(footage.TicksIn(au.Arrived.Sub(arrived))))
			shift += dts + gap - au.DTS
		}
		dts, arrived = au.DTS, au.Arrived
		buf = buf[:0]
		if f.Codec != footage.MJPEG && au.Key {
			buf = byteStream(buf, f.Params)
		}
		if f.Codec == footage.MJPEG {
			buf = f.Codec.AppendSample(buf, au.NALUs)
		} else {
			buf = byteStream(buf, au.NALUs)
		}
		t.mark(clk.Now())
		if len(buf) > codec.MaxPicture {
			return fmt.Errorf("redact: a picture of %d bytes", len(buf))
		}
		if err := t.to.SendAll(work.TypeData, buf); err != nil {
			return err
		}
		if err := t.to.Send(work.TypeUnit, work.EncodeUnit(footage.Ticks(au.PTS+shift), au.Key)); err != nil {
			return err
		}
		var err error
		if f, au, err = t.next(ctx); err != nil {
			return err
		}
	}
}

// byteStream appends NAL units with start codes (ITU-T H.264 and H.265, annex B).
func byteStream(b []byte, units [][]byte) []byte {
	for _, u := range units {
		b = append(append(b, 0, 0, 0, 1), u...)
	}
	return b
}

// receive reads coded pictures.
func (t *stream) receive(from io.Reader) error {
	c := &work.Conn{R: bufio.NewReaderSize(from, 64<<10)}
	var data []byte
	for {
		typ, b, err := c.Receive()
		if err != nil {
			return err
		}
		switch typ {
		case work.TypeCopy:
			if len(data)+len(b) > codec.MaxPicture {
				return Crashed.With(fmt.Errorf("redact: live: a picture of over %d bytes", codec.MaxPicture))
			}
			data = append(data, b...)
		case work.TypeUnit:
			at, key, err := work.DecodeUnit(b)
			if err != nil {
				return Crashed.With(err)
			}
			if err := t.take(at, key, data); err != nil {
				return Crashed.With(err)
			}
			data = data[:0]
		case work.TypeFailure:
			return failure(b)
		case work.TypeResult:
			var r work.Result
			if err := json.Unmarshal(b, &r); err != nil {
				return Crashed.With(fmt.Errorf("redact: result: %w", err))
			}
			return io.ErrUnexpectedEOF // nobody asked it to end
		default:
			return Crashed.With(fmt.Errorf("redact: the worker sent a frame of type %q", byte(typ)))
		}
	}
}

// take hands one picture on.
func (t *stream) take(at footage.Ticks, key bool, data []byte) error {
	const most = 256 // NAL units of a picture
	au := footage.AccessUnit{PTS: t.first + int64(at), DTS: t.first + int64(at), Key: key}
	var params [][]byte
	for len(data) > 0 {
		if len(data) < 5 || len(au.NALUs)+len(params) == most {
			return errors.New("redact: live: a picture that cannot be read")
		}
		n := binary.BigEndian.Uint32(data)
		if n == 0 || uint64(n) > uint64(len(data)-4) {
			return errors.New("redact: live: a NAL unit longer than its picture")
		}
		u := data[4 : 4+n]
		data = data[4+n:]
		switch u[0] & 0x1f {
		case 7, 8: // SPS, PPS
			params = append(params, u)
		case 1, 5: // slices; what else an encoder says is nobody's business
			au.NALUs = append(au.NALUs, u)
		}
	}
	if len(au.NALUs) == 0 {
		return nil
	}
	if key && len(params) >= 2 {
		t.params(params)
	}
	if len(t.format.Params) == 0 {
		return errors.New("redact: live: a picture without its parameter sets")
	}
	t.mark(time.Time{})
	t.sink(t.format, au)
	return nil
}

// params keeps the first of each kind.
func (t *stream) params(units [][]byte) {
	var out [][]byte
	for _, kind := range []byte{7, 8} {
		for _, u := range units {
			if u[0]&0x1f == kind {
				out = append(out, append([]byte(nil), u...))
				break
			}
		}
	}
	f := t.format
	f.Params = out
	if len(out) == 2 && !f.Equal(t.format) {
		t.format = f
	}
}
