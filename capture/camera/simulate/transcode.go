package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"veilbox/capture/footage"
)

const (
	maxSeconds = 600       // of each file
	maxBytes   = 512 << 20 // of a rendition of a file
)

// transcode appends file to both renditions, in one run of ffmpeg.
func transcode(ctx context.Context, opt Options, file string, main, sub *loop) error {
	// The third tells when the pictures of the first are shown.
	var pipes [3]*os.File
	var theirs []*os.File
	for i := range pipes {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("pipe: %w", err)
		}
		defer r.Close()
		pipes[i], theirs = r, append(theirs, w)
	}
	args := []string{"-nostdin", "-hide_banner", "-v", "error", "-t", strconv.Itoa(maxSeconds), "-i", file}
	args = append(args, output(opt, opt.Size, 3)...)
	small := opt
	small.BFrames, small.Slices = 0, 0
	args = append(args, output(small, opt.SubSize, 4)...)
	cmd := exec.CommandContext(ctx, opt.FFmpeg, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &limited{w: &complaint, left: 4096}
	cmd.ExtraFiles = theirs
	err := cmd.Start()
	for _, w := range theirs {
		// The child has its own; ours would keep the pipe from ending.
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", opt.FFmpeg, err)
	}
	var bufs [len(pipes)][]byte
	var errs [len(pipes)]error
	var wg sync.WaitGroup
	for i, src := range pipes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			bufs[i], errs[i] = io.ReadAll(io.LimitReader(src, maxBytes+1))
			if len(bufs[i]) > maxBytes {
				errs[i] = fmt.Errorf("a rendition is larger than %d MiB", maxBytes>>20)
				// Wait reports how the child ended; that it was killed is known here.
				_ = cmd.Process.Kill()
			}
		}()
	}
	wg.Wait()
	if err := errors.Join(cmd.Wait(), errors.Join(errs[:]...)); err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	from := len(main.units)
	for i, l := range []*loop{main, sub} {
		if err := l.load(opt, bufs[i]); err != nil {
			return err
		}
	}
	if opt.BFrames > 0 {
		if err := reorder(main.units[from:], bufs[2]); err != nil {
			return err
		}
	}
	opt.Log.Info("footage prepared", slog.Int("pictures", len(main.units)), slog.Duration("length", main.length()))
	return nil
}

// reorder notes when pictures are shown that are sent in another order: a line
// each of ffmpeg's framecrc, stream, DTS, PTS, ... in units of a picture.
func reorder(units []unit, lines []byte) error {
	n := 0
	for line := range strings.Lines(string(lines)) {
		f := strings.Split(line, ",")
		if strings.HasPrefix(line, "#") || len(f) < 4 {
			continue
		}
		dts, err1 := strconv.ParseInt(strings.TrimSpace(f[1]), 10, 64)
		pts, err2 := strconv.ParseInt(strings.TrimSpace(f[2]), 10, 64)
		lasts, err3 := strconv.ParseInt(strings.TrimSpace(f[3]), 10, 64)
		if err := errors.Join(err1, err2, err3); err != nil || n == len(units) || lasts <= 0 {
			return fmt.Errorf("the order of the pictures cannot be read: %w", err)
		}
		units[n].shift = (pts - dts) / lasts * units[n].ticks
		n++
	}
	if n != len(units) {
		return fmt.Errorf("the order of %d pictures of %d is known", n, len(units))
	}
	return nil
}

func output(opt Options, size Size, fd int) []string {
	// Even sides, which 4:2:0 needs, and square pixels.
	filter := "scale=trunc(iw*sar/2)*2:trunc(ih/2)*2,setsar=1"
	if size.Width > 0 {
		filter = fmt.Sprintf("scale=%[1]d:%[2]d:force_original_aspect_ratio=decrease:force_divisible_by=2,pad=%[1]d:%[2]d:-1:-1,setsar=1", size.Width, size.Height)
	}
	if opt.FPS > 0 {
		filter = fmt.Sprintf("fps=%d,", opt.FPS) + filter
	}
	args := []string{"-map", "0:v:0", "-an", "-fps_mode", "cfr", "-vf", filter}
	muxer := "h264"
	switch opt.Codec {
	case footage.MJPEG:
		// RFC 2435 knows the usual tables only.
		return append(args, "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-huffman", "default", "-q:v", "5", "-f", "mjpeg", fmt.Sprintf("pipe:%d", fd))
	case footage.H265:
		// The keyframes are IDR and the parameter sets in the stream.
		muxer = "hevc"
		params := fmt.Sprintf("log-level=none:repeat-headers=1:open-gop=0:bframes=%d:scenecut=0", opt.BFrames)
		if opt.Slices > 1 {
			params += fmt.Sprintf(":slices=%d", opt.Slices)
		}
		args = append(args, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", params)
	default:
		params := "repeat-headers=1:scenecut=0"
		if opt.Slices > 1 {
			params += fmt.Sprintf(":slices=%d", opt.Slices)
		}
		args = append(args, "-c:v", "libx264", "-preset", "superfast", "-profile:v", "high", "-x264-params", params)
	}
	args = append(args, "-pix_fmt", "yuv420p", "-bf", strconv.Itoa(opt.BFrames),
		"-force_key_frames", fmt.Sprintf("expr:gte(t,n_forced*%g)", opt.GOP.Seconds()))
	if opt.GOP > time.Second {
		args = append(args, "-g", "100000")
	}
	if opt.BFrames > 0 {
		return append(args, "-f", "tee", fmt.Sprintf("[f=%s]pipe:%d|[f=framecrc]pipe:5", muxer, fd))
	}
	return append(args, "-f", muxer, fmt.Sprintf("pipe:%d", fd))
}

// load appends the pictures of a byte stream (Annex B).
func (l *loop) load(opt Options, b []byte) error {
	c := opt.Codec
	l.codec = c
	if c == footage.MJPEG {
		return l.loadJPEG(opt.FPS, b)
	}
	var ticks int64
	var open unit
	shown := false
	flush := func() {
		if shown {
			open.ticks = ticks
			l.units = append(l.units, open)
		}
		open, shown = unit{}, false
	}
	before := len(l.units)
	for nalu := range split(b) {
		k := classify(c, nalu)
		if k == delimiter {
			continue
		}
		// What may begin a picture ends the one before (H.264 §7.4.1.2.3); the
		// encoder writes the first slice of each with first_mb_in_slice 0.
		if shown && (k != slice || nalu[sliceStart(c)]&0x80 != 0) {
			flush()
		}
		if k == sequence {
			fps := 0.0
			if c == footage.H265 {
				var s h265.SPS
				if err := s.Unmarshal(nalu); err != nil {
					return fmt.Errorf("sequence parameter set: %w", err)
				}
				fps = s.FPS()
			} else {
				var s h264.SPS
				if err := s.Unmarshal(nalu); err != nil {
					return fmt.Errorf("sequence parameter set: %w", err)
				}
				fps = s.FPS()
			}
			if !(fps >= 0.1 && fps <= 1000) {
				return fmt.Errorf("a rate of %v pictures a second", fps)
			}
			ticks = int64(footage.TicksPerSecond/fps + 0.5)
		}
		if len(l.params) < paramCount(c) && (k == sequence || k == param) {
			l.params = append(l.params, nalu)
		}
		open.nalus = append(open.nalus, nalu)
		shown = shown || k == slice
	}
	flush()
	if len(l.units) == before || len(l.params) < paramCount(c) {
		return errors.New("no pictures came out")
	}
	return nil
}

// loadJPEG appends the pictures of a stream of JPEG files. Within one, a byte of
// 0xff is followed by another than that of the end (ISO/IEC 10918-1 §B.1.1.5).
func (l *loop) loadJPEG(fps int, b []byte) error {
	for len(b) > 0 {
		n := bytes.Index(b, []byte{0xff, 0xd9})
		if n < 0 {
			break
		}
		l.units = append(l.units, unit{nalus: [][]byte{b[:n+2]}, ticks: int64(footage.TicksPerSecond / fps)})
		b = b[n+2:]
	}
	if len(l.units) == 0 {
		return errors.New("no pictures came out")
	}
	return nil
}

type kind uint8

const (
	rest kind = iota
	slice
	sequence
	param
	delimiter
)

func paramCount(c footage.Codec) int {
	if c == footage.H265 {
		return 3
	}
	return 2
}

func sliceStart(c footage.Codec) int {
	if c == footage.H265 {
		return 2
	}
	return 1
}

func classify(c footage.Codec, n []byte) kind {
	if len(n) <= sliceStart(c) {
		return delimiter
	}
	if c == footage.H265 {
		switch t := n[0] >> 1 & 0x3f; {
		case t < 32:
			return slice
		case t == 33:
			return sequence
		case t == 32 || t == 34:
			return param
		case t >= 35 && t <= 38:
			return delimiter
		}
		return rest
	}
	switch t := n[0] & 0x1f; {
	case t >= 1 && t <= 5:
		return slice
	case t == 7:
		return sequence
	case t == 8:
		return param
	case t >= 9 && t <= 12:
		return delimiter
	}
	return rest
}

// split yields the NAL units of a byte stream.
func split(b []byte) func(func([]byte) bool) {
	code := []byte{0, 0, 1}
	return func(yield func([]byte) bool) {
		for {
			i := bytes.Index(b, code)
			if i < 0 {
				if len(b) > 0 {
					yield(b)
				}
				return
			}
			if n := bytes.TrimRight(b[:i], "\x00"); len(n) > 0 && !yield(n) {
				return
			}
			b = b[i+len(code):]
		}
	}
}

// limited keeps the first bytes written to it.
type limited struct {
	w    *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.w.Write(p[:n])
	l.left -= n
	return len(p), nil
}
