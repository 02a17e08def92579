//go:build linux

package work

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact/codec"
	"veilbox/redact/detect"
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
var Known = []*problem.Problem{codec.NoFFmpeg, codec.NotVideo, codec.Truncated, codec.TooLarge, codec.NoEncoder, detect.BadModel, sandbox.Degraded, BadSubject, TooMuch}

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
	if err := c.SendJSON(TypeFailure, failureOf(err)); err != nil {
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

	// each says that no frame is repeated without the encoder.
	each bool

	mu    sync.Mutex
	noted []Notice
}

// note adds a notice to the result.
func (w *worker) note(n Notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.noted, n) {
		w.noted = append(w.noted, n)
	}
}

func (w *worker) notices() []Notice {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.noted)
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
	return w.do(ctx)
}

func (w *worker) do(ctx context.Context) error {
	switch w.job.Kind {
	case KindCheck:
		return w.check(ctx)
	case KindRedact:
		return w.redact(ctx)
	case KindSession:
		return w.session(ctx)
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

func (w *worker) check(ctx context.Context) error {
	v, err := w.tools.Version(ctx)
	if err != nil {
		return err
	}
	return w.c.SendJSON(TypeResult, Result{Tool: v, Sandbox: w.status})
}

// still sends one frame of the clip as it is.
func (w *worker) still(ctx context.Context) error {
	c, err := w.clip(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	width, height := small(c.info, w.job.Width)
	frame := make([]byte, codec.FrameSize(width, height))
	if err := w.frame(ctx, c, w.job.At, width, height, frame); err != nil {
		return err
	}
	jpg, err := sheet.Crop(frame, width, height, image.Rect(0, 0, width, height), max(width, height))
	if err != nil {
		return err
	}
	if err := w.c.SendAll(TypeCopy, jpg); err != nil {
		return err
	}
	return w.c.SendJSON(TypeResult, Result{Clip: c.sum, Sandbox: w.status})
}
