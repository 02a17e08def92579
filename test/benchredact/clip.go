package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"veilbox/internal/footagesrc"
	"veilbox/redact"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

// footage returns the path of the footage of t.
func (t *Truth) footage() (string, error) {
	switch t.Clip {
	case "vtest.avi":
		return footagesrc.Find()
	case footagesrc.Aisle:
		return footagesrc.Beside(footagesrc.Aisle)
	}
	return "", fmt.Errorf("benchredact: %s: nobody knows where %s is", t.Name, t.Clip)
}

// cut writes the frames of t as a camera sends them: H.264 without B-frames, a
// keyframe each second.
func (t *Truth) cut(ctx context.Context, to string) error {
	from, err := t.footage()
	if err != nil {
		return err
	}
	return ffmpeg(ctx, "-y", "-i", from, "-an",
		"-vf", fmt.Sprintf("trim=start_frame=%d:end_frame=%d,setpts=N/%d/TB", t.From, t.To, t.FPS), "-r", fmt.Sprint(t.FPS),
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", "-bf", "0", "-g", fmt.Sprint(t.FPS), to)
}

func ffmpeg(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ffmpeg", append([]string{"-v", "error", "-nostdin"}, args...)...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("benchredact: ffmpeg is missing: run \"make setup\"")
	}
	if err != nil {
		return fmt.Errorf("benchredact: ffmpeg: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// A copier tracks by making copies.
type copier struct {
	worker *redact.Worker
	clip   []byte
	store  file
}

func newCopier(bin, clip string) (*copier, error) {
	path := filepath.Join(bin, "veil-redact")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("benchredact: %w: run \"make build\"", err)
	}
	b, err := os.ReadFile(clip)
	if err != nil {
		return nil, fmt.Errorf("benchredact: %w", err)
	}
	return &copier{&redact.Worker{Path: path}, b, file(filepath.Join(filepath.Dir(clip), "copy.mp4"))}, nil
}

func (c *copier) track(ctx context.Context, s subject.Subject) (*mask.Mask, error) {
	made, err := c.worker.Produce(ctx, redact.Job{Subjects: []subject.Subject{s}}, bytes.NewReader(c.clip), c.store, nil)
	if err != nil {
		return nil, err
	}
	return made.Mask()
}

// file keeps a copy in a file.
type file string

func (f file) Create() (io.WriteCloser, error) { return os.Create(string(f)) }
func (f file) Open() (io.ReadCloser, error)    { return os.Open(string(f)) }
func (f file) Remove() error                   { return os.RemoveAll(string(f)) }

// children returns the processor time of all children that have ended, own that
// of this process.
func children() time.Duration { return usage(syscall.RUSAGE_CHILDREN) }
func own() time.Duration      { return usage(syscall.RUSAGE_SELF) }

func usage(who int) time.Duration {
	var u syscall.Rusage
	// It fails for arguments alone that are not these.
	_ = syscall.Getrusage(who, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
