package capture

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// ErrNoSub is the problem of a camera without a sub stream.
var ErrNoSub = problem.New(http.StatusNotFound, "capture.no-sub",
	text{DA: "Kameraet har ingen understrøm i boksen.", EN: "The box has no sub stream of the camera."},
	text{DA: "Angiv adressen på kameraets understrøm under kameraets opsætning.", EN: "Give the address of the camera's sub stream in the camera's settings."})

// subLinger is how long the sub stream is pulled after its last viewer left: who
// changes from one camera to another and back has a picture at once.
const subLinger = 10 * time.Second

// SubscribeNow returns what cam sends, beginning with the GOP under way where
// it is short enough to be kept; otherwise as Subscribe does.
func (s *Supervisor) SubscribeNow(cam footage.CameraID) (*Subscription, error) {
	r, err := s.recorder(cam)
	if err != nil {
		return nil, err
	}
	return r.fan.subscribeNow(s.opt.Clock.Now())
}

// SubscribeSub returns what cam's sub stream sends, as SubscribeNow does for the
// main one. The stream is pulled for as long as somebody subscribes to it, once
// for all of them; nothing of it is recorded. ErrNoSub: there is none.
func (s *Supervisor) SubscribeSub(cam footage.CameraID) (*Subscription, error) {
	r, err := s.recorder(cam)
	if err != nil {
		return nil, err
	}
	if r.src.SubURL == "" {
		return nil, ErrNoSub
	}
	p, err := r.fan.sub(func() *pull {
		p := &pull{ctx: r.ctx, src: r.src.Sub(), opt: r.opt, fan: newFan(), log: r.log.With(slog.String("stream", "sub")), pin: &r.pin, pinned: r.pinned}
		p.src.Audio = false
		if !sameHost(r.src) {
			// Another machine has another certificate.
			p.src.Pin, p.pin = "", new(atomic.Pointer[string])
			p.pinned = func(pin string) { p.pin.Store(&pin) }
		}
		return p
	})
	if err != nil {
		return nil, err
	}
	return p.subscribe()
}

// sameHost reports whether both streams of src come from one machine.
func sameHost(src camera.Source) bool {
	a, aerr := url.Parse(src.URL)
	b, berr := url.Parse(src.SubURL)
	return aerr == nil && berr == nil && a.Hostname() == b.Hostname()
}

// SubProblem returns what went wrong last with the pull of cam's sub stream,
// nil while all is well or nobody watches it.
func (s *Supervisor) SubProblem(cam footage.CameraID) *problem.Problem {
	r, err := s.recorder(cam)
	if err != nil {
		return nil
	}
	r.fan.mu.Lock()
	p := r.fan.small
	r.fan.mu.Unlock()
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.problem
}

// sub returns the pull of the sub stream, made at the first call.
func (f *fan) sub(create func() *pull) (*pull, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrUnknown
	}
	if f.small == nil {
		f.small = create()
	}
	return f.small, nil
}

// A pull is the sub stream of one camera, while somebody watches it.
type pull struct {
	ctx   context.Context // the recorder's
	src   camera.Source
	opt   Options
	fan   *fan
	log   *slog.Logger
	stats camera.Stats
	// pin is the certificate that the camera showed, pinned keeps a new one.
	pin    *atomic.Pointer[string]
	pinned func(string)

	mu      sync.Mutex
	end     context.CancelFunc // of the sessions, nil while there are none
	closed  bool
	problem *problem.Problem
	wg      sync.WaitGroup
}

func (p *pull) subscribe() (*Subscription, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrUnknown
	}
	s, err := p.fan.subscribeNow(p.opt.Clock.Now())
	if err != nil || p.end != nil {
		return s, err
	}
	ctx, cancel := context.WithCancel(p.ctx)
	p.end = cancel
	p.wg.Add(2)
	go func() { defer p.wg.Done(); p.run(ctx) }()
	go func() { defer p.wg.Done(); p.watch(ctx) }()
	return s, nil
}

// watch ends the sessions when there was nobody for a while.
func (p *pull) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.fan.left:
		}
		if clock.Sleep(ctx, p.opt.Clock, subLinger) != nil {
			return
		}
		p.mu.Lock()
		if p.fan.viewers() == 0 {
			p.end()
			p.end, p.problem = nil, nil
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}

// run keeps a session up until ctx ends.
func (p *pull) run(ctx context.Context) {
	for wait := backoffMin; ctx.Err() == nil; wait = min(2*wait, backoffMax) {
		begun := p.opt.Clock.Now()
		// Two generations may overlap while the one before lets go: what that one
		// still brings must not mix with the new.
		src := p.src
		if pin := p.pin.Load(); pin != nil {
			src.Pin = *pin
		}
		err := camera.Run(ctx, src, camera.Options{Clock: p.opt.Clock, Log: p.log, Limits: p.opt.Limits, Stats: &p.stats, Phase: func(ph camera.Phase) {
			if ph == camera.Playing {
				p.failed(nil)
			}
		}, Pinned: p.pinned}, generation{ctx, p.fan})
		if ctx.Err() != nil {
			return
		}
		pr := problem.Of(err)
		p.failed(pr)
		if p.opt.Clock.Now().Sub(begun) >= goodSession {
			wait = backoffMin
		}
		pause := time.Duration((0.8 + 0.4*rand.Float64()) * float64(wait))
		if errors.Is(pr, camera.ErrAuth) || errors.Is(pr, camera.ErrPin) || errors.Is(pr, camera.ErrFlood) {
			pause = backoffAuth
		}
		p.log.Warn("camera session ended", slog.String("code", pr.Code), slog.Any("err", pr), slog.Duration("retry", pause))
		if clock.Sleep(ctx, p.opt.Clock, pause) != nil {
			return
		}
	}
}

func (p *pull) failed(pr *problem.Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problem = pr
}

func (p *pull) close() {
	p.mu.Lock()
	p.closed = true
	if p.end != nil {
		p.end()
		p.end = nil
	}
	p.mu.Unlock()
	p.wg.Wait()
	p.fan.close()
}

// A generation hands what sessions bring to the fan until it is ended.
type generation struct {
	ctx context.Context
	fan *fan
}

// Format implements camera.Handler.
func (g generation) Format(f footage.Format) {
	if g.ctx.Err() == nil {
		g.fan.reformat(f)
	}
}

// AccessUnit implements camera.Handler.
func (g generation) AccessUnit(au footage.AccessUnit) {
	if g.ctx.Err() == nil {
		g.fan.send(&au)
	}
}
