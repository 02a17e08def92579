//go:build linux

package redact

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"veilbox/capture/footage"
	"veilbox/redact/detect"
	"veilbox/redact/work"
)

// A feed is what goes into a veil-redact: the job, what it needs in front of the
// clip, the clip.
type feed struct {
	job   work.Job
	mask  []byte
	look  *look
	scene *Scene
	most  int64 // bytes of the scene
	input io.Reader

	sent footage.Hash // of the input
}

var errInput = errors.New("redact: the input cannot be read")

// send sends all of f. A pipe that breaks is no error of its own: the worker has
// said why, or has died.
func (f *feed) send(ctx context.Context, c *work.Conn) error {
	f.look.fill(&f.job)
	if f.scene != nil {
		f.job.Scene, f.job.SceneTimes = true, f.scene.Times
	}
	head, err := json.Marshal(f.job)
	if err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	if len(head) > work.MaxBody {
		return work.BadSubject.With(fmt.Errorf("redact: a job of %d bytes, at most %d: leave out some keyframes", len(head), work.MaxBody))
	}
	if err := c.Send(work.TypeJob, head); err != nil {
		return err
	}
	if err := c.SendAll(work.TypeMask, f.mask); err != nil {
		return err
	}
	if m := f.look.file(); m != nil {
		if err := pour(ctx, c, work.TypeModel, io.NewSectionReader(m, 0, f.look.size), f.look.size, io.Discard); err != nil {
			return err
		}
	}
	if err := f.sendScene(ctx, c); err != nil {
		return err
	}
	h := sha256.New()
	if err := pour(ctx, c, work.TypeData, f.input, math.MaxInt64, h); err != nil {
		return err
	}
	h.Sum(f.sent[:0])
	return c.Send(work.TypeEnd, nil)
}

func (f *feed) sendScene(ctx context.Context, c *work.Conn) error {
	if f.scene == nil {
		return nil
	}
	r, err := f.scene.Open()
	if err != nil {
		return NoScene.With(fmt.Errorf("redact: %w", err))
	}
	defer r.Close() // read only
	err = pour(ctx, c, work.TypeScene, r, f.most, io.Discard)
	if errors.Is(err, errInput) {
		return NoScene.With(err)
	}
	return err
}

// pour sends what r gives in frames of type t, at most most bytes of it, and
// writes them to h as well, which takes everything.
func pour(ctx context.Context, c *work.Conn, t work.Type, r io.Reader, most int64, h io.Writer) error {
	buf := make([]byte, 256<<10)
	for ctx.Err() == nil {
		n, err := r.Read(buf)
		if n > 0 {
			if most -= int64(n); most < 0 {
				return fmt.Errorf("%w: it is larger than its limit", errInput)
			}
			_, _ = h.Write(buf[:n]) // see above
			if err := c.Send(t, buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errInput, err)
		}
	}
	return ctx.Err()
}

// A look is the detector of one run: the program, and the model that it was
// promised. A nil look is none.
type look struct {
	tool    string
	model   *os.File // sealed, in memory
	size    int64
	hash    footage.Hash
	missing bool // it was asked for, and there is none
}

// detector returns the look of a run in which on says whether there is one.
func (w *Worker) detector(on bool) (*look, error) {
	l := &look{}
	if !on {
		return l, nil
	}
	path := w.Detect.Path
	if path == "" {
		path = filepath.Join(filepath.Dir(w.Path), "veil-detect")
	}
	t, err := detect.Find(path)
	if err == nil {
		err = runnable(t.Path)
	}
	if err != nil {
		w.note("nobody is detected", "cause", err)
		l.missing = true
		return l, nil
	}
	l.tool = t.Path
	if w.Detect.Model == "" {
		return l, nil
	}
	if l.model, err = (detect.Model{Path: w.Detect.Model, SHA256: w.Detect.SHA256}).Open(); err != nil {
		return nil, err
	}
	info, err := l.model.Stat()
	if err != nil {
		l.close()
		return nil, fmt.Errorf("redact: the model: %w", err)
	}
	l.size = info.Size()
	if _, err := hex.Decode(l.hash[:], []byte(strings.TrimSpace(w.Detect.SHA256))); err != nil {
		l.close()
		return nil, detect.BadModel.With(err)
	}
	return l, nil
}

// runnable returns why the sandbox would not run what is at path: it has no shell.
func runnable(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("redact: %s: %w", path, err)
	}
	return f.Close()
}

func (l *look) close() {
	if l != nil && l.model != nil {
		l.model.Close() // nothing was written
		l.model = nil
	}
}

func (l *look) path() string {
	if l == nil {
		return ""
	}
	return l.tool
}

func (l *look) file() *os.File {
	if l == nil {
		return nil
	}
	return l.model
}

func (l *look) fill(j *work.Job) {
	if l != nil && l.tool != "" {
		j.Detect = work.Detect{On: true, Model: l.size, Hash: l.hash}
	}
}
