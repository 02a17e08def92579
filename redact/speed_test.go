//go:build linux

package redact

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"veilbox/redact/codec"
	"veilbox/redact/subject"
)

// BenchmarkProduce compares a copy, proof and all, with a plain transcode of
// the same clip with the same encoder settings in the same run. The clip is
// 1080p25 of 20 s, or the file that VEILBOX_BENCH_CLIP names; the subject is
// then the file of VEILBOX_BENCH_SUBJECT.
func BenchmarkProduce(b *testing.B) {
	path, who := os.Getenv("VEILBOX_BENCH_CLIP"), theBox()
	if path == "" {
		path = filepath.Join(b.TempDir(), "clip.mp4")
		graph := "testsrc2=s=1920x1080:r=25,trim=end_frame=1,loop=-1:1,setpts=N/25/TB,noise=alls=6:allf=t[bg];" +
			"mandelbrot=s=192x384:r=25,trim=end_frame=1,loop=-1:1,setpts=N/25/TB,hue=h=90[box];[bg][box]overlay=x=80+60*t:y=440,format=yuv420p"
		if out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-filter_complex", graph, "-t", "20",
			"-c:v", "libx264", "-preset", "veryfast", "-g", "50", path).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		who.Keyframes[0] = subject.Keyframe{At: 1, Rect: &subject.Rect{X: 140. / 1920, Y: 440. / 1080, W: 192. / 1920, H: 384. / 1080}}
	} else {
		f, err := os.Open(os.Getenv("VEILBOX_BENCH_SUBJECT"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if who, err = subject.Parse(f); err != nil {
			b.Fatal(err)
		}
	}
	clip, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var plain, whole time.Duration
	var plainCPU, wholeCPU time.Duration
	for range b.N {
		args := append([]string{"-v", "error", "-nostdin", "-y", "-i", path, "-an"}, codec.Encoder{}.Args(25)...)
		from, cpu := time.Now(), childCPU(b)
		if out, err := exec.Command("ffmpeg", append(args, "-fps_mode", "passthrough", "-f", "mp4", filepath.Join(b.TempDir(), "plain.mp4"))...).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		plain += time.Since(from)
		plainCPU += childCPU(b) - cpu
		from, cpu = time.Now(), childCPU(b)
		stage, begun := "", from
		c, err := worker().Produce(context.Background(), Job{Subjects: []subject.Subject{who}}, bytes.NewReader(clip), &memory{}, func(p Progress) {
			if p.Stage != stage {
				if stage != "" {
					b.Logf("%-8s %v, processor %v so far", stage, time.Since(begun).Round(time.Millisecond), childCPU(b)-cpu)
				}
				stage, begun = p.Stage, time.Now()
			}
		})
		if err != nil {
			b.Fatal(err)
		}
		whole += time.Since(from)
		wholeCPU += childCPU(b) - cpu
		b.Logf("%-8s %v", stage, time.Since(begun).Round(time.Millisecond))
		b.Logf("plain %v (processor %v), produce %v (processor %v), %+v", plain, plainCPU, whole, wholeCPU, c.Figures())
	}
	// On a machine that does other work too, processor time is the fairer one.
	b.ReportMetric(plainCPU.Seconds()/wholeCPU.Seconds(), "cpu_ratio")
	b.ReportMetric(plain.Seconds()/whole.Seconds(), "speed_ratio")
}

// childCPU returns the processor time of all children that have ended.
func childCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
