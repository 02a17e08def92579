// Package detect finds persons and faces in frames, by a child process that
// holds OpenCV: veil-detect. What it finds only ever adds: somebody to click
// instead of drawing a box, a flag, an overlap. Nothing may be shown because
// nobody was detected.
//
// Shapes and units: a frame is a plane of luma, 8 bits a sample, row after row
// without padding, of 32 to 4096 samples each way. Boxes are in fractions of the
// frame, origin at the top left. A score is from 0 to 1 and means something
// within one detector only.
//
// Three detectors can be had:
//
//   - Standing persons by OpenCV's own histogram of oriented gradients (Dalal
//     and Triggs 2005), where no model is given; it needs no file. Its window is
//     64 by 128 samples for a person of 96, so frames are first scaled to
//     Options.Detail samples on the long side (up to four times as large), and
//     looked at again at 400 with finer steps of size, for who is near. The
//     smallest person it finds is 96/Detail of the long side: at 1280, 7.5 % of
//     the width, or 10 % of the height of a 4:3 picture and 13 % of 16:9. The
//     score is w/(1+w), w being the distance from the plane of the classifier.
//     It is made for people who stand or walk in the open: on vtest.avi, from
//     planes of 384x288, it finds 38 of 44 persons in eight frames, with one box
//     too many, for 0.2 s of processor time a frame (30 of 44 for 0.1 s at a
//     Detail of 960). In a shop's aisle, with people near, bent, half behind goods
//     or cut by the edge of the picture, it finds about one in ten: there a model
//     is worth its trouble.
//   - Faces by a cascade of Haar features, where Options.Cascade has the text of
//     one, such as haarcascade_frontalface_alt2.xml of Debian's opencv-data. It
//     finds upright faces turned to the camera of at least 3 % of the frame's
//     long side, for another 0.1 s a frame; cameras under a ceiling seldom see
//     one, so it is off unless asked for. The score is n/(n+3) for n overlapping
//     hits.
//   - An operator's own model in ONNX, in place of the persons above.
//
// A model has one input, float32 of 1 x 3 x H x W or 1 x 1 x H x W, H and W from
// 32 to 2048; where the file leaves them open they are 640. Samples are luma
// divided by 255, the same in each channel. The frame is scaled to fit, centred,
// and the rest is 114/255. It has one output, float32, in one of two shapes:
//
//	1 x N x (5+C)   each row: cx cy w h, objectness, C class scores (YOLOv5)
//	1 x (4+C) x N   each column: cx cy w h, C class scores         (YOLOv8)
//
// N being the number of candidates, at most 131,072, and C of classes, 1 to
// 1,000. The longer side is N, which tells them apart; a square output is
// refused. Centre and size are in samples of the input, scores from 0 to 1; the
// score of a box is that of its best class that was asked for, times objectness
// where there is one. Of boxes that overlap by more than 0.45 (intersection over
// union) the best is kept. Every value of a candidate that counts must be finite
// and in range, or the frame ends in an error.
//
// veil-detect is started from within redact/sandbox and inherits all of it. It
// has three pipes and the sealed files that it is passed, no path of its own, and
// is still not believed: the model and every pixel are hostile, so what it says
// is bounded, its numbers are checked and its boxes cut to the frame.
package detect

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// The problems of this package. NoDetector is no failure of redaction: detection
// is off then, and the copy is as safe as with it.
var (
	NoDetector = problem.New(http.StatusServiceUnavailable, "redact.detector",
		problem.Text{DA: "Genkendelse af personer er slået fra: veil-detect eller OpenCV mangler på denne maskine.",
			EN: "Detection of persons is off: veil-detect or OpenCV is missing on this machine."},
		problem.Text{DA: "Sløringen virker uden. Installér OpenCV fra Debian (se docs/dependencies.md), og læg veil-detect ved siden af veil-redact.",
			EN: "Veiling works without it. Install OpenCV from Debian (see docs/dependencies.md), and put veil-detect beside veil-redact."})
	BadModel = problem.New(http.StatusUnprocessableEntity, "redact.model",
		problem.Text{DA: "Modellen til genkendelse af personer kan ikke bruges.", EN: "The model that detects persons cannot be used."},
		problem.Text{DA: "Ret modellens sti og SHA-256 i opsætningen (sha256sum viser den), eller fjern modellen, så den indbyggede genkendelse bruges.",
			EN: "Correct the model's path and SHA-256 in the configuration (sha256sum shows it), or remove the model to use the built-in detection."})
)

// ErrFailed is the error of a detector that ended, answered nonsense or did not
// answer in time. Go on without detection.
var ErrFailed = errors.New("detect: the detector failed")

// Kind is what a box holds.
type Kind uint8

// Kinds of boxes.
const (
	Person Kind = 1
	Face   Kind = 2
)

func (k Kind) String() string {
	switch k {
	case Person:
		return "person"
	case Face:
		return "face"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// A Box is one person or face.
type Box struct {
	Kind  Kind         `json:"kind"`
	Rect  subject.Rect `json:"rect"`  // within the frame
	Score float32      `json:"score"` // 0 to 1
}

// Bounds of what goes between the two programs.
const (
	MinSide    = 32
	MaxSide    = 4096
	MaxBoxes   = 256       // of a frame
	MaxClasses = 16        // of a model, asked for
	MaxModel   = 256 << 20 // bytes
	MaxCascade = 16 << 20  // bytes
)

// Options are what Start is asked for. The zero value of a field is its default.
type Options struct {
	Tool          Tool
	Width, Height int      // of every frame
	Model         *os.File // from Model.Open or Kept; nil: the built-in detector
	Persons       []int    // classes of the model that are persons; default 0, unless Faces has one
	Faces         []int    // classes of the model that are faces
	Cascade       *os.File // from OpenCascade or Kept; nil: no faces but the model's
	Threshold     float32  // least score; default 0.3, and 0.4 for a model
	Detail        int      // long side of the scaled frame, 256 to 4096; default 1280
	Threads       int      // default 1
	Timeout       time.Duration
	Clock         clock.Clock // of Timeout, for one frame or the start; default 30 s of clock.System
}

func (o *Options) header() (Header, error) {
	h := Header{Width: o.Width, Height: o.Height, Threshold: o.Threshold, Detail: o.Detail, Threads: o.Threads,
		Model: o.Model != nil, Cascade: o.Cascade != nil, Persons: o.Persons, Faces: o.Faces}
	if h.Detail == 0 {
		h.Detail = 1280
	}
	if h.Threads == 0 {
		h.Threads = 1
	}
	if h.Threshold == 0 {
		h.Threshold = 0.3
		if h.Model {
			h.Threshold = 0.4
		}
	}
	if h.Model && len(h.Persons)+len(h.Faces) == 0 {
		h.Persons = []int{0}
	}
	return h, h.check()
}

// A Tool is the program veil-detect.
type Tool struct {
	Path string `json:"path"` // absolute
}

// Find returns the tool. An empty path means the one beside the running program.
// NoDetector says that there is none.
func Find(path string) (Tool, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return Tool{}, NoDetector.With(fmt.Errorf("detect: %w", err))
		}
		path = filepath.Join(filepath.Dir(self), "veil-detect")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Tool{}, NoDetector.With(fmt.Errorf("detect: %w", err))
	}
	info, err := os.Stat(abs)
	if err != nil {
		return Tool{}, NoDetector.With(fmt.Errorf("detect: %w", err))
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return Tool{}, NoDetector.With(fmt.Errorf("detect: %s is no program", abs))
	}
	return Tool{Path: abs}, nil
}
