package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	lookFor   = 20 * time.Second // after the first pictures, which the browser catches up with
	catchUp   = 5 * time.Second
	leastSeen = lookFor / time.Second * rate / 2
)

// A sight is a picture that the browser showed, and when, in milliseconds.
type sight struct {
	N  int     `json:"n"`
	At float64 `json:"at"`
}

// watching is what the page runs: a WHEP viewer that reads each shown picture's
// number off its blocks.
var watching = fmt.Sprintf(`(async () => {
	const pc = window.pc = new RTCPeerConnection();
	const video = document.createElement('video');
	video.muted = true; video.autoplay = true;
	video.width = 640;
	document.body.append(video);
	window.seen = [];
	const block = %d, bits = %d;
	const canvas = new OffscreenCanvas(bits, 2);
	const ctx = canvas.getContext('2d', { willReadFrequently: true });
	const look = () => {
		const at = performance.timeOrigin + performance.now();
		video.requestVideoFrameCallback(look);
		const s = block * video.videoWidth / %d; // of what came, which may be scaled
		ctx.drawImage(video, 0, 0, bits * s, 2 * s, 0, 0, bits, 2);
		const d = ctx.getImageData(0, 0, bits, 2).data;
		let n = 0;
		for (let i = 0; i < bits; i++) {
			const a = d[4 * i], b = d[4 * (i + bits)];
			if (Math.abs(a - b) < 100) return; // no picture of the clip's, or one in pieces
			if (a > b) n |= 1 << i;
		}
		window.seen.push({ n, at });
	};
	pc.ontrack = (e) => {
		e.receiver.jitterBufferTarget = 0;
		video.srcObject = new MediaStream([e.track]);
		video.requestVideoFrameCallback(look);
	};
	pc.addTransceiver('video', { direction: 'recvonly' });
	await pc.setLocalDescription();
	while (pc.iceGatheringState !== 'complete') await new Promise((r) => setTimeout(r, 20));
	return pc.localDescription.sdp;
})()`, block, bits, drawnWidth)

// seeing measures the live picture: from the camera's writing of a picture to
// the browser's showing it, both by this machine's clock.
func seeing(ctx context.Context, e env) (err error) {
	clip := filepath.Join(e.dir, "clip.h264")
	if err := draw(ctx, clip); err != nil {
		return err
	}
	cams, err := sendCameras(ctx, e, clip, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cams.end(syscall.SIGTERM)) }()
	b, err := startBox(ctx, e)
	if err != nil {
		return err
	}
	defer func() { b.Close(); err = errors.Join(err, b.end(syscall.SIGTERM)) }()
	cams.told = true
	if err := b.record(ctx, cams, 0, 1); err != nil {
		return err
	}
	// The offer, and the answer to it, go by the API as a page's would.
	bctx, stop := browser(ctx, filepath.Join(e.dir, "chromium"))
	defer func() { err = errors.Join(err, stop()) }()
	if err := chromedp.Do(bctx, chromedp.Navigate("about:blank")); err != nil {
		return fmt.Errorf("chromium, which looks at the live picture: %w: install Debian's chromium", err)
	}
	offer, err := chromedp.Run(bctx, chromedp.Evaluate[string](watching, chromedp.EvalAwaitPromise))
	if err != nil {
		return fmt.Errorf("the page's offer: %w", err)
	}
	answer, session, err := b.Live(ctx, "cam-0", offer)
	if err != nil {
		return err
	}
	if _, err := chromedp.Run(bctx, chromedp.Evaluate[bool](fmt.Sprintf(`window.pc.setRemoteDescription({ type: 'answer', sdp: %q }).then(() => true)`, answer), chromedp.EvalAwaitPromise)); err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	if err := pause(ctx, catchUp); err != nil {
		return err
	}
	if _, err := chromedp.Run(bctx, chromedp.Evaluate[bool](`(window.seen = [], true)`)); err != nil {
		return err
	}
	var late []float64
	for begun := time.Now(); time.Since(begun) < lookFor; {
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		shown, err := chromedp.Run(bctx, chromedp.Evaluate[[]sight](`window.seen.splice(0)`))
		if err != nil {
			return err
		}
		for _, s := range shown {
			at, ok := cams.sentAt(s.N)
			if !ok {
				continue
			}
			late = append(late, s.At-float64(at.UnixMicro())/1000)
		}
	}
	if err := b.EndLive(ctx, session); err != nil {
		return err
	}
	if len(late) < int(leastSeen) {
		return fmt.Errorf("the browser showed %d pictures in %v, fewer than half", len(late), lookFor)
	}
	slices.Sort(late)
	note("live.latency of %d pictures of %d sent: %.0f to %.0f ms", len(late), int(lookFor/time.Second)*rate, late[0], late[len(late)-1])
	return errors.Join(
		figure("live.latency", median(late), "ms"),
		figure("live.latency.p95", late[int(math.Ceil(0.95*float64(len(late))))-1], "ms"))
}

// browser starts chromium with an empty profile.
func browser(ctx context.Context, profile string) (context.Context, func() error) {
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath("/usr/bin/chromium"), chromedp.UserDataDir(profile), chromedp.WindowSize(1280, 800)}
	for name, value := range map[string]any{
		"headless": "new", "no-sandbox": true, "disable-gpu": true, "no-first-run": true, "mute-audio": true,
		"disable-background-networking": true, "disable-component-update": true, "disable-sync": true, "disable-dev-shm-usage": true,
		"disable-background-timer-throttling": true, "disable-backgrounding-occluded-windows": true, "disable-renderer-backgrounding": true,
		"autoplay-policy": "no-user-gesture-required", "disable-features": "WebRtcHideLocalIpsWithMdns",
	} {
		opts = append(opts, chromedp.Flag(name, value))
	}
	actx, stop := chromedp.NewExecAllocator(ctx, opts...)
	bctx, end := chromedp.NewContext(actx)
	return bctx, func() error {
		defer stop()
		defer end()
		err := chromedp.Cancel(bctx)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
}
