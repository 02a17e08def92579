package clip

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
)

const (
	second = footage.TicksPerSecond
	frame  = second / 25
)

var began = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func start() footage.Ticks { return footage.TicksOf(began) }

func openRing(t testing.TB, dir string) *ring.Ring {
	t.Helper()
	r, err := ring.Open(t.Context(), ring.Options{Dir: dir, Key: keys.New(), Quota: 1 << 30, Clock: clock.NewFake(began), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func appendAll(t testing.TB, r *ring.Ring, parts []*footage.Part) {
	t.Helper()
	for _, p := range parts {
		if err := r.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

func save(t testing.TB, m *Movie) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(f, m); err != nil || n != m.Size() {
		t.Fatalf("%d of %d bytes: %v", n, m.Size(), err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// sourceFrames decodes the parts as they came, without ring or clip: their
// bytes as a plain stream.
func sourceFrames(t testing.TB, parts []*footage.Part) []string {
	t.Helper()
	var b bytes.Buffer
	sc := []byte{0, 0, 0, 1}
	for _, p := range parts {
		for _, n := range p.Format.Params {
			b.Write(sc)
			b.Write(n)
		}
		for d := p.Data; len(d) > 0; {
			n := int(d[0])<<24 | int(d[1])<<16 | int(d[2])<<8 | int(d[3])
			b.Write(sc)
			b.Write(d[4 : 4+n])
			d = d[4+n:]
		}
	}
	ext := map[footage.Codec]string{footage.H264: ".h264", footage.H265: ".hevc"}[parts[0].Format.Codec]
	path := filepath.Join(t.TempDir(), "source"+ext)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return mp4test.FrameHashes(t, path)
}

func TestClipShowsExactlyTheSpan(t *testing.T) {
	for _, codec := range []footage.Codec{footage.H264, footage.H265} {
		t.Run(codec.String(), func(t *testing.T) {
			dir := t.TempDir()
			r := openRing(t, dir)
			parts := mp4test.Parts(t, codec, "till-1", start(), 8)
			appendAll(t, r, parts)
			source := sourceFrames(t, parts)
			if len(source) != 200 {
				t.Fatalf("the source has %d pictures", len(source))
			}
			for _, c := range []struct {
				name        string
				span        footage.Span
				first, last int // pictures
			}{
				{"on keyframes", footage.Span{From: start() + 2*second, To: start() + 5*second}, 50, 125},
				{"within GOPs", footage.Span{From: start() + 2*second + 7*frame, To: start() + 5*second + 12*frame}, 57, 137},
				{"within pictures", footage.Span{From: start() + 2*second + 7*frame + 100, To: start() + 5*second + 12*frame + 100}, 57, 138},
				{"one picture", footage.Span{From: start() + second + 9*frame, To: start() + second + 10*frame}, 34, 35},
				{"everything and more", footage.Span{From: start() - 100*second, To: start() + 100*second}, 0, 200},
			} {
				m, err := Open(t.Context(), r, "till-1", c.span)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				path := save(t, m)
				if got := mp4test.FrameHashes(t, path); !slices.Equal(got, source[c.first:c.last]) {
					t.Errorf("%s: %d pictures, want those from %d to %d", c.name, len(got), c.first, c.last)
				}
				from := start() + footage.Ticks(c.first)*frame
				to := min(c.span.To, start()+8*second)
				if got := m.Span(); got.From != from || got.To != to {
					t.Errorf("%s: Span is %v to %v", c.name, (got.From - start()).Duration(), (got.To - start()).Duration())
				}
				// ffprobe takes the end of the last picture.
				want := fmt.Sprintf("duration=%.6f", (to - from).Duration().Seconds())
				if got := mp4test.Probe(t, path, "format=duration"); got[:len(got)-3] != want[:len(want)-3] {
					t.Errorf("%s: %s, want %s", c.name, got, want)
				}
				if !m.Format().Equal(parts[0].Format) {
					t.Errorf("%s: another format", c.name)
				}
			}
			noPlaintext(t, dir, parts)
		})
	}
}

func noPlaintext(t *testing.T, dir string, parts []*footage.Part) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, p := range parts {
			for off := 4; off+24 <= len(p.Data); off += 200 {
				if bytes.Contains(b, p.Data[off:off+24]) {
					t.Fatalf("%s holds coded pictures in the clear", path)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSameBytesHoweverRead(t *testing.T) {
	r := openRing(t, t.TempDir())
	appendAll(t, r, mp4test.Parts(t, footage.H264, "till-1", start(), 6))
	span := footage.Span{From: start() + second + 5*frame, To: start() + 5*second + 3*frame}
	m, err := Open(t.Context(), r, "till-1", span)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(m)
	if err != nil || int64(len(whole)) != m.Size() {
		t.Fatal(len(whole), err)
	}
	again, err := Open(t.Context(), r, "till-1", span)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(again); err != nil || !bytes.Equal(b, whole) {
		t.Errorf("a second movie of the span differs (%v)", err)
	}
	h, err := again.Hash(t.Context())
	if err != nil || h.Hash != footage.Hash(sha256.Sum256(whole)) {
		t.Errorf("Hash: %v, %v", h, err)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 400 {
		off := rnd.Int64N(m.Size() + 5)
		p := make([]byte, rnd.IntN(60_000))
		n, err := m.ReadAt(p, off)
		want := whole[min(off, m.Size()):min(off+int64(len(p)), m.Size())]
		if !bytes.Equal(p[:n], want) || (err == io.EOF) != (n < len(p)) || err != nil && err != io.EOF {
			t.Fatalf("%d bytes at %d: %d, %v", len(p), off, n, err)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		m, err := Open(req.Context(), r, "till-1", span)
		if err != nil {
			problem.Write(w, err)
			return
		}
		http.ServeContent(w, req, "clip.mp4", time.Time{}, m)
	}))
	defer srv.Close()
	req, err := http.NewRequest("GET", srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=1000-20999")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusPartialContent || !bytes.Equal(b, whole[1000:21000]) {
		t.Errorf("over HTTP: %s, %d bytes, %v", res.Status, len(b), err)
	}
}

// reordered returns parts with B-frames, as ffmpeg's own muxer times them.
func reordered(t *testing.T, seconds int) ([]*footage.Part, []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.mp4")
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=320x240:rate=25:duration=%d", seconds),
		"-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", "3", "-x264-params", "keyint=25:min-keyint=25:scenecut=0:open-gop=0:b-adapt=0:b-pyramid=1:threads=1",
		"-video_track_timescale", "90000", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	stbl := f.Moov.Trak.Mdia.Minf.Stbl
	c := stbl.Stsd.AvcX.AvcC
	format := footage.Format{Codec: footage.H264, Width: 320, Height: 240, Params: append(slices.Clone(c.SPSnalus), c.PPSnalus...)}
	var parts []*footage.Part
	data := f.Mdat.Data
	for i := uint32(1); i <= stbl.Stsz.SampleNumber; i++ {
		key := stbl.Stss.IsSyncSample(i)
		if key {
			parts = append(parts, &footage.Part{Camera: "till-1", Start: start() + footage.Ticks(len(parts))*second, Format: format})
		}
		p := parts[len(parts)-1]
		n := stbl.Stsz.GetSampleSize(int(i))
		p.Samples = append(p.Samples, footage.Sample{Size: n, Duration: stbl.Stts.GetDur(i), Offset: stbl.Ctts.GetCompositionTimeOffset(i), Key: key})
		p.Data = append(p.Data, data[:n]...)
		data = data[n:]
	}
	if len(parts) != seconds || parts[0].Samples[0].Offset != 2*frame {
		t.Fatalf("%d parts, the first delayed by %d", len(parts), parts[0].Samples[0].Offset)
	}
	return parts, mp4test.FrameHashes(t, path)
}

func TestReorderedPictures(t *testing.T) {
	r := openRing(t, t.TempDir())
	parts, source := reordered(t, 4)
	appendAll(t, r, parts)
	for first := 20; first < 32; first++ {
		last := first + 35
		m, err := Open(t.Context(), r, "till-1", footage.Span{From: start() + footage.Ticks(first)*frame, To: start() + footage.Ticks(last)*frame})
		if err != nil {
			t.Fatal(err)
		}
		if got := mp4test.FrameHashes(t, save(t, m)); !slices.Equal(got, source[first:last]) {
			t.Errorf("from picture %d: %d pictures, want 35", first, len(got))
		}
	}
}

// Second n of the movie is second n of the wall clock, also behind a gap.
func TestGapStandsStill(t *testing.T) {
	r := openRing(t, t.TempDir())
	parts := mp4test.Parts(t, footage.H264, "till-1", start(), 4)
	appendAll(t, r, parts[:2])
	for _, p := range parts[2:] {
		p.Start += 10 * second
	}
	appendAll(t, r, parts[2:])
	m, err := Open(t.Context(), r, "till-1", footage.Span{From: start() + second, To: start() + 14*second})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Span(); got != (footage.Span{From: start() + second, To: start() + 14*second}) {
		t.Errorf("Span: %v", got)
	}
	path := save(t, m)
	times := strings.Split(mp4test.Probe(t, path, "packet=pts_time"), "\n")
	if len(times) != 75 || times[24] != "pts_time=0.960000" || times[25] != "pts_time=11.000000" || times[74] != "pts_time=12.960000" {
		t.Errorf("%d pictures, at the gap %v", len(times), times[24:26])
	}
	// A span that begins in the gap begins with what follows it.
	m, err = Open(t.Context(), r, "till-1", footage.Span{From: start() + 5*second, To: start() + 13*second})
	if err != nil || m.Span() != (footage.Span{From: start() + 12*second, To: start() + 13*second}) {
		t.Errorf("from within the gap: %v, %v", m.Span(), err)
	}
}

// fake is a source of parts that no encoder made.
type fake struct{ parts []ring.PartInfo }

func (f fake) Parts(context.Context, footage.CameraID, footage.Span) ([]ring.PartInfo, error) {
	return f.parts, nil
}

func (f fake) Read(_ context.Context, p ring.PartInfo) (*footage.Part, error) {
	return &footage.Part{Data: make([]byte, p.Size)}, nil
}

func info(from footage.Ticks, format footage.Format, durations ...uint32) ring.PartInfo {
	p := ring.PartInfo{Camera: "a", Start: from, End: from, Format: format}
	for i, d := range durations {
		p.Samples = append(p.Samples, footage.Sample{Size: 10, Duration: d, Key: i == 0})
		p.Size += 10
		p.End += footage.Ticks(d)
	}
	return p
}

func TestTheTableFollowsTheWallClock(t *testing.T) {
	f := footage.Format{Codec: footage.H264, Width: 16, Height: 16, Params: [][]byte{{0x67, 66, 0, 10, 0x88}, {0x68, 0xce, 0x38}}}
	for name, c := range map[string]struct {
		parts []ring.PartInfo
		span  footage.Span
		want  [][]uint32
	}{
		"no gap":           {[]ring.PartInfo{info(1000, f, 10, 10), info(1020, f, 10)}, footage.Span{From: 1000, To: 1030}, [][]uint32{{10, 10}, {10}}},
		"gap":              {[]ring.PartInfo{info(1000, f, 10, 10), info(1050, f, 10)}, footage.Span{From: 1000, To: 1060}, [][]uint32{{10, 40}, {10}}},
		"overlap":          {[]ring.PartInfo{info(1000, f, 10, 10), info(1015, f, 10)}, footage.Span{From: 1000, To: 1025}, [][]uint32{{10, 5}, {10}}},
		"long overlap":     {[]ring.PartInfo{info(1000, f, 10, 10, 10), info(1005, f, 10)}, footage.Span{From: 1000, To: 1015}, [][]uint32{{5, 0}, {10}}},
		"ends in a sample": {[]ring.PartInfo{info(1000, f, 10, 10, 10)}, footage.Span{From: 1000, To: 1015}, [][]uint32{{10, 5}}},
		"ends in a gap":    {[]ring.PartInfo{info(1000, f, 10, 10)}, footage.Span{From: 1000, To: 1999}, [][]uint32{{10, 10}}},
	} {
		m := &Movie{parts: slices.Clone(c.parts), formats: []footage.Format{f}}
		var got [][]uint32
		m.measure(c.span, false)
		for i := range m.parts {
			var ds []uint32
			for _, s := range m.pictures(i, nil) {
				ds = append(ds, s.Duration)
			}
			got = append(got, ds)
		}
		if !slices.EqualFunc(got, c.want, slices.Equal[[]uint32]) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if _, err := Open(t.Context(), fake{c.parts}, "a", c.span); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFromTheKeyframe(t *testing.T) {
	f := footage.Format{Codec: footage.H264, Width: 16, Height: 16, Params: [][]byte{{0x67, 66, 0, 10, 0x88}, {0x68, 0xce, 0x38}}}
	src := fake{[]ring.PartInfo{info(1000, f, 10, 10, 10, 10), info(1040, f, 10, 10)}}
	asked := footage.Span{From: 1025, To: 1055}
	hidden, err := OpenWith(t.Context(), src, "a", asked, Options{})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := OpenWith(t.Context(), src, "a", asked, Options{FromKeyframe: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := (footage.Span{From: 1020, To: 1055}); hidden.Span() != want {
		t.Errorf("with an edit list it shows %v, want %v", hidden.Span(), want)
	}
	want := footage.Span{From: 1000, To: 1055}
	if whole.Span() != want {
		t.Errorf("from the keyframe it shows %v, want %v", whole.Span(), want)
	}
	if bytes.Contains(whole.header, []byte("elst")) || !bytes.Contains(hidden.header, []byte("elst")) {
		t.Error("an edit list belongs where something is hidden, and there alone")
	}
	// What begins with its keyframe has nothing to hide, however it is asked for.
	again, err := OpenWith(t.Context(), src, "a", want, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.header, whole.header) {
		t.Error("the same span gives other bytes")
	}
}

func TestRefusals(t *testing.T) {
	r := openRing(t, t.TempDir())
	parts := mp4test.Parts(t, footage.H264, "till-1", start(), 3)
	changed := *parts[2]
	changed.Format.Width = 640
	appendAll(t, r, []*footage.Part{parts[0], parts[1], &changed})
	for name, c := range map[string]struct {
		cam  footage.CameraID
		span footage.Span
		want *problem.Problem
	}{
		"empty":     {"till-1", footage.Span{From: start(), To: start()}, ErrSpan},
		"reversed":  {"till-1", footage.Span{From: start() + 1, To: start()}, ErrSpan},
		"too long":  {"till-1", footage.Span{From: start(), To: start() + footage.TicksIn(MaxSpan) + 1}, ErrSpan},
		"before":    {"till-1", footage.Span{From: start() - 9*second, To: start()}, ErrNone},
		"after":     {"till-1", footage.Span{From: start() + 3*second, To: start() + 9*second}, ErrNone},
		"no camera": {"door", footage.Span{From: start(), To: start() + second}, ErrNone},
		"format":    {"till-1", footage.Span{From: start(), To: start() + 3*second}, ErrFormat},
	} {
		_, err := Open(t.Context(), r, c.cam, c.span)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p := problem.Of(err); p.Cause.DA == "" || p.Remedy.EN == "" {
			t.Errorf("%s: says nothing to a person", name)
		}
	}
	_, err := Open(t.Context(), r, "till-1", footage.Span{From: start(), To: start() + 3*second})
	if p := problem.Of(err); !strings.Contains(p.Cause.DA, "2026-07-01 14:00:02") {
		t.Errorf("the change is not named: %s", p.Cause.DA)
	}
	if _, err := Open(t.Context(), r, "till-1", footage.Span{From: start(), To: start() + 2*second}); err != nil {
		t.Errorf("up to the change: %v", err)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	r := openRing(t, t.TempDir())
	appendAll(t, r, mp4test.Parts(t, footage.H264, "till-1", start(), 1))
	ctx, stop := context.WithCancel(t.Context())
	m, err := Open(ctx, r, "till-1", footage.Span{From: start(), To: start() + second})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := io.ReadAll(m); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
