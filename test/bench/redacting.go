package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"veilbox/redact"
	"veilbox/redact/codec"
	"veilbox/redact/subject"
)

const pairs = 3

// A shape is a clip to measure on.
type shape struct {
	figure  string
	rate    int
	input   []string // arguments of ffmpeg before its output
	subject subject.Keyframe
}

// shapes are vtest.avi, with the man who walks there alone from the 22nd to the
// 30th second, and a made one: a still picture under a camera's noise, in which
// two figures move.
func shapes(footage string) []shape {
	return []shape{{
		figure: "redact.speed_ratio", rate: 10,
		input: []string{"-i", footage, "-t", "60", "-an", "-vf", "scale=960:720,pad=1280:720:-1:-1,setsar=1", "-b:v", "2500k"},
		// Fractions of the padded frame.
		subject: subject.Keyframe{At: 25, Rect: &subject.Rect{X: 0.704, Y: 0.435, W: 0.05, H: 0.185}},
	}, {
		figure: "redact.speed_ratio.1080p25", rate: 25,
		input: []string{"-filter_complex", "testsrc2=s=1920x1080:r=25,trim=end_frame=1,loop=-1:1,setpts=N/25/TB,noise=alls=6:allf=t[bg];" +
			"mandelbrot=s=192x384:r=25,trim=end_frame=1,loop=-1:1,setpts=N/25/TB,hue=h=90,split[a][b];" +
			"[bg][a]overlay=x=80+60*t:y=440[one];[one][b]overlay=x=1700-50*t:y=60,fps=25", "-t", "20", "-b:v", "4M"},
		subject: subject.Keyframe{At: 1, Rect: &subject.Rect{X: 140. / 1920, Y: 440. / 1080, W: 192. / 1920, H: 384. / 1080}},
	}}
}

// redacting compares a copy with its proof with a plain transcode of the same
// clip by the same encoder with the same settings, turn by turn.
func redacting(ctx context.Context, e env) error {
	for _, s := range shapes(e.footage) {
		if err := s.measure(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", s.figure, err)
		}
	}
	return nil
}

func (s shape) measure(ctx context.Context, e env) error {
	clip := filepath.Join(e.dir, "clip.mp4")
	// A camera's stream: no B-frames, a keyframe each second.
	args := append([]string{"-y"}, s.input...)
	args = append(args, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0", "-g", fmt.Sprint(s.rate), clip)
	if err := ffmpeg(ctx, args); err != nil {
		return err
	}
	b, err := os.ReadFile(clip)
	if err != nil {
		return err
	}
	var ratios []float64
	for i := range pairs {
		begun, used := time.Now(), children()
		plain := append([]string{"-y", "-i", clip, "-an"}, codec.Encoder{}.Args(float64(s.rate))...)
		if err := ffmpeg(ctx, append(plain, "-fps_mode", "passthrough", filepath.Join(e.dir, "plain.mp4"))); err != nil {
			return err
		}
		transcode, transcodeCPU := time.Since(begun), children()-used
		begun, used = time.Now(), children()
		w := &redact.Worker{Path: filepath.Join(e.bin, "veil-redact")}
		c, err := w.Produce(ctx, redact.Job{Subjects: []subject.Subject{{Version: subject.Version, Keyframes: []subject.Keyframe{s.subject}}}},
			bytes.NewReader(b), file(filepath.Join(e.dir, "copy.mp4")), nil)
		if err != nil {
			return err
		}
		took, tookCPU := time.Since(begun), children()-used
		f := c.Figures()
		if f.Shown == 0 {
			return errors.New("the copy shows the subject in no frame: what was measured is not the work")
		}
		// On a machine that does other work too, processor time is the fairer one.
		note("%s, pair %d: transcode %.2f s (processor %.2f), copy and proof %.2f s (processor %.2f), %d frames of which %d show the subject",
			s.figure, i+1, transcode.Seconds(), transcodeCPU.Seconds(), took.Seconds(), tookCPU.Seconds(), f.Frames, f.Shown)
		ratios = append(ratios, transcode.Seconds()/took.Seconds())
	}
	return figure(s.figure, median(ratios), "x")
}

// children returns the processor time of all children that have ended.
func children() time.Duration {
	var u syscall.Rusage
	// It fails for arguments alone that are not these.
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ffmpeg(ctx context.Context, args []string) error {
	out, err := exec.CommandContext(ctx, "ffmpeg", append([]string{"-v", "error", "-nostdin"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// file keeps a copy in a file, as the transcode is kept.
type file string

func (f file) Create() (io.WriteCloser, error) { return os.Create(string(f)) }
func (f file) Open() (io.ReadCloser, error)    { return os.Open(string(f)) }
func (f file) Remove() error                   { return os.RemoveAll(string(f)) }
