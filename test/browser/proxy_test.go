package browser

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// A wire lies between a browser and a box, and can break.
type wire struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	left  int64 // bytes from the box until it breaks; below 0: it doesn't
	until time.Time
	open  map[net.Conn]bool
}

// newWire returns a wire to the box at base, and the address to reach it by.
func newWire(t *testing.T, base string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, to: u.Host, left: -1, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // ends the loop above
		w.end()
		wg.Wait()
	})
	return w, "https://" + l.Addr().String()
}

// breakAfter lets n bytes through from the box, cuts all connections then, and
// takes none for a while.
func (w *wire) breakAfter(n int64, during time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left, w.until = n, time.Time{}.Add(during)
}

// broken reports whether the wire has broken since breakAfter.
func (w *wire) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left < 0
}

// take counts n bytes from the box; false: the wire breaks here.
func (w *wire) take(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left < 0 {
		return true
	}
	if w.left -= int64(n); w.left >= 0 {
		return true
	}
	w.left, w.until = -1, time.Now().Add(w.until.Sub(time.Time{}))
	return false
}

func (w *wire) down() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.until)
}

func (w *wire) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Close() // that is what it is for
	}
}

func (w *wire) keep(c net.Conn, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[c] = open; !open {
		delete(w.open, c)
	}
}

func (w *wire) carry(c net.Conn) {
	// What either side loses by the end of a connection is the test's subject.
	defer func() { _ = c.Close() }()
	if w.down() {
		return
	}
	d := net.Dialer{Timeout: soon}
	box, err := d.DialContext(context.Background(), "tcp", w.to)
	if err != nil {
		return
	}
	defer func() { _ = box.Close() }()
	for _, x := range []net.Conn{c, box} {
		w.keep(x, true)
		defer w.keep(x, false)
	}
	go func() {
		_, _ = io.Copy(box, c)
		_ = box.Close()
	}()
	b := make([]byte, 16<<10)
	for {
		n, err := box.Read(b)
		if n > 0 {
			if !w.take(n) {
				w.end()
				return
			}
			if _, errWrite := c.Write(b[:n]); errWrite != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				w.keep(box, false)
			}
			return
		}
	}
}
