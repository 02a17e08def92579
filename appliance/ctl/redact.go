package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/durable"
	"veilbox/redact"
	"veilbox/redact/subject"
)

// installed is where a package puts the worker.
const installed = "/usr/libexec/veilbox/veil-redact"

type redactCmd struct {
	In       string        `arg:"" help:"The video: any file that ffmpeg can decode." type:"existingfile"`
	Out      string        `arg:"" help:"The veiled copy, MP4. It appears only when its proof has passed." type:"path"`
	Subject  string        `required:"" help:"The subject file (above); - is standard input." placeholder:"FILE"`
	Proof    string        `help:"Write the proof here (JSON)." placeholder:"FILE" type:"path"`
	Sheet    string        `help:"Write pictures of everything that is revealed here." placeholder:"DIR" type:"path"`
	Worker   string        `help:"The program veil-redact (default: beside veilctl, else ${installed})." placeholder:"FILE" type:"path"`
	FFmpeg   string        `help:"The ffmpeg to use (default: the system's)." name:"ffmpeg" placeholder:"FILE"`
	Encoder  string        `help:"ffmpeg's name of the H.264 encoder." default:"libx264"`
	Preset   string        `help:"The encoder's preset." default:"veryfast"`
	CRF      int           `help:"Quality, 1 (best, largest) to 26." default:"20" name:"crf"`
	MaxTime  time.Duration `help:"Give up after this long." default:"6h"`
	Degraded bool          `help:"Go on where this kernel lacks part of the sandbox. Not for video from strangers." name:"allow-degraded-sandbox"`
}

// Help is shown below the flags.
func (*redactCmd) Help() string {
	return `Everything but the subject is veiled, the sound and the metadata are gone, and the finished file is read back and checked against what was to be veiled.

The subject file is JSON:

  {"version": 1,
   "keyframes": [
     {"at": 2.0, "rect": {"x": 0.42, "y": 0.30, "w": 0.08, "h": 0.35}},
     {"at": 9.5, "gone": true}]}

"at" is in seconds from the first frame. "rect" is where the subject is, in fractions of the frame's width and height from the top left. "gone" says that the subject is not in the picture from then until the next keyframe. One rectangle is enough to begin; more are corrections.`
}

// workerPath finds the sandboxed program.
func (c *redactCmd) workerPath() (string, error) {
	if c.Worker != "" {
		return c.Worker, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("ctl: %w", err)
	}
	beside := filepath.Join(filepath.Dir(exe), "veil-redact")
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	return installed, nil
}

// redacted is what --json says.
type redacted struct {
	File     string          `json:"file"`
	Copy     string          `json:"copy"`
	Clip     string          `json:"clip"`
	Proof    string          `json:"proof"`
	Sheet    string          `json:"sheet"`
	Pictures int             `json:"pictures"`
	Unsure   []unsureSeconds `json:"unsure"`
}

type unsureSeconds struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

func (c *redactCmd) Run(e *env) (err error) {
	b, err := e.readFile(c.Subject, subject.MaxFileSize)
	if err != nil {
		return err
	}
	s, err := subject.Parse(bytes.NewReader(b))
	if err != nil {
		return err
	}
	path, err := c.workerPath()
	if err != nil {
		return err
	}
	in, err := os.Open(c.In)
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := c.apart(in); err != nil {
		return err
	}
	w := &redact.Worker{Path: path, FFmpeg: c.FFmpeg,
		// Refusals are told once, by the error; what breaks is worth the detail.
		Log:     slog.New(slog.NewTextHandler(e.Err, &slog.HandlerOptions{Level: slog.LevelError})),
		Encoder: redact.Encoder{Codec: c.Encoder, Preset: c.Preset, Quality: c.CRF},
		Limits:  redact.Limits{ClipBytes: 64 << 30, CopyBytes: 64 << 30, Time: c.MaxTime},
		Sandbox: redact.Policy{AllowDegraded: c.Degraded}}
	store := &fileStore{dir: filepath.Dir(c.Out)}
	meter := &meter{e: e}
	// Whatever goes wrong from here, no unjudged copy stays behind.
	defer func() { err = errors.Join(err, store.Remove()) }()
	made, err := w.Produce(e.ctx, redact.Job{Subjects: []subject.Subject{s}}, in, store, meter.show)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted; nothing was written")
		}
		return err
	}
	meter.end()
	if err := c.extras(made); err != nil {
		return err
	}
	if err := store.commit(c.Out); err != nil {
		return err
	}
	v := redacted{File: c.Out, Copy: made.Hash().String(), Clip: made.Clip().String(), Proof: made.ProofHash().String(),
		Sheet: made.SheetHash().String(), Pictures: len(made.Sheet()), Unsure: []unsureSeconds{}}
	rows := table{{"copy", v.File}, {"SHA-256", v.Copy}, {"proof", "passed, " + v.Proof}, {"revealed", fmt.Sprintf("%d pictures", v.Pictures)}}
	for _, u := range made.Unsure() {
		v.Unsure = append(v.Unsure, unsureSeconds{seconds(u.From), seconds(u.To)})
		rows = append(rows, []string{"all veiled", fmt.Sprintf("%.1f to %.1f s: the track was not sure; a keyframe there would show the subject", seconds(u.From), seconds(u.To))})
	}
	return e.show(v, rows)
}

func seconds(t footage.Ticks) float64 { return float64(t) / footage.TicksPerSecond }

// apart refuses an output that is the input.
func (c *redactCmd) apart(in *os.File) error {
	out, err := os.Stat(c.Out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	i, err := in.Stat()
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	if os.SameFile(i, out) {
		return usage("IN and OUT are the same file: give the copy another name")
	}
	if !out.Mode().IsRegular() {
		return usage("%s is there and is no file: give the copy another name", c.Out)
	}
	return nil
}

func (c *redactCmd) extras(made redact.Copy) error {
	if c.Proof != "" {
		if err := durable.WriteFile(c.Proof, append(made.Proof(), '\n'), 0o600); err != nil {
			return err
		}
	}
	if c.Sheet == "" {
		return nil
	}
	if err := os.MkdirAll(c.Sheet, 0o700); err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	for i, p := range made.Sheet() {
		name := fmt.Sprintf("%04d-%.1fs.jpg", i, seconds(p.At))
		if err := durable.WriteFile(filepath.Join(c.Sheet, name), p.JPEG, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// A fileStore keeps the copy under a name of its own until it is proved.
type fileStore struct {
	dir  string
	temp string
}

type syncFile struct{ *os.File }

func (f syncFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

func (s *fileStore) Create() (io.WriteCloser, error) {
	if err := s.Remove(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.dir, ".veilctl-*")
	if err != nil {
		return nil, err
	}
	s.temp = f.Name()
	return syncFile{f}, nil
}

func (s *fileStore) Open() (io.ReadCloser, error) { return os.Open(s.temp) }

func (s *fileStore) Remove() error {
	if s.temp == "" {
		return nil
	}
	name := s.temp
	s.temp = ""
	return durable.Remove(name)
}

func (s *fileStore) commit(path string) error {
	if err := os.Rename(s.temp, path); err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	s.temp = ""
	return durable.SyncDir(s.dir)
}

// A meter shows progress, at most a line a stage and tenth.
type meter struct {
	e     *env
	stage string
	tenth int
}

func (m *meter) show(p redact.Progress) {
	tenth := 0
	if p.Total > 0 {
		tenth = p.Done * 10 / p.Total
	}
	if p.Stage == m.stage && tenth <= m.tenth {
		return
	}
	m.stage, m.tenth = p.Stage, tenth
	if p.Total > 0 {
		m.e.notice("%s %d%% (%d of %d)", p.Stage, 100*p.Done/p.Total, p.Done, p.Total)
	} else {
		m.e.notice("%s", p.Stage)
	}
}

func (m *meter) end() { m.e.notice("proved") }
