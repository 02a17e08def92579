//go:build linux

package redact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/sandbox"
	"veilbox/redact/sheet"
	"veilbox/redact/work"
)

// An exchange is one run of veil-redact: what goes in, what comes out.
type exchange struct {
	job      work.Job
	mask     []byte // goes in where sendMask, comes out otherwise
	sendMask bool
	input    io.Reader
	progress func(Progress)
	most     int64 // bytes of copy that are taken
	create   func() (io.WriteCloser, error)
	keep     bool  // the copy is kept in body
	ends     []int // in body, of each still

	sent     footage.Hash // of the input
	got      footage.Hash // of the copy
	size     int64
	body     []byte
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
func (w *Worker) start(ctx context.Context, l Limits) (*running, error) {
	tools, err := codec.Find(w.FFmpeg)
	if err != nil {
		return nil, err
	}
	netns, pidns := sandbox.Namespaces()
	boot, err := json.Marshal(work.Boot{Tools: tools, NetNS: netns, PIDNS: pidns, Sandbox: sandbox.Options{
		Programs: []string{tools.FFmpeg, tools.FFprobe}, ReadOnly: w.Sandbox.ReadOnly, AllowDegraded: w.Sandbox.AllowDegraded,
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
	r, err := w.start(ctx, l)
	if err != nil {
		return err
	}
	defer r.in.Close()  // a second close of what feed closed
	defer r.out.Close() // everything was read, or nobody wants it
	fed := make(chan error, 1)
	go func() {
		fed <- e.feed(ctx, r.in)
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
	case errors.Is(ferr, errInput):
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

var (
	errInput = errors.New("redact: the input cannot be read")
	errStore = errors.New("redact: the copy cannot be kept")
)

// feed sends job, mask and input. A pipe that breaks is no error of its own:
// the worker has said why, or has died.
func (e *exchange) feed(ctx context.Context, to io.Writer) error {
	c := &work.Conn{W: to}
	if err := c.SendJSON(work.TypeJob, e.job); err != nil {
		return err
	}
	if e.sendMask {
		if err := c.SendAll(work.TypeMask, e.mask); err != nil {
			return err
		}
	}
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for ctx.Err() == nil {
		n, err := e.input.Read(buf)
		if n > 0 {
			h.Write(buf[:n])
			if err := c.Send(work.TypeData, buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			h.Sum(e.sent[:0])
			return c.Send(work.TypeEnd, nil)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errInput, err)
		}
	}
	return ctx.Err()
}

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
	if !e.sendMask {
		e.mask = nil
	}
	total := 0
	for {
		t, b, err := c.Receive()
		if err != nil {
			return err
		}
		switch t {
		case work.TypeProgress:
			var p Progress
			if err := json.Unmarshal(b, &p); err != nil {
				return fmt.Errorf("redact: progress: %w", err)
			}
			if !slices.Contains(stages, p.Stage) || p.Done < 0 || p.Total < 0 {
				return errors.New("redact: progress of an unknown stage")
			}
			if e.progress != nil {
				e.progress(p)
			}
		case work.TypeMask:
			if e.sendMask || len(e.mask)+len(b) > mask.MaxSize {
				return errors.New("redact: more mask than there can be")
			}
			e.mask = append(e.mask, b...)
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
			p, err := work.DecodePicture(b)
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

// failure turns what the worker says into a problem that this side knows.
func failure(b []byte) error {
	var f work.Failure
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("redact: failure: %w", err)
	}
	detail := bytes.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, []byte(f.Detail[:min(len(f.Detail), 2000)]))
	for _, p := range work.Known {
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
