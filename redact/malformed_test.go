//go:build linux

package redact

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// tiny writes a clip of 10 frames of 160x96 with ffmpeg. args are its output
// options but for the name.
func tiny(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	all := append([]string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=160x96:r=10:d=1"}, append(args, path)...)
	if out, err := exec.Command("ffmpeg", all...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", all, err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	asH264 = []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "5"}
	asH265 = []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=5"}
	asJPEG = []string{"-c:v", "mjpeg", "-q:v", "6"}
)

// ends veils a clip that may be anything and returns what came of it: a proven
// copy, or a problem that says what is wrong and nothing kept; in time.
func ends(t testing.TB, w *Worker, job Job, clip []byte) (Copy, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	store := &memory{}
	c, err := w.Produce(ctx, job, bytes.NewReader(clip), store, nil)
	var p *problem.Problem
	switch {
	case ctx.Err() != nil:
		t.Errorf("still at work after a minute: %v", err)
	case err == nil:
		if f, rerr := Reopen(c.Record(), store); rerr != nil || f.IsZero() || c.Figures().Frames == 0 {
			t.Errorf("a copy that does not hold: %v", rerr)
		}
	case !errors.As(err, &p) || errors.Is(err, Crashed):
		t.Errorf("no problem that says what is wrong: %v", err)
	case !c.IsZero() || store.b != nil:
		t.Errorf("%d bytes were kept beside %v", len(store.b), err)
	}
	return c, err
}

// spoil changes n bytes of b from from on.
func spoil(b []byte, seed uint64, n, from int) []byte {
	b, r := bytes.Clone(b), rand.New(rand.NewPCG(seed, 11))
	for range n {
		b[from+r.IntN(len(b)-from)] ^= byte(1 << r.IntN(8))
	}
	return b
}

// spsOf returns an SPS of baseline profile for frames of w by h macroblocks
// (ITU-T H.264, 7.3.2.1.1).
func spsOf(w, h uint32) []byte {
	var bits []byte
	ue := func(v uint32) {
		s := fmt.Sprintf("%b", v+1)
		bits = append(bits, strings.Repeat("0", len(s)-1)+s...)
	}
	for _, v := range []uint32{0, 0, 2, 1} { // id, log2_max_frame_num, order type, reference frames
		ue(v)
	}
	bits = append(bits, '0')
	ue(w - 1)
	ue(h - 1)
	bits = append(bits, "11001"...) // frames only, direct 8x8, no crop, no VUI, stop bit
	out := []byte{0, 0, 0, 1, 0x67, 66, 0xc0, 62}
	for len(bits)%8 != 0 {
		bits = append(bits, '0')
	}
	for i := 0; i < len(bits); i += 8 {
		var v byte
		for _, c := range bits[i : i+8] {
			v = v<<1 | (c - '0')
		}
		out = append(out, v)
	}
	return out
}

// withoutSPS returns a byte stream without its own.
func withoutSPS(b []byte) (out []byte) {
	for i, u := range bytes.Split(b, []byte{0, 0, 1}) {
		if i > 0 && len(u) > 0 && u[0]&0x1f != 7 {
			out = append(append(out, 0, 0, 1), u...)
		}
	}
	return out
}

// patch writes v over the first place of mark, off bytes behind its beginning.
func patch(t *testing.T, b []byte, mark string, off int, v ...byte) []byte {
	t.Helper()
	i := bytes.Index(b, []byte(mark))
	if i < 0 {
		t.Fatalf("there is no %q", mark)
	}
	b = bytes.Clone(b)
	copy(b[i+off:], v)
	return b
}

func TestMalformedClips(t *testing.T) {
	mp4 := tiny(t, "a.mp4", asH264...)
	raw := tiny(t, "a.h264", asH264...)
	hevc := tiny(t, "a.mkv", asH265...)
	avi := tiny(t, "a.avi", asJPEG...)
	ts := tiny(t, "a.ts", asH264...)
	other := tiny(t, "b.h264", append([]string{"-vf", "scale=320:240"}, asH264...)...)
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	f, err := z.Create("a.mp4")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(mp4); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	var pic bytes.Buffer
	if err := png.Encode(&pic, image.NewRGBA(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Clone(pic.Bytes())
	binary.BigEndian.PutUint32(bomb[16:], 60000)
	binary.BigEndian.PutUint32(bomb[20:], 60000)
	// What ffmpeg makes of the rest is its business: any end will do.
	const any, none = "any", "none"
	for name, k := range map[string]struct {
		clip []byte
		want string // code of a problem, "" for a copy
	}{
		"nothing":               {nil, "redact.not-video"},
		"one byte":              {[]byte{0}, "redact.not-video"},
		"zeros":                 {make([]byte, 1<<16), "redact.not-video"},
		"text":                  {[]byte(strings.Repeat("Kære butik. ", 9000)), none},
		"HTML":                  {[]byte("<!doctype html><video src=\"http://127.0.0.1/a.mp4\"></video>"), none},
		"SVG":                   {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>`), none},
		"a PDF":                 {[]byte("%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"), none},
		"a ZIP":                 {zipped.Bytes(), any},
		"a PNG":                 {pic.Bytes(), any},
		"a PNG of 60000x60000":  {bomb, none},
		"sound alone":           {tiny(t, "a.m4a", "-f", "lavfi", "-i", "sine=d=1", "-map", "1:a", "-c:a", "aac"), "redact.not-video"},
		"no frames":             {tiny(t, "z.mp4", append([]string{"-t", "0"}, asH264...)...), none},
		"one frame":             {tiny(t, "o.mp4", append([]string{"-frames:v", "1"}, asH264...)...), ""},
		"SPS of 65520x65520":    {append(spsOf(4095, 4095), withoutSPS(raw)...), none},
		"SPS of 8192x8192":      {append(spsOf(512, 512), withoutSPS(raw)...), "redact.too-large"},
		"SPS of 16384x16":       {append(spsOf(1024, 1), withoutSPS(raw)...), "redact.too-large"},
		"SPS before another":    {append(spsOf(4095, 4095), raw...), any},
		"SPS without slices":    {spsOf(10, 6), none},
		"JPEG of 65500x65500":   {patch(t, avi, "\xff\xc0", 5, 0xff, 0xdc, 0xff, 0xdc), any},
		"avc1 of 65535x65535":   {patch(t, mp4, "avc1\x00\x00\x00\x00\x00\x00\x00\x01", 28, 0xff, 0xff, 0xff, 0xff), any},
		"stsz of 2^32 samples":  {patch(t, mp4, "stsz", 12, 0xff, 0xff, 0xff, 0xff), any},
		"stts of 2^32 ticks":    {patch(t, mp4, "stts", 16, 0xff, 0xff, 0xff, 0xff), any},
		"mdat of 2^32 bytes":    {patch(t, mp4, "mdat", -4, 0xff, 0xff, 0xff, 0xff), any},
		"moov within moov":      {patch(t, mp4, "trak", 0, 'm', 'o', 'o', 'v'), any},
		"another size midway":   {append(bytes.Clone(raw), other...), any},
		"two files in one":      {append(bytes.Clone(mp4), mp4...), any},
		"two AVIs in one":       {append(bytes.Clone(avi), avi...), any},
		"a film behind a PNG":   {append(bytes.Clone(pic.Bytes()), mp4...), any},
		"times that jump":       {tiny(t, "j.mkv", append([]string{"-bsf:v", "setts=pts='if(gte(N,5),PTS+100000000000,PTS)':dts='if(gte(N,5),DTS+100000000000,DTS)'"}, asH264...)...), any},
		"times that stand":      {tiny(t, "s.mkv", append([]string{"-bsf:v", "setts=ts=0"}, asH264...)...), any},
		"times that go back":    {tiny(t, "b.mkv", append([]string{"-bsf:v", "setts=ts=1000-N*10"}, asH264...)...), any},
		"times below zero":      {tiny(t, "n.mkv", append([]string{"-bsf:v", "setts=ts=TS-100000", "-avoid_negative_ts", "disabled"}, asH264...)...), any},
		"a stream joined late":  {ts[len(ts)/2/188*188:], any},
		"a stream out of phase": {ts[77:], any},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ends(t, worker(), Job{Choice: subject.Choice{Mode: subject.BlurEverything}}, k.clip)
			t.Logf("%v", err)
			if got := code(err); k.want == none && err == nil || k.want != none && k.want != any && got != k.want {
				t.Errorf("%q, want %q", got, k.want)
			}
		})
	}
	for name, clip := range map[string][]byte{"mp4": mp4, "h264": raw, "hevc": hevc, "avi": avi, "ts": ts} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s spoilt %d", name, seed), func(t *testing.T) {
				// In the head, in the body.
				b := spoil(clip, seed, 40, len(clip)/4)
				if seed == 0 {
					b = append(spoil(clip[:256], seed, 4, 0), clip[256:]...)
				}
				_, err := ends(t, worker(), Job{Choice: subject.Choice{Mode: subject.BlurEverything}}, b)
				t.Logf("%v", err)
			})
		}
		t.Run(name+" cut", func(t *testing.T) {
			_, err := ends(t, worker(), Job{Choice: subject.Choice{Mode: subject.BlurEverything}}, clip[:len(clip)*3/5])
			t.Logf("%v", err)
		})
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

// A clip that names other files and addresses is not given a byte of them.
func TestPlaylistsReachNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret.mp4")
	if err := os.WriteFile(secret, tiny(t, "s.mp4", asH264...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.ts"), tiny(t, "s.ts", asH264...), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var calls atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			c.Close()
		}
	}()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	watch := os.NewFile(uintptr(fd), "inotify")
	defer watch.Close()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_OPEN|unix.IN_ACCESS); err != nil {
		t.Fatal(err)
	}
	opened := func() int {
		n, err := unix.Read(fd, make([]byte, 64<<10))
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		return max(0, n)
	}
	if f, err := os.Open(secret); err != nil || f.Close() != nil || opened() == 0 {
		t.Fatal("the watch sees nothing: the test shows nothing", err)
	}
	at := "http://" + l.Addr().String()
	m3u8 := func(uri string) string {
		return "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\n" + uri + "\n#EXT-X-ENDLIST\n"
	}
	mov := tiny(t, "r.mov", asH264...)
	// An alias to another file in place of the data (QuickTime, data reference).
	if i := bytes.Index(mov, []byte("url \x00\x00\x00\x01")); i >= 0 {
		mov[i+7] = 0 // not in this file
	}
	avi := tiny(t, "g.avi", asJPEG...)
	gab2 := append(bytes.Clone(avi), []byte("01txGAB2\x00\x02\x00"+m3u8(at+"/x.ts"))...)
	plain, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-i", secret, "-f", "rawvideo", "-").Output()
	if err != nil || len(plain) == 0 {
		t.Fatal(err)
	}
	opened()
	for name, clip := range map[string]string{
		"ffconcat":           "ffconcat version 1.0\nfile " + secret + "\n",
		"ffconcat, file:":    "ffconcat version 1.0\nfile file:" + secret + "\n",
		"ffconcat, http:":    "ffconcat version 1.0\nfile " + at + "/a.mp4\n",
		"ffconcat, relative": "ffconcat version 1.0\nfile ../../.." + secret + "\n",
		"ffconcat, fd":       "ffconcat version 1.0\nfile 0\nfile 1\nfile 2\nfile 3\nfile 4\n",
		"m3u8":               m3u8(filepath.Join(dir, "secret.ts")),
		"m3u8, file:":        m3u8("file://" + filepath.Join(dir, "secret.ts")),
		"m3u8, http:":        m3u8(at + "/a.ts"),
		"m3u8, concat:":      m3u8("concat:file:///etc/passwd|" + at + "/a.ts"),
		"m3u8, subfile":      m3u8("subfile,,start,0,end,0,,:" + secret),
		"m3u8, data:":        m3u8("data:video/mp2t;base64,AAAA"),
		"m3u8, key":          strings.Replace(m3u8("file://"+secret), "#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\""+at+"/key\"\n#EXTINF", 1),
		"m3u8, master":       "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n" + at + "/b.m3u8\n",
		"SDP":                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
		"MPD":                `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>file://` + secret + `</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"ASX":                `<asx version="3.0"><entry><ref href="file://` + secret + `"/></entry></asx>`,
		"RTSP redirect":      "rtsp://127.0.0.1/x",
		"QuickTime alias":    string(mov),
		"AVI, GAB2":          string(gab2),
		"ffmetadata":         ";FFMETADATA1\ntitle=x\n",
		"link list":          "[playlist]\nFile1=" + secret + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			job := Job{Choice: subject.Choice{Mode: subject.BlurEverything}}
			_, err := ends(t, worker(), job, []byte(clip))
			t.Logf("%v", err)
			if err == nil && !strings.HasPrefix(name, "AVI") && !strings.HasPrefix(name, "QuickTime") {
				t.Error("a copy of a list")
			}
			if b, err := worker().Still(t.Context(), strings.NewReader(clip), 0, 160); err == nil && !strings.HasPrefix(name, "AVI") && !strings.HasPrefix(name, "QuickTime") {
				t.Errorf("a still of %d bytes", len(b))
			}
			if n := opened(); n > 0 {
				t.Errorf("another file was opened")
			}
			if n := calls.Load(); n > 0 {
				t.Errorf("%d calls came in", n)
			}
		})
	}
}

// Not even where a sandbox that lacks Landlock was allowed.
func TestPlaylistsWithoutLandlock(t *testing.T) {
	dir := odd(t, "without-landlock_create_ruleset,landlock_add_rule,landlock_restrict_self", "veil-redact")
	if err := os.Symlink(program, filepath.Join(dir, "real")); err != nil {
		t.Fatal(err)
	}
	w := &Worker{Path: filepath.Join(dir, "veil-redact"), Sandbox: Policy{AllowDegraded: true}}
	secret := filepath.Join(dir, "secret.ts")
	if err := os.WriteFile(secret, tiny(t, "s.ts", asH264...), 0o644); err != nil {
		t.Fatal(err)
	}
	const list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n%s\n#EXT-X-ENDLIST\n"
	for _, clip := range []string{fmt.Sprintf(list, secret), fmt.Sprintf(list, "file://"+secret), "ffconcat version 1.0\nfile " + secret + "\n"} {
		if _, err := ends(t, w, Job{Choice: subject.Choice{Mode: subject.BlurEverything}}, []byte(clip)); code(err) != "redact.not-video" {
			t.Errorf("a copy of a list: %v", err)
		}
		if b, err := w.Still(t.Context(), strings.NewReader(clip), 0, 160); err == nil {
			t.Errorf("a still of %d bytes", len(b))
		}
		s := open(t, w, SessionJob{}, strings.NewReader(clip))
		if b, _, err := s.Picture(t.Context(), 0, 160, true, nil, nil); err == nil {
			t.Errorf("a picture of %d bytes", len(b))
		}
	}
}

// A scene is a stranger's movie as well.
func TestMalformedScenes(t *testing.T) {
	clip := tiny(t, "a.mp4", asH264...)
	for name, movie := range map[string][]byte{
		"nothing": nil, "text": []byte(strings.Repeat("no video ", 999)), "cut": clip[:len(clip)/2], "spoilt": spoil(clip, 1, 200, 40),
		"another size": tiny(t, "b.mp4", append([]string{"-vf", "scale=320:240"}, asH264...)...),
	} {
		t.Run(name, func(t *testing.T) {
			job := Job{Subjects: []subject.Subject{theBox()}, Choice: subject.Choice{Mode: subject.StillScene},
				Scene: &Scene{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(movie)), nil }}}
			c, err := ends(t, worker(), job, clip)
			if err == nil && c.Figures().Painted > 0 {
				t.Error("a scene was painted of it")
			}
			t.Logf("%v", err)
		})
	}
}

// FuzzProduce holds what TestMalformedClips does of any bytes.
func FuzzProduce(f *testing.F) {
	for _, clip := range [][]byte{tiny(f, "a.mp4", asH264...), tiny(f, "a.h264", asH264...), tiny(f, "a.mkv", asH265...), tiny(f, "a.avi", asJPEG...),
		tiny(f, "a.ts", asH264...), []byte("ffconcat version 1.0\nfile 0\n"), []byte("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")} {
		f.Add(clip)
	}
	f.Fuzz(func(t *testing.T, clip []byte) {
		w := worker()
		w.Limits.Width, w.Limits.Height, w.Limits.Length = 640, 480, time.Minute
		_, _ = ends(t, w, Job{Choice: subject.Choice{Mode: subject.BlurEverything}}, clip) // it judges by itself
	})
}
