package ring

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
)

const second = footage.TicksPerSecond

var began = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

func testOptions(t testing.TB, dir string) Options {
	t.Helper()
	k, err := keys.FromBytes(bytes.Repeat([]byte{9}, keys.Size))
	if err != nil {
		t.Fatal(err)
	}
	return Options{Dir: dir, Key: k, Quota: 1 << 30, Clock: clock.NewFake(began), Log: slog.New(slog.DiscardHandler)}
}

func openTest(t testing.TB, opt Options, fl files) *Ring {
	t.Helper()
	r, err := open(t.Context(), opt, fl, hooks{})
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

func testFormat() footage.Format {
	return footage.Format{Codec: footage.H264, Width: 640, Height: 360, Params: [][]byte{{0x67, 1, 2, 3}, {0x68, 4, 5}}}
}

// part makes a part of one second in ten samples whose bytes follow from start.
func part(cam footage.CameraID, start footage.Ticks, size int) *footage.Part {
	p := &footage.Part{Camera: cam, Start: start, Format: testFormat(), Data: make([]byte, size)}
	rand.NewChaCha8([32]byte{byte(start), byte(start >> 8), byte(start >> 16), byte(start >> 24), byte(start >> 32), cam[0]}).Read(p.Data)
	left := size
	for i := range 10 {
		n := left
		if i < 9 {
			n = size/10 - i
		}
		left -= n
		p.Samples = append(p.Samples, footage.Sample{Size: uint32(n), Duration: 9000, Key: i == 0, Offset: int32(i % 2 * 9000)})
	}
	return p
}

// onDisk returns how long the record of p is.
func onDisk(p *footage.Part) int {
	t := tableOf(p)
	return recordSize(t.size(), len(p.Data)+len(p.Audio.Data))
}

func start() footage.Ticks { return footage.TicksOf(began) }

func fill(t testing.TB, r *Ring, cam footage.CameraID, from footage.Ticks, n, size int) []*footage.Part {
	t.Helper()
	var out []*footage.Part
	for i := range n {
		p := part(cam, from+footage.Ticks(i)*second, size)
		if err := r.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func same(a, b *footage.Part) bool {
	return a.Camera == b.Camera && a.Start == b.Start && a.Continues == b.Continues && a.Format.Equal(b.Format) &&
		slices.Equal(a.Samples, b.Samples) && bytes.Equal(a.Data, b.Data)
}

// readAll reads back span and compares it with want.
func readAll(t testing.TB, r *Ring, cam footage.CameraID, span footage.Span, want []*footage.Part) {
	t.Helper()
	infos, err := r.Parts(t.Context(), cam, span)
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) != len(want) {
		t.Fatalf("%d parts, want %d", len(infos), len(want))
	}
	for i, info := range infos {
		got, err := r.Read(t.Context(), info)
		if err != nil {
			t.Fatal(err)
		}
		if !same(got, want[i]) {
			t.Fatalf("part %d is not what was appended", i)
		}
	}
}

func always() footage.Span { return footage.Span{From: 1, To: maxTicks} }

func TestAppendAndRead(t *testing.T) {
	dir := t.TempDir()
	r := openTest(t, testOptions(t, dir), disk{})
	a := fill(t, r, "till-1", start(), 20, 5000)
	b := fill(t, r, "door", start()+second/3, 5, 70_000)
	readAll(t, r, "till-1", always(), a)
	readAll(t, r, "door", always(), b)
	readAll(t, r, "till-1", footage.Span{From: a[4].Start + 1, To: a[7].Start}, a[4:7])
	readAll(t, r, "till-1", footage.Span{From: a[4].Start, To: a[4].Start + 1}, a[4:5])
	if p, err := r.Parts(t.Context(), "nowhere", always()); err != nil || p != nil {
		t.Errorf("a camera that is not there: %v, %v", p, err)
	}
	last, err := r.Latest(t.Context(), "door")
	if err != nil || last.Start != b[4].Start {
		t.Errorf("Latest: %v, %v", last.Start, err)
	}
	if _, err := r.Latest(t.Context(), "nowhere"); !errors.Is(err, ErrNone) {
		t.Errorf("Latest of nothing: %v", err)
	}
	for cam, want := range map[footage.CameraID]footage.Ticks{"door": b[4].Span().To, "nowhere": 0} {
		if end, err := r.LastEnd(t.Context(), cam); err != nil || end != want {
			t.Errorf("LastEnd of %s: %v, %v", cam, end, err)
		}
	}
	s, err := r.Stats(t.Context())
	if err != nil || s.Parts != 25 || s.Segments != 2 || s.Oldest != a[0].Start || s.Newest != a[19].Span().To || s.Bytes != int64(20*onDisk(a[0])+5*onDisk(b[0])+2*fileHeader) {
		t.Errorf("Stats: %+v, %v", s, err)
	}

	// Nothing of the pictures lies in any file.
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, p := range append(a, b...) {
			for off := 0; off+32 <= len(p.Data); off += len(p.Data) / 8 {
				if bytes.Contains(content, p.Data[off:off+32]) {
					t.Errorf("%s holds footage in the clear", path)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	// And again after it was closed and opened, going on in a new segment.
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openTest(t, testOptions(t, dir), disk{})
	a = append(a, fill(t, r, "till-1", start()+20*second, 3, 100)...)
	readAll(t, r, "till-1", always(), a)
	if rep, err := r.Check(t.Context()); err != nil || rep.Parts != 28 || len(rep.Damaged) != 0 {
		t.Errorf("Check: %+v, %v", rep, err)
	}
	tl, err := r.Timeline(t.Context(), "till-1", always())
	if err != nil || len(tl) != 1 || tl[0] != (footage.Span{From: start(), To: start() + 23*second}) {
		t.Errorf("Timeline: %v, %v", tl, err)
	}
}

func TestSegmentsRollByHourAndSize(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	opt.Quota = MinQuota
	r := openTest(t, opt, disk{})
	parts := fill(t, r, "till-1", start(), 5, 400_000) // 1 MiB a segment: 2, 2, 1
	next := (start()/hour + 1) * hour
	parts = append(parts, fill(t, r, "till-1", next, 1, 1000)...)
	if s, err := r.Stats(t.Context()); err != nil || s.Segments != 4 {
		t.Errorf("%d segments, want 4 (%v)", s.Segments, err)
	}
	readAll(t, r, "till-1", always(), parts)
}

func TestTimelineShowsGapsOverASecond(t *testing.T) {
	r := openTest(t, testOptions(t, t.TempDir()), disk{})
	at := start()
	for _, gap := range []footage.Ticks{0, second / 2, second, second + 1, 0, 100 * second} {
		at += gap
		fill(t, r, "till-1", at, 1, 100)
		at += second
	}
	s := start()
	first := footage.Span{From: s, To: s + 4*second + second/2}
	second2 := footage.Span{From: first.To + second + 1, To: first.To + 3*second + 1}
	third := footage.Span{From: second2.To + 100*second, To: second2.To + 101*second}
	for _, c := range []struct {
		ask  footage.Span
		want []footage.Span
	}{
		{always(), []footage.Span{first, second2, third}},
		{footage.Span{From: s + 1, To: s + 2}, []footage.Span{{From: s + 1, To: s + 2}}},
		{footage.Span{From: first.To, To: second2.From}, nil},
		{footage.Span{From: first.To - 1, To: second2.From + 1}, []footage.Span{{From: first.To - 1, To: first.To}, {From: second2.From, To: second2.From + 1}}},
		{footage.Span{From: third.To, To: third.To + 1}, nil},
		{footage.Span{From: 5, To: 5}, nil},
	} {
		got, err := r.Timeline(t.Context(), "till-1", c.ask)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v (%v)", c.ask, got, c.want, err)
		}
	}
}

func TestOrderAndChain(t *testing.T) {
	r := openTest(t, testOptions(t, t.TempDir()), disk{})
	ctx := t.Context()
	cont := func(i int) *footage.Part {
		p := part("till-1", start()+footage.Ticks(i)*second, 500)
		p.Continues, p.Samples[0].Key = true, false
		return p
	}
	if err := r.Append(ctx, cont(0)); !errors.Is(err, ErrChain) {
		t.Errorf("continuing nothing: %v", err)
	}
	want := fill(t, r, "till-1", start(), 2, 500)
	for i := 2; i < 5; i++ {
		p := cont(i)
		if err := r.Append(ctx, p); err != nil {
			t.Fatal(err)
		}
		want = append(want, p)
	}
	want = append(want, fill(t, r, "till-1", start()+5*second, 1, 500)...)
	if err := r.Append(ctx, part("till-1", start()+5*second+second-1, 500)); !errors.Is(err, ErrOrder) {
		t.Errorf("overlap: %v", err)
	}
	other := cont(6)
	other.Format.Width = 320
	if err := r.Append(ctx, other); !errors.Is(err, ErrChain) {
		t.Errorf("continuing in another format: %v", err)
	}
	// The keyframe that the span needs comes with it.
	readAll(t, r, "till-1", footage.Span{From: start() + 3*second + 5, To: start() + 4*second}, want[1:4])
	readAll(t, r, "till-1", footage.Span{From: start() + 5*second, To: start() + 6*second}, want[5:])
}

func TestRefusesMalformedParts(t *testing.T) {
	r := openTest(t, testOptions(t, t.TempDir()), disk{})
	for name, change := range map[string]func(*footage.Part){
		"camera":      func(p *footage.Part) { p.Camera = "../up" },
		"no samples":  func(p *footage.Part) { p.Samples = nil },
		"sum":         func(p *footage.Part) { p.Samples[3].Size++ },
		"no data":     func(p *footage.Part) { p.Data, p.Samples = nil, []footage.Sample{{Duration: 1, Key: true}} },
		"no keyframe": func(p *footage.Part) { p.Samples[0].Key = false },
		"no length":   func(p *footage.Part) { p.Samples = []footage.Sample{{Size: 500, Key: true}} },
		"too long":    func(p *footage.Part) { p.Samples[1].Duration = 1 << 31 },
		"start":       func(p *footage.Part) { p.Start = -1 },
		"far future":  func(p *footage.Part) { p.Start = maxTicks + 1 },
		"codec":       func(p *footage.Part) { p.Format.Codec = 9 },
		"size":        func(p *footage.Part) { p.Format.Width = 0 },
		"params":      func(p *footage.Part) { p.Format.Params = nil },
		"large param": func(p *footage.Part) { p.Format.Params = [][]byte{make([]byte, maxParamSize+1)} },
		"large": func(p *footage.Part) {
			p.Data = make([]byte, MaxPartSize+1)
			p.Samples[0].Size += MaxPartSize + 1 - 500
		},
	} {
		p := part("till-1", start(), 500)
		change(p)
		if err := r.Append(t.Context(), p); !errors.Is(err, ErrPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fill(t, r, "till-1", start(), 1, 500)
}

func TestOptionsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		says   string
	}{
		"31 days":   {func(o *Options) { o.Retention = MaxRetention + time.Second }, "§ 4 c"},
		"a minute":  {func(o *Options) { o.Retention = time.Minute }, "too short"},
		"quota":     {func(o *Options) { o.Quota = 1000 }, "quota"},
		"no key":    {func(o *Options) { o.Key = keys.Key{} }, "Key"},
		"no clock":  {func(o *Options) { o.Clock = nil }, "Clock"},
		"no folder": {func(o *Options) { o.Dir = "" }, "Dir"},
	} {
		opt := testOptions(t, t.TempDir())
		c.change(&opt)
		if _, err := Open(t.Context(), opt); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneProcessAndOneKey(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	r := openTest(t, opt, disk{})
	if _, err := Open(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened twice: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	other := opt
	other.Key = keys.New()
	if _, err := Open(t.Context(), other); err == nil || !strings.Contains(err.Error(), "master key") {
		t.Errorf("with another key: %v", err)
	}
	openTest(t, opt, disk{})
}

func TestDamageIsFoundAndNamed(t *testing.T) {
	segmentOf := func(t *testing.T, dir string) string {
		t.Helper()
		m, err := filepath.Glob(filepath.Join(dir, "segments", "*", "*", "*.seg"))
		if err != nil || len(m) != 1 {
			t.Fatalf("segments: %v, %v", m, err)
		}
		return m[0]
	}
	record := onDisk(part("till-1", start(), 500))
	at := func(i int) int { return fileHeader + i*record }
	swap := func(b []byte) {
		x := bytes.Clone(b[at(1):at(2)])
		copy(b[at(1):], b[at(2):at(3)])
		copy(b[at(2):], x)
	}
	for name, c := range map[string]struct {
		file func([]byte) []byte
		sql  string
		hurt []int
		kind Kind
	}{
		"bit of the data":   {file: func(b []byte) []byte { b[at(2)+100] ^= 1; return b }, hurt: []int{2}, kind: KindRecord},
		"bit of the header": {file: func(b []byte) []byte { b[at(2)+17] ^= 1; return b }, hurt: []int{2}, kind: KindRecord},
		"bit of the nonce":  {file: func(b []byte) []byte { b[at(2)+25] ^= 1; return b }, hurt: []int{2}, kind: KindRecord},
		"bit of the tag":    {file: func(b []byte) []byte { b[at(3)-1] ^= 1; return b }, hurt: []int{2}, kind: KindRecord},
		"swapped":           {file: func(b []byte) []byte { swap(b); return b }, hurt: []int{1, 2}, kind: KindRecord},
		"repeated":          {file: func(b []byte) []byte { copy(b[at(1):], b[at(0):at(1)]); return b }, hurt: []int{1}, kind: KindRecord},
		"cut":               {file: func(b []byte) []byte { return b[:at(3)+5] }, hurt: []int{3, 4}, kind: KindShort},
		"emptied":           {file: func([]byte) []byte { return nil }, hurt: []int{0, 1, 2, 3, 4}, kind: KindShort},
		"index: samples":    {sql: "UPDATE part SET samples = (SELECT samples FROM part WHERE number = 4) || x'00' WHERE number = 3", hurt: []int{3}, kind: KindIndex},
		"index: duration":   {sql: "UPDATE part SET samples = replace(samples, x'0aa846', x'0aa946') WHERE number = 3", hurt: []int{3}, kind: KindIndex},
		"index: continues":  {sql: "UPDATE part SET continues = 1 WHERE number = 3", hurt: []int{3}, kind: KindIndex},
		"index: start":      {sql: "UPDATE part SET start = start + 1 WHERE number = 3", hurt: []int{3}, kind: KindRecord},
		"index: key":        {sql: "UPDATE day_key SET wrapped = x'00'", hurt: []int{0, 1, 2, 3, 4}, kind: KindKey},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r := openTest(t, testOptions(t, dir), disk{})
			want := fill(t, r, "till-1", start(), 5, 500)
			if c.file != nil {
				path := segmentOf(t, dir)
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, c.file(b), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if res, err := r.wdb.Exec(c.sql); err != nil {
				t.Fatal(err)
			} else if n, _ := res.RowsAffected(); n == 0 {
				t.Fatal("nothing was changed")
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			r = openTest(t, testOptions(t, dir), disk{})
			rep, err := r.Check(t.Context())
			if err != nil || rep.Parts != 5 || len(rep.Damaged) != len(c.hurt) {
				t.Fatalf("Check: %+v, %v; want %d damaged", rep, err, len(c.hurt))
			}
			for i, d := range rep.Damaged {
				// The index may be off by the one tick that it was changed by.
				if d.Kind != c.kind || d.Camera != "till-1" || !strings.HasPrefix(d.File, "till-1/20260314/") {
					t.Errorf("%s of %s in %q, want %s", d.Kind, d.Camera, d.File, c.kind)
				}
				if off := d.Span.From - want[c.hurt[i]].Start; off < 0 || off > 1 || !errors.Is(d.Err, ErrDamaged) {
					t.Errorf("damage %d at %v: %v", i, d.Span, d.Err)
				}
				if p := problem.Of(d.Err); p.Code != "ring.damaged" || !strings.Contains(p.Cause.DA, "till-1") || !strings.Contains(p.Cause.EN, "10:26:5") || p.Remedy.DA == "" {
					t.Errorf("a person reads %q %q", p.Cause, p.Remedy)
				}
			}
			// The next append is none the worse.
			p := part("till-1", start()+100*second, 500)
			if err := r.Append(t.Context(), p); c.sql == "" && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadersWhileAppending(t *testing.T) {
	r := openTest(t, testOptions(t, t.TempDir()), disk{})
	ctx, stop := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			for ctx.Err() == nil {
				infos, err := r.Parts(t.Context(), "till-1", always())
				if err != nil {
					errs <- err
					return
				}
				for _, i := range infos {
					got, err := r.Read(t.Context(), i)
					if err == nil && !same(got, part("till-1", i.Start, 3000)) {
						err = errors.New("not what was appended")
					}
					if err != nil {
						errs <- err
						return
					}
				}
			}
			errs <- nil
		}()
	}
	fill(t, r, "till-1", start(), 60, 3000)
	stop()
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// More readers than connections, each of which has to ask for the format too.
func TestManyReadersAtOnce(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	r := openTest(t, opt, disk{})
	fill(t, r, "till-1", start(), 3, 500)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openTest(t, opt, disk{})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	errs := make(chan error)
	for range 64 {
		go func() {
			r.mu.Lock()
			clear(r.formats)
			r.mu.Unlock()
			infos, err := r.Parts(ctx, "till-1", always())
			if err == nil && len(infos) != 3 {
				err = errors.New("not all parts")
			}
			errs <- err
		}()
	}
	for range 64 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
