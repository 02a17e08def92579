package daemon

import (
	"net"
	"testing"
	"time"
)

// One address does not take the connections of all, all together no more than the
// box can carry, and what is closed is free again.
func TestConnectionsAreBounded(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := bounded(raw, 3, 2)
	t.Cleanup(func() { _ = l.Close() }) // its end is what the accepting waits for
	served := make(chan net.Conn, 9)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(served)
				return
			}
			served <- c
		}
	}()
	from := func(address string) net.Conn {
		t.Helper()
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).Dial("tcp", raw.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	taken := func(what string, c net.Conn, want bool) net.Conn {
		t.Helper()
		if !want {
			if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			_, err := c.Read(make([]byte, 1))
			if n, ok := err.(net.Error); err == nil || ok && n.Timeout() {
				t.Errorf("%s: it is held: %v", what, err)
			}
			return nil
		}
		select {
		case s := <-served:
			return s
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: not served", what)
		}
		return nil
	}
	first := taken("the first", from("127.0.0.1"), true)
	taken("the second", from("127.0.0.1"), true)
	taken("a third of the same address", from("127.0.0.1"), false)
	taken("another address", from("127.0.0.2"), true)
	taken("one above all", from("127.0.0.3"), false)
	for range 2 { // closing twice counts once
		_ = first.Close()
	}
	taken("after one was closed", from("127.0.0.3"), true)
	taken("and one above all again", from("127.0.0.4"), false)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n != 3 || len(l.open) != 3 {
		t.Errorf("%d open, of %v", l.n, l.open)
	}
}
