package live

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"veilbox/capture"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// A studio is a source of made pictures.
type studio struct {
	main capture.Fan
	sub  *capture.Fan
	subs atomic.Int32 // subscriptions of the sub stream that were asked for
}

func (s *studio) SubscribeNow(id footage.CameraID) (*capture.Subscription, error) {
	if id != cam {
		return nil, capture.ErrUnknown
	}
	return s.main.Subscribe(time.Now())
}

func (s *studio) SubscribeSub(footage.CameraID) (*capture.Subscription, error) {
	if s.sub == nil {
		return nil, capture.ErrNoSub
	}
	s.subs.Add(1)
	return s.sub.Subscribe(time.Now())
}

// An encoder is a Transcoder that gives a made picture for each it gets.
type encoder struct {
	calls, running atomic.Int32
	codec          atomic.Int32
	fail           error
}

var coded264 = footage.Format{Codec: footage.H264, Width: 320, Height: 240, Params: [][]byte{{0x67, 0x42, 0xc0, 0x1f}, {0x68, 0xce}}}

func (e *encoder) Transcode(ctx context.Context, c footage.Codec, next func(context.Context) (footage.Format, footage.AccessUnit, error), sink func(footage.Format, footage.AccessUnit)) error {
	e.calls.Add(1)
	e.running.Add(1)
	defer e.running.Add(-1)
	e.codec.Store(int32(c))
	if e.fail != nil {
		return e.fail
	}
	for n := 0; ; n++ {
		_, au, err := next(ctx)
		if err != nil {
			return err
		}
		sink(coded264, footage.AccessUnit{PTS: au.PTS, DTS: au.PTS, Key: n%10 == 0, NALUs: [][]byte{{0x65, 0x88, byte(n)}}})
	}
}

var (
	format265 = footage.Format{Codec: footage.H265, Width: 1920, Height: 1080, Params: [][]byte{
		{32 << 1, 1, 0x0c}, {33 << 1, 1, 1, 1, 0x60, 0, 0}, {34 << 1, 1, 0xc0}}}
	format10bit = footage.Format{Codec: footage.H265, Width: 1920, Height: 1080, Params: [][]byte{
		{32 << 1, 1, 0x0c}, {33 << 1, 1, 1, 2, 0x20, 0, 0}, {34 << 1, 1, 0xc0}}}
	formatJPEG = footage.Format{Codec: footage.MJPEG, Width: 1920, Height: 1080}
)

// play sends n pictures of f, a keyframe each gop, reordered as B-frames are.
func play(fan capture.Fan, f footage.Format, from, n, gop int, reordered bool) {
	for i := from; i < from+n; i++ {
		au := footage.AccessUnit{Arrived: time.Now(), DTS: int64(i) * 3600, PTS: int64(i) * 3600, Key: i%gop == 0}
		if reordered && i%2 == 1 {
			au.PTS += 7200
		}
		head := map[footage.Codec][]byte{footage.H264: {0x41, 0x9a}, footage.H265: {1 << 1, 1, 0x80}, footage.MJPEG: {0xff, 0xd8}}[f.Codec]
		au.NALUs = [][]byte{append(bytes.Clone(head), byte(i), byte(i>>8))}
		fan.Send(f, &au, false)
	}
}

// roll goes on with pictures, each a keyframe, until stop or the test's end.
func roll(t *testing.T, fan capture.Fan, f footage.Format) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1000; ctx.Err() == nil; i++ {
			play(fan, f, i, 1, 1, false)
			<-time.After(20 * time.Millisecond)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func whep(t *testing.T, opt Options) (*Server, string) {
	t.Helper()
	srv, err := NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeWHEP(w, r, footage.CameraID(strings.Split(r.URL.Path, "/")[2]))
	}))
	t.Cleanup(web.Close)
	return srv, web.URL + "/whep/" + string(cam)
}

// watchAs is watch for a browser that lacks a codec.
func watchAs(t *testing.T, url, lacks string) (*watcher, string, *problem.Problem) {
	t.Helper()
	w, sdp := offer(t)
	if lacks != "" {
		sdp = without(sdp, lacks)
	}
	res, body := post(t, url, sdp)
	if res.StatusCode != http.StatusCreated {
		return nil, "", problem.Decode(res.StatusCode, body)
	}
	if err := w.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(body)}); err != nil {
		t.Fatal(err)
	}
	return w, string(body), nil
}

// mime waits for the track and returns what it holds.
func (w *watcher) mime(t *testing.T) string {
	t.Helper()
	poll(t, "a track", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.codec != "" })
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.codec
}

func TestChoice(t *testing.T) {
	type rend struct {
		format    footage.Format
		reordered bool
	}
	h264, b264, h265, main10, jpeg := rend{coded264, false}, rend{coded264, true}, rend{format265, false}, rend{format10bit, false}, rend{formatJPEG, false}
	for _, tc := range []struct {
		name       string
		main       rend
		sub        *rend
		transcoder bool
		query      string
		lacks      string
		want       string // codec, "code:" and a problem, with from what
		made       footage.Codec
		usesSub    bool
	}{
		{"H.264 passes", h264, &h264, true, "", "", webrtc.MimeTypeH264, 0, false},
		{"H.264, the small one is asked for", h264, &h264, true, "?stream=sub", "", webrtc.MimeTypeH264, 0, true},
		{"H.264, a small one that there is not", h264, nil, true, "?stream=sub", "", webrtc.MimeTypeH264, 0, false},
		{"H.264, the small one is H.265", h264, &h265, true, "?stream=sub", "H265", webrtc.MimeTypeH264, 0, false},
		{"no picture yet, the small one is asked for", rend{}, &h264, true, "?stream=sub", "", webrtc.MimeTypeH264, 0, true},
		{"no picture yet", rend{}, &h264, true, "", "", "live.waiting", 0, false},
		{"H.265 passes", h265, &h264, true, "", "", webrtc.MimeTypeH265, 0, false},
		{"H.265 to a browser without", h265, &h264, true, "", "H265", webrtc.MimeTypeH264, 0, true},
		{"H.265 of ten bits", main10, &h264, true, "", "", webrtc.MimeTypeH264, 0, true},
		{"H.265 without a sub stream", h265, nil, true, "", "H265", webrtc.MimeTypeH264, footage.H265, false},
		{"H.265, both of them", h265, &h265, true, "", "H265", webrtc.MimeTypeH264, footage.H265, true},
		{"H.265 and nothing else", h265, nil, false, "", "H265", "live.h265", 0, false},
		{"H.265 to a browser with nothing else", h265, nil, true, "", "H264", webrtc.MimeTypeH265, 0, false},
		{"H.264 to a browser without", h264, nil, true, "", "H264", "live.offer", 0, false},
		{"MJPEG", jpeg, nil, true, "", "", webrtc.MimeTypeH264, footage.MJPEG, false},
		{"MJPEG and nothing else", jpeg, nil, false, "", "", "live.h265", 0, false},
		{"B-frames, with a sub stream", b264, &h264, true, "", "", webrtc.MimeTypeH264, 0, true},
		{"B-frames without", b264, nil, true, "", "", webrtc.MimeTypeH264, footage.H264, false},
		{"B-frames and nothing else", b264, nil, false, "", "", webrtc.MimeTypeH264, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			st, enc := &studio{main: capture.NewFan()}, &encoder{}
			if tc.main.format.Codec != 0 {
				play(st.main, tc.main.format, 0, 10, 20, tc.main.reordered)
			}
			if tc.sub != nil {
				sub := capture.NewFan()
				st.sub = &sub
				play(sub, tc.sub.format, 0, 10, 20, tc.sub.reordered)
			}
			opt := Options{Source: st}
			if tc.transcoder {
				opt.Transcoder = enc
			}
			_, url := whep(t, opt)
			w, _, p := watchAs(t, url+tc.query, tc.lacks)
			if p != nil {
				if p.Code != tc.want {
					t.Errorf("%s: %v, want %s", p.Code, p, tc.want)
				}
				if n := st.main.Viewers(); n != 0 {
					t.Errorf("%d subscriptions are left", n)
				}
				return
			}
			if got := w.mime(t); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			if got := footage.Codec(enc.codec.Load()); got != tc.made {
				t.Errorf("made of %v, want %v", got, tc.made)
			}
			// What feeds the view is held, and nothing else.
			main, sub := 1, 0
			if tc.usesSub {
				main, sub = 0, 1
			}
			subs := func() int {
				if st.sub == nil {
					return 0
				}
				return st.sub.Viewers()
			}
			if st.main.Viewers() != main || subs() != sub {
				t.Errorf("%d subscriptions of the main stream and %d of the small one, want %d and %d", st.main.Viewers(), subs(), main, sub)
			}
		})
	}
}

// One transcode serves all, a third camera finds none free, and it ends after
// its last viewer.
func TestOneTranscodeForAll(t *testing.T) {
	t.Parallel()
	st, enc := &studio{main: capture.NewFan()}, &encoder{}
	play(st.main, formatJPEG, 0, 5, 1, false)
	srv, url := whep(t, Options{Source: st, Transcoder: enc, Transcodes: 1})
	a, _, p := watchAs(t, url, "")
	b, _, q := watchAs(t, url, "")
	if p != nil || q != nil {
		t.Fatal(p, q)
	}
	stop := roll(t, st.main, formatJPEG)
	poll(t, "pictures at both", func() bool { return a.count() > 30 && b.count() > 30 })
	stop()
	if enc.calls.Load() != 1 || srv.Stats().Transcodes != 1 || st.main.Viewers() != 1 {
		t.Errorf("%d transcodes of %d subscriptions for two viewers", enc.calls.Load(), st.main.Viewers())
	}
	other := rendition{cam: "other"}
	src, err := st.main.Subscribe(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.transcode(other, src); !errors.Is(err, errBusy) {
		t.Errorf("one transcode more: %v", err)
	}
	for _, w := range []*watcher{a, b} {
		if err := w.pc.Close(); err != nil {
			t.Fatal(err)
		}
	}
	poll(t, "the end of the transcode", func() bool {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		return enc.running.Load() == 0 && st.main.Viewers() == 0 && len(srv.hubs) == 0
	})
}

func TestTranscodeThatFails(t *testing.T) {
	t.Parallel()
	st, enc := &studio{main: capture.NewFan()}, &encoder{fail: errors.New("no")}
	play(st.main, formatJPEG, 0, 5, 1, false)
	srv, url := whep(t, Options{Source: st, Transcoder: enc})
	roll(t, st.main, formatJPEG)
	if _, _, p := watchAs(t, url, ""); p != nil {
		t.Fatal(p)
	}
	poll(t, "the end of the view", func() bool { return srv.Viewers() == 0 && st.main.Viewers() == 0 })
	if n := enc.calls.Load(); n != hubTries {
		t.Errorf("%d tries, want %d", n, hubTries)
	}
}

// Who comes late has the keyframe and all after it, close together in time, and
// the same again on loss.
func TestLateViewer(t *testing.T) {
	t.Parallel()
	st := &studio{main: capture.NewFan()}
	play(st.main, coded264, 0, 40, 1000, false)
	srv, url := whep(t, Options{Source: st})
	w, _, p := watchAs(t, url, "")
	if p != nil {
		t.Fatal(p)
	}
	const first = 42 // two parameter sets and 40 pictures
	poll(t, "the GOP under way", func() bool { return w.count() >= first })
	play(st.main, coded264, 40, 2, 1000, false)
	poll(t, "what follows", func() bool { return w.count() == first+2 })
	w.mu.Lock()
	got, at := pictures(t, w.packets)
	ssrc := uint32(w.ssrc)
	w.mu.Unlock()
	for i := range got {
		if b := got[i]; b[len(b)-2] != byte(i) {
			t.Fatalf("picture %d is number %d", i, b[len(b)-2])
		}
		want := uint32(1)
		if i >= 40 {
			want = 3600
		}
		if i > 0 && at[i]-at[i-1] != want {
			t.Errorf("picture %d is %d ticks after the one before, want %d", i, at[i]-at[i-1], want)
		}
	}
	if err := w.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}); err != nil {
		t.Fatal(err)
	}
	poll(t, "the report", func() bool { return srv.Stats().Repairs == 1 })
	// It is repaired at most once a second, from a picture on.
	n := 42
	poll(t, "the repair", func() bool {
		play(st.main, coded264, n, 1, 1000, false)
		n++
		return w.count() > first+2+n-42+40
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	got, at = pictures(t, w.packets)
	for i := 1; i < len(at); i++ {
		if d := int32(at[i] - at[i-1]); d <= 0 {
			t.Errorf("picture %d is %d ticks after the one before", i, d)
		}
	}
	again := 0
	for _, b := range got {
		if b[len(b)-2] == 0 {
			again++
		}
	}
	if again != 2 {
		t.Errorf("the keyframe was sent %d times, want 2", again)
	}
}

func TestPacks265(t *testing.T) {
	st := &studio{main: capture.NewFan()}
	big := make([]byte, 5000)
	for i := range big {
		big[i] = byte(i * 7)
	}
	big[0], big[1] = 19<<1, 1
	au := footage.AccessUnit{Arrived: time.Now(), Key: true, NALUs: [][]byte{{39 << 1, 1, 9}, big}}
	st.main.Send(format265, &au, false)
	_, url := whep(t, Options{Source: st})
	w, answer, p := watchAs(t, url, "")
	if p != nil {
		t.Fatal(p)
	}
	if strings.Contains(answer, "H264") || !strings.Contains(answer, "H265/90000") || !strings.Contains(answer, "rtx/90000") || !strings.Contains(answer, "nack pli") {
		t.Errorf("answer: %s", answer)
	}
	poll(t, "the picture", func() bool { return w.count() == 9 })
	w.mu.Lock()
	defer w.mu.Unlock()
	var got [][]byte
	var open []byte
	for i, pkt := range w.packets {
		if pkt.Marker != (i == len(w.packets)-1) || len(pkt.Payload) > mtu {
			t.Errorf("packet %d: %d bytes, mark %v", i, len(pkt.Payload), pkt.Marker)
		}
		if pkt.Payload[0]>>1&0x3f != 49 {
			got = append(got, pkt.Payload)
			continue
		}
		// RFC 7798 §4.4.3: payload header, FU header (S, E, type), fragment.
		head, fu := pkt.Payload[:2], pkt.Payload[2]
		if fu&0x80 != 0 {
			open = []byte{head[0]&0x81 | fu&0x3f<<1, head[1]}
		}
		open = append(open, pkt.Payload[3:]...)
		if fu&0x40 != 0 {
			got = append(got, open)
		}
	}
	want := append(append([][]byte{}, format265.Params...), au.NALUs...)
	if len(got) != len(want) {
		t.Fatalf("%d NAL units, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("NAL unit %d differs", i)
		}
	}
}
