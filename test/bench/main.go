// Command bench measures the programs in bin/ and prints one line a figure,
// "name value unit", to standard output and nothing else. What it does, and
// what a figure was measured on, goes to standard error. It exits 0 only if
// every figure could be had.
//
//	capture.cpu.N         percent-of-core  veilboxd and its children, recording N cameras of 1080p25 at 4 Mbit/s, sealed
//	ffmpeg.cpu.N          percent-of-core  one ffmpeg a camera, copying the same to plain files of 60 s
//	capture.cpu_ratio.N   x                the first over the second
//	capture.rss.N         MiB              veilboxd, the most in the window
//	ffmpeg.rss.N          MiB              all of them, what they share counted once
//	ring.write_amplification  x            bytes that veilboxd wrote to the disk over bytes of video recorded, 16 cameras
//	ring.fsyncs_per_minute  per-camera     calls that wait for the disk, 16 cameras
//	clip.start.L          ms               question to the index, the first GOP and the first MiB of a clip of L, over HTTPS
//	clip.start            ms               the slowest of those
//	ring.start            s                opening the ring after a kill, 30 days of 8 cameras in parts of 1 s, nothing cached
//	timeline.query        ms               the time line of one camera over those 30 days
//	live.latency          ms               the camera's writing of a picture to chromium's showing it by WHEP, median and p95
//	clip.ready            ms               POST of an incident to the index and the first GOP of its clip of 60 s, over HTTPS
//	redact.speed_ratio    x                plain transcode's time over that of copy and proof, a street of 1920x1080 at 25 frames a second, 60 s
//	redact.speed_ratio_detect  x           the same, with persons looked for
//	redact.first_preview  s                start of a copy to the first veiled picture of it
//	redact.rss            MiB              veil-redact, the most that it took
//	redact.rss_codec      MiB              the ffmpegs that it started, the most at once
//	redact.retrack        s                a correction in a session: one more keyframe to the new track
//	redact.speed_ratio.always  x           the first, with a subject that is seen in every frame, 20 s
//	redact.4k             MiB              a copy of 3840x2160, all processes, the most at once; over 512 is an error
//	daemon.cpu            percent-of-core  veilboxd with one camera of 1280x720, without its children
//	daemon.rss            MiB              the same, the most in the window
//	demo.setup            s                start of the programs until the camera records and both boxes are enrolled
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	bin := flag.String("bin", "bin", "folder of the programs")
	only := flag.String("only", "", "these parts alone, with commas between: "+names())
	clip := flag.String("send", "", "be the cameras, with this clip, until standard input ends")
	cameras := flag.Int("cameras", 1, "how many cameras")
	openRing := flag.Bool("ring", false, "open the ring that standard input names, and answer")
	flag.Parse()
	if *openRing {
		if err := serveRing(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "bench: ring:", err)
			os.Exit(1)
		}
		return
	}
	if *clip != "" {
		if err := send(*clip, *cameras); err != nil {
			fmt.Fprintln(os.Stderr, "bench: cameras:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
