// Package codec runs ffmpeg and ffprobe as child processes: compressed video
// in by a file in memory, planes out and in by pipes, H.264 out by a pipe.
//
// Shapes and units: planes are tightly packed, yuv420p (ITU-T H.264 §6.2, 8
// bits a sample) or luma alone. Times are ticks of 1/90000 s from the clip's
// first frame, strictly rising. Pictures are as a player shows them: turned by
// their rotation metadata, cut to even sides.
//
// The input is never trusted: sizes and lengths have bounds, what a child says
// is cut and cleaned before it is quoted, and nothing here is safe to run
// outside redact/sandbox. Any ffmpeg from 5.1 on will do.
package codec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"veilbox/internal/problem"
)

// The problems of this package.
var (
	NoFFmpeg = problem.New(http.StatusServiceUnavailable, "redact.ffmpeg",
		problem.Text{DA: "ffmpeg mangler eller er for gammel på denne maskine.", EN: "ffmpeg is missing or too old on this machine."},
		problem.Text{DA: "Installér ffmpeg 5.1 eller nyere (apt install ffmpeg).", EN: "Install ffmpeg 5.1 or later (apt install ffmpeg)."})
	NotVideo = problem.New(http.StatusUnprocessableEntity, "redact.not-video",
		problem.Text{DA: "Filen indeholder ingen video, der kan læses.", EN: "The file holds no video that can be read."},
		problem.Text{DA: "Vælg en videofil (MP4, MKV, AVI, H.264, H.265 eller MJPEG), og se, om den kan afspilles.",
			EN: "Choose a video file (MP4, MKV, AVI, H.264, H.265 or MJPEG), and see whether it plays."})
	Truncated = problem.New(http.StatusUnprocessableEntity, "redact.truncated",
		problem.Text{DA: "Klippet er afkortet: slutningen af filen mangler.", EN: "The clip is cut short: the end of the file is missing."},
		problem.Text{DA: "Hent klippet igen fra optagelsen.", EN: "Fetch the clip from the recording again."})
	TooLarge = problem.New(http.StatusUnprocessableEntity, "redact.too-large",
		problem.Text{DA: "Klippet er for langt, eller billedet er for stort til at blive sløret.", EN: "The clip is too long, or its picture too large, to be veiled."},
		problem.Text{DA: "Vælg et kortere tidsrum eller kameraets mindre strøm.", EN: "Choose a shorter span, or the camera's smaller stream."})
	NoEncoder = problem.New(http.StatusInternalServerError, "redact.encoder",
		problem.Text{DA: "Videokoderen kunne ikke skrive kopien.", EN: "The video encoder could not write the copy."},
		problem.Text{DA: "Sæt koderen til libx264 i opsætningen, eller installér den valgte koder.",
			EN: "Set the encoder to libx264 in the configuration, or install the one that is chosen."})
)

// Tools are the two programs.
type Tools struct {
	FFmpeg, FFprobe string // absolute paths
}

// Find returns the tools. An empty path means the one of the system; ffprobe
// lies beside ffmpeg.
func Find(ffmpeg string) (Tools, error) {
	if ffmpeg == "" {
		p, err := exec.LookPath("ffmpeg")
		if err != nil {
			return Tools{}, NoFFmpeg.With(err)
		}
		ffmpeg = p
	}
	abs, err := filepath.Abs(ffmpeg)
	if err != nil {
		return Tools{}, NoFFmpeg.With(err)
	}
	t := Tools{FFmpeg: abs, FFprobe: filepath.Join(filepath.Dir(abs), "ffprobe")}
	for _, p := range []string{t.FFmpeg, t.FFprobe} {
		if info, err := os.Stat(p); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return Tools{}, NoFFmpeg.With(fmt.Errorf("codec: %s is no program: %w", p, errors.Join(err, os.ErrNotExist)))
		}
	}
	return t, nil
}

var (
	versionLine = regexp.MustCompile(`^ffmpeg version (\S{1,64})`)
	libavcodec  = regexp.MustCompile(`(?m)^\s*libavcodec\s+(\d+)\.\s*(\d+)`)
)

// Version returns the version of ffmpeg, or NoFFmpeg where it does not run or
// is before 5.1. The library's number is what decides: builds from source name
// themselves as they like.
func (t Tools) Version(ctx context.Context) (string, error) {
	var out tail
	out.keep = 16 << 10
	c, cleanup, err := t.command(ctx, t.FFmpeg, "-hide_banner", "-version")
	if err != nil {
		return "", err
	}
	defer cleanup()
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		return "", NoFFmpeg.With(fmt.Errorf("codec: ffmpeg -version: %w: %s", err, out.clean()))
	}
	v := versionLine.FindStringSubmatch(string(out.b))
	lib := libavcodec.FindStringSubmatch(string(out.b))
	if v == nil || lib == nil {
		return "", NoFFmpeg.With(fmt.Errorf("codec: ffmpeg -version answers %q", out.clean()))
	}
	major, _ := strconv.Atoi(lib[1]) // digits, by the pattern; a number too large is 0 and refused
	minor, _ := strconv.Atoi(lib[2])
	if major < 59 || major == 59 && minor < 37 {
		return "", NoFFmpeg.With(fmt.Errorf("codec: ffmpeg %s has libavcodec %d.%d, 59.37 or later is needed", v[1], major, minor))
	}
	return v[1], nil
}

// command returns c with an empty environment and no input. Its child dies
// with this process. cleanup closes what was opened for it.
func (t Tools) command(ctx context.Context, program string, args ...string) (c *exec.Cmd, cleanup func(), err error) {
	// The sandbox has no /dev/null: a pipe whose other end is closed reads empty.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("codec: %w", err)
	}
	w.Close() // a pipe nobody has written to
	c = exec.CommandContext(ctx, program, args...)
	c.Env = []string{}
	c.Stdin = r
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.WaitDelay = 2 * time.Second
	return c, func() { r.Close() }, nil
}

// tail keeps the beginning of what a child says and drops the rest.
type tail struct {
	mu   sync.Mutex
	b    []byte
	keep int
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	keep := t.keep
	if keep == 0 {
		keep = 1 << 10
	}
	t.b = append(t.b, p[:min(len(p), max(0, keep-len(t.b)))]...)
	return len(p), nil
}

// clean returns the text as one line of plain ASCII: it may quote the input.
func (t *tail) clean() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := bytes.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, t.b)
	return strings.TrimSpace(string(s[:min(len(s), 600)]))
}
