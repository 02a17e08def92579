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
	"slices"
	"syscall"
	"time"

	"veilbox/redact"
	"veilbox/redact/codec"
	"veilbox/redact/subject"
	"veilbox/redact/work"
)

// pairs are how often a copy and a transcode take turns; with detection, which
// takes longest, there is one.
const pairs = 2

// A shape is a clip to measure on.
type shape struct {
	figure  string
	rate    int
	input   []string // arguments of ffmpeg before its output
	subject subject.Keyframe
	all     bool // the other figures are taken on it too
}

// street is vtest.avi two and a half times as fast, so that it has 25 frames a
// second which all differ, under a camera's noise. The man walks there alone.
func street(footage string, width, height int) []string {
	return []string{"-stream_loop", "1", "-i", footage, "-an", "-vf",
		fmt.Sprintf("setpts=PTS/2.5,scale=%d:%d,pad=%d:%d:-1:-1,setsar=1,noise=alls=3:allf=t,fps=25", height*4/3, height, width, height)}
}

// walker is the man, in fractions of a street of 16:9.
var walker = subject.Keyframe{At: 10, Rect: &subject.Rect{X: 0.704, Y: 0.435, W: 0.05, H: 0.185}}

// shapes are the street, and a made one: a still picture under a camera's noise,
// in which two figures move; the subject can be seen from the first frame to the
// last.
func shapes(footage string) []shape {
	return []shape{{
		figure: "redact.speed_ratio", rate: 25, all: true, subject: walker,
		input: append(street(footage, 1920, 1080), "-t", "60", "-b:v", "4M"),
	}, {
		figure: "redact.speed_ratio.always", rate: 25,
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
	return fourK(ctx, e)
}

// A made is what one copy took.
type made struct {
	took, cpu, preview time.Duration
	peak               peaks
	frames, shown      int
}

// copyOf makes a copy of a clip in e's folder.
func copyOf(ctx context.Context, e env, clip []byte, k subject.Keyframe, detect bool) (made, error) {
	var r made
	w := &redact.Worker{Path: filepath.Join(e.bin, "veil-redact"), Detect: redact.Detect{On: detect}}
	begun, used := time.Now(), children()
	job := redact.Job{Subjects: []subject.Subject{{Version: subject.Version, Keyframes: []subject.Keyframe{k}}}}
	job.Preview = func([]byte) {
		if r.preview == 0 {
			r.preview = time.Since(begun)
		}
	}
	watched := watchMemory(ctx)
	c, err := w.Produce(ctx, job, bytes.NewReader(clip), file(filepath.Join(e.dir, "copy.mp4")), nil)
	r.peak = watched()
	if err != nil {
		return made{}, err
	}
	r.took, r.cpu = time.Since(begun), children()-used
	f := c.Figures()
	r.frames, r.shown = f.Frames, f.Shown
	if f.Shown == 0 {
		return made{}, errors.New("the copy shows the subject in no frame: what was measured is not the work")
	}
	if detect && slices.Contains(c.Notices(), work.NoticeNoDetector) {
		return made{}, errors.New("nobody was detected: what was measured is not the work")
	}
	return r, nil
}

func (s shape) measure(ctx context.Context, e env) error {
	b, clip, err := s.make(ctx, e)
	if err != nil {
		return err
	}
	var ratios, detecting, previews, worker, codecs []float64
	for i := range pairs {
		begun, used := time.Now(), children()
		plain := append([]string{"-y", "-i", clip, "-an"}, codec.Encoder{}.Args(float64(s.rate))...)
		if err := ffmpeg(ctx, append(plain, "-fps_mode", "passthrough", filepath.Join(e.dir, "plain.mp4"))); err != nil {
			return err
		}
		transcode, transcodeCPU := time.Since(begun), children()-used
		r, err := copyOf(ctx, e, b, s.subject, false)
		if err != nil {
			return err
		}
		// On a machine that does other work too, processor time is the fairer one.
		note("%s, pair %d: transcode %.2f s (processor %.2f), copy and proof %.2f s (processor %.2f), %d frames of which %d show the subject; by processor time %.2f x",
			s.figure, i+1, transcode.Seconds(), transcodeCPU.Seconds(), r.took.Seconds(), r.cpu.Seconds(), r.frames, r.shown, transcodeCPU.Seconds()/r.cpu.Seconds())
		ratios = append(ratios, transcode.Seconds()/r.took.Seconds())
		previews = append(previews, r.preview.Seconds())
		worker, codecs = append(worker, r.peak.worker), append(codecs, r.peak.codecs)
		if !s.all || i > 0 {
			continue
		}
		if r, err = copyOf(ctx, e, b, s.subject, true); err != nil {
			return fmt.Errorf("with detection: %w", err)
		}
		note("%s, with detection: %.2f s (processor %.2f, %.2f x)", s.figure, r.took.Seconds(), r.cpu.Seconds(), transcodeCPU.Seconds()/r.cpu.Seconds())
		detecting = append(detecting, transcode.Seconds()/r.took.Seconds())
	}
	err = figure(s.figure, median(ratios), "x")
	if !s.all {
		return err
	}
	return errors.Join(err, figure("redact.speed_ratio_detect", median(detecting), "x"), figure("redact.first_preview", median(previews), "s"),
		figure("redact.rss", slices.Max(worker), "MiB"), figure("redact.rss_codec", slices.Max(codecs), "MiB"), retrack(ctx, e, b, s.subject))
}

// make makes the clip: a camera's stream, without B-frames, a keyframe each
// second.
func (s shape) make(ctx context.Context, e env) ([]byte, string, error) {
	clip := filepath.Join(e.dir, "clip.mp4")
	args := append([]string{"-y"}, s.input...)
	args = append(args, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0", "-g", fmt.Sprint(s.rate), clip)
	if err := ffmpeg(ctx, args); err != nil {
		return nil, "", err
	}
	b, err := os.ReadFile(clip)
	return b, clip, err
}

// retrack measures a correction: one more keyframe, in a session that has
// tracked the subject before.
func retrack(ctx context.Context, e env, clip []byte, k subject.Keyframe) error {
	w := &redact.Worker{Path: filepath.Join(e.bin, "veil-redact")}
	s, err := w.Open(ctx, redact.SessionJob{}, bytes.NewReader(clip))
	if err != nil {
		return err
	}
	defer s.Close()
	one := []subject.Subject{{Version: subject.Version, Keyframes: []subject.Keyframe{k}}}
	first, err := s.Track(ctx, one, nil, nil)
	if err != nil {
		return err
	}
	if len(first.Subjects) != 1 || len(first.Subjects[0].Places) == 0 {
		return errors.New("retrack: the subject was not followed")
	}
	places := first.Subjects[0].Places
	last := places[len(places)-1]
	one[0].Keyframes = []subject.Keyframe{k, {At: max(k.At, last.At) + 1, Rect: &last.Rect}}
	again, err := s.Track(ctx, one, nil, nil)
	if err != nil {
		return err
	}
	note("a clip of %.0f s: tracked in %.2f s (%d frames walked), once more after a correction in %.2f s (%d frames)",
		first.Length, first.Took.Seconds(), first.Walked, again.Took.Seconds(), again.Walked)
	return figure("redact.retrack", again.Took.Seconds(), "s")
}

// most4K is what a copy of 4K may take of memory, all processes together.
const most4K = 512

// fourK makes a copy of 3840x2160 and measures its memory.
func fourK(ctx context.Context, e env) error {
	s := shape{rate: 25, input: append(street(e.footage, 3840, 2160), "-ss", "7", "-t", "6", "-b:v", "12M")}
	b, _, err := s.make(ctx, e)
	if err != nil {
		return err
	}
	k := walker
	k.At -= 7
	r, err := copyOf(ctx, e, b, k, false)
	if err != nil {
		return fmt.Errorf("4K: %w", err)
	}
	note("4K: %d frames in %.1f s (processor %.1f); the worker took %.0f MiB, its children %.0f MiB, all at once %.0f MiB", r.frames, r.took.Seconds(), r.cpu.Seconds(), r.peak.worker, r.peak.codecs, r.peak.all)
	if r.peak.all > most4K {
		err = fmt.Errorf("4K took %.0f MiB, at most %d may be", r.peak.all, most4K)
	}
	return errors.Join(figure("redact.4k", r.peak.all, "MiB"), err)
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
