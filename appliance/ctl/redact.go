package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/codec"
	"veilbox/redact/detect"
	"veilbox/redact/sandbox"
	"veilbox/redact/work"
)

// installed is where a package puts the worker.
const installed = "/usr/libexec/veilbox/veil-redact"

// Exit statuses of redact besides those of all commands: a script must know
// whether the video, the copy or the machine is to blame.
const (
	exitInput       = 3
	exitNotProven   = 4
	exitMachine     = 5
	exitTime        = 6
	exitInterrupted = 130 // as a shell says of SIGINT
)

type redactCmd struct {
	In  string `arg:"" help:"The video: any file that ffmpeg can decode." type:"existingfile"`
	Out string `arg:"" help:"The veiled copy: MP4, or JPEG with --still. It appears only when its proof has passed." type:"path"`

	Subject    string     `help:"The subject file (above); - is standard input. Left out only with --mode blur-everything." placeholder:"FILE" group:"What is shown"`
	Mode       string     `help:"subject-only: the subjects and nothing else. still-scene: before what stood still for hours in --background. blur-everything: nobody." default:"subject-only" enum:"subject-only,still-scene,blur-everything" group:"What is shown"`
	Veil       []rectFlag `help:"A region that is always veiled, in fractions of the frame: a till screen, a keypad. May be given again." placeholder:"X,Y,W,H" sep:"none" group:"What is shown"`
	Background string     `help:"Hours of the same camera, unmoved, for --mode still-scene: any video that ffmpeg can decode." placeholder:"FILE" type:"existingfile" group:"What is shown"`
	Still      *float64   `help:"Make a picture of the frame nearest to this time instead of a clip." placeholder:"SECONDS" group:"What is shown"`
	Crop       *rectFlag  `help:"Cut the picture to this part of the frame; with --still." placeholder:"X,Y,W,H" group:"What is shown"`
	Stamp      string     `help:"Burn in the time, and this place; with --start." placeholder:"PLACE" group:"What is shown"`
	Start      *time.Time `help:"When the first frame was, RFC 3339 such as 2026-11-22T14:03:00+01:00: burns in the time." placeholder:"TIME" format:"2006-01-02T15:04:05Z07:00" group:"What is shown"`
	KeepSound  string     `help:"Keep the sound, for this reason. It is not veiled: voices can be known again." placeholder:"REASON" group:"What is shown"`

	Proof  string `help:"Write the proof here (JSON); - is standard output, in place of the summary." placeholder:"FILE" type:"path" group:"What is written"`
	Sheet  string `help:"Write pictures of everything that is revealed here, flagged ones first: one page if the name ends in .html, else an empty or new folder." placeholder:"FILE" type:"path" group:"What is written"`
	Tracks string `help:"Write where each subject is shown, flagged, unsure or gone here (JSON)." placeholder:"FILE" type:"path" group:"What is written"`

	Detect      bool   `help:"Look for persons and faces, to flag frames in which somebody else may be seen." group:"How"`
	Detector    string `help:"The program veil-detect (default: beside veil-redact). Implies --detect." placeholder:"FILE" type:"path" group:"How"`
	Model       string `help:"An ONNX model of your own in place of the built-in detector; with --model-sha256. Implies --detect." placeholder:"FILE" type:"path" group:"How"`
	ModelSHA256 string `help:"The SHA-256 that the model must have, as sha256sum says it." name:"model-sha256" placeholder:"HEX" group:"How"`
	VeilCell    int    `help:"Side of the veil's cells in pixels; larger hides more (default and least: a third of the frame's height, so that a head spans at most 4)." placeholder:"N" group:"How"`
	Solid       bool   `help:"Fill what is veiled with one grey instead of cells." group:"How"`

	Worker   string        `help:"The program veil-redact (default: beside veilctl, else ${installed})." placeholder:"FILE" type:"path" group:"How"`
	FFmpeg   string        `help:"The ffmpeg to use (default: the system's)." name:"ffmpeg" placeholder:"FILE" group:"How"`
	Encoder  string        `help:"ffmpeg's name of the H.264 encoder; one in hardware that fails falls back to libx264, with a notice." default:"libx264" group:"How"`
	Preset   string        `help:"The encoder's preset." default:"veryfast" group:"How"`
	CRF      int           `help:"Quality, 1 (best, largest) to 26." default:"20" name:"crf" group:"How"`
	MaxTime  time.Duration `help:"Give up after this long." default:"6h" group:"How"`
	Degraded bool          `help:"Go on where this kernel lacks part of the sandbox. Not for video from strangers." name:"allow-degraded-sandbox" group:"How"`

	written []string // besides the copy, in order
}

// Help is shown below the flags.
func (*redactCmd) Help() string {
	return `Everything but the subject is veiled, the sound and the metadata are gone, and the finished file is read back and checked against what was to be veiled.

The subject file is JSON:

  {"version": 1,
   "keyframes": [
     {"at": 2.0, "rect": {"x": 0.42, "y": 0.30, "w": 0.08, "h": 0.35}},
     {"at": 9.5, "gone": true}]}

"at" is in seconds from the first frame. "rect" is where the subject is, in fractions of the frame's width and height from the top left. "gone" says that the subject is not in the picture from then until the next keyframe. One rectangle is enough to begin; more are corrections. Several subjects are {"version": 2, "subjects": [...]} with the above for each.

Exit status: 0 the copy is proven and written; 2 the command line cannot be used; 3 the video, the subject file or the choice cannot be used; 4 a copy was made and did not pass the check; 5 this machine cannot do it (a program, the encoder, the sandbox or the model); 6 it took longer than --max-time; 130 it was interrupted; 1 anything else. Unless it is 0, no copy was written.`
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
	Media    string          `json:"media"`
	Mode     string          `json:"mode"`
	Copy     string          `json:"copy"`
	Clip     string          `json:"clip"`
	Proof    string          `json:"proof"`
	Sheet    string          `json:"sheet"`
	Sound    bool            `json:"sound"`
	Pictures int             `json:"pictures"`
	Unsure   []spanSeconds   `json:"unsure"`
	Flagged  []spanSeconds   `json:"flagged"`
	Notices  []redact.Notice `json:"notices"`
}

type spanSeconds struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// notices are what they mean, for a person.
var notices = map[redact.Notice]string{
	work.NoticeSoftware:   "the encoder failed: libx264 coded the copy",
	work.NoticeNoDetector: "nobody was detected: veil-detect is missing or failed; look at what is revealed with more care",
	work.NoticeNoScene:    "nothing of the scene is proven to be still, so all of it is veiled: give --background hours of the same camera",
	work.NoticeNoSound:    "the clip has no sound to keep",
}

func (c *redactCmd) Run(e *env) error {
	if err := c.run(e); err != nil {
		return c.status(e, err)
	}
	return nil
}

// status gives err its exit status.
func (c *redactCmd) status(e *env, err error) error {
	var u usageError
	var s statusError
	var p *problem.Problem
	switch {
	case errors.As(err, &u), errors.As(err, &s):
		return err
	case e.ctx.Err() != nil && errors.Is(err, context.Canceled):
		return statusError{errors.New("interrupted; nothing was written"), exitInterrupted}
	case !errors.As(err, &p):
		return err
	}
	switch p.Code {
	case redact.NotProven.Code:
		return statusError{err, exitNotProven}
	case redact.TimedOut.Code:
		return statusError{err, exitTime}
	case redact.NoWorker.Code, codec.NoFFmpeg.Code, codec.NoEncoder.Code, sandbox.Degraded.Code, detect.BadModel.Code, detect.NoDetector.Code:
		return statusError{err, exitMachine}
	case redact.Crashed.Code:
		return err
	}
	return statusError{err, exitInput}
}

func (c *redactCmd) run(e *env) (err error) {
	job, err := c.job(e)
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
	if err := errors.Join(c.apart(in), c.room(), c.folders()); err != nil {
		return err
	}
	w := &redact.Worker{Path: path, FFmpeg: c.FFmpeg,
		// Refusals are told once, by the error; what breaks is worth the detail.
		Log:     slog.New(slog.NewTextHandler(e.Err, &slog.HandlerOptions{Level: slog.LevelError})),
		Detect:  redact.Detect{On: c.Detect || c.Detector != "" || c.Model != "", Path: c.Detector, Model: c.Model, SHA256: c.ModelSHA256},
		Encoder: redact.Encoder{Codec: c.Encoder, Preset: c.Preset, Quality: c.CRF},
		Veil:    redact.Veil{Cell: c.VeilCell, Solid: c.Solid},
		Limits:  redact.Limits{ClipBytes: 64 << 30, CopyBytes: 64 << 30, Time: c.MaxTime},
		Sandbox: redact.Policy{AllowDegraded: c.Degraded}}
	store := &fileStore{dir: filepath.Dir(c.Out)}
	meter := &meter{e: e}
	// Whatever goes wrong from here, no unjudged copy stays behind.
	defer func() { err = errors.Join(err, store.Remove()) }()
	made, err := w.Produce(e.ctx, job, in, store, meter.show)
	if err != nil {
		return err
	}
	meter.end()
	err = c.extras(made)
	if err == nil {
		err = store.commit(c.Out)
	}
	if err != nil {
		return errors.Join(err, c.undo())
	}
	return c.tell(e, made)
}

// tell shows what came of it.
func (c *redactCmd) tell(e *env, made redact.Copy) error {
	v := redacted{File: c.Out, Media: made.Media(), Mode: made.Mode().String(), Copy: made.Hash().String(), Clip: made.Clip().String(),
		Proof: made.ProofHash().String(), Sheet: made.SheetHash().String(), Sound: made.Sound(), Pictures: len(made.Sheet()),
		Unsure: inSeconds(made.Unsure()), Flagged: inSeconds(made.Flagged()), Notices: made.Notices()}
	rows := table{{"copy", v.File}, {"SHA-256", v.Copy}, {"proof", "passed, " + v.Proof}, {"revealed", counted(v.Pictures, "picture")}}
	if v.Sound {
		rows = append(rows, []string{"sound", "kept: " + made.Choice().Sound})
	}
	for _, u := range v.Flagged {
		rows = append(rows, []string{"look", when(made, u) + "somebody else may be seen; a keyframe there makes it sure"})
	}
	for _, u := range v.Unsure {
		rows = append(rows, []string{"veiled", when(made, u) + "a track was not sure, so its subject is veiled too; a keyframe there would show it"})
	}
	for _, n := range v.Notices {
		said := notices[n]
		if n == work.NoticeNoScene && c.Crop != nil {
			said = "a cropped picture has no scene: what is not the subject is veiled; leave out --crop to show it"
		}
		e.notice("notice: %s", said)
	}
	if c.Proof == "-" {
		if _, err := e.Out.Write(append(made.Proof(), '\n')); err != nil {
			return fmt.Errorf("ctl: standard output: %w", err)
		}
		return nil
	}
	return e.show(v, rows)
}

// when begins what is said of a span; a picture has no times.
func when(made redact.Copy, u spanSeconds) string {
	if made.Still() {
		return ""
	}
	return fmt.Sprintf("%.1f to %.1f s: ", u.From, u.To)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func inSeconds(spans []footage.Span) []spanSeconds {
	out := make([]spanSeconds, len(spans))
	for i, s := range spans {
		out[i] = spanSeconds{seconds(s.From), seconds(s.To)}
	}
	return out
}

func seconds(t footage.Ticks) float64 { return float64(t) / footage.TicksPerSecond }

// apart refuses an output that is the input.
func (c *redactCmd) apart(in *os.File) error {
	i, err := in.Stat()
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	for _, name := range []string{c.Out, c.Proof, c.Sheet, c.Tracks} {
		if name == "" {
			continue
		}
		out, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("ctl: %w", err)
		case os.SameFile(i, out):
			return usage("IN and %s are the same file: give the other another name", name)
		case !out.Mode().IsRegular() && (name != c.Sheet || !out.IsDir()):
			return usage("%s is there and is no file: give it another name", name)
		}
	}
	return nil
}
