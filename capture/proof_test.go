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
	fail  error
}

func (c *counting) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

func (c *counting) AppendAll(ctx context.Context, parts []*footage.Part) (int, error) {
	c.mu.Lock()
	fail := c.fail
	c.mu.Unlock()
	if fail != nil {
		return 0, fail
	}
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
	t.Parallel()
	for _, tc := range []struct {
		name       string
		fps, hours int
		opt        simulate.Options
	}{
		{"H.264 with B-frames and AAC", 2, 1, simulate.Options{BFrames: 2, Audio: footage.AAC}},
		{"H.264 in slices, marks on SEI, and LATM", 2, 1, simulate.Options{Slices: 3, MarkSEI: true, ParamsOnlyInBand: true, Audio: footage.AAC, LATM: true}},
		{"H.265 and G.711 A-law", 2, 1, simulate.Options{Codec: footage.H265, Audio: footage.PCMA}},
		{"H.265 with B-frames and G.711 mu-law", 4, 1, simulate.Options{Codec: footage.H265, BFrames: 2, Audio: footage.PCMU}},
		{"MJPEG and Opus", 2, 1, simulate.Options{Codec: footage.MJPEG, Audio: footage.Opus}},
		{"H.264 that changes its size", 2, 2, simulate.Options{Then: simulate.Size{Width: 160, Height: 128}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			prove(t, tc.fps, tc.hours, tc.opt)
		})
	}
}

func prove(t *testing.T, fps, hours int, opt simulate.Options) {
	opt.FPS, opt.GOP = fps, 2*time.Second
	// Both clocks wrap after half the time.
	opt.RTPStart = uint32(1<<32 - hours*1800*footage.TicksPerSecond)
	k := newStepped(t, opt)
	// The connection is read every 10 ms of real time, so much is sent at once.
	k.run(time.Duration(hours)*time.Hour, 4*time.Second)
	c := k.close()
	if c.Units != k.got || c.LostPackets+c.Malformed+c.DroppedUnits+c.RogueTimes+c.DroppedGOPs+c.UnstoredUnits+c.DroppedParts+
		c.RefusedParts+c.StorageErrors+c.Drifts+c.ClockSteps+c.Gaps+c.AudioDropped+c.AudioReanchored != 0 {
		t.Errorf("of %d pictures: %+v", k.got, c)
	}
	p := newProof(t, k.sim, k.opt)
	parts := k.parts(p.part)
	if p.n != int(k.got) {
		t.Errorf("%d pictures stored, %d received", p.n, k.got)
	}
	// Decode times lie up to the depth of the reordering off the times of arrival.
	if off := p.end - k.end; off < -footage.TicksPerSecond/2 || off > footage.TicksIn(2*k.step)+footage.TicksPerSecond/2 {
		t.Errorf("the recording ends %v from the clock", off.Duration())
	}
	if opt.Audio != 0 {
		if off := p.heardUntil - k.end; off < -footage.TicksPerSecond || off > footage.TicksPerSecond {
			t.Errorf("the sound ends %v from the clock", off.Duration())
		}
	}
	t.Logf("%d pictures, %d units of sound, %d parts", p.n, p.sounds, parts)
}

// A stepped is a camera that is recorded in a ring, by a clock that moves in step
// with what is sent.
type stepped struct {
	t     *testing.T
	opt   simulate.Options
	sim   *simulate.Camera
	fake  *clock.Fake
	ring  *ring.Ring
	store *counting
	s     *capture.Supervisor
	sub   *capture.Subscription
	begun time.Time
	step  time.Duration
	got   uint64
	loose bool // the store may fall behind
	end   footage.Ticks
}

func newStepped(t *testing.T, opt simulate.Options) *stepped {
	t.Helper()
	k := &stepped{t: t, begun: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), step: time.Second / time.Duration(opt.FPS)}
	k.fake = clock.NewFake(k.begun)
	opt.Clock, opt.Password = k.fake, "pass"
	opt.Size, opt.SubSize = simulate.Size{Width: 192, Height: 144}, simulate.Size{Width: 64, Height: 64}
	opt.Files = []string{footagetest.Synthetic(t, footagetest.Options{Width: 192, Height: 144, FPS: opt.FPS, Duration: 30 * time.Second})}
	k.opt = opt
	var err error
	if k.sim, err = simulate.New(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- k.sim.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Errorf("camera: %v", err)
		}
	})
	log := slog.New(slog.DiscardHandler)
	if k.ring, err = ring.Open(t.Context(), ring.Options{Dir: t.TempDir(), Key: keys.New(), Quota: 4 << 30, Retention: 720 * time.Hour, Clock: k.fake, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.ring.Close(); err != nil {
			t.Error(err)
		}
	})
	k.store = &counting{Ring: k.ring}
	k.store.more = sync.NewCond(&k.store.mu)
	k.s = supervise(t, capture.Options{Store: k.store, Clock: k.fake})
	if err := k.s.Add("c", camera.Source{URL: k.sim.URL(), Username: "demo", Password: "pass", Audio: true}); err != nil {
		t.Fatal(err)
	}
	if k.sub, err = k.s.Subscribe("c"); err != nil {
		t.Fatal(err)
	}
	poll(t, "the session", func() bool { return k.s.Health()[0].State == capture.WaitingForKeyframe })
	for k.s.Health()[0].Counters.Units == 0 {
		n := k.sim.Sent()
		k.fake.Advance(k.step)
		poll(t, "a picture", func() bool { return k.sim.Sent() > n })
		// Those before the keyframe come and are not handed on.
		<-time.After(20 * time.Millisecond)
	}
	k.next()
	return k
}

// next takes a picture, and waits where the store is half a minute behind.
func (k *stepped) next() {
	k.t.Helper()
	if _, err := k.sub.Next(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	if held := uint64(30 * time.Second / k.step); k.got > held && !k.loose {
		k.store.wait(k.got - held)
	}
	k.got++
}

// run goes on for d, in which what is sent in a burst comes at once.
func (k *stepped) run(d, burst time.Duration) {
	k.t.Helper()
	for ; d > 0; d -= burst {
		k.fake.Advance(burst)
		for range burst / k.step {
			k.next()
		}
	}
}

// close ends the recording, once all has come that was sent.
func (k *stepped) close() capture.Counters {
	for quiet := false; !quiet; {
		ctx, cancel := context.WithTimeout(k.t.Context(), 500*time.Millisecond)
		if _, err := k.sub.Next(ctx); err == nil {
			k.got++
		} else {
			quiet = true
		}
		cancel()
	}
	k.end = footage.TicksOf(k.fake.Now())
	r := k.s.Health()[0]
	k.s.Close()
	return r.Counters
}

// parts reads back what was recorded, and returns how many parts there are.
func (k *stepped) parts(each func(*footage.Part)) int {
	k.t.Helper()
	infos, err := k.ring.Parts(k.t.Context(), "c", footage.SpanOf(k.begun.Add(-time.Hour), k.fake.Now().Add(time.Hour)))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, info := range infos {
		part, err := k.ring.Read(k.t.Context(), info)
		if err != nil {
			k.t.Fatal(err)
		}
		each(part)
	}
	return len(infos)
}

// Whatever the camera's clock does, all that it sends is recorded, in order, and
// lies where the box's clock says.
func TestCameraClocks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		jumps []simulate.Jump
		drift float64
		rogue uint64
	}{
		"hours ahead":           {jumps: []simulate.Jump{{After: 21 * time.Second, By: 3 * time.Hour}}, rogue: 1},
		"hours back":            {jumps: []simulate.Jump{{After: 21 * time.Second, By: -3 * time.Hour}}, rogue: 1},
		"there and back":        {jumps: []simulate.Jump{{After: 21 * time.Second, By: time.Hour}, {After: 33 * time.Second, By: -time.Hour}}, rogue: 2},
		"set by NTP, from 1970": {jumps: []simulate.Jump{{After: 22 * time.Second, By: 56 * 365 * 24 * time.Hour}}, rogue: 1},
		"runs ahead":            {drift: 0.004},
		"falls behind":          {drift: -0.004},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newStepped(t, simulate.Options{FPS: 5, Audio: footage.PCMA, Jumps: tc.jumps, Drift: tc.drift})
			k.run(3*time.Minute, 400*time.Millisecond)
			c := k.close()
			units, sound := uint64(0), uint64(0)
			var end, heard, gaps footage.Ticks
			k.parts(func(p *footage.Part) {
				if p.Start < end || end == 0 && p.Continues || len(p.Audio.Samples) > 0 && p.Audio.Start < heard {
					t.Errorf("a part begins %d ticks before the end of the last, its sound %d", end-p.Start, heard-p.Audio.Start)
				}
				if end != 0 {
					gaps += p.Start - end
				}
				end = p.Span().To
				units += uint64(len(p.Samples))
				sound += uint64(len(p.Audio.Samples))
				if len(p.Audio.Samples) > 0 {
					heard = p.Audio.Start
				}
				for _, s := range p.Audio.Samples {
					heard += footage.Ticks(s.Duration)
				}
			})
			if units != k.got || c.Units != k.got || c.RogueTimes != tc.rogue || c.UnstoredUnits != 0 {
				t.Errorf("%d pictures sent, %d stored; %+v", k.got, units, c)
			}
			if off := end - k.end; off < -footage.TicksPerSecond || off > 2*footage.TicksPerSecond {
				t.Errorf("the recording ends %v from the clock", off.Duration())
			}
			if off := heard - k.end; off < -2*footage.TicksPerSecond || off > 2*footage.TicksPerSecond {
				t.Errorf("the sound ends %v from the clock", off.Duration())
			}
			// All that was sent is there, but for what a drifting clock has too much.
			if sent := uint64(3 * 60 * 50); sound+c.AudioDropped < sent || c.AudioDropped > sent/50 {
				t.Errorf("%d units of sound stored, %d dropped, of %d", sound, c.AudioDropped, sent)
			}
			if drifts := c.Drifts > 0; drifts != (tc.drift != 0) || gaps > 10*footage.TicksPerSecond {
				t.Errorf("%d drifts, %d gaps of %v, sound tied %d times", c.Drifts, c.Gaps, gaps.Duration(), c.AudioReanchored)
			}
		})
	}
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
