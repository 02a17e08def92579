//go:build linux

package work

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/detect"
	"veilbox/redact/mask"
	"veilbox/redact/sandbox"
)

// A pieces reads what a job brings: runs of frames of one type, until End.
type pieces struct {
	c    *Conn
	held bool // t and rest are of a frame that was received
	t    Type
	rest []byte
}

// of returns a reader of the frames of type t that are next. It ends in front
// of the first of another type.
func (p *pieces) of(t Type) io.Reader { return section{p, t} }

type section struct {
	p *pieces
	t Type
}

func (s section) Read(b []byte) (int, error) {
	p := s.p
	for {
		if !p.held {
			t, body, err := p.c.Receive()
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return 0, err
			}
			p.t, p.rest, p.held = t, body, true
		}
		if p.t != s.t {
			return 0, io.EOF
		}
		if len(p.rest) == 0 {
			p.held = false
			continue
		}
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
}

// end takes the frame that ends the input.
func (p *pieces) end() error {
	if !p.held || p.t != TypeEnd {
		return fmt.Errorf("work: a frame of type %q where the input is", byte(p.t))
	}
	p.held = false
	return nil
}

// An intake is the input of a job, in memory.
type intake struct {
	clip  *os.File
	sum   footage.Hash
	size  int64
	mask  []byte
	model *os.File // nil: none
	scene *os.File // likewise
}

func (in *intake) close() {
	for _, f := range []*os.File{in.clip, in.model, in.scene} {
		if f != nil {
			f.Close() // in memory, and read only
		}
	}
}

// intake reads the job's input into memory: the mask, the model and the scene
// where the job announces them, then the clip.
func (w *worker) intake() (*intake, error) {
	w.at("receive", 0, 0)
	in, p := &intake{}, &pieces{c: w.c}
	if err := w.fill(in, p); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func (w *worker) fill(in *intake, p *pieces) error {
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(p.of(TypeMask), mask.MaxSize+1)); err != nil {
		return fmt.Errorf("work: mask: %w", err)
	}
	if in.mask = b.Bytes(); len(in.mask) > mask.MaxSize {
		return fmt.Errorf("work: a mask of over %d bytes", mask.MaxSize)
	}
	if d := w.job.Detect; d.On && d.Model > 0 {
		h := sha256.New()
		f, n, err := sandbox.Input(io.TeeReader(p.of(TypeModel), h), min(d.Model, detect.MaxModel))
		if err != nil {
			return detect.BadModel.With(fmt.Errorf("work: model: %w", err))
		}
		in.model = f
		if n != d.Model || [32]byte(h.Sum(nil)) != d.Hash {
			return detect.BadModel.With(fmt.Errorf("work: a model of %d bytes that is not the one announced", n))
		}
	}
	if w.job.Scene {
		f, _, err := sandbox.Input(p.of(TypeScene), w.job.Limits.Input)
		if err != nil {
			return tooMuch(fmt.Errorf("work: scene: %w", err))
		}
		in.scene = f
	}
	h := sha256.New()
	f, n, err := sandbox.Input(io.TeeReader(p.of(TypeData), h), w.job.Limits.Input)
	if err != nil {
		return tooMuch(fmt.Errorf("work: input: %w", err))
	}
	in.clip, in.size = f, n
	h.Sum(in.sum[:0])
	if err := p.end(); err != nil {
		return err
	}
	if n == 0 {
		return codec.NotVideo.With(errors.New("work: the input is empty"))
	}
	return nil
}

func tooMuch(err error) error {
	if errors.Is(err, sandbox.ErrTooMuch) {
		return codec.TooLarge.With(err)
	}
	return err
}

// A clip is one that is whole, and what ffprobe says of it.
type clip struct {
	*intake
	info codec.Info
}

// clip takes the input in and has a first look at it.
func (w *worker) clip(ctx context.Context) (*clip, error) {
	in, err := w.intake()
	if err != nil {
		return nil, err
	}
	c := &clip{intake: in}
	if err = codec.Whole(in.clip, in.size); err == nil {
		c.info, err = w.tools.Probe(ctx, in.clip, w.job.Limits.Picture)
	}
	if err != nil {
		in.close()
		return nil, err
	}
	return c, nil
}
