package capture

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"

	"veilbox/capture/footage"
)

const (
	queueUnits = 256
	queueBytes = 16 << 20
	maxViewers = 64 // subscriptions of one camera
)

// A Frame is a picture with what a decoder must know before it. Both are
// shared with others and must not be changed.
type Frame struct {
	Format footage.Format
	Unit   footage.AccessUnit
}

// A fan shares a camera's pictures. A slow subscriber loses whole GOPs and
// holds up nobody.
type fan struct {
	mu     sync.Mutex
	subs   map[*Subscription]struct{}
	format footage.Format
	closed bool

	key   footage.AccessUnit // its NAL units lie in arena
	arena []byte
}

func newFan() *fan { return &fan{subs: map[*Subscription]struct{}{}} }

func (f *fan) reformat(g footage.Format) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.format = g
}

func (f *fan) send(au *footage.AccessUnit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if au.Key {
		f.keep(au)
	}
	if len(f.subs) == 0 {
		return
	}
	fr := &Frame{Format: f.format, Unit: clone(au)}
	for s := range f.subs {
		s.put(fr)
	}
}

// keep copies the last keyframe into buffers that are used again.
func (f *fan) keep(au *footage.AccessUnit) {
	nalus := f.key.NALUs[:0]
	f.arena = f.arena[:0]
	for _, n := range au.NALUs {
		f.arena = append(f.arena, n...)
	}
	from := 0
	for _, n := range au.NALUs {
		nalus = append(nalus, f.arena[from:from+len(n)])
		from += len(n)
	}
	f.key = *au
	f.key.NALUs = nalus
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
	if len(f.key.NALUs) == 0 {
		return footage.Format{}, footage.AccessUnit{}, false
	}
	return f.format, clone(&f.key), true
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

func (f *fan) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
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

// Close ends the subscription.
func (s *Subscription) Close() {
	s.fan.mu.Lock()
	delete(s.fan.subs, s)
	s.fan.mu.Unlock()
	s.end()
}
