package codec

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// An Encoder says how the copy is coded. Zero values mean the defaults.
type Encoder struct {
	Codec   string  `json:"codec"`   // ffmpeg's name of an H.264 encoder; libx264
	Preset  string  `json:"preset"`  // of libx264; veryfast
	Quality int     `json:"quality"` // constant quality, 1 to MaxQuality, lower is better; 20
	GOP     float64 `json:"gop"`     // seconds between keyframes; 1
	Threads int     `json:"threads"` // 0 = as many as there are cores
	// Keys are frames that are keyframes in any case, by rising number; with
	// EachKey all are. They are of one copy and not of the encoder: JSON leaves
	// them out.
	Keys    []int `json:"-"`
	EachKey bool  `json:"-"`
}

// MaxQuality is the coarsest quality. Above it an encoder saves bits by leaving
// traces of what has moved away in flat cells: at 23 real footage comes near
// the tolerance of redact/proof, at 30 past it. A veiled copy is small anyway.
const MaxQuality = 26

// Defaults returns e with its zero values filled in.
func (e Encoder) Defaults() Encoder {
	if e.Codec == "" {
		e.Codec = "libx264"
	}
	if e.Preset == "" {
		e.Preset = "veryfast"
	}
	if e.Quality == 0 {
		e.Quality = 20
	}
	if e.GOP == 0 {
		e.GOP = 1
	}
	return e
}

var word = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// Check returns what is wrong with e.
func (e Encoder) Check() error {
	e = e.Defaults()
	if !word.MatchString(e.Codec) || !word.MatchString(e.Preset) {
		return NoEncoder.With(fmt.Errorf("codec: encoder %q with preset %q: give ffmpeg's names, such as libx264 and veryfast", e.Codec, e.Preset))
	}
	if e.Quality < 1 || e.Quality > MaxQuality || !(e.GOP >= 0.1 && e.GOP <= 10) || e.Threads < 0 || e.Threads > 64 {
		return NoEncoder.With(fmt.Errorf("codec: quality %d (1 to %d), keyframes each %g s (0.1 to 10), %d threads (0 to 64)", e.Quality, MaxQuality, e.GOP, e.Threads))
	}
	return nil
}

// A Writer takes frames and gives access units.
type Writer struct {
	ctx  context.Context
	cmd  *exec.Cmd
	in   *os.File
	said tail
	done chan struct{} // closed when sink has had everything
	err  error         // of the reading side; read after done
}

// Encode starts an encoder for frames of w by h at about rate a second. sink is
// called from another goroutine with each access unit in order; its error ends
// the encoder.
func (t Tools) Encode(ctx context.Context, e Encoder, w, h int, rate float64, aspect string, sink func(*Unit) error) (*Writer, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	args := append([]string{"-v", "error", "-nostdin", "-protocol_whitelist", "pipe"}, e.device()...)
	args = append(args, "-f", "rawvideo", "-pix_fmt", "yuv420p",
		"-video_size", fmt.Sprintf("%dx%d", w, h), "-framerate", strconv.FormatFloat(rate, 'f', 3, 64), "-i", "pipe:0")
	filters := e.filters()
	if aspect != "" {
		filters = append([]string{"setsar=" + aspect}, filters...)
	}
	if len(filters) > 0 {
		args = append(args, "-vf", strings.Join(filters, ","))
	}
	args = append(append(args, e.args(w, h, rate)...), "-fps_mode", "passthrough", "-flags:v", "+bitexact", "-fflags", "+bitexact", "-f", "h264", "-flush_packets", "1", "pipe:1")
	c, cleanup, err := t.command(ctx, t.FFmpeg, args...)
	if err != nil {
		return nil, err
	}
	cleanup() // its standard input is the frames
	fr, fw, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("codec: %w", err)
	}
	widen(fr)
	ar, aw, err := os.Pipe()
	if err != nil {
		fr.Close()
		fw.Close()
		return nil, fmt.Errorf("codec: %w", err)
	}
	enc := &Writer{ctx: ctx, cmd: c, in: fw, done: make(chan struct{})}
	c.Stdin, c.Stdout, c.Stderr = fr, aw, &enc.said
	err = c.Start()
	fr.Close() // the child has its own
	aw.Close() // likewise
	if err != nil {
		fw.Close()
		ar.Close()
		return nil, NoFFmpeg.With(fmt.Errorf("codec: %w", err))
	}
	go func() {
		defer close(enc.done)
		defer ar.Close()
		enc.err = Split(ar, sink)
		if enc.err != nil {
			// Unread output would keep the encoder, and whoever feeds it, waiting.
			_ = c.Process.Kill()
		}
	}()
	return enc, nil
}

// Write gives the encoder one frame.
func (e *Writer) Write(frame []byte) error {
	if _, err := e.in.Write(frame); err != nil {
		if e.ctx.Err() != nil {
			return e.ctx.Err()
		}
		<-e.done
		if e.err != nil {
			return e.err
		}
		return NoEncoder.With(fmt.Errorf("codec: encoder: %w: %s", err, e.said.clean()))
	}
	return nil
}

// Finish ends the input and waits until sink has had everything.
func (e *Writer) Finish() error {
	err := e.in.Close()
	<-e.done
	werr := e.cmd.Wait()
	switch {
	case e.ctx.Err() != nil:
		return e.ctx.Err()
	case e.err != nil:
		return e.err
	case werr != nil:
		return NoEncoder.With(fmt.Errorf("codec: encoder: %w: %s", werr, e.said.clean()))
	}
	return err
}

// Abort ends the encoder without its result. It may follow Finish.
func (e *Writer) Abort() {
	// Each of these fails where the encoder has ended already.
	_ = e.cmd.Process.Kill()
	_ = e.in.Close()
	<-e.done
	_ = e.cmd.Wait()
}
