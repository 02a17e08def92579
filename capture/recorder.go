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
	pendingParts = 2
	backoffMin   = time.Second
	backoffMax   = 30 * time.Second
	backoffAuth  = 60 * time.Second // a camera locks out who guesses faster
	goodSession  = 30 * time.Second // after which the backoff begins anew
	storeRetry   = 10 * time.Second // longest wait between two attempts
	storeGiveUp  = 30 * time.Second // on a part, for the sake of those after it
	drainTime    = 5 * time.Second  // for the last parts when recording ends
	aheadShown   = 2 * time.Second  // of recorded time before the clock
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

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	free   chan *footage.Part
	queue  chan *footage.Part

	origin  time.Time // of the monotonic clock
	builder builder   // of the session's goroutine while there is one

	parts, partBytes, storageErrors, lostParts atomic.Uint64
	sessions, droppedGOPs, drifts, steps       atomic.Uint64
	gaps, refusedParts                         atomic.Uint64
	ahead                                      atomic.Int64
	floor                                      atomic.Int64 // where the store says that the recording ended; 0: nothing new

	waiting bool // the writer's: parts are left out until one begins with a keyframe

	mu       sync.Mutex
	state    State
	since    time.Time
	problem  *problem.Problem
	storage  *problem.Problem
	lastKey  time.Time
	lastPart time.Time
	format   footage.Format
}

func startRecorder(ctx context.Context, opt Options, cam footage.CameraID, src camera.Source) *recorder {
	r := &recorder{
		cam: cam, src: src, opt: opt, fan: newFan(),
		log:  opt.Log.With(slog.String("camera", string(cam))),
		done: make(chan struct{}), origin: opt.Clock.Now(),
		free:  make(chan *footage.Part, pendingParts+1),
		queue: make(chan *footage.Part, pendingParts+1),
		state: Connecting, since: opt.Clock.Now(),
	}
	for range cap(r.free) {
		r.free <- new(footage.Part)
	}
	r.builder = builder{cam: cam, take: r.take, give: func(p *footage.Part) { r.queue <- p }}
	r.ctx, r.cancel = context.WithCancel(ctx)
	go r.run()
	return r
}

// take returns a part to fill. There are as many parts as the queue has room
// for, so that giving one never waits.
func (r *recorder) take() *footage.Part {
	select {
	case p := <-r.free:
		return p
	default:
		return nil
	}
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
	defer func() { close(r.queue); <-written }()

	wait := backoffMin
	for r.ctx.Err() == nil {
		begun := r.opt.Clock.Now()
		err := camera.Run(r.ctx, r.src, camera.Options{
			Clock: r.opt.Clock, Log: r.log, Limits: r.opt.Limits, Stats: &r.stats, Phase: r.phase,
		}, r)
		r.builder.end()
		if r.ctx.Err() != nil {
			return
		}
		p := problem.Of(err)
		if r.opt.Clock.Now().Sub(begun) >= goodSession {
			wait = backoffMin
		}
		r.broken(p)
		pause := time.Duration((0.8 + 0.4*rand.Float64()) * float64(wait))
		if errors.Is(p, camera.ErrAuth) {
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
		r.droppedGOPs.Store(b.droppedGOPs)
		r.drifts.Store(b.drifts)
		r.steps.Store(b.steps)
		r.gaps.Store(b.gaps)
		r.setAhead(b.allowed)
		r.mu.Lock()
		r.lastKey = au.Arrived
		r.mu.Unlock()
	}
}

func (r *recorder) setAhead(t int64) {
	d := footage.Ticks(t).Duration()
	if was := footage.Ticks(r.ahead.Swap(t)).Duration(); d > aheadShown && was <= aheadShown {
		p := ahead(d)
		r.log.Warn("recorded time runs ahead of the clock", slog.String("code", p.Code), slog.Any("err", p))
	}
}

// write stores parts as they come, and the last ones when recording ends.
func (r *recorder) write() {
	for p := range r.queue {
		// What continues a part that the store does not have is of no use.
		if r.waiting = r.waiting && p.Continues; r.waiting {
			r.refusedParts.Add(1)
		} else {
			r.store(p)
		}
		r.free <- p
	}
}

func (r *recorder) store(p *footage.Part) {
	begun := r.opt.Clock.Now()
	for wait := backoffMin; ; wait = min(2*wait, storeRetry) {
		last := r.ctx.Err() != nil
		err := r.append(p)
		var never interface{ Permanent() bool }
		if errors.As(err, &never) && never.Permanent() {
			r.refused(p, err)
			return
		}
		r.stored(err)
		if err == nil {
			r.parts.Add(1)
			r.partBytes.Add(uint64(len(p.Data)))
			r.mu.Lock()
			r.lastPart = r.opt.Clock.Now()
			r.mu.Unlock()
			return
		}
		r.storageErrors.Add(1)
		if last || r.opt.Clock.Now().Sub(begun) >= storeGiveUp {
			r.lostParts.Add(1)
			r.log.Error("part not stored", slog.Any("err", err), slog.Time("from", p.Start.Time()))
			return
		}
		// Once recording has ended there is one more attempt, at once.
		_ = clock.Sleep(r.ctx, r.opt.Clock, wait)
	}
}

// refused leaves out a part that the store will never take, for the sake of
// those after it: the recording goes on at the next keyframe, after what the
// store says it has.
func (r *recorder) refused(p *footage.Part, err error) {
	r.refusedParts.Add(1)
	r.log.Error("the store refused a part for good; recording goes on at the next keyframe",
		slog.Any("err", err), slog.Time("from", p.Start.Time()), slog.Duration("lasts", p.Duration().Duration()))
	r.stored(ErrRefused.With(err))
	r.waiting = true
	end, err := r.opt.Store.LastEnd(r.ctx, r.cam)
	if err != nil {
		r.log.Error("the end of the recording cannot be read", slog.Any("err", err))
		return
	}
	r.floor.Store(int64(end))
}

// append offers p to the store; once recording has ended, for a short time.
func (r *recorder) append(p *footage.Part) error {
	ctx := r.ctx
	if ctx.Err() != nil {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		ctx = c
	}
	if err := r.opt.Store.Append(ctx, p); err != nil {
		return fmt.Errorf("capture: store: %w", err)
	}
	return nil
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
		Counters: Counters{
			Sessions: r.sessions.Load(), Units: r.stats.Units.Load(), Bytes: r.stats.Bytes.Load(),
			Parts: r.parts.Load(), PartBytes: r.partBytes.Load(), LostPackets: r.stats.Lost.Load(),
			Malformed: r.stats.Malformed.Load(), DroppedUnits: r.stats.Dropped.Load(), RogueTimes: r.stats.Rogue.Load(),
			DroppedGOPs: r.droppedGOPs.Load() + r.lostParts.Load(), Drifts: r.drifts.Load(), ClockSteps: r.steps.Load(),
			Gaps: r.gaps.Load(), RefusedParts: r.refusedParts.Load(), StorageErrors: r.storageErrors.Load(),
		},
	}
	switch {
	case h.State == Storage:
		h.Problem = r.storage
	case h.Problem == nil && h.Ahead > aheadShown:
		h.Problem = ahead(h.Ahead)
	}
	return h
}
