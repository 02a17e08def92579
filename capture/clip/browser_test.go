package clip

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
)

// chromium returns a browser with an empty profile.
func chromium(t *testing.T) context.Context {
	t.Helper()
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath("/usr/bin/chromium"), chromedp.UserDataDir(t.TempDir())}
	for name, value := range map[string]any{
		"headless": "new", "no-sandbox": true, "disable-gpu": true, "no-first-run": true, "disable-background-networking": true,
		"disable-component-update": true, "disable-sync": true, "mute-audio": true, "disable-dev-shm-usage": true,
		"autoplay-policy": "no-user-gesture-required", "disable-background-timer-throttling": true, "disable-renderer-backgrounding": true,
	} {
		opts = append(opts, chromedp.Flag(name, value))
	}
	ctx, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		limit, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if err := chromedp.Cancel(limit); err != nil && !errors.Is(err, context.Canceled) {
			t.Log("chromium did not close:", err)
		}
		end()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v: install Debian's chromium (scripts/setup.sh does)", err)
	}
	return ctx
}

// page plays what src names and shows each time in times: it answers with what
// the video element says there.
const page = `<!doctype html><video muted></video><script>
const v = document.querySelector('video');
const once = (e, n) => new Promise((ok, no) => { e.addEventListener(n, ok, { once: true }); v.addEventListener('error', () => no(new Error(v.error?.message || 'error')), { once: true }); });
async function shows(times) {
	const out = [];
	for (const t of times) {
		const done = once(v, 'seeked');
		v.currentTime = t;
		await done;
		out.push(v.videoWidth + 'x' + v.videoHeight);
	}
	return out.join(' ');
}
async function file(src, times) {
	const ready = once(v, 'loadeddata');
	v.src = src;
	await ready;
	return v.duration.toFixed(1) + ' ' + await shows(times);
}
async function through(src, rate) {
	const ready = once(v, 'loadeddata');
	v.src = src;
	await ready;
	v.playbackRate = rate;
	const ended = once(v, 'ended');
	await v.play();
	await ended;
	const q = v.getVideoPlaybackQuality();
	return v.currentTime.toFixed(1) + ' ' + v.videoWidth + 'x' + v.videoHeight;
}
async function stream(src, type, times) {
	const s = new MediaSource();
	const open = once(s, 'sourceopen');
	v.src = URL.createObjectURL(s);
	await open;
	const b = s.addSourceBuffer(type);
	const bytes = await (await fetch(src)).arrayBuffer();
	const cut = Math.floor(bytes.byteLength / 2);
	for (const part of [bytes.slice(0, cut), bytes.slice(cut)]) {
		const done = once(b, 'updateend');
		b.appendBuffer(part);
		await done;
	}
	s.endOfStream();
	return b.buffered.start(0).toFixed(1) + '-' + b.buffered.end(b.buffered.length - 1).toFixed(1) + ' ' + await shows(times);
}
</script>`

func TestChromiumPlays(t *testing.T) {
	changed := changing(t, footage.H264)
	plain := mp4test.Parts(t, footage.H264, "till-1", start(), 6)
	for _, parts := range [][]*footage.Part{changed, plain} {
		mp4test.AddSound(t, parts, footage.AAC)
	}
	opus := clone(plain)
	for _, p := range opus {
		p.Audio = footage.Audio{}
	}
	mp4test.AddSound(t, opus, footage.Opus)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	for name, parts := range map[string][]*footage.Part{"changed": changed, "plain": plain, "opus": opus} {
		open := func(w http.ResponseWriter, req *http.Request) *Movie {
			m, err := OpenWith(req.Context(), &memory{parts: parts}, "till-1", footage.Span{From: start() + 12*frame, To: start() + 6*second}, Options{Audio: Browser})
			if err != nil {
				t.Error(err)
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
			return m
		}
		mux.HandleFunc("GET /"+name+".mp4", func(w http.ResponseWriter, req *http.Request) {
			if m := open(w, req); m != nil {
				http.ServeContent(w, req, "clip.mp4", time.Time{}, m)
			}
		})
		mux.HandleFunc("GET /"+name+".m4s", func(w http.ResponseWriter, req *http.Request) {
			if m := open(w, req); m != nil {
				w.Header().Set("Content-Type", "video/mp4")
				opt := FragmentOptions{}
				if req.FormValue("origin") != "" {
					opt.Origin = start() - 10*second
				}
				if err := m.WriteFragments(req.Context(), w, opt); err != nil {
					t.Error(err)
				}
			}
		})
	}
	srv := httptest.NewServer(mux)
	defer srv.Close()
	ctx := chromium(t)
	for _, c := range []struct{ script, want string }{
		{`file('plain.mp4', [0, 4.9, 0.1])`, "5.5 320x240 320x240 320x240"},
		{`file('opus.mp4', [3])`, "5.5 320x240"},
		{`file('changed.mp4', [0, 2, 5, 3.4, 0.1])`, "5.5 320x240 640x480 320x240 640x480 320x240"},
		{`through('changed.mp4', 4)`, "5.5 320x240"},
		{`through('plain.m4s', 4)`, "5.5 320x240"},
		{`stream('plain.m4s?origin=1', 'video/mp4; codecs="avc1.64000d, mp4a.40.2"', [10.1, 15.5])`, "10.0-16.0 320x240 320x240"},
		{`stream('opus.m4s?origin=1', 'video/mp4; codecs="avc1.64000d, opus"', [10.1, 15.5])`, "10.0-16.0 320x240 320x240"},
		{`stream('changed.m4s?origin=1', 'video/mp4; codecs="avc1.64000d, mp4a.40.2"', [10.1, 13, 15.5, 12.5])`, "10.0-16.0 320x240 640x480 320x240 640x480"},
	} {
		limit, cancel := context.WithTimeout(ctx, 40*time.Second)
		err := chromedp.Do(limit, chromedp.Navigate(srv.URL))
		var got string
		if err == nil {
			got, err = chromedp.Run(limit, chromedp.Evaluate[string](c.script, chromedp.EvalAwaitPromise))
		}
		cancel()
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.script, got, err, c.want)
		}
	}
}
