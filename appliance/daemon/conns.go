package daemon

import (
	"net"
	"sync"

	"veilbox/internal/place"
)

// How many connections to the pages may be open at once, in all and of one
// address: each costs memory and a file, which the recording needs.
const (
	maxConns     = 1024
	maxConnsHere = 256
)

// A boundedListener closes at once what comes above its bounds.
type boundedListener struct {
	net.Listener
	all, here int

	mu   sync.Mutex
	open map[string]int
	n    int
}

func bounded(l net.Listener, all, here int) *boundedListener {
	return &boundedListener{Listener: l, all: all, here: here, open: map[string]int{}}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		at := place.Of(c.RemoteAddr().String())
		if l.take(at) {
			return &boundedConn{Conn: c, gone: func() { l.give(at) }}, nil
		}
		_ = c.Close() // it was never served
	}
}

func (l *boundedListener) take(at string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n >= l.all || l.open[at] >= l.here {
		return false
	}
	l.n++
	l.open[at]++
	return true
}

func (l *boundedListener) give(at string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n--
	if l.open[at]--; l.open[at] == 0 {
		delete(l.open, at)
	}
}

type boundedConn struct {
	net.Conn
	once sync.Once
	gone func()
}

func (c *boundedConn) Close() error {
	c.once.Do(c.gone)
	return c.Conn.Close()
}
