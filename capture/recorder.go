package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

const (
	backoffMin  = time.Second
	backoffMax  = 30 * time.Second
	backoffAuth = 60 * time.Second // a camera locks out who guesses faster
	goodSession = 30 * time.Second // after which the backoff begins anew
	storeRetry  = 10 * time.Second // longest wait between two attempts
	storeGiveUp = 30 * time.Second // on a part, for the sake of those after it
	drainTime   = 5 * time.Second  // for the last parts when recording ends
	aheadShown  = 2 * time.Second  // of recorded time before the clock
	unwritten   = 15 * time.Second // without a part stored, although pictures come
)

// A recorder keeps one camera recorded: one goroutine holds its sessions, one
// writes parts, and the session's own delivers access units.
type recorder struct {
	cam   footage.CameraID
	src   camera.Source
	opt   Options
	log   *slog.Logger
	fan   *fan
	stats camera.Stats
	// What one session found out and the next begins with.
	learned camera.Learned

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	queue  *partQueue
	pin    atomic.Pointer[string] // the certificate that was told and is trusted since

	origin  time.Time // of the monotonic clock
	builder builder   // of the session's goroutine while there is one

	parts, partBytes, storageErrors   atomic.Uint64
	sessions, refusedParts, lostParts atomic.Uint64
	lostGOPs, lostUnits, lostSound    atomic.Uint64 // of parts that were not stored
	built                             built

	ahead atomic.Int64
	floor atomic.Int64 // where the store says that the recording ended; 0: nothing new

	waiting bool // the writer's: parts are left out until one begins with a keyframe

	mu       sync.Mutex
	state    State
	since    time.Time
	playing  time.Time // since when pictures come
	problem  *problem.Problem
	storage  *problem.Problem
	lastKey  time.Time
	lastPart time.Time
	format   footage.Format
	heard    footage.AudioFormat
}

func startRecorder(ctx context.Context, opt Options, cam footage.CameraID, src camera.Source) *recorder {
	r := &recorder{
		cam: cam, src: src, opt: opt, fan: newFan(),
		log:  opt.Log.With(slog.String("camera", string(cam))),
		done: make(chan struct{}), origin: opt.Clock.Now(),
		queue: newPartQueue(opt.Pending),
		state: Connecting, since: opt.Clock.Now(),
	}
	r.builder = builder{cam: cam, fits: r.queue.fits, take: r.queue.take, give: r.queue.give}
	r.ctx, r.cancel = context.WithCancel(ctx)
	go r.run()
	return r
}

func (r *recorder) stop() {
	r.cancel()
	<-r.done
}

func (r *recorder) run() {
	defer close(r.done)
	defer r.fan.close()
	if !r.resume() {
		return
	}
	written := make(chan struct{})
	go func() { defer close(written); r.write() }()
	defer func() { r.queue.close(); <-written }()

	wait := backoffMin
	for r.ctx.Err() == nil {
		begun := r.opt.Clock.Now()
		src := r.src
		if p := r.pin.Load(); p != nil {
			src.Pin = *p
		}
		err := camera.Run(r.ctx, src, camera.Options{
			Clock: r.opt.Clock, Log: r.log, Limits: r.opt.Limits, Stats: &r.stats, Phase: r.phase, Pinned: r.pinned,
			Learned: &r.learned,
		}, r)
		r.builder.end()
		r.built.take(&r.builder)
		if r.ctx.Err() != nil {
			return
		}
		p := problem.Of(err)
		if r.opt.Clock.Now().Sub(begun) >= goodSession {
			wait = backoffMin
		}
		r.broken(p)
		pause := time.Duration((0.8 + 0.4*rand.Float64()) * float64(wait))
		if errors.Is(p, camera.ErrAuth) || errors.Is(p, camera.ErrPin) || errors.Is(p, camera.ErrFlood) {
			pause = backoffAuth
		}
		r.log.Warn("camera session ended", slog.String("code", p.Code), slog.Any("err", p), slog.Duration("retry", pause))
		wait = min(2*wait, backoffMax)
		if clock.Sleep(r.ctx, r.opt.Clock, pause) != nil {
			return
		}
	}
}

// resume learns from the store where the recording ended.
func (r *recorder) resume() bool {
	for wait := backoffMin; ; wait = min(2*wait, storeRetry) {
		end, err := r.opt.Store.LastEnd(r.ctx, r.cam)
		if err == nil {
			r.builder.ended = end
			r.stored(nil)
			return true
		}
		if r.ctx.Err() != nil {
			return false
		}
		r.stored(fmt.Errorf("capture: last end: %w", err))
		if clock.Sleep(r.ctx, r.opt.Clock, wait) != nil {
			return false
		}
	}
}

// pinned notes the certificate that a camera showed first: later sessions of
// this recorder insist on it, whether or not somebody else keeps it.
func (r *recorder) pinned(pin string) {
	r.pin.Store(&pin)
	if r.opt.Pinned != nil {
		r.opt.Pinned(r.cam, pin)
	}
}

// Format implements camera.Handler.
func (r *recorder) Format(f footage.Format) {
	r.builder.reformat(f)
	r.fan.reformat(f)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.format = f
}

// AccessUnit implements camera.Handler.
func (r *recorder) AccessUnit(au footage.AccessUnit) {
	b := &r.builder
	if !b.live {
		r.sessions.Add(1)
	}
	if end := r.floor.Swap(0); end > int64(b.ended) {
		b.cut(footage.Ticks(end))
	}
	// Sub is monotonic on the system's clock, TicksOf is wall time.
	b.add(&au, footage.TicksOf(au.Arrived), int64(footage.TicksIn(au.Arrived.Sub(r.origin))))
	r.fan.send(&au)
	if au.Key {
		r.built.take(b)
		r.setAhead(b.allowed)
		r.mu.Lock()
		r.lastKey = au.Arrived
		r.mu.Unlock()
	}
}

// AudioFormat implements camera.AudioHandler.
func (r *recorder) AudioFormat(f footage.AudioFormat) {
	r.builder.sound.reformat(f)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = f
}

// AudioUnit implements camera.AudioHandler.
func (r *recorder) AudioUnit(u footage.AudioUnit) { r.builder.addSound(&u) }

// built is what the builder counted, for others to read.
type built struct {
	droppedGOPs, droppedUnits, drifts, steps, gaps, sound, droppedSound atomic.Uint64
}

func (c *built) take(b *builder) {
	c.droppedGOPs.Store(b.droppedGOPs)
	c.droppedUnits.Store(b.droppedUnits)
	c.drifts.Store(b.drifts)
	c.steps.Store(b.steps)
	c.gaps.Store(b.gaps)
	c.sound.Store(b.sound.stored)
	c.droppedSound.Store(b.sound.dropped)
}

func (r *recorder) setAhead(t int64) {
	d := footage.Ticks(t).Duration()
	if was := footage.Ticks(r.ahead.Swap(t)).Duration(); d > aheadShown && was <= aheadShown {
		p := ahead(d)
		r.log.Warn("recorded time runs ahead of the clock", slog.String("code", p.Code), slog.Any("err", p))
	}
}

// stored notes how the store is: well if err is nil.
func (r *recorder) stored(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.shown()
	if err == nil {
		r.storage = nil
	} else {
		var p *problem.Problem
		if !errors.As(err, &p) {
			p = ErrStorage.With(err)
		}
		if r.storage == nil {
			r.log.Error("recording cannot be stored", slog.Any("err", err))
		}
		r.storage = p
	}
	r.turned(was)
}

func (r *recorder) phase(p camera.Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.shown()
	switch p {
	case camera.Connecting:
		r.state = Connecting
	case camera.Describing:
		r.state = Describing
	case camera.WaitingForKeyframe:
		r.state = WaitingForKeyframe
	case camera.Playing:
		r.state, r.problem = Recording, nil
		r.playing = r.opt.Clock.Now()
	}
	r.turned(was)
}

func (r *recorder) broken(p *problem.Problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.shown()
	r.problem, r.state = p, Failed
	if errors.Is(p, camera.ErrStall) {
		r.state = Stalled
	}
	r.turned(was)
}

// shown is the state as others see it: trouble with the store goes before a
// good session, and before the first one.
func (r *recorder) shown() State {
	if r.storage != nil && (r.state == Recording || r.state == Connecting) {
		return Storage
	}
	return r.state
}

// unwrittenSince returns since when a part should have been stored, zero where
// all is well.
func (r *recorder) unwrittenSince() time.Time {
	if r.shown() != Recording {
		return time.Time{}
	}
	from := r.playing
	if r.lastPart.After(from) {
		from = r.lastPart
	}
	if r.opt.Clock.Now().Sub(from) <= unwritten {
		return time.Time{}
	}
	return from
}

func (r *recorder) turned(was State) {
	if now := r.shown(); now != was {
		r.since = r.opt.Clock.Now()
	}
}

func (r *recorder) health() Health {
	viewers := r.fan.viewers()
	r.mu.Lock()
	defer r.mu.Unlock()
	h := Health{
		Camera: r.cam, State: r.shown(), Since: r.since, Problem: r.problem, Format: r.format,
		LastKeyframe: r.lastKey, LastPart: r.lastPart,
		Ahead: footage.Ticks(r.ahead.Load()).Duration(), Viewers: viewers,
		Audio: r.heard,
		Counters: Counters{
			Sessions: r.sessions.Load(), Units: r.stats.Units.Load(), Bytes: r.stats.Bytes.Load(),
			Parts: r.parts.Load(), PartBytes: r.partBytes.Load(), LostPackets: r.stats.Lost.Load(),
			Malformed: r.stats.Malformed.Load(), DroppedUnits: r.stats.Dropped.Load(), RogueTimes: r.stats.Rogue.Load(),
			FormatChanges: r.stats.Formats.Load(),
			DroppedGOPs:   r.built.droppedGOPs.Load() + r.lostGOPs.Load(),
			UnstoredUnits: r.built.droppedUnits.Load() + r.lostUnits.Load(),
			DroppedParts:  r.lostParts.Load(), RefusedParts: r.refusedParts.Load(), StorageErrors: r.storageErrors.Load(),
			Drifts: r.built.drifts.Load(), ClockSteps: r.built.steps.Load(), Gaps: r.built.gaps.Load(),
			AudioUnits: r.stats.AudioUnits.Load(), AudioReanchored: r.stats.AudioReanchored.Load(),
			AudioDropped: r.stats.AudioDropped.Load() + r.built.droppedSound.Load() + r.lostSound.Load(),
		},
	}
	if from := r.unwrittenSince(); !from.IsZero() {
		h.State, h.Since = Unwritten, from
		h.Problem = ErrUnwritten.With(fmt.Errorf("capture: pictures come, but no part was stored since %s", from.UTC().Format(time.RFC3339)))
	}
	switch {
	case h.State == Unwritten:
	case h.State == Storage:
		h.Problem = r.storage
	case h.Problem == nil && h.Ahead > aheadShown:
		h.Problem = ahead(h.Ahead)
	}
	return h
}
