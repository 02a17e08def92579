//go:build linux

package detect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"veilbox/internal/clock"
)

// A Detector is a veil-detect at work. Its methods are for one goroutine.
type Detector struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	cmd     *exec.Cmd
	in, out *os.File // its standard input and output
	said    tail
	clock   clock.Clock
	timeout time.Duration
	size    int
	version string
	boxes   []Box
	buf     [MaxBoxes * boxSize]byte
	send    []byte
	err     error // why it is of no more use
}

var errTimeout = errors.New("no answer in time")

// Start starts the tool, hands it the model and waits until it is ready. The
// child lives until Close, until ctx ends or until this process dies. The error
// is NoDetector where the program does not run, BadModel where it refuses the
// model.
func Start(ctx context.Context, o Options) (*Detector, error) {
	h, err := o.header()
	if err != nil {
		return nil, err
	}
	d := &Detector{clock: o.Clock, timeout: o.Timeout, size: h.Width * h.Height}
	if d.clock == nil {
		d.clock = clock.System{}
	}
	if d.timeout <= 0 {
		d.timeout = 30 * time.Second
	}
	var cause context.Context
	cause, d.cancel = context.WithCancelCause(ctx)
	d.ctx = cause
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		inR.Close()
		inW.Close()
		return nil, fmt.Errorf("detect: %w", err)
	}
	d.in, d.out = inW, outR
	d.cmd = exec.CommandContext(d.ctx, o.Tool.Path, "run")
	d.cmd.Env = []string{}
	d.cmd.Stdin, d.cmd.Stdout, d.cmd.Stderr = inR, outW, &d.said
	for _, f := range []*os.File{o.Model, o.Cascade} {
		if f != nil {
			d.cmd.ExtraFiles = append(d.cmd.ExtraFiles, f)
		}
	}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.cmd.WaitDelay = 2 * time.Second
	err = d.cmd.Start()
	inR.Close()  // the child has its own
	outW.Close() // likewise
	if err != nil {
		d.in.Close()
		d.out.Close()
		d.cancel(nil)
		return nil, NoDetector.With(fmt.Errorf("detect: %w", err))
	}
	// A child of the child may hold the other ends open: these must not wait for it.
	context.AfterFunc(d.ctx, func() {
		d.in.Close()
		d.out.Close()
	})
	runs := false
	err = d.within(func() error {
		if err := readGreeting(d.out); err != nil {
			return err
		}
		runs = true
		if err := h.Write(d.in); err != nil {
			return err
		}
		d.version, err = readHello(d.out)
		return err
	})
	if err == nil {
		return d, nil
	}
	d.Close()
	var no *refusal
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &no) && no.model:
		return nil, BadModel.With(fmt.Errorf("detect: %s", no.text))
	case runs && o.Model != nil:
		// A model may end the child, or keep it for ever, while it is being read.
		return nil, BadModel.With(fmt.Errorf("detect: veil-detect ended at the model: %w: %s", err, d.said.clean()))
	}
	return nil, NoDetector.With(fmt.Errorf("detect: %w: %s", err, d.said.clean()))
}

// Version returns what the child calls its library.
func (d *Detector) Version() string { return d.version }

// Frame returns what is in a frame of Width x Height samples. The boxes are good
// until the next call. An error wraps ErrFailed, or is the cause of the context's
// end; the detector is of no more use then.
func (d *Detector) Frame(luma []byte) ([]Box, error) {
	if d.err != nil {
		return nil, d.err
	}
	if len(luma) != d.size {
		return nil, fmt.Errorf("detect: a frame of %d bytes, not %d", len(luma), d.size)
	}
	err := d.within(func() (err error) {
		// One write in place of two: a sample more to copy, a call less to make.
		d.send = append(append(d.send[:0], frameMark), luma...)
		if _, err = d.in.Write(d.send); err != nil {
			return err
		}
		d.boxes, err = readReply(d.out, d.boxes[:0], &d.buf)
		return err
	})
	if err == nil {
		return d.boxes, nil
	}
	cause := context.Cause(d.ctx)
	d.Close() // with it, all is there that the child had to say
	if cause != nil && !errors.Is(cause, errTimeout) {
		d.err = cause
	} else if no := (*refusal)(nil); errors.As(err, &no) {
		d.err = fmt.Errorf("%w: %s", ErrFailed, no.text)
	} else {
		d.err = fmt.Errorf("%w: %w: %s", ErrFailed, err, d.said.clean())
	}
	return nil, d.err
}

// within does f and ends the child where that takes too long; f then fails, as
// the pipes break.
func (d *Detector) within(f func() error) error {
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-done:
		case <-d.ctx.Done():
		case <-d.clock.After(d.timeout):
			d.cancel(errTimeout)
		}
	}()
	err := f()
	close(done)
	<-watched
	if err != nil && errors.Is(context.Cause(d.ctx), errTimeout) {
		return fmt.Errorf("%w: %w", errTimeout, err)
	}
	return err
}

// Close ends the child.
func (d *Detector) Close() {
	if d.cmd == nil {
		return
	}
	d.cancel(nil)
	_ = d.cmd.Wait() // it was killed, and its result matters no more
	d.cmd = nil
	if d.err == nil {
		d.err = fmt.Errorf("%w: it is closed", ErrFailed)
	}
}

// tail keeps the beginning of what the child says and drops the rest.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p[:min(len(p), max(0, 600-t.b.Len()))])
	return len(p), nil
}

func (t *tail) clean() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(clean(t.b.Bytes()))
}
