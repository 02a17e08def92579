package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

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

// A desk is where the person works: a session on the clip, and a copy of it in
// the end, by the same programs as in a shop.
type desk struct {
	worker  *redact.Worker
	session *redact.Session
	clip    []byte
	store   file
	tracks  redact.Tracks // the last
}

// open sits down at a clip.
func open(ctx context.Context, o options, clip string) (*desk, error) {
	path := filepath.Join(o.bin, "veil-redact")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("benchredact: %w: run \"make build\"", err)
	}
	b, err := os.ReadFile(clip)
	if err != nil {
		return nil, fmt.Errorf("benchredact: %w", err)
	}
	d := &desk{worker: &redact.Worker{Path: path, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Detect: redact.Detect{On: o.detect}}, clip: b,
		store: file(filepath.Join(filepath.Dir(clip), "copy.mp4"))}
	d.session, err = d.worker.Open(ctx, redact.SessionJob{Detect: o.detect}, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if o.detect && !d.session.Detects() {
		d.session.Close()
		return nil, errors.New("benchredact: nobody looks for persons: run \"make setup build\"")
	}
	return d, nil
}

func (d *desk) track(ctx context.Context, s subject.Subject) (m *mask.Mask, err error) {
	if d.tracks, err = d.session.Track(ctx, []subject.Subject{s}, nil, nil); err != nil {
		return nil, err
	}
	return mask.Decode(d.tracks.Mask)
}

// produce makes the copy, with its proof, and returns what that shows.
func (d *desk) produce(ctx context.Context, s subject.Subject) (*mask.Mask, error) {
	c, err := d.worker.Produce(ctx, redact.Job{Subjects: []subject.Subject{s}, Known: d.tracks.Mask}, bytes.NewReader(d.clip), d.store, nil)
	if err != nil {
		return nil, err
	}
	return c.Mask()
}

func (d *desk) close() { d.session.Close() }

// file keeps a copy in a file.
type file string

func (f file) Create() (io.WriteCloser, error) { return os.Create(string(f)) }
func (f file) Open() (io.ReadCloser, error)    { return os.Open(string(f)) }
func (f file) Remove() error                   { return os.RemoveAll(string(f)) }
