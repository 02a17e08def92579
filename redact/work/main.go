//go:build linux

package work

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact/codec"
	"veilbox/redact/sandbox"
	"veilbox/redact/sheet"
)

// Problems that a Failure may name besides those of redact/codec and
// redact/sandbox.
var (
	BadSubject = problem.New(http.StatusUnprocessableEntity, "redact.subject",
		problem.Text{DA: "Markeringen af personen kan ikke bruges til dette klip.", EN: "The marking of the person cannot be used for this clip."},
		problem.Text{DA: "Tegn en ramme om personen i mindst ét billede af klippet.", EN: "Draw a box around the person in at least one frame of the clip."})
	TooMuch = problem.New(http.StatusUnprocessableEntity, "redact.sheet",
		problem.Text{DA: "Kopien viser mere, end et menneske kan gennemse.", EN: "The copy shows more than a person can look through."},
		problem.Text{DA: "Vælg et kortere tidsrum.", EN: "Choose a shorter span."})
)

// Known are the problems that the outside takes from a Failure.
var Known = []*problem.Problem{codec.NoFFmpeg, codec.NotVideo, codec.Truncated, codec.TooLarge, codec.NoEncoder, sandbox.Degraded, BadSubject, TooMuch}

// A Boot is the argument of the program's first life, outside the sandbox.
type Boot struct {
	Sandbox sandbox.Options `json:"sandbox"`
	Tools   codec.Tools     `json:"tools"`
	// Detector is the path of veil-detect, "" for none.
	Detector string `json:"detector"`
	NetNS    string `json:"netns"` // of whoever started it
	PIDNS    string `json:"pidns"`
}

// inside is the argument of its second life.
type inside struct {
	Tools         codec.Tools `json:"tools"`
	Detector      string      `json:"detector"`
	AllowDegraded bool        `json:"allow_degraded"`
	NetNS         bool        `json:"netns"`
	PIDNS         bool        `json:"pidns"`
}

const usage = "veil-redact is started by veilboxd and by \"veilctl redact\"; it is not used by itself.\n"

// Main is the program. args is either "enter" and a Boot as JSON, or what Enter
// passes on.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) != 2 {
		// Nobody is left to tell if standard error is closed.
		_, _ = io.WriteString(errs, usage)
		return 2
	}
	c := &Conn{R: bufio.NewReaderSize(in, 256<<10), W: out}
	var err error
	switch args[0] {
	case "enter":
		err = enter(args[1])
	case "run":
		err = run(args[1], c)
	default:
		_, _ = io.WriteString(errs, usage) // as above
		return 2
	}
	if err == nil {
		return 0
	}
	f := Failure{Detail: err.Error()}
	var p *problem.Problem
	if errors.As(err, &p) {
		f.Code = p.Code
		if p.Err != nil {
			f.Detail = p.Err.Error()
		}
	}
	f.Detail = f.Detail[:min(len(f.Detail), 2000)]
	if err := c.SendJSON(TypeFailure, f); err != nil {
		_, _ = fmt.Fprintln(errs, err) // as above
	}
	return 1
}

func enter(arg string) error {
	var b Boot
	if err := json.Unmarshal([]byte(arg), &b); err != nil {
		return fmt.Errorf("work: argument: %w", err)
	}
	net, pid := sandbox.Namespaces()
	next, err := json.Marshal(inside{Tools: b.Tools, Detector: b.Detector, AllowDegraded: b.Sandbox.AllowDegraded,
		NetNS: net != "" && net != b.NetNS, PIDNS: pid != "" && pid != b.PIDNS})
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	err = sandbox.Enter(b.Sandbox, []string{"run", string(next)})
	if errors.Is(err, sandbox.ErrProgram) {
		return codec.NoFFmpeg.With(err)
	}
	return err
}

// A worker does one job.
type worker struct {
	c     *Conn
	tools codec.Tools
	// detector is the path of veil-detect, "" for none.
	detector string
	job      Job
	status   sandbox.Status
	now      atomic.Pointer[Progress]
}

func run(arg string, c *Conn) error {
	var in inside
	if err := json.Unmarshal([]byte(arg), &in); err != nil {
		return fmt.Errorf("work: argument: %w", err)
	}
	w := &worker{c: c, tools: in.Tools, detector: in.Detector}
	t, body, err := c.Receive()
	if err != nil {
		return err
	}
	if t != TypeJob {
		return fmt.Errorf("work: a frame of type %q where the job is", byte(t))
	}
	if err := json.Unmarshal(body, &w.job); err != nil {
		return fmt.Errorf("work: job: %w", err)
	}
	// The layers are tried before a byte of the clip is read: a program that
	// was started past Enter stops here.
	w.status = sandbox.Confirm(w.job.Port)
	w.status.NetNS, w.status.PIDNS = in.NetNS, in.PIDNS
	if !in.AllowDegraded {
		if w.status.Degraded() {
			return sandbox.Degraded.With(errors.New("work: a layer is missing"))
		}
		if err := w.status.Holds(); err != nil {
			return sandbox.Degraded.With(err)
		}
	}
	debug.SetMemoryLimit(512 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := w.report(ctx)
	defer stop()
	switch w.job.Kind {
	case KindCheck:
		return w.check(ctx)
	case KindRedact:
		return w.redact(ctx)
	case KindProof:
		return w.proof(ctx)
	case KindStill:
		return w.still(ctx)
	case KindStills:
		return w.stills(ctx)
	case KindPlay:
		return w.play(ctx)
	case KindLive:
		return w.live(ctx)
	}
	return fmt.Errorf("work: a job of kind %q", w.job.Kind)
}

// at sets what the next report says.
func (w *worker) at(stage string, done, total int) {
	w.now.Store(&Progress{stage, done, total})
}

// report sends the progress a few times a second until stop. A timer, and not
// the work, drives it: a decoder that is slow to start must not look dead.
func (w *worker) report(ctx context.Context) (stop func()) {
	clk := clock.System{}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-clk.After(250 * time.Millisecond):
			}
			if p := w.now.Load(); p != nil {
				if err := w.c.SendJSON(TypeProgress, p); err != nil {
					os.Exit(1) // nobody reads: whoever asked has gone
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// input reads the job's input into memory.
func (w *worker) input() (*os.File, *pieces, footage.Hash, int64, error) {
	w.at("receive", 0, 0)
	p, h := &pieces{c: w.c}, sha256.New()
	f, n, err := sandbox.Input(io.TeeReader(p, h), w.job.Limits.Input)
	var sum footage.Hash
	switch {
	case errors.Is(err, sandbox.ErrTooMuch):
		return nil, nil, sum, 0, codec.TooLarge.With(err)
	case err != nil:
		return nil, nil, sum, 0, fmt.Errorf("work: input: %w", err)
	case n == 0:
		return nil, nil, sum, 0, codec.NotVideo.With(errors.New("work: the input is empty"))
	}
	h.Sum(sum[:0])
	return f, p, sum, n, nil
}

func (w *worker) check(ctx context.Context) error {
	v, err := w.tools.Version(ctx)
	if err != nil {
		return err
	}
	return w.c.SendJSON(TypeResult, Result{Tool: v, Sandbox: w.status})
}

func (w *worker) still(ctx context.Context) error {
	f, _, sum, size, err := w.input()
	if err != nil {
		return err
	}
	if err := codec.Whole(f, size); err != nil {
		return err
	}
	info, err := w.tools.Probe(ctx, f, w.job.Limits.Picture)
	if err != nil {
		return err
	}
	width, height := info.Width, info.Height
	if w.job.Width >= 16 && width > w.job.Width {
		width, height = w.job.Width&^1, max(2, info.Height*w.job.Width/info.Width&^1)
	}
	frame := make([]byte, codec.FrameSize(width, height))
	err = w.tools.One(ctx, f, w.job.At, width, height, frame)
	if err != nil && w.job.At > 0 && errors.Is(err, codec.NotVideo) {
		// Past the last frame, or a file that cannot be sought: the first is a
		// still of this clip as well.
		err = w.tools.One(ctx, f, 0, width, height, frame)
	}
	if err != nil {
		return err
	}
	jpg, err := sheet.Crop(frame, width, height, image.Rect(0, 0, width, height), max(width, height))
	if err != nil {
		return err
	}
	if err := w.c.SendAll(TypeCopy, jpg); err != nil {
		return err
	}
	return w.c.SendJSON(TypeResult, Result{Clip: sum, Sandbox: w.status})
}
