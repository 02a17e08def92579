package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

const (
	warmUp    = 6 * time.Second // after the last camera was added
	legs      = 20 * time.Second
	mainLeg   = 32 * time.Second // of the figure that there is a goal for
	mainCount = 16
)

var counts = []int{1, 4, mainCount, 32}

// A load is what processes used in a window, all of them together.
type load struct {
	cpu    float64 // percent of a core
	memory int64   // bytes, the most of all looks
}

// capturing compares the box, which seals and writes through, with one ffmpeg a
// camera, which copies to plain files and leaves the writing to the kernel. The
// two take turns, on the same cameras.
func capturing(ctx context.Context, e env) (err error) {
	clip := filepath.Join(e.dir, "clip.h264")
	if err := draw(ctx, clip); err != nil {
		return err
	}
	info, err := os.Stat(clip)
	if err != nil {
		return err
	}
	note("cameras: %dx%d, %d pictures a second, %.2f Mbit/s, a keyframe each second", drawnWidth, drawnHeight, rate, float64(info.Size())*8/drawnSeconds/1e6)
	cams, err := sendCameras(ctx, e, clip, counts[len(counts)-1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cams.end(syscall.SIGTERM)) }()
	for _, n := range counts {
		length := legs
		if n == mainCount {
			length = mainLeg
		}
		ours, err := boxLeg(ctx, e, cams, n, length)
		if err != nil {
			return fmt.Errorf("the box with %d cameras: %w", n, err)
		}
		theirs, err := ffmpegLeg(ctx, e, cams, n, length)
		if err != nil {
			return fmt.Errorf("ffmpeg with %d cameras: %w", n, err)
		}
		if err := errors.Join(
			figure(fmt.Sprintf("capture.cpu.%d", n), ours.cpu, "percent-of-core"),
			figure(fmt.Sprintf("ffmpeg.cpu.%d", n), theirs.cpu, "percent-of-core"),
			figure(fmt.Sprintf("capture.cpu_ratio.%d", n), ours.cpu/theirs.cpu, "x"),
			figure(fmt.Sprintf("capture.rss.%d", n), float64(ours.memory)/(1<<20), "MiB"),
			figure(fmt.Sprintf("ffmpeg.rss.%d", n), float64(theirs.memory)/(1<<20), "MiB"),
		); err != nil {
			return err
		}
	}
	return nil
}

// boxLeg measures veilboxd and its children with n cameras.
func boxLeg(ctx context.Context, e env, cams *cameras, n int, length time.Duration) (_ load, err error) {
	if err := os.RemoveAll(filepath.Join(e.dir, "box")); err != nil {
		return load{}, err
	}
	b, err := startBox(ctx, e)
	if err != nil {
		return load{}, err
	}
	defer func() { b.Close(); err = errors.Join(err, b.end(syscall.SIGTERM)) }()
	if err := b.record(ctx, cams, 0, n); err != nil {
		return load{}, err
	}
	if err := pause(ctx, warmUp); err != nil {
		return load{}, err
	}
	lost, err := b.sum(ctx, "veilbox_capture_units_total")
	if err != nil {
		return load{}, err
	}
	before, err := b.sum(ctx, "veilbox_capture_part_bytes_total")
	if err != nil {
		return load{}, err
	}
	written, err := writtenBytes(b.pid())
	if err != nil {
		return load{}, err
	}
	begun := time.Now()
	l, err := watch(ctx, []int{b.pid()}, length, resident)
	if err != nil {
		return load{}, err
	}
	after, err := b.sum(ctx, "veilbox_capture_part_bytes_total")
	if err != nil {
		return load{}, err
	}
	now, err := writtenBytes(b.pid())
	if err != nil {
		return load{}, err
	}
	units, err := b.sum(ctx, "veilbox_capture_units_total")
	if err != nil {
		return load{}, err
	}
	want := time.Since(begun).Seconds() * rate * float64(n)
	note("the box, %d cameras: %.0f pictures of %.0f sent, %.2f Mbit/s a camera stored", n, units-lost, want, (after-before)*8/1e6/float64(n)/time.Since(begun).Seconds())
	if units-lost < 0.97*want {
		return load{}, fmt.Errorf("%.0f pictures were taken where %.0f were sent", units-lost, want)
	}
	if n == mainCount {
		if err := figure("ring.write_amplification", float64(now-written)/(after-before), "x"); err != nil {
			return load{}, err
		}
		syncs, err := countSyncs(ctx, b.pid(), 10*time.Second)
		if err != nil {
			return load{}, err
		}
		if err := figure("ring.fsyncs_per_minute", 6*float64(syncs)/float64(n), "per-camera"); err != nil {
			return load{}, err
		}
	}
	return l, nil
}

// ffmpegLeg measures one ffmpeg a camera.
func ffmpegLeg(ctx context.Context, e env, cams *cameras, n int, length time.Duration) (_ load, err error) {
	dir := filepath.Join(e.dir, "ffmpeg")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return load{}, err
	}
	var all []*proc
	defer func() {
		for _, p := range all {
			err = errors.Join(err, p.end(syscall.SIGTERM))
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	var pids []int
	for i := range n {
		p, err := start(exec.Command("ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", cams.url(i),
			"-c", "copy", "-f", "segment", "-segment_time", "60", "-reset_timestamps", "1", filepath.Join(dir, fmt.Sprintf("%d-%%d.mp4", i))), filepath.Join(e.dir, "ffmpeg.log"))
		if err != nil {
			return load{}, err
		}
		all, pids = append(all, p), append(pids, p.pid())
	}
	if err := pause(ctx, warmUp+2*time.Second); err != nil {
		return load{}, err
	}
	l, err := watch(ctx, pids, length, proportional)
	if err != nil {
		return load{}, err
	}
	for _, p := range all {
		select {
		case <-p.done:
			return load{}, fmt.Errorf("an ffmpeg ended: %v", p.cmd.ProcessState)
		default:
		}
	}
	return l, nil
}

// watch measures processes with their children over a window.
func watch(ctx context.Context, pids []int, length time.Duration, memory func(pid int) (int64, error)) (l load, err error) {
	total := func() (d time.Duration, err error) {
		for _, pid := range pids {
			t, err := familyTime(pid)
			if err != nil {
				return 0, err
			}
			d += t
		}
		return d, nil
	}
	begun := time.Now()
	from, err := total()
	if err != nil {
		return l, err
	}
	for time.Since(begun) < length {
		var sum int64
		for _, pid := range pids {
			m, err := memory(pid)
			if err != nil {
				return l, err
			}
			sum += m
		}
		l.memory = max(l.memory, sum)
		if err := pause(ctx, min(4*time.Second, time.Until(begun.Add(length)))); err != nil {
			return l, err
		}
	}
	to, err := total()
	l.cpu = 100 * float64(to-from) / float64(time.Since(begun))
	return l, err
}

var syncCount = regexp.MustCompile(`(?m)^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:fsync|fdatasync|sync_file_range|syncfs|sync)$`)

// countSyncs counts the calls that wait for the disk.
func countSyncs(ctx context.Context, pid int, length time.Duration) (n int, err error) {
	ctx, stop := context.WithTimeout(ctx, length+20*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, "timeout", "-s", "INT", strconv.Itoa(int(length/time.Second)), "strace", "-f", "-c", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs,sync", "-p", strconv.Itoa(pid))
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("strace, which counts the syncs, did not run: install Debian's strace (make setup does): %w", err)
	}
	for _, m := range syncCount.FindAllSubmatch(out, -1) {
		k, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return 0, err
		}
		n += k
	}
	if n == 0 {
		return 0, fmt.Errorf("strace counted nothing: %s", out)
	}
	return n, nil
}
