//go:build linux

package redact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"slices"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact/codec"
	"veilbox/redact/detect"
	"veilbox/redact/mask"
	"veilbox/redact/sandbox"
	"veilbox/redact/sheet"
	"veilbox/redact/work"
)

// An exchange is one run of veil-redact: what goes in, what comes out.
type exchange struct {
	feed
	progress func(Progress)
	preview  func([]byte)
	most     int64 // bytes of copy that are taken
	create   func() (io.WriteCloser, error)
	keep     bool  // the copy is kept in body
	ends     []int // in body, of each still

	watch    *watch
	got      footage.Hash // of the copy
	size     int64
	body     []byte
	back     []byte // the mask that came
	pictures []sheet.Picture
	result   work.Result
}

// A running is a veil-redact at work, in its sandbox.
type running struct {
	p    *sandbox.Process
	in   *os.File // its standard input
	out  *os.File // its standard output
	said *bounded
}

// start starts veil-redact. It lives until ctx ends.
func (w *Worker) start(ctx context.Context, l Limits, look *look) (*running, error) {
	tools, err := codec.Find(w.FFmpeg)
	if err != nil {
		return nil, err
	}
	netns, pidns := sandbox.Namespaces()
	programs := []string{tools.FFmpeg, tools.FFprobe}
	if look.path() != "" {
		programs = append(programs, look.path())
	}
	boot, err := json.Marshal(work.Boot{Tools: tools, Detector: look.path(), NetNS: netns, PIDNS: pidns, Sandbox: sandbox.Options{
		Programs: programs, ReadOnly: w.Sandbox.ReadOnly, AllowDegraded: w.Sandbox.AllowDegraded,
		Limits: sandbox.Limits{AddressSpace: uint64(l.AddressSpace), CPU: uint64(l.CPU.Seconds()),
			FileSize: uint64(max(l.ClipBytes, l.CopyBytes)) + 64<<20, OpenFiles: 256, Processes: 4096}}})
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		inR.Close()
		inW.Close()
		return nil, fmt.Errorf("redact: %w", err)
	}
	r := &running{in: inW, out: outR, said: &bounded{}}
	cmd := exec.Command(w.Path, "enter", string(boot))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, r.said
	r.p, err = sandbox.Start(ctx, cmd)
	inR.Close()  // the child has its own
	outW.Close() // likewise
	if err != nil {
		inW.Close()
		outR.Close()
		return nil, NoWorker.With(err)
	}
	return r, nil
}

// run starts veil-redact, feeds it and reads its answer. It ends with the
// process and its children gone.
func (w *Worker) run(ctx context.Context, e *exchange) error {
	l := w.Limits.defaults()
	ctx, cancel := context.WithTimeoutCause(ctx, l.Time, TimedOut)
	defer cancel()
	ctx, stall := context.WithCancelCause(ctx)
	defer stall(nil)
	e.watch = newWatch(clock.System{})
	r, err := w.start(ctx, l, e.look)
	if err != nil {
		return err
	}
	// The others make one thing of a clip, and say nothing while they do.
	if e.job.Kind == work.KindRedact || e.job.Kind == work.KindProof {
		go e.watch.run(ctx, l.Stall, func() { stall(Stalled) })
	}
	defer r.in.Close()  // a second close of what feed closed
	defer r.out.Close() // everything was read, or nobody wants it
	fed := make(chan error, 1)
	go func() {
		fed <- e.feed.send(ctx, &work.Conn{W: movingWriter{r.in, e.watch}})
		r.in.Close() // the worker sees the end where End did not reach it
	}()
	rerr := e.receive(r.out)
	r.p.Kill() // the answer is complete or useless; no child may outlive it
	werr := r.p.Wait()
	r.in.Close() // frees feed from a pipe that nobody reads
	ferr := <-fed
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var pr *problem.Problem
	switch {
	case errors.Is(ferr, errInput), errors.As(ferr, &pr):
		return ferr
	case errors.As(rerr, &pr):
		w.note("redaction refused", "kind", e.job.Kind, "problem", pr.Code, "cause", pr.Err)
		return rerr
	case rerr == nil && ferr == nil:
		return nil
	case errors.Is(rerr, errStore):
		return rerr
	case errors.Is(rerr, sheet.ErrTooLarge):
		return work.TooMuch.With(rerr)
	case rerr == nil:
		rerr = ferr
	}
	err = fmt.Errorf("redact: %w; the process: %w; it said %q", rerr, errors.Join(werr), r.said.b)
	w.note("redaction broke down", "kind", e.job.Kind, "cause", err)
	return Crashed.With(err)
}

func (w *Worker) note(msg string, args ...any) {
	if w.Log != nil {
		w.Log.Warn(msg, args...)
	}
}

var stages = []string{"receive", "decode", "track", "veil", "write", "prove"}

var errStore = errors.New("redact: the copy cannot be kept")

// receive reads frames until a Result or a Failure.
func (e *exchange) receive(from io.Reader) (err error) {
	c := &work.Conn{R: from}
	h := sha256.New()
	var out io.WriteCloser
	defer func() {
		if out != nil && err != nil {
			out.Close() // it is removed, whatever this says
		}
	}()
	total, previews := 0, 0
	for {
		t, b, err := c.Receive()
		if err != nil {
			return err
		}
		switch t {
		case work.TypeProgress:
			p, err := progressOf(b)
			if err != nil {
				return err
			}
			e.watch.heard(p)
			if e.progress != nil {
				e.progress(p)
			}
		case work.TypePreview:
			if previews++; e.preview == nil || previews > maxPreviews {
				return errors.New("redact: more previews than were asked for")
			}
			if err := isJPEG(b, maxPreview); err != nil {
				return err
			}
			e.preview(bytes.Clone(b))
		case work.TypeMask:
			if e.job.Kind != work.KindRedact || len(e.back)+len(b) > mask.MaxSize {
				return errors.New("redact: more mask than there can be")
			}
			e.back = append(e.back, b...)
		case work.TypeCopy:
			if e.size += int64(len(b)); e.size > e.most {
				return fmt.Errorf("redact: a copy of over %d bytes", e.most)
			}
			h.Write(b)
			if e.keep {
				e.body = append(e.body, b...)
				continue
			}
			if out == nil {
				if out, err = e.create(); err != nil {
					return fmt.Errorf("%w: %w", errStore, err)
				}
			}
			if _, err := out.Write(b); err != nil {
				return fmt.Errorf("%w: %w", errStore, err)
			}
		case work.TypeUnit:
			if !e.keep || len(e.ends) == work.MaxStills {
				return errors.New("redact: the end of a picture where there is none")
			}
			e.ends = append(e.ends, len(e.body))
		case work.TypePicture:
			p, err := sheet.DecodePicture(b)
			if err != nil {
				return err
			}
			if total += len(b); len(e.pictures) == sheet.MaxPictures || total > sheet.MaxSize+sheet.MaxPictures*64 {
				return sheet.ErrTooLarge
			}
			e.pictures = append(e.pictures, p)
		case work.TypeResult:
			if err := json.Unmarshal(b, &e.result); err != nil {
				return fmt.Errorf("redact: result: %w", err)
			}
			if slices.ContainsFunc(e.result.Notices, func(n Notice) bool { return !slices.Contains(work.Notices, n) }) {
				return errors.New("redact: a notice that nobody knows")
			}
			h.Sum(e.got[:0])
			if out == nil {
				return nil
			}
			w := out
			out = nil
			if err := w.Close(); err != nil {
				return fmt.Errorf("%w: %w", errStore, err)
			}
			return nil
		case work.TypeFailure:
			return failure(b)
		default:
			return fmt.Errorf("redact: the worker sent a frame of type %q", byte(t))
		}
	}
}

// Bounds of previews.
const (
	maxPreviews = 20_000
	maxPreview  = 1920 // pixels each way
)

// isJPEG returns why b is no JPEG of at most side pixels each way.
func isJPEG(b []byte, side int) error {
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || c.Width > side || c.Height > side {
		return fmt.Errorf("redact: a picture that is no JPEG of at most %d pixels: %w", side, errors.Join(err))
	}
	return nil
}

func progressOf(b []byte) (p Progress, err error) {
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("redact: progress: %w", err)
	}
	if !slices.Contains(stages, p.Stage) || p.Done < 0 || p.Total < 0 {
		return p, errors.New("redact: progress of an unknown stage")
	}
	return p, nil
}

// failure turns what the worker says into a problem that this side knows.
func failure(b []byte) error {
	var f work.Failure
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("redact: failure: %w", err)
	}
	return failed(f)
}

func failed(f work.Failure) error {
	detail := bytes.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, []byte(f.Detail[:min(len(f.Detail), 2000)]))
	for _, p := range append([]*problem.Problem{detect.BadModel, detect.NoDetector}, work.Known...) {
		if p.Code == f.Code {
			return p.With(errors.New(string(detail)))
		}
	}
	return Crashed.With(fmt.Errorf("redact: the worker: %s", detail))
}

// bounded keeps the first bytes of what a process says.
type bounded struct{ b []byte }

func (t *bounded) Write(p []byte) (int, error) {
	t.b = append(t.b, p[:min(len(p), 2048-len(t.b))]...)
	return len(p), nil
}
