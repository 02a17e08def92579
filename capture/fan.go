package capture

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"veilbox/capture/footage"
)

const (
	queueUnits = 384
	queueBytes = 16 << 20
	maxViewers = 64 // subscriptions of one camera
)

// A Frame is a picture with what a decoder must know before it. Both are
// shared with others and must not be changed.
type Frame struct {
	Format footage.Format
	Unit   footage.AccessUnit
	// Replayed is set on a picture that was sent before the subscription began:
	// it is there for the decoder, and its time has passed.
	Replayed bool
}

// A fan shares a camera's pictures. A slow subscriber loses whole GOPs and
// holds up nobody.
type fan struct {
	mu        sync.Mutex
	subs      map[*Subscription]struct{}
	format    footage.Format
	reordered int // how much of late is shown in another order than it came in
	closed    bool
	gop       gop
	left      chan struct{} // told when the last subscriber leaves
	small     *pull         // of the camera's sub stream; nil in a fan that has none
}

func newFan() *fan {
	return &fan{subs: map[*Subscription]struct{}{}, left: make(chan struct{}, 1)}
}

func (f *fan) reformat(g footage.Format) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.format, f.reordered = g, 0
	f.gop.reset()
}

func (f *fan) send(au *footage.AccessUnit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.order(au)
	f.gop.add(au)
	if len(f.subs) == 0 {
		return
	}
	f.give(&Frame{Format: f.format, Unit: clone(au)})
}

// A stream has B-frames while isReordered: one picture that is out of time, after
// a loss, makes none.
const (
	isReordered   = 8
	mostReordered = 64
)

func (f *fan) order(au *footage.AccessUnit) {
	if au.PTS != au.DTS {
		f.reordered = min(f.reordered+4, mostReordered)
	} else {
		f.reordered = max(f.reordered-1, 0)
	}
}

func (f *fan) give(fr *Frame) {
	for s := range f.subs {
		s.put(fr)
	}
}

func clone(au *footage.AccessUnit) footage.AccessUnit {
	c := *au
	buf := bytes.Join(au.NALUs, nil)
	c.NALUs = make([][]byte, len(au.NALUs))
	for i, n := range au.NALUs {
		c.NALUs[i], buf = buf[:len(n):len(n)], buf[len(n):]
	}
	return c
}

func (f *fan) lastKeyframe() (footage.Format, footage.AccessUnit, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.gop.units) == 0 {
		return footage.Format{}, footage.AccessUnit{}, false
	}
	return f.format, f.gop.unit(0), true
}

func (f *fan) viewers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs)
}

func (f *fan) subscribe() (*Subscription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrUnknown
	}
	if len(f.subs) >= maxViewers {
		return nil, ErrCrowded
	}
	s := &Subscription{fan: f, wake: make(chan struct{}, 1), skipping: true}
	f.subs[s] = struct{}{}
	return s, nil
}

// subscribeNow returns a subscription that begins with the GOP under way.
func (f *fan) subscribeNow(now time.Time) (*Subscription, error) {
	s, err := f.subscribe()
	if err == nil {
		s.Restart(now)
	}
	return s, err
}

func (f *fan) close() {
	f.mu.Lock()
	f.closed = true
	small := f.small
	f.mu.Unlock()
	if small != nil {
		small.close()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		s.end()
		delete(f.subs, s)
	}
}

// A Subscription is one viewer's queue of a camera's pictures.
type Subscription struct {
	fan  *fan
	wake chan struct{}
	lost atomic.Uint64

	mu       sync.Mutex
	queue    []*Frame
	bytes    int
	skipping bool
	ended    bool
}

// put queues fr; it never waits.
func (s *Subscription) put(fr *Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := frameSize(fr)
	full := len(s.queue) >= queueUnits || s.bytes+size > queueBytes && len(s.queue) > 0
	switch {
	case fr.Unit.Key && full:
		// Begin anew with the latest: a live picture that is late is no use.
		for _, old := range s.queue {
			if old.Unit.Key {
				s.lost.Add(1)
			}
		}
		clear(s.queue)
		s.queue, s.bytes, s.skipping = s.queue[:0], 0, false
	case fr.Unit.Key:
		s.skipping = false
	case s.skipping:
		return
	case full:
		s.skipping = true
		s.lost.Add(1)
		return
	}
	s.queue = append(s.queue, fr)
	s.bytes += size
	s.poke()
}

func frameSize(fr *Frame) int {
	n := 0
	for _, u := range fr.Unit.NALUs {
		n += len(u)
	}
	return n
}

func (s *Subscription) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.poke()
}

// Next waits for the next picture; the first is a keyframe. It returns io.EOF
// once the camera is removed or the subscription closed, and ctx's cause when
// that ends. It is for one goroutine.
func (s *Subscription) Next(ctx context.Context) (*Frame, error) {
	for {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return nil, io.EOF
		}
		if len(s.queue) > 0 {
			fr := s.queue[0]
			n := copy(s.queue, s.queue[1:])
			s.queue[n] = nil
			s.queue = s.queue[:n]
			s.bytes -= frameSize(fr)
			s.mu.Unlock()
			return fr, nil
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-s.wake:
		}
	}
}

// LostGOPs returns how many GOPs were left out, in whole or in part, because
// Next was called too seldom.
func (s *Subscription) LostGOPs() uint64 { return s.lost.Load() }

// Look returns the format of the pictures and whether they come in another
// order than they are shown in (B-frames); ok is false before the first.
func (s *Subscription) Look() (f footage.Format, reordered, ok bool) {
	s.fan.mu.Lock()
	defer s.fan.mu.Unlock()
	return s.fan.format, s.fan.reordered >= isReordered, len(s.fan.gop.units) > 0
}

// Restart forgets what waits in the queue and begins anew with the GOP under
// way as of now, so that a picture can be had at once. Without one at hand it
// begins with the next keyframe, and returns false.
func (s *Subscription) Restart(now time.Time) bool {
	s.fan.mu.Lock()
	defer s.fan.mu.Unlock()
	frames := s.fan.gop.replay(s.fan.format, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.queue)
	s.queue, s.bytes = s.queue[:0], 0
	for _, fr := range frames {
		s.queue = append(s.queue, fr)
		s.bytes += frameSize(fr)
	}
	s.skipping = len(frames) == 0
	s.poke()
	return !s.skipping
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.fan.mu.Lock()
	_, had := s.fan.subs[s]
	delete(s.fan.subs, s)
	if had && len(s.fan.subs) == 0 {
		select {
		case s.fan.left <- struct{}{}:
		default:
		}
	}
	s.fan.mu.Unlock()
	s.end()
}

// A Fan shares pictures that come from elsewhere than a camera, as the
// Supervisor shares a camera's.
type Fan struct{ f *fan }

// NewFan returns a Fan without subscribers.
func NewFan() Fan { return Fan{newFan()} }

// Send gives au to all subscribers; it keeps nothing of it. replayed is what
// Frame says. A change of format comes with a keyframe.
func (f Fan) Send(format footage.Format, au *footage.AccessUnit, replayed bool) {
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	if au.Key && !f.f.format.Equal(format) {
		f.f.format, f.f.reordered = format, 0
	}
	f.f.order(au)
	f.f.gop.add(au)
	if len(f.f.subs) > 0 {
		f.f.give(&Frame{Format: format, Unit: clone(au), Replayed: replayed})
	}
}

// Subscribe returns what is sent, beginning with the GOP under way as of now.
func (f Fan) Subscribe(now time.Time) (*Subscription, error) { return f.f.subscribeNow(now) }

// Viewers returns how many subscriptions there are, and Left is told when the
// last of them closes.
func (f Fan) Viewers() int          { return f.f.viewers() }
func (f Fan) Left() <-chan struct{} { return f.f.left }

// Close ends all subscriptions.
func (f Fan) Close() { f.f.close() }
