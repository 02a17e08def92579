package simulate

import (
	"log/slog"
	"net/http"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// A Size is a picture's width and height in pixels; zero means as found.
type Size struct{ Width, Height int }

// Options say what to send and how. Nasty ones are for tests.
type Options struct {
	Files    []string      // looped one after the other
	Listen   string        // "127.0.0.1:0" if empty
	Username string        // "demo" if empty
	Password string        // none is not allowed
	FFmpeg   string        // "ffmpeg" if empty
	Size     Size          // 1280x720 if zero, padded where the shape differs
	AsFound  bool          // keep the files' own size
	SubSize  Size          // 640x360 if zero
	FPS      int           // as found if zero; 10 for MJPEG
	GOP      time.Duration // from keyframe to keyframe; a second if zero
	Codec    footage.Codec // H264 if zero
	Clock    clock.Clock
	Log      *slog.Logger

	Audio footage.AudioCodec // of the tone; none if zero
	LATM  bool               // AAC as MP4A-LATM (RFC 6416), else as MPEG4-GENERIC (RFC 3640)
	UDP   bool               // over UDP only
	TLS   bool               // at rtsps, with a certificate of its own

	BFrames int  // between two others
	Slices  int  // of a picture
	Then    Size // the files once more in this size: a picture that changes in mid-stream

	DropAfter        int  // cut all connections after so many pictures, each time
	WrongPassword    bool // refuse every password
	ParamsOnlyInBand bool // leave the parameter sets out of the description
	MarkSEI          bool // an SEI before each picture, in a packet of its own with the mark
	MarkSlices       bool // the mark on each NAL unit

	RTPStart uint32  // RTP time of the first picture; it wraps at 2^32
	Jumps    []Jump  // of RTP time
	Drift    float64 // how much faster RTP time runs than the clock: 0.001 is a second in 1000
}

// A Jump moves RTP time once.
type Jump struct {
	After time.Duration // from the first picture
	By    time.Duration
}

// stamp returns the RTP time of an instant of the stream.
func (o *Options) stamp(ticks int64) uint32 { return o.RTPStart + uint32(o.shifted(ticks)) }

func (o *Options) shifted(ticks int64) int64 {
	at := ticks + int64(float64(ticks)*o.Drift)
	for _, j := range o.Jumps {
		if ticks >= int64(footage.TicksIn(j.After)) {
			at += int64(footage.TicksIn(j.By))
		}
	}
	return at
}

type text = problem.Text

var (
	errFFmpeg = problem.New(http.StatusInternalServerError, "simulate.ffmpeg",
		text{DA: "Optagelsen kunne ikke omsættes til en videostrøm.", EN: "The footage could not be turned into a video stream."},
		text{DA: "Kontrollér, at ffmpeg (5.1 eller nyere) er installeret, og at filen er en video.", EN: "Check that ffmpeg (5.1 or later) is installed and that the file is a video."})
	errListen = problem.New(http.StatusInternalServerError, "simulate.listen",
		text{DA: "Adressen er optaget eller findes ikke på maskinen.", EN: "The address is taken or not on this machine."},
		text{DA: "Vælg en anden port, eller luk det program, der bruger den.", EN: "Choose another port, or close the program that uses it."})
	errOptions = problem.New(http.StatusBadRequest, "simulate.options",
		text{DA: "Det simulerede kamera mangler en fil eller en adgangskode.", EN: "The simulated camera lacks a file or a password."},
		text{DA: "Angiv mindst én videofil og en adgangskode.", EN: "Name at least one video file and a password."})
)

func (o *Options) orDefault() error {
	if len(o.Files) == 0 || o.Password == "" {
		return errOptions
	}
	def(&o.Listen, "127.0.0.1:0")
	def(&o.Username, "demo")
	def(&o.FFmpeg, "ffmpeg")
	def(&o.Codec, footage.H264)
	def(&o.SubSize, Size{640, 360})
	def(&o.GOP, time.Second)
	if o.Codec == footage.MJPEG {
		def(&o.FPS, 10)
		o.BFrames, o.Slices, o.MarkSEI = 0, 0, false
	}
	if o.AsFound {
		o.Size = Size{}
	} else {
		def(&o.Size, Size{1280, 720})
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
