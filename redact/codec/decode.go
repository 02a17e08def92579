package codec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"veilbox/capture/footage"
)

// A Stream is the frames of a clip, one after the other.
type Stream struct {
	Size int // bytes of a frame

	ctx   context.Context
	cmd   *exec.Cmd
	out   *os.File
	times *bufio.Scanner // nil where times were not asked for
	files []*os.File
	clean func()
	said  tail
	begun footage.Ticks // of the first frame, from the start of the file
	first footage.Ticks
	last  footage.Ticks
	n     int
	ended bool
}

// analysis are the options of a decoder whose pictures nobody sees: the filter
// over the edges of blocks is left out, which is a fifth of its work.
var analysis = []string{"-skip_loop_filter", "all", "-flags2", "fast"}

// timed are the arguments of an output that is there for its times alone: text
// with one line of numbers a frame, in the time base asked for. It comes before
// the output of the frames: at the end of a clip ffmpeg has several frames at
// once, and writes them output by output, while who reads waits for a time after
// each frame.
func timed(from string) []string {
	return []string{"-map", from, "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-c:v", "rawvideo", "-flush_packets", "1", "-f", "framecrc", "pipe:4"}
}

// raw are those of an output of frames. Without ffmpeg's own buffer of 32 KiB a
// frame is copied once less.
func raw(from string) []string {
	return []string{"-map", from, "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-c:v", "rawvideo", "-avioflags", "direct", "-f", "rawvideo", "pipe:1"}
}

// Small decodes in to luma planes of w by h, with their times.
func (t Tools) Small(ctx context.Context, in *os.File, w, h int) (*Stream, error) {
	graph := fmt.Sprintf("[0:v:0]scale=%d:%d:flags=area,format=gray,split[a][b]", w, h)
	s := &Stream{Size: w * h}
	return s.start(ctx, t, in, true, analysis, slices.Concat([]string{"-filter_complex", graph}, timed("[b]"), raw("[a]")))
}

// Full decodes in to yuv420p frames of w by h.
func (t Tools) Full(ctx context.Context, in *os.File, w, h int) (*Stream, error) {
	return t.Part(ctx, in, w, h, image.Rectangle{})
}

// Part is Full for the rectangle part of each frame, of even sides and corners;
// an empty one is the whole.
func (t Tools) Part(ctx context.Context, in *os.File, w, h int, part image.Rectangle) (*Stream, error) {
	s := sized(w, h, part)
	return s.start(ctx, t, in, false, threads(w, h), append([]string{"-vf", full(w, h, part)}, raw("0:v:0")...))
}

// Timed is Full with the times of the frames. Of the frames it gives those alone
// for which pick, an expression of ffmpeg's select, is true; "" is all. Where a
// clip changes its size on the way, the numbers that select counts begin anew:
// that the right frames came is for the caller to see by their times.
func (t Tools) Timed(ctx context.Context, in *os.File, w, h int, pick string) (*Stream, error) {
	return t.TimedPart(ctx, in, w, h, pick, image.Rectangle{})
}

// TimedPart is Timed as Part is Full.
func (t Tools) TimedPart(ctx context.Context, in *os.File, w, h int, pick string, part image.Rectangle) (*Stream, error) {
	if pick != "" {
		pick = "select=" + pick + ","
	}
	graph := "[0:v:0]" + pick + full(w, h, part) + ",split[a][b];[b]scale=16:16:flags=neighbor,format=gray[t]"
	s := sized(w, h, part)
	return s.start(ctx, t, in, true, threads(w, h), slices.Concat([]string{"-filter_complex", graph}, timed("[t]"), raw("[a]")))
}

// full is the graph of frames of w by h, or of part of them. It is cut after it
// is scaled, so that a clip that changes its size on the way is cut at the same
// place.
func full(w, h int, part image.Rectangle) string {
	g := fmt.Sprintf("scale=%d:%d:flags=bicubic,format=yuv420p", w, h)
	if !part.Empty() {
		g += fmt.Sprintf(",crop=%d:%d:%d:%d:exact=1", part.Dx(), part.Dy(), part.Min.X, part.Min.Y)
	}
	return g
}

func sized(w, h int, part image.Rectangle) *Stream {
	if !part.Empty() {
		w, h = part.Dx(), part.Dy()
	}
	return &Stream{Size: FrameSize(w, h)}
}

// Nth decodes the frame of in that is at at, counted from the first frame, and
// has number n, counted from 0.
func (t Tools) Nth(ctx context.Context, in *os.File, n int, at footage.Ticks, w, h int, frame []byte) error {
	for _, pick := range []string{fmt.Sprintf("eq(n\\,0)+gte(n\\,%d)", n), ""} {
		ok, err := t.nth(ctx, in, pick, n, at, w, h, frame)
		if ok || err != nil {
			return err
		}
	}
	return NotVideo.With(fmt.Errorf("codec: there is no frame %d at tick %d", n, at))
}

func (t Tools) nth(ctx context.Context, in *os.File, pick string, n int, at footage.Ticks, w, h int, frame []byte) (bool, error) {
	s, err := t.Timed(ctx, in, w, h, pick)
	if err != nil {
		return false, err
	}
	defer s.Close()
	read := n + 1
	if pick != "" {
		read = min(2, n+1)
	}
	var is footage.Ticks
	for range read {
		if is, err = s.Next(frame); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return is == at, nil
}

// One decodes the first frame at or after at seconds, counted from the start of
// the file, to yuv420p of w by h.
func (t Tools) One(ctx context.Context, in *os.File, at float64, w, h int, frame []byte) error {
	var seek []string
	if at > 0 {
		seek = []string{"-ss", strconv.FormatFloat(at, 'f', 6, 64)}
	}
	return t.one(ctx, in, seek, fmt.Sprintf("scale=%d:%d:flags=area,format=yuv420p", w, h), w, h, frame)
}

// Late is One for a file that cannot be sought: it decodes from the beginning.
func (t Tools) Late(ctx context.Context, in *os.File, at float64, w, h int, frame []byte) error {
	return t.one(ctx, in, nil, fmt.Sprintf("select=gte(t\\,%.6f),scale=%d:%d:flags=area,format=yuv420p", at, w, h), w, h, frame)
}

func (t Tools) one(ctx context.Context, in *os.File, input []string, graph string, w, h int, frame []byte) error {
	s := &Stream{Size: FrameSize(w, h)}
	if _, err := s.start(ctx, t, in, false, input, append([]string{"-vf", graph, "-frames:v", "1"}, raw("0:v:0")...)); err != nil {
		return err
	}
	defer s.Close()
	_, err := s.Next(frame)
	if errors.Is(err, io.EOF) {
		return NotVideo.With(errors.New("codec: there is no such frame"))
	}
	return err
}

// FrameSize returns the bytes of a yuv420p frame of even sides.
func FrameSize(w, h int) int { return w * h * 3 / 2 }

// start starts ffmpeg with options of its input and arguments of its output.
func (s *Stream) start(ctx context.Context, t Tools, in *os.File, times bool, input, output []string) (*Stream, error) {
	return s.run(ctx, t, in, times, slices.Concat(input, []string{"-i", inputFD, "-an", "-sn", "-dn", "-flags:v", "+bitexact"}, output))
}

// startSound is start for sound.
func (s *Stream) startSound(ctx context.Context, t Tools, in *os.File, output []string) (*Stream, error) {
	return s.run(ctx, t, in, false, slices.Concat([]string{"-i", inputFD, "-vn", "-sn", "-dn"}, output))
}

func (s *Stream) run(ctx context.Context, t Tools, in *os.File, times bool, args []string) (*Stream, error) {
	s.ctx = ctx
	all := slices.Concat([]string{"-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe", "-format_whitelist", containers, "-max_pixels", strconv.Itoa(1 << 25)}, args)
	c, cleanup, err := t.command(ctx, t.FFmpeg, all...)
	if err != nil {
		return nil, err
	}
	s.cmd, s.clean = c, cleanup
	c.Stderr = &s.said
	c.ExtraFiles = []*os.File{in}
	r, w, err := os.Pipe()
	if err != nil {
		cleanup()
		return nil, fmt.Errorf("codec: %w", err)
	}
	widen(r)
	c.Stdout, s.out = w, r
	s.files = []*os.File{w}
	if times {
		tr, tw, err := os.Pipe()
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("codec: %w", err)
		}
		// A frame's line must never keep ffmpeg from writing the frame.
		widen(tr)
		c.ExtraFiles = append(c.ExtraFiles, tw)
		s.files = append(s.files, tw, tr)
		s.times = bufio.NewScanner(tr)
		s.times.Buffer(make([]byte, 4096), 4096)
	}
	if err := c.Start(); err != nil {
		s.cmd.Process = nil
		s.Close()
		return nil, NoFFmpeg.With(fmt.Errorf("codec: %w", err))
	}
	w.Close() // the child has its own
	if times {
		s.files[1].Close() // likewise
	}
	return s, nil
}

// widen asks for a pipe that holds more of a frame. A kernel that says no only
// makes it slower.
func widen(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
}

// Next reads the next frame into frame, which is Size long, and returns its
// time, or 0 where times were not asked for. At the end it returns io.EOF.
func (s *Stream) Next(frame []byte) (footage.Ticks, error) {
	if s.ended {
		return 0, io.EOF
	}
	_, err := io.ReadFull(s.out, frame[:s.Size])
	switch {
	case errors.Is(err, io.EOF):
		return 0, s.end()
	case err != nil:
		return 0, s.fail(err)
	}
	s.n++
	if s.times == nil {
		return 0, nil
	}
	at, err := s.time()
	if err != nil {
		return 0, s.fail(err)
	}
	return s.rise(at), nil
}

// rise returns at as a time from the first frame, after that of the frame
// before. Two frames at one time come a tick apart, far below what an eye sees;
// after a clock that steps back, time goes on from where it was.
func (s *Stream) rise(at footage.Ticks) footage.Ticks {
	const step = footage.TicksPerSecond / 2
	switch {
	case s.n == 1:
		s.begun, s.first, s.last = at, at, 0
		return 0
	case at-s.first < s.last-step:
		s.first = at - s.last - footage.TicksPerSecond/25
	}
	s.last = max(at-s.first, s.last+1)
	return s.last
}

// time reads the line of one frame: stream, dts, pts, duration, size, checksum.
func (s *Stream) time() (footage.Ticks, error) {
	for s.times.Scan() {
		line := s.times.Text()
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		f := strings.SplitN(line, ",", 4)
		if len(f) == 4 {
			if v, err := strconv.ParseInt(strings.TrimSpace(f[2]), 10, 64); err == nil && v > -1<<50 && v < 1<<50 {
				return footage.Ticks(v), nil
			}
		}
		return 0, errors.New("codec: a frame without a time")
	}
	if err := s.times.Err(); err != nil {
		return 0, fmt.Errorf("codec: times: %w", err)
	}
	return 0, errors.New("codec: fewer times than frames")
}

// end waits for the child. A clip of which nothing was decoded is no video.
func (s *Stream) end() error {
	s.ended = true
	err := s.cmd.Wait()
	s.clean()
	s.cmd.Process = nil
	switch {
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case s.n == 0:
		return NotVideo.With(fmt.Errorf("codec: no frame could be decoded: %s", s.said.clean()))
	case err != nil:
		return NotVideo.With(fmt.Errorf("codec: ffmpeg: %w: %s", err, s.said.clean()))
	}
	return io.EOF
}

func (s *Stream) fail(err error) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	return NotVideo.With(fmt.Errorf("codec: after %d frames: %w: %s", s.n, err, s.said.clean()))
}

// Start returns the time of the first frame from the start of the file, where
// times were asked for and a frame was read.
func (s *Stream) Start() footage.Ticks { return s.begun }

// Frames returns how many frames were read.
func (s *Stream) Frames() int { return s.n }

// Said returns what ffmpeg had to say, cleaned.
func (s *Stream) Said() string { return s.said.clean() }

// Close ends the child.
func (s *Stream) Close() {
	if s.cmd.Process != nil {
		// It may have ended by itself; then its result matters no more.
		_ = s.cmd.Process.Kill()
		s.out.Close()
		_ = s.cmd.Wait()
		s.clean()
		s.cmd.Process = nil
	}
	s.out.Close()
	for _, f := range s.files {
		f.Close()
	}
}
