//go:build linux

// Package redact turns a clip and a subject into a Copy: an MP4 in which
// everything but the subject is veiled beyond recovery, together with the proof
// that this is so. There is no Copy without a passing proof.
//
// The work is done by veil-redact, a process of its own in a sandbox, twice: one
// makes the copy, another, which knows nothing of the first but the mask, reads
// the finished file back and judges it (redact/proof). This side decodes
// nothing. It moves bytes, counts them, hashes them and compares.
//
// Before that a person marks the subjects: a Session keeps a process with the
// clip in its memory, which tracks, shows and corrects. What it found is given
// to the Job, and the copy shows no block more than that.
//
// Times are ticks of 1/90000 s from the clip's first frame, unless they are
// called seconds. Errors that a person can act on are *problem.Problem with
// codes "redact.…".
package redact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/codec"
	"veilbox/redact/sandbox"
	"veilbox/redact/work"
)

// The problems of this package, besides those of redact/codec, redact/sandbox
// and redact/work.
var (
	NoWorker = problem.New(http.StatusServiceUnavailable, "redact.worker",
		problem.Text{DA: "Programmet veil-redact mangler eller kan ikke startes.", EN: "The program veil-redact is missing or cannot be started."},
		problem.Text{DA: "Installér Veilbox igen, og se i loggen hvorfor.", EN: "Install Veilbox again, and see in the log why."})
	Crashed = problem.New(http.StatusUnprocessableEntity, "redact.crashed",
		problem.Text{DA: "Sløringen gik i stå på dette klip. Intet er gemt.", EN: "The redaction broke down on this clip. Nothing was kept."},
		problem.Text{DA: "Prøv igen med et kortere tidsrum; loggen har årsagen.", EN: "Try again with a shorter span; the log has the cause."})
	TimedOut = problem.New(http.StatusUnprocessableEntity, "redact.time",
		problem.Text{DA: "Sløringen tog for lang tid og blev standset.", EN: "The redaction took too long and was stopped."},
		problem.Text{DA: "Vælg et kortere tidsrum, eller hæv tidsgrænsen i opsætningen.", EN: "Choose a shorter span, or raise the time limit in the configuration."})
	WrongClip = problem.New(http.StatusConflict, "redact.clip",
		problem.Text{DA: "Klippet er ikke det, sagen henviser til.", EN: "The clip is not the one that the case names."},
		problem.Text{DA: "Hent klippet igen fra optagelsen.", EN: "Fetch the clip from the recording again."})
	BadChoice = problem.New(http.StatusUnprocessableEntity, "redact.choice",
		problem.Text{DA: "Det, kopien skal vise, hænger ikke sammen.", EN: "What the copy is to show does not add up."},
		problem.Text{DA: "Se valgene efter: visning, stillbillede, tid og sted, lyd og de områder, der altid sløres.",
			EN: "Look at the choices again: mode, still, time and place, sound, and the regions that are always veiled."})
	NoScene = problem.New(http.StatusServiceUnavailable, "redact.scene",
		problem.Text{DA: "Timerne fra samme kamera, som den stille baggrund læres af, kan ikke læses.", EN: "The hours of the same camera that the still scene is learnt from cannot be read."},
		problem.Text{DA: "Vælg en anden visning, eller prøv igen, når kameraet har optaget i nogle timer.", EN: "Choose another mode, or try again when the camera has recorded for some hours."})
	NotProven = problem.New(http.StatusUnprocessableEntity, "redact.proof",
		problem.Text{DA: "Den færdige kopi bestod ikke kontrollen og blev kasseret.", EN: "The finished copy did not pass the check and was thrown away."},
		problem.Text{DA: "Ret markeringen, og lav kopien igen. Sker det igen, så kontakt driften.", EN: "Correct the marking and make the copy again. If it happens again, call the operator."})
)

// An Encoder says how the copy is coded; its zero value is the default.
type Encoder = codec.Encoder

// Veil says how the veil is made; its zero value is the default.
type Veil = work.Veil

// Limits bound one job. Zero values are the defaults.
type Limits struct {
	ClipBytes    int64         // 1 GiB
	CopyBytes    int64         // 1 GiB
	PlaneBytes   int64         // memory of the tracker, 256 MiB
	Width        int           // 4096
	Height       int           // 2304
	Length       time.Duration // of the clip, 2 h
	Time         time.Duration // that a process may take, 6 h
	Stall        time.Duration // that it may take without getting anywhere, 40 s
	CPU          time.Duration // of one process, 12 h
	AddressSpace int64         // of one process, 8 GiB
}

func (l Limits) defaults() Limits {
	or := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	or(&l.ClipBytes, 1<<30)
	or(&l.CopyBytes, 1<<30)
	or(&l.PlaneBytes, 256<<20)
	or(&l.AddressSpace, 8<<30)
	or((*int64)(&l.Length), int64(2*time.Hour))
	or((*int64)(&l.Time), int64(6*time.Hour))
	or((*int64)(&l.CPU), int64(12*time.Hour))
	or((*int64)(&l.Stall), int64(40*time.Second))
	if l.Width == 0 {
		l.Width = 4096
	}
	if l.Height == 0 {
		l.Height = 2304
	}
	return l
}

// A Policy says what the sandbox may lack and what it may read.
type Policy struct {
	// AllowDegraded goes on where the kernel lacks Landlock or seccomp.
	AllowDegraded bool
	// ReadOnly are files and folders that ffmpeg needs besides the libraries
	// of the system.
	ReadOnly []string
}

// Detect says who looks for persons and faces (redact/detect). The zero value:
// nobody. Where veil-detect is missing the work goes on without, with a notice.
type Detect struct {
	On     bool
	Path   string // of veil-detect; "" = beside veil-redact
	Model  string // path of an operator's ONNX model; "" = the built-in detector
	SHA256 string // that the model must have, hexadecimal
}

// A Worker starts veil-redact. It may be used by several goroutines.
type Worker struct {
	Path    string // of veil-redact
	Detect  Detect
	FFmpeg  string // "" = the system's; ffprobe lies beside it
	Encoder Encoder
	Veil    Veil
	Limits  Limits
	Sandbox Policy
	Log     *slog.Logger // nil = none
}

// A Notice is what went otherwise than was asked and is no failure.
type Notice = work.Notice

// Progress says how far a job is. Stages, in order: receive, decode, track,
// veil, write, prove. Total is 0 where it is not known.
type Progress = work.Progress

// Storage keeps the bytes of one copy.
type Storage interface {
	// Create begins the copy anew. Closing what it returns commits it.
	Create() (io.WriteCloser, error)
	Open() (io.ReadCloser, error)
	// Remove throws away what is there, if anything is.
	Remove() error
}

// Still returns one frame of clip as a JPEG of at most maxWidth pixels: the
// first at or after at seconds from its start, or its first where there is none.
func (w *Worker) Still(ctx context.Context, clip io.Reader, at float64, maxWidth int) ([]byte, error) {
	l := w.Limits.defaults()
	e := exchange{feed: feed{job: w.job(work.KindStill, l), input: clip}, most: 16 << 20, keep: true}
	e.job.At, e.job.Width = at, maxWidth
	if err := w.run(ctx, &e); err != nil {
		return nil, err
	}
	if c, err := jpeg.DecodeConfig(bytes.NewReader(e.body)); err != nil || c.Width > max(l.Width, l.Height) {
		return nil, Crashed.With(fmt.Errorf("redact: the still is no JPEG: %w", err))
	}
	return e.body, nil
}

// MaxStills is how many stills one call of Stills gives.
const MaxStills = work.MaxStills

// Stills returns the first n frames of movie as JPEGs of at most width pixels.
// A frame that cannot be decoded is left out.
func (w *Worker) Stills(ctx context.Context, movie io.Reader, width, n int) ([][]byte, error) {
	l := w.Limits.defaults()
	e := exchange{feed: feed{job: w.job(work.KindStills, l), input: movie}, most: 64 << 20, keep: true}
	e.job.Width, e.job.Count = max(16, min(width, l.Width)), max(1, min(n, MaxStills))
	if err := w.run(ctx, &e); err != nil {
		return nil, err
	}
	out := make([][]byte, len(e.ends))
	from := 0
	for i, end := range e.ends {
		out[i] = e.body[from:end:end]
		from = end
		if c, err := jpeg.DecodeConfig(bytes.NewReader(out[i])); err != nil || c.Width > e.job.Width {
			return nil, Crashed.With(fmt.Errorf("redact: still %d is no JPEG of at most %d pixels: %w", i, e.job.Width, err))
		}
	}
	if len(out) > e.job.Count {
		return nil, Crashed.With(fmt.Errorf("redact: %d stills for %d", len(out), e.job.Count))
	}
	return out, nil
}

// Playable codes movie anew as H.264 that every browser plays, on the same time
// line frame by frame, without its sound, and keeps it in store. Nothing is
// veiled. Whatever fails leaves nothing in store. Reading movie must end when
// ctx does. Progress has the stages receive, decode and write.
func (w *Worker) Playable(ctx context.Context, movie io.Reader, store Storage, progress func(Progress)) error {
	l := w.Limits.defaults()
	e := exchange{feed: feed{job: w.job(work.KindPlay, l), input: movie}, progress: progress, most: l.CopyBytes + 64<<20, create: store.Create}
	// Somebody waits for it, and it is thrown away soon: speed before size.
	e.job.Encoder.Preset, e.job.Encoder.Quality = "ultrafast", 23
	err := w.run(ctx, &e)
	if err == nil && (e.size == 0 || e.size != e.result.Size) {
		err = Crashed.With(fmt.Errorf("redact: %d bytes arrived of %d", e.size, e.result.Size))
	}
	if err == nil && e.result.Clip != e.sent {
		err = Crashed.With(errors.New("redact: the worker read another movie than it was sent"))
	}
	if err != nil {
		return discard(store, err)
	}
	return nil
}

// Status is what Check found.
type Status struct {
	FFmpeg   string         `json:"ffmpeg"` // its version
	Sandbox  sandbox.Status `json:"sandbox"`
	Degraded bool           `json:"degraded"`
	// NoDetector says that persons are to be looked for and veil-detect is
	// missing: redaction works without.
	NoDetector bool `json:"no_detector"`
}

// Check starts the worker and has it try, from within the sandbox, what must
// fail. The error says what keeps redaction from working.
func (w *Worker) Check(ctx context.Context) (Status, error) { return w.check(ctx, 0) }

func (w *Worker) check(ctx context.Context, port int) (Status, error) {
	look, err := w.detector(w.Detect.On)
	if err != nil {
		return Status{}, err
	}
	look.close()
	e := exchange{feed: feed{job: w.job(work.KindCheck, w.Limits.defaults()), input: strings.NewReader("")}}
	e.job.Port = port
	if err := w.run(ctx, &e); err != nil {
		return Status{}, err
	}
	s := Status{FFmpeg: e.result.Tool, Sandbox: e.result.Sandbox, Degraded: e.result.Sandbox.Degraded(), NoDetector: look.missing}
	if !w.Sandbox.AllowDegraded {
		if err := s.Sandbox.Holds(); err != nil {
			return s, sandbox.Degraded.With(err)
		}
	}
	return s, nil
}

func (w *Worker) job(kind string, l Limits) work.Job {
	return work.Job{Kind: kind, Encoder: w.Encoder, Veil: w.Veil,
		Limits: work.Limits{Input: l.ClipBytes, Output: l.CopyBytes, Planes: l.PlaneBytes,
			Picture: codec.Limits{Width: l.Width, Height: l.Height, Seconds: l.Length.Seconds()}}}
}

func sum(b []byte) footage.Hash { return sha256.Sum256(b) }
