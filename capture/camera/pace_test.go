package camera

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"
)

// pipe returns a paced connection and its other end.
func pipe(t *testing.T) (net.Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p := pace(c)
	t.Cleanup(func() { far.Close(); p.Close() })
	return p, far.(*net.TCPConn)
}

// crowd makes connections be paced as if there were many.
func crowd(t *testing.T) {
	pacing.video.Add(paceFrom)
	t.Cleanup(func() { pacing.video.Add(-paceFrom) })
}

// paced returns one that has gone over to the pace.
func paced(t *testing.T) (*pacedConn, *net.TCPConn) {
	t.Helper()
	crowd(t)
	c, far := pipe(t)
	p := c.(*pacedConn)
	go far.Write(make([]byte, paceAfter+1))
	if _, err := io.ReadFull(p, make([]byte, paceAfter)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(p, make([]byte, 1)); err != nil || p.tcp != nil {
		t.Fatalf("not paced after %d bytes (%v)", paceAfter, err)
	}
	return p, far
}

func TestPaceLosesNothing(t *testing.T) {
	t.Run("few", func(t *testing.T) { losesNothing(t, false) })
	t.Run("many", func(t *testing.T) { losesNothing(t, true) })
}

func losesNothing(t *testing.T, many bool) {
	if many {
		crowd(t)
	}
	c, far := pipe(t)
	sent := make([]byte, 3<<20)
	for i := range sent {
		sent[i] = byte(rand.Uint32())
	}
	go func() {
		for b := sent; len(b) > 0; {
			n := min(len(b), 1+rand.IntN(40<<10))
			if _, err := far.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
		far.CloseWrite()
	}()
	var got bytes.Buffer
	if _, err := io.CopyBuffer(&got, struct{ io.Reader }{c}, make([]byte, 1413)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Fatalf("%d bytes came of %d, or others", got.Len(), len(sent))
	}
	if c := c.(*pacedConn); (c.tcp == nil) != many || !c.video {
		t.Errorf("paced: %v, carries video: %v", c.tcp == nil, c.video)
	}
}

func TestPaceConversationIsNotSlowed(t *testing.T) {
	c, far := pipe(t)
	go io.Copy(far, far)
	b := make([]byte, 1<<10)
	begun := time.Now()
	for range 50 {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > 50*paceEvery/2 {
		t.Errorf("50 questions took %v", took)
	}
}

func TestPaceWrites(t *testing.T) {
	p, far := paced(t)
	sent := bytes.Repeat([]byte("veilbox "), 1<<20) // more than the socket holds
	done := make(chan error, 1)
	go func() { _, err := p.Write(sent); done <- err }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("other bytes came than were sent (%v)", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestPaceEnds(t *testing.T) {
	past := time.Now().Add(-time.Second)
	for name, tc := range map[string]struct {
		act  func(p *pacedConn, far *net.TCPConn) error
		want error
	}{
		"closed here":  {func(p *pacedConn, _ *net.TCPConn) error { return p.Close() }, net.ErrClosed},
		"closed there": {func(_ *pacedConn, far *net.TCPConn) error { return far.Close() }, io.EOF},
		"read deadline": {func(p *pacedConn, _ *net.TCPConn) error {
			return p.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		}, os.ErrDeadlineExceeded},
		"read deadline is past": {func(p *pacedConn, _ *net.TCPConn) error { return p.SetDeadline(past) }, os.ErrDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			p, far := paced(t)
			done := make(chan error, 1)
			go func() { _, err := p.Read(make([]byte, 10)); done <- err }()
			// The reader waits by now, or comes to the same end without.
			for limit := time.Now().Add(5 * time.Second); !p.waiting.Load(); {
				if time.Now().After(limit) {
					t.Fatal("the reader does not wait")
				}
			}
			if err := tc.act(p, far); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				if !errors.Is(err, tc.want) {
					t.Fatalf("%v, want %v", err, tc.want)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("the reader still waits")
			}
		})
	}
	t.Run("write deadline", func(t *testing.T) {
		p, _ := paced(t)
		if err := p.SetWriteDeadline(time.Now().Add(150 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	})
	t.Run("after the end", func(t *testing.T) {
		p, _ := paced(t)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		_, rerr := p.Read(make([]byte, 1))
		_, werr := p.Write(make([]byte, 1))
		for _, err := range []error{rerr, werr, p.Close(), p.SetDeadline(past)} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v, want %v", err, net.ErrClosed)
			}
		}
	})
}

// The pacer ends with its last connection and begins again with the next.
func TestPacerEnds(t *testing.T) {
	for range 2 {
		p, _ := paced(t)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		for limit := time.Now().Add(5 * time.Second); ; time.Sleep(paceEvery) {
			pacing.mu.Lock()
			running, n := pacing.running, len(pacing.conns)
			pacing.mu.Unlock()
			if n == 0 && !running {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("it runs (%v) with %d connections", running, n)
			}
		}
	}
}
