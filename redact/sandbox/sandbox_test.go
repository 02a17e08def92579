//go:build linux

package sandbox

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Outside a sandbox everything that a user may do must come through, or the
// test from within would pass without a sandbox.
func TestConfirmOutside(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := Confirm(l.Addr().(*net.TCPAddr).Port)
	for _, what := range []string{"connect to the loopback", "open a socket", "open /etc/passwd", "list the root folder", "create a file in /tmp", "run /bin/sh", "trace a process", "leave its namespace"} {
		got, tried := s.Attempts[what]
		if !tried || got != "" {
			t.Errorf("%s: tried %v, refused with %q outside a sandbox", what, tried, got)
		}
	}
	if !s.Degraded() || s.Holds() == nil || s.Landlock != 0 || s.Seccomp {
		t.Errorf("%+v", s)
	}
}

func TestHolds(t *testing.T) {
	if (Status{}).Holds() == nil {
		t.Error("a sandbox holds in which nothing was tried")
	}
	if err := (Status{Attempts: map[string]string{"a": "refused"}}).Holds(); err != nil {
		t.Error(err)
	}
	full := Status{Landlock: 1, Seccomp: true, NoNewPrivs: true}
	if full.Degraded() || !(Status{Seccomp: true, NoNewPrivs: true}).Degraded() || !(Status{Landlock: 7, NoNewPrivs: true}).Degraded() {
		t.Error("Degraded")
	}
}

func TestInput(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	f, n, err := Input(bytes.NewReader(data), int64(len(data)))
	if err != nil || n != int64(len(data)) {
		t.Fatal(n, err)
	}
	defer f.Close()
	got, err := os.ReadFile("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("the input could be changed: %v", err)
	}
	if err := f.Truncate(0); !errors.Is(err, unix.EPERM) {
		t.Errorf("the input could be cut: %v", err)
	}
	if _, _, err := Input(bytes.NewReader(data), int64(len(data)-1)); !errors.Is(err, ErrTooMuch) {
		t.Errorf("a byte too much: %v", err)
	}
}

func TestInterpreter(t *testing.T) {
	if _, err := interpreter("/etc/passwd"); err == nil {
		t.Error("a text file was taken for a program")
	}
	p, err := interpreter("/bin/sh")
	if err != nil || p == "" {
		t.Errorf("the loader of /bin/sh: %q, %v", p, err)
	}
}
