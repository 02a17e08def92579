package codec

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Software reports whether e is libx264, which needs no device.
func (e Encoder) Software() bool { return e.Defaults().Codec == "libx264" }

// Args returns ffmpeg's arguments for e at rate frames a second, for a plain
// transcode to be compared with as well.
func (e Encoder) Args(rate float64) []string { return e.args(1920, 1080, rate) }

// Frames that are large are decoded and coded by fewer threads, each of which
// keeps some in memory.
const largeThreads = 2

func large(w, h int) bool { return w*h > 2560*1440 }

// threads are the options of an input whose frames are of w by h.
func threads(w, h int) []string {
	if large(w, h) {
		return []string{"-threads", strconv.Itoa(largeThreads)}
	}
	return nil
}

// args are those for frames of w by h. Encoders that know no constant quality
// get a rate of bits that is about that.
func (e Encoder) args(w, h int, rate float64) []string {
	e = e.Defaults()
	gop := max(1, int(e.GOP*rate+0.5))
	a := []string{"-c:v", e.Codec}
	if len(e.filters()) == 0 {
		a = append(a, "-pix_fmt", "yuv420p")
	}
	threads := e.Threads
	if threads == 0 && large(w, h) {
		threads = largeThreads
	}
	a = append(a, "-g", strconv.Itoa(gop), "-bf", "0", "-threads", strconv.Itoa(threads))
	if e.EachKey {
		a = append(a, "-force_key_frames", "expr:1")
	} else if len(e.Keys) > 0 {
		at := make([]string, len(e.Keys))
		for i, n := range e.Keys {
			// A little early, so that no rounding takes the next one.
			at[i] = strconv.FormatFloat(math.Max(0, (float64(n)-0.3)/round3(rate)), 'f', 5, 64)
		}
		a = append(a, "-force_key_frames", strings.Join(at, ","))
	}
	q := strconv.Itoa(e.Quality)
	switch e.Codec {
	case "libx264":
		a = append(a, "-preset", e.Preset, "-crf", q)
		if large(w, h) {
			// Looking ahead and threads by frame keep 40 frames of 4K in memory.
			a = append(a, "-x264-params", "rc-lookahead=0:sync-lookahead=0:sliced-threads=1")
		}
	case "h264_nvenc":
		a = append(a, "-rc", "constqp", "-qp", q)
	case "h264_qsv":
		a = append(a, "-global_quality", q)
	case "h264_vaapi":
		a = append(a, "-rc_mode", "CQP", "-qp", q)
	case "h264_rkmpp":
		a = append(a, "-rc_mode", "CQP", "-qp_init", q)
	case "h264_v4l2m2m", "h264_omx", "h264_mediacodec":
		// Twice as many bits for each 6 steps of the quantiser.
		bits := float64(w*h) * rate * 0.1
		for range max(0, 26-e.Quality) / 6 {
			bits *= 2
		}
		a = append(a, "-b:v", strconv.Itoa(int(min(100e6, max(500e3, bits)))))
	default:
		a = append(a, "-qp", q)
	}
	return a
}

// device are the arguments before the input that open an encoder's device.
func (e Encoder) device() []string {
	switch e.Codec {
	case "h264_vaapi":
		return []string{"-init_hw_device", "vaapi=hw:/dev/dri/renderD128", "-filter_hw_device", "hw"}
	case "h264_qsv":
		return []string{"-init_hw_device", "qsv=hw"}
	}
	return nil
}

// filters bring frames of yuv420p to where the encoder takes them.
func (e Encoder) filters() []string {
	switch e.Codec {
	case "h264_vaapi":
		return []string{"format=nv12", "hwupload"}
	case "h264_qsv", "h264_rkmpp":
		return []string{"format=nv12"}
	}
	return nil
}

// Try codes so many frames, within so much time.
const (
	trialFrames = 3
	trialTime   = 20 * time.Second
)

// Try codes a few grey frames of w by h with e. The error is NoEncoder where it
// cannot be started, does not know its device, hangs, or does not give every
// frame.
func (t Tools) Try(ctx context.Context, e Encoder, w, h int, rate float64) error {
	short, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	err := t.try(short, e, w, h, rate)
	if short.Err() != nil && ctx.Err() == nil {
		return NoEncoder.With(fmt.Errorf("codec: %s gave nothing within %v", e.Codec, trialTime))
	}
	return err
}

func (t Tools) try(ctx context.Context, e Encoder, w, h int, rate float64) error {
	n := 0
	enc, err := t.Encode(ctx, e, w, h, rate, "", func(*Unit) error { n++; return nil })
	if err != nil {
		return err
	}
	defer enc.Abort()
	grey := slices.Repeat([]byte{128}, FrameSize(w, h))
	for range trialFrames {
		if err := enc.Write(grey); err != nil {
			return err
		}
	}
	if err := enc.Finish(); err != nil {
		return err
	}
	if n != trialFrames {
		return NoEncoder.With(fmt.Errorf("codec: %s gave %d frames of %d", e.Codec, n, trialFrames))
	}
	return nil
}

// round3 returns a rate as it is written for ffmpeg.
func round3(rate float64) float64 { return math.Round(rate*1000) / 1000 }
