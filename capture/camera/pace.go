package camera

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A camera sends a picture as ten to a hundred packets within a few
// milliseconds. Read as they come, each costs a wake-up and a call or two, which
// together are most of what recording costs. So once a connection carries video
// a call takes all that is there, and where there are many such connections they
// are read at a pace: every paceEvery one look at all of them at once. A picture
// is at most that much later; no byte is lost, as TCP holds what waits.
//
// The runtime's poller would still wake for every packet, so a paced socket is
// taken out of it. Looking costs the same for one connection as for many: for
// few it is more than it saves.
const (
	paceEvery  = 10 * time.Millisecond
	paceFrom   = 8        // connections that carry video
	paceAfter  = 64 << 10 // bytes that come before: the conversation is not slowed
	paceBuffer = 32 << 10
	writeLook  = 100 // milliseconds between two looks of a write that waits
)

// pace returns c, read at the common pace once it carries video. What is not a
// socket of the system's is returned as it is.
func pace(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	return &pacedConn{tcp: t, local: t.LocalAddr(), remote: t.RemoteAddr(), wake: make(chan struct{}, 1)}
}

// A pacedConn is a net.Conn for one reader at a time.
type pacedConn struct {
	local, remote net.Addr

	// Of the reader.
	got     int
	video   bool   // counted as one that carries video; written with mu held
	drained bool   // the socket was empty at the last call
	buf     []byte // nil until it carries video
	have    []byte // what of buf has not been taken

	waiting         atomic.Bool   // the reader waits for wake
	wake            chan struct{} // has a token when it should look again
	readBy, writeBy atomic.Int64  // deadlines, nanoseconds since 1970, 0 for none

	wmu sync.Mutex // held over a write
	mu  sync.Mutex // the rest; held in no call that waits
	tcp *net.TCPConn
	fd  int // once tcp is nil
	end error
}

func (c *pacedConn) LocalAddr() net.Addr  { return c.local }
func (c *pacedConn) RemoteAddr() net.Addr { return c.remote }

func (c *pacedConn) Read(p []byte) (int, error) {
	for len(c.have) == 0 {
		if t := c.unpaced(); t != nil {
			if !c.video {
				n, err := t.Read(p)
				c.got += n
				return n, err
			}
			n, err := t.Read(c.buf)
			if n == 0 {
				return 0, err
			}
			c.have = c.buf[:n]
			break
		}
		if c.drained {
			c.waiting.Store(true)
			<-c.wake
		}
		n, err := c.try("read", unix.Read, c.buf, &c.readBy)
		switch {
		case errors.Is(err, unix.EAGAIN):
			c.drained = true
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		c.have, c.drained = c.buf[:n], n < len(c.buf)
	}
	n := copy(p, c.have)
	c.have = c.have[n:]
	return n, nil
}

// unpaced returns the library's connection as long as it is to be read, and
// turns to the pace once there are enough that carry video.
func (c *pacedConn) unpaced() *net.TCPConn {
	if c.tcp == nil || c.got < paceAfter || c.video && pacing.video.Load() < paceFrom || !c.wmu.TryLock() {
		return c.tcp
	}
	defer c.wmu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return c.tcp
	}
	if !c.video {
		c.video, c.buf = true, make([]byte, paceBuffer)
		pacing.video.Add(1)
	}
	if pacing.video.Load() < paceFrom {
		return c.tcp
	}
	raw, err := c.tcp.SyscallConn()
	if err != nil {
		return c.tcp
	}
	fd, ferr := -1, error(nil)
	err = raw.Control(func(s uintptr) { fd, ferr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil || ferr != nil {
		return c.tcp // it goes on as before
	}
	// The socket stays open by its second name; a close can fail in no way that
	// matters to that.
	_ = c.tcp.Close()
	c.tcp, c.fd = nil, fd
	pacing.add(c)
	return nil
}

// try makes one call that does not wait.
func (c *pacedConn) try(op string, call func(int, []byte) (int, error), p []byte, by *atomic.Int64) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.end != nil {
			return 0, c.end
		}
		if t := by.Load(); t != 0 && time.Now().UnixNano() >= t {
			return 0, os.ErrDeadlineExceeded
		}
		n, err := call(c.fd, p)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, unix.EAGAIN):
			return 0, err
		case !errors.Is(err, unix.EINTR):
			return 0, &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
		}
	}
}

func (c *pacedConn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.mu.Lock()
	t := c.tcp
	c.mu.Unlock()
	if t != nil {
		return t.Write(p)
	}
	done := 0
	for done < len(p) {
		n, err := c.try("write", unix.Write, p[done:], &c.writeBy)
		if errors.Is(err, unix.EAGAIN) {
			// What it says is of no matter: the next try tells.
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(c.number()), Events: unix.POLLOUT}}, writeLook)
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// number returns the socket's, or one that is not open. By the time it is used
// it may be another's: good for a look alone.
func (c *pacedConn) number() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fd
}

func (c *pacedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return c.end
	}
	c.end = net.ErrClosed
	if c.video {
		pacing.video.Add(-1)
	}
	if c.tcp != nil {
		return c.tcp.Close()
	}
	pacing.remove(c)
	err := unix.Close(c.fd)
	c.fd = -1
	c.rouse()
	return os.NewSyscallError("close", err)
}

func (c *pacedConn) rouse() {
	c.waiting.Store(false)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *pacedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *pacedConn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(&c.readBy, t, (*net.TCPConn).SetReadDeadline)
}

func (c *pacedConn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(&c.writeBy, t, (*net.TCPConn).SetWriteDeadline)
}

func (c *pacedConn) setDeadline(by *atomic.Int64, t time.Time, set func(*net.TCPConn, time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return c.end
	}
	n := int64(0)
	if !t.IsZero() {
		n = t.UnixNano()
	}
	by.Store(n)
	if c.tcp != nil {
		return set(c.tcp, t)
	}
	return nil
}

// pacing looks at all paced connections of the process.
var pacing pacer

type pacer struct {
	video atomic.Int32 // connections that carry video, paced or not

	mu      sync.Mutex
	conns   map[*pacedConn]struct{}
	running bool
}

func (p *pacer) add(c *pacedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns = map[*pacedConn]struct{}{}
	}
	p.conns[c] = struct{}{}
	if !p.running {
		p.running = true
		go p.run()
	}
}

func (p *pacer) remove(c *pacedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// run wakes the readers that have something to read, at each tick, until there
// is no connection left.
func (p *pacer) run() {
	t := time.NewTicker(paceEvery)
	defer t.Stop()
	var fds []unix.PollFd
	var who []*pacedConn
	for {
		now := (<-t.C).UnixNano()
		fds, who = fds[:0], who[:0]
		p.mu.Lock()
		if len(p.conns) == 0 {
			p.running = false
			p.mu.Unlock()
			return
		}
		for c := range p.conns {
			if c.waiting.Load() {
				who = append(who, c)
			}
		}
		p.mu.Unlock()
		for _, c := range who {
			if by := c.readBy.Load(); by != 0 && now >= by {
				c.rouse()
			}
			fds = append(fds, unix.PollFd{Fd: int32(c.number()), Events: unix.POLLIN})
		}
		if len(fds) == 0 {
			continue
		}
		if _, err := unix.Poll(fds, 0); err != nil {
			continue // interrupted: there is another tick
		}
		for i, c := range who {
			if fds[i].Revents != 0 {
				c.rouse()
			}
		}
		clear(who)
	}
}
