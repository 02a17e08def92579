package capture_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"image/jpeg"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/footagetest"
	"veilbox/internal/keys"
)

// A counting store tells how many pictures it has.
type counting struct {
	*ring.Ring
	mu    sync.Mutex
	more  *sync.Cond
	units uint64
}

func (c *counting) AppendAll(ctx context.Context, parts []*footage.Part) (int, error) {
	n, err := c.Ring.AppendAll(ctx, parts)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts[:n] {
		c.units += uint64(len(p.Samples))
	}
	c.more.Broadcast()
	return n, err
}

func (c *counting) wait(units uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.units < units {
		c.more.Wait()
	}
}

// What is played back is what was sent, access unit by access unit, picture and
// sound, over hours in which the RTP clocks wrap; and it lies where the clock
// says.
func TestProof(t *testing.T) {
	var wg sync.WaitGroup
	for _, tc := range []struct {
		name       string
		fps, hours int
		opt        simulate.Options
	}{
		{"H.264 with B-frames and AAC", 8, 1, simulate.Options{BFrames: 2, Audio: footage.AAC}},
		{"H.264 in slices, marks on SEI, and LATM", 2, 2, simulate.Options{Slices: 3, MarkSEI: true, ParamsOnlyInBand: true, Audio: footage.AAC, LATM: true}},
		{"H.265 and G.711 A-law", 2, 1, simulate.Options{Codec: footage.H265, Audio: footage.PCMA}},
		{"H.265 with B-frames and G.711 mu-law", 8, 1, simulate.Options{Codec: footage.H265, BFrames: 2, Audio: footage.PCMU}},
		{"MJPEG and Opus", 2, 1, simulate.Options{Codec: footage.MJPEG, Audio: footage.Opus}},
		{"H.264 that changes its size", 2, 3, simulate.Options{Then: simulate.Size{Width: 160, Height: 128}}},
	} {
		// They wait for each other's clocks more than they work.
		wg.Go(func() { t.Run(tc.name, func(t *testing.T) { prove(t, tc.fps, tc.hours, tc.opt) }) })
	}
	wg.Wait()
}

func prove(t *testing.T, fps, hours int, opt simulate.Options) {
	begun := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	fake := clock.NewFake(begun)
	opt.Clock, opt.Password, opt.GOP = fake, "pass", 2*time.Second
	opt.Size, opt.SubSize = simulate.Size{Width: 192, Height: 144}, simulate.Size{Width: 64, Height: 64}
	opt.Files = []string{footagetest.Synthetic(t, footagetest.Options{Width: 192, Height: 144, FPS: fps, Duration: 30 * time.Second})}
	// Both clocks wrap after half the time.
	opt.RTPStart = uint32(1<<32 - hours*1800*footage.TicksPerSecond)
	opt.FPS = fps
	sim, err := simulate.New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- sim.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Errorf("camera: %v", err)
		}
	}()
	r, err := ring.Open(t.Context(), ring.Options{Dir: t.TempDir(), Key: keys.New(), Quota: 4 << 30, Retention: 720 * time.Hour, Clock: fake, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	store := &counting{Ring: r}
	store.more = sync.NewCond(&store.mu)
	s := supervise(t, capture.Options{Store: store, Clock: fake})
	if err := s.Add("c", camera.Source{URL: sim.URL(), Username: "demo", Password: "pass", Audio: true}); err != nil {
		t.Fatal(err)
	}
	sub, err := s.Subscribe("c")
	if err != nil {
		t.Fatal(err)
	}
	poll(t, "the session", func() bool { return s.Health()[0].State == capture.WaitingForKeyframe })
	step := time.Second / time.Duration(fps)
	for s.Health()[0].Counters.Units == 0 {
		n := sim.Sent()
		fake.Advance(step)
		poll(t, "a picture", func() bool { return sim.Sent() > n })
		<-time.After(20 * time.Millisecond)
	}
	got := uint64(0)
	next := func() {
		if _, err := sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held := uint64(60 * fps); got > held {
			store.wait(got - held)
		}
		got++
	}
	next()
	// The connection is read every 10 ms of real time, so much is sent at once.
	const burst = 4
	for range hours * 3600 / burst {
		fake.Advance(burst * time.Second)
		for range burst * fps {
			next()
		}
	}
	end := footage.TicksOf(fake.Now())
	h := s.Health()[0]
	s.Close()
	c := h.Counters
	if c.Units != got || c.LostPackets+c.Malformed+c.DroppedUnits+c.RogueTimes+c.DroppedGOPs+c.UnstoredUnits+c.DroppedParts+
		c.RefusedParts+c.StorageErrors+c.Drifts+c.ClockSteps+c.Gaps+c.AudioDropped+c.AudioReanchored != 0 {
		t.Errorf("of %d pictures: %+v", got, c)
	}
	infos, err := r.Parts(t.Context(), "c", footage.SpanOf(begun.Add(-time.Hour), fake.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	p := newProof(t, sim, opt)
	for _, info := range infos {
		part, err := r.Read(t.Context(), info)
		if err != nil {
			t.Fatal(err)
		}
		p.part(part)
	}
	if p.n != int(got) {
		t.Errorf("%d pictures stored, %d received", p.n, got)
	}
	// Decode times lie up to the depth of the reordering off the times of arrival.
	if off := p.end - end; off < -footage.TicksPerSecond/2 || off > footage.TicksIn(2*step)+footage.TicksPerSecond/2 {
		t.Errorf("the recording ends %v from the clock", off.Duration())
	}
	if opt.Audio != 0 {
		if off := p.heardUntil - end; off < -footage.TicksPerSecond || off > footage.TicksPerSecond {
			t.Errorf("the sound ends %v from the clock", off.Duration())
		}
	}
	t.Logf("%d pictures, %d units of sound, %d parts", p.n, p.sounds, len(infos))
}

// A proof holds what is read against what was sent.
type proof struct {
	t          *testing.T
	codec      footage.Codec
	ticks      int64 // from picture to picture
	sent       [][sha256.Size]byte
	shift      []int64 // from sent to shown, ticks
	sound      [][]byte
	n, at      int
	end, first footage.Ticks // where the recording ends, and the first picture is shown
	sounds     int
	heardAt    int
	heardUntil footage.Ticks
}

func newProof(t *testing.T, sim *simulate.Camera, opt simulate.Options) *proof {
	p := &proof{t: t, codec: opt.Codec, ticks: footage.TicksPerSecond / int64(opt.FPS), shift: sim.Shifts(), sound: sim.Sound()}
	for _, u := range sim.Main() {
		var keep [][]byte
		for _, n := range u {
			typ := n[0] & 0x1f
			set := typ == 7 || typ == 8
			if opt.Codec == footage.H265 {
				typ = n[0] >> 1 & 0x3f
				set = typ >= 32 && typ <= 34
			}
			if opt.Codec == footage.MJPEG || !set {
				keep = append(keep, n)
			}
		}
		p.sent = append(p.sent, p.hash(max(opt.Codec, footage.H264).AppendSample(nil, keep)))
	}
	return p
}

// hash returns the hash of an access unit; of a JPEG, that of the coded data, as
// RTP does not carry what stands before them.
func (p *proof) hash(b []byte) [sha256.Size]byte {
	if p.codec == footage.MJPEG {
		if p.n < 50 {
			if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
				p.t.Fatalf("a JPEG cannot be read: %v", err)
			}
		}
		i := bytes.Index(b, []byte{0xff, 0xda})
		b = b[i+2+int(binary.BigEndian.Uint16(b[i+2:])):]
	}
	return sha256.Sum256(b)
}

func (p *proof) part(part *footage.Part) {
	p.t.Helper()
	if p.n == 0 {
		p.first = part.Start + footage.Ticks(part.Samples[0].Offset)
	} else if part.Start != p.end {
		p.t.Fatalf("a part begins %d ticks after the last ended", part.Start-p.end)
	}
	at, now := 0, part.Start
	for i, s := range part.Samples {
		sum := p.hash(part.Data[at : at+int(s.Size)])
		at += int(s.Size)
		if p.n == 0 {
			if p.at = slices.Index(p.sent, sum); p.at < 0 {
				p.t.Fatal("the first picture was not sent")
			}
		}
		k := (p.at + p.n) % len(p.sent)
		if sum != p.sent[k] {
			p.t.Fatalf("picture %d, %d of its part, is not what was sent", p.n, i)
		}
		// Until the depth of reordering is seen, pictures may be shown later.
		due := p.first + footage.Ticks(int64(p.n)*p.ticks+p.shift[k]-p.shift[p.at])
		if d := now + footage.Ticks(s.Offset) - due; (d < -1 || d > 1) && p.n > 10 {
			p.t.Fatalf("picture %d is shown %d ticks from when it was meant to", p.n, d)
		}
		now += footage.Ticks(s.Duration)
		p.n++
	}
	p.end = now
	at, now = 0, part.Audio.Start
	for i, s := range part.Audio.Samples {
		b := part.Audio.Data[at : at+int(s.Size)]
		at += int(s.Size)
		if p.sounds == 0 {
			if p.heardAt = slices.IndexFunc(p.sound, func(u []byte) bool { return bytes.Equal(u, b) }); p.heardAt < 0 {
				p.t.Fatal("the first unit of sound was not sent")
			}
		} else if d := now - p.heardUntil; d != 0 {
			p.t.Fatalf("unit %d of sound, %d of its part, begins %d ticks after the last ended", p.sounds, i, d)
		}
		if !bytes.Equal(b, p.sound[(p.heardAt+p.sounds)%len(p.sound)]) {
			p.t.Fatalf("unit %d of sound is not what was sent", p.sounds)
		}
		now += footage.Ticks(s.Duration)
		p.heardUntil = now
		p.sounds++
	}
}
