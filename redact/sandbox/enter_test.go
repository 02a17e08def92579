//go:build linux

package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// testdata/child, twice: what shuts itself in, and a program that it may run.
var shut, prog string

const parentVar = "VEILBOX_SANDBOX_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentVar) != "" {
		os.Exit(parent())
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sandbox")
	if err == nil {
		err = os.Chmod(dir, 0o755) // an ordinary user's tests run them too
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) // scratch
	shut, prog = filepath.Join(dir, "shut"), filepath.Join(dir, "prog")
	for _, p := range []string{shut, prog} {
		c := exec.Command("go", "build", "-buildvcs=false", "-o", p, "./testdata/child")
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
			return 1
		}
	}
	return m.Run()
}

type task struct {
	Options Options
	Without []string
	Role    []string
}

type place struct {
	Net, PID   string
	Interfaces []string
	Routes     int
}

func limits() Limits {
	return Limits{AddressSpace: 8 << 30, CPU: 60, FileSize: 1 << 30, OpenFiles: 256, Processes: 4096}
}

func (k task) command(t *testing.T) *exec.Cmd {
	t.Helper()
	b, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(shut, "enter", string(b))
	c.Stdin = bytes.NewReader(nil)
	return c
}

// run shuts the child in for one role and returns the first line it says and
// the rest.
func run(t *testing.T, k task) (place, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var out bytes.Buffer
	c := k.command(t)
	c.Stdout, c.Stderr = &out, &out
	p, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	werr := p.Wait()
	if ctx.Err() != nil {
		t.Fatalf("%v: still running after a minute", k.Role)
	}
	first, rest, _ := strings.Cut(out.String(), "\n")
	var at place
	if err := json.Unmarshal([]byte(first), &at); err != nil {
		t.Fatalf("%v: %q", err, out.String())
	}
	return at, rest, werr
}

func listen(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// Within, everything that Confirm tries fails: in the program itself and in the
// programs that it may run, which is where hostile bytes are decoded.
func TestWithin(t *testing.T) {
	port := fmt.Sprint(listen(t))
	o := Options{Programs: []string{prog}, Limits: limits()}
	for name, role := range map[string][]string{
		"itself":  {"confirm", port},
		"a child": {"exec", prog, "role", "confirm", port},
	} {
		at, out, err := run(t, task{Options: o, Role: role})
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		var s Status
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		if err := s.Holds(); err != nil || len(s.Attempts) < 10 || s.Degraded() || !s.NoCapabilities || !s.Limits {
			t.Errorf("%s: %v: %+v", name, err, s)
		}
		netns, pidns := Namespaces()
		if at.Net == netns || at.PID == pidns || at.Net == "" {
			t.Errorf("%s: it has the namespaces %q, %q of who started it", name, at.Net, at.PID)
		}
		if strings.Join(at.Interfaces, " ") != "lo" || at.Routes != 0 {
			t.Errorf("%s: it sees the interfaces %v and %d routes", name, at.Interfaces, at.Routes)
		}
	}
}

// What is not named as a program cannot be run, wherever it lies.
func TestOnlyWhatIsNamedRuns(t *testing.T) {
	for _, path := range []string{prog, "/bin/true", "/usr/lib/os-release", "/lib64/ld-linux-x86-64.so.2"} {
		_, out, err := run(t, task{Options: Options{Limits: limits()}, Role: []string{"exec", path, "role", "confirm", "0"}})
		if err == nil || !strings.Contains(out, "permission denied") && !strings.Contains(out, "no such file") {
			t.Errorf("%s: %v: %s", path, err, out)
		}
	}
}

func TestLimitsBite(t *testing.T) {
	for _, k := range []struct {
		role string
		set  func(*Limits)
		says string
	}{
		{"allocate", func(l *Limits) { l.AddressSpace = 2 << 30 }, "out of memory"},
		{"spin", func(l *Limits) { l.CPU = 1 }, ""},
		{"grow", func(l *Limits) { l.FileSize = 8 << 20 }, ""},
		{"open", func(l *Limits) { l.OpenFiles = 64 }, "too many open files"},
	} {
		l := limits()
		k.set(&l)
		_, out, err := run(t, task{Options: Options{Limits: l}, Role: []string{k.role, ""}})
		if err == nil || !strings.Contains(out, k.says) || strings.Contains(out, "after 64 files") {
			t.Errorf("%s: %v: %s", k.role, err, out)
		}
	}
}

// A kernel that lacks a layer is refused, unless that is allowed; then what is
// missing is told.
func TestKernelThatLacksALayer(t *testing.T) {
	for name, calls := range map[string][]string{
		"landlock": {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"},
		"seccomp":  {"seccomp"},
	} {
		_, out, err := run(t, task{Options: Options{Limits: limits()}, Without: calls, Role: []string{"confirm", "0"}})
		if err == nil || !strings.Contains(out, Degraded.Cause.EN) {
			t.Errorf("without %s: %v: %s", name, err, out)
		}
		_, out, err = run(t, task{Options: Options{AllowDegraded: true, Limits: limits()}, Without: calls, Role: []string{"confirm", "0"}})
		var s Status
		if jerr := json.Unmarshal([]byte(out), &s); err != nil || jerr != nil {
			t.Fatalf("without %s, allowed: %v %v: %s", name, err, jerr, out)
		}
		if !s.Degraded() || s.Holds() == nil || (s.Landlock == 0) != (name == "landlock") || s.Seccomp == (name == "seccomp") {
			t.Errorf("without %s: %+v", name, s)
		}
	}
}

// parent is a daemon that shuts a child in and is killed; with "bare" in its
// variable on a kernel that gives it no namespaces.
func parent() int {
	if os.Getenv(parentVar) == "bare" {
		var spaces []seccomp.NameWithConditions
		for bit := uint64(1); bit <= namespaces; bit <<= 1 {
			if bit&namespaces != 0 {
				spaces = append(spaces, seccomp.NameWithConditions{Name: "clone",
					Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: bit}}})
			}
		}
		err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{DefaultAction: seccomp.ActionAllow,
			Syscalls: []seccomp.SyscallGroup{{NamesWithCondtions: spaces, Action: seccomp.ActionErrno | seccomp.Action(unix.EPERM)},
				{Names: []string{"clone3"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)}}}})
		if err != nil {
			fmt.Println(err)
			return 1
		}
	}
	c := exec.Command(os.Args[1], "enter", os.Args[2])
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	p, err := Start(context.Background(), c)
	if err == nil {
		err = p.Wait()
	}
	fmt.Println(err)
	return 1
}

// running returns how many processes run the child's programs.
func running(t *testing.T) (n int) {
	t.Helper()
	exes, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range exes {
		// One that has ended meanwhile has no link.
		if at, err := os.Readlink(e); err == nil && (at == shut || at == prog) {
			n++
		}
	}
	return n
}

func gone(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); running(t) > 0; <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d processes are left", running(t))
		}
	}
}

func hold(t *testing.T) task {
	t.Helper()
	return task{Options: Options{Programs: []string{prog}, Limits: limits()}, Role: []string{"hold", prog}}
}

// ready waits until the child says that its own child runs.
func ready(t *testing.T, out io.Reader) place {
	t.Helper()
	r := bufio.NewReader(out)
	var at place
	line, err := r.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &at)
	}
	if err == nil {
		line, err = r.ReadBytes('\n')
	}
	if err != nil || string(line) != "ready\n" {
		t.Fatalf("%v: %q", err, line)
	}
	return at
}

func TestKilledWithItsChildren(t *testing.T) {
	for name, end := range map[string]func(p *Process, cancel func()){
		"by its context": func(_ *Process, cancel func()) { cancel() },
		"by Kill":        func(p *Process, _ func()) { p.Kill() },
		"alone":          func(p *Process, _ func()) { _ = syscall.Kill(p.PID(), syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			c := hold(t).command(t)
			c.Stdout, c.Stderr = w, w
			p, err := Start(ctx, c)
			w.Close()
			if err != nil {
				t.Fatal(err)
			}
			ready(t, r)
			if n := running(t); n != 2 {
				t.Fatalf("%d processes run, not 2", n)
			}
			end(p, cancel)
			if err := p.Wait(); err == nil {
				t.Error("it ended well")
			}
			gone(t)
		})
	}
}

// Where a daemon is killed nothing of it is left to end what it started.
func TestKilledWithItsParent(t *testing.T) {
	for _, kind := range []string{"full", "bare"} {
		t.Run(kind, func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			c := hold(t).command(t)
			parent := exec.Command(self, c.Path, c.Args[2])
			parent.Env = []string{parentVar + "=" + kind}
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			at := ready(t, out)
			netns, _ := Namespaces()
			if (at.Net == netns) != (kind == "bare") {
				t.Errorf("it is in the network namespace %q, this test in %q", at.Net, netns)
			}
			if err := parent.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := parent.Wait(); !errors.As(err, &exit) {
				t.Error(err)
			}
			gone(t)
		})
	}
}
