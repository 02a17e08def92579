package camera

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// floodFor is how long a camera may send at its limit, all at once or spread,
	// beyond what the limit allows: a first keyframe comes as fast as the wire.
	floodFor = 4 * time.Second
	// Each packet, answer and request costs work that its bytes do not tell.
	packetCost  = 256
	messageCost = 16 << 10
)

var errFlood = errors.New("camera: it sends more than the limit")

// A meter is a bucket that a camera's bytes drip into and time empties.
type meter struct {
	mu   sync.Mutex
	rate int64 // bytes a second
	full int64
	last time.Time
}

// over counts n bytes and reports whether it is too much.
func (m *meter) over(n int, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last.IsZero() {
		m.last = now
	}
	if since := now.Sub(m.last); since > 0 {
		m.full = max(0, m.full-int64(since.Seconds()*float64(m.rate)))
		m.last = now
	}
	m.full += int64(n)
	return m.full > m.rate*int64(floodFor/time.Second)
}

// A meteredConn counts what comes over a connection, TLS and all.
type meteredConn struct {
	net.Conn
	s *session
}

func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.s.charge(n) {
		return 0, errFlood
	}
	return n, err
}

// charge counts what a camera costs, and ends the session where that is too much.
func (s *session) charge(n int) bool {
	if !s.meter.over(n, s.opt.Clock.Now()) {
		return false
	}
	s.opt.Stats.Floods.Add(1)
	s.fail(ErrFlood.With(errFlood))
	return true
}
