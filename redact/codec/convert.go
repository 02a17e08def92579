package codec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"veilbox/capture/footage"
)

// Stills decodes the first n frames of in and calls sink with each as a JPEG of
// at most width pixels, which is good until sink returns.
func (t Tools) Stills(ctx context.Context, in *os.File, width, n int, sink func([]byte) error) error {
	s := &Stream{}
	// Multipart tells where a picture ends; a thread by frame each decodes
	// keyframes side by side.
	_, err := s.start(ctx, t, in, false, nil, []string{"-map", "0:v:0", "-frames:v", strconv.Itoa(n),
		"-vf", fmt.Sprintf("scale='trunc(min(%d,iw)/2)*2':-2:flags=area,format=yuvj420p", width),
		"-fps_mode", "passthrough", "-c:v", "mjpeg", "-q:v", "4", "-f", "mpjpeg", "pipe:1"})
	if err != nil {
		return err
	}
	defer s.Close()
	r := bufio.NewReaderSize(s.out, 64<<10)
	var buf []byte
	for {
		size, err := part(r)
		if errors.Is(err, io.EOF) {
			if err := s.end(); !errors.Is(err, io.EOF) {
				return err
			}
			return nil
		}
		if err != nil {
			return s.fail(err)
		}
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		if _, err := io.ReadFull(r, buf[:size]); err != nil {
			return s.fail(err)
		}
		s.n++
		if err := sink(buf[:size]); err != nil {
			return err
		}
	}
}

const maxStill = 8 << 20

// part reads the head of the next part of a multipart stream, and returns the
// length of what follows.
func part(r *bufio.Reader) (int, error) {
	size := -1
	for lines := 0; lines < 16; lines++ {
		b, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && size < 0 {
				return 0, io.EOF
			}
			return 0, errors.Join(err, io.ErrUnexpectedEOF)
		}
		line := strings.TrimSpace(string(b))
		if name, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "content-length") {
			if size, err = strconv.Atoi(strings.TrimSpace(v)); err != nil || size < 1 || size > maxStill {
				return 0, fmt.Errorf("codec: a still of %q bytes", v)
			}
		}
		if line == "" && size > 0 {
			return size, nil
		}
	}
	return 0, errors.New("codec: no still where one is to be")
}

// Plain codes in anew as H.264, frame by frame. sink gets the access units in
// order from another goroutine, and at the time of each frame, from the first.
// Both are done when Plain returns.
func (t Tools) Plain(ctx context.Context, in *os.File, e Encoder, info Info, sink func(*Unit) error, at func(footage.Ticks)) error {
	if err := e.Check(); err != nil {
		return err
	}
	graph := "[0:v:0]split[a][b];[a]format=yuv420p,scale=" + strconv.Itoa(info.Width) + ":" + strconv.Itoa(info.Height)
	if info.Aspect != "" {
		graph += ",setsar=" + info.Aspect
	}
	// The second output is there for its times: see Small.
	graph += "[v];[b]scale=16:16:flags=neighbor,format=gray[t]"
	args := append([]string{"-filter_complex", graph, "-map", "[v]"}, e.Args(info.Rate)...)
	args = append(args, "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-fflags", "+bitexact", "-f", "h264", "-flush_packets", "1", "pipe:1")
	args = append(args, timed("[t]")...)
	s := &Stream{}
	if _, err := s.start(ctx, t, in, true, nil, args); err != nil {
		return err
	}
	defer s.Close()
	split := make(chan error, 1)
	go func() {
		err := Split(s.out, sink)
		if err != nil {
			// Unread output would keep the encoder, and with it its times, waiting.
			_ = s.cmd.Process.Kill()
		}
		split <- err
	}()
	var terr error
	for {
		v, err := s.time()
		if err != nil {
			terr = err
			break
		}
		s.n++
		at(s.rise(v))
	}
	if err := <-split; err != nil {
		return err
	}
	// The lines end with the last frame, or where there is no sense in them;
	// then the frames do not match them, which the caller sees.
	if err := s.end(); !errors.Is(err, io.EOF) {
		return errors.Join(err, terr)
	}
	return nil
}
