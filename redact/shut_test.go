//go:build linux

package redact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"

	"veilbox/internal/problem"
	"veilbox/redact/sandbox"
)

const daemonVar = "VEILBOX_TEST_DAEMON"

var oddOnce sync.Once
var oddPath string

// odd returns testdata/odd under each of names, in the folder that says what it
// does.
func odd(t *testing.T, what string, names ...string) string {
	t.Helper()
	oddOnce.Do(func() {
		oddPath = filepath.Join(filepath.Dir(program), "odd")
		c := exec.Command("go", "build", "-buildvcs=false", "-o", oddPath, "./testdata/odd")
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
	b, err := os.ReadFile(oddPath)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), what)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// oddFFmpeg returns a worker whose ffmpeg does what what says.
func oddFFmpeg(t *testing.T, what string) *Worker {
	t.Helper()
	w := worker()
	w.FFmpeg = filepath.Join(odd(t, what, "ffmpeg", "ffprobe"), "ffmpeg")
	return w
}

// The program that reads the clip's bytes is shut in as veil-redact is.
func TestFFmpegIsShutIn(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := oddFFmpeg(t, fmt.Sprintf("confirm-%d", l.Addr().(*net.TCPAddr).Port)).Check(t.Context())
	if err != nil || s.FFmpeg != "refused-10" {
		t.Errorf("%q, %v", s.FFmpeg, err)
	}
}

// An ffmpeg that was taken over ends within its limits, in a problem.
func TestFFmpegRunsAmok(t *testing.T) {
	for what, k := range map[string]struct {
		set func(*Limits)
		is  *problem.Problem // nil: any
	}{
		"allocate": {func(l *Limits) { l.AddressSpace = 2 << 30 }, nil},
		"spin":     {func(l *Limits) { l.CPU = time.Second }, nil},
		"flood":    {func(l *Limits) { l.CPU = time.Second }, nil},
		"hold":     {func(l *Limits) { l.Time = time.Second }, TimedOut},
	} {
		t.Run(what, func(t *testing.T) {
			w := oddFFmpeg(t, what)
			k.set(&w.Limits)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			store := &memory{}
			_, err := w.Produce(ctx, Job{Subjects: make1(1)}, strings.NewReader("a clip"), store, nil)
			var p *problem.Problem
			if !errors.As(err, &p) || k.is != nil && !errors.Is(err, k.is) || store.b != nil || ctx.Err() != nil {
				t.Errorf("%v, %d bytes kept", err, len(store.b))
			}
			none(t, filepath.Dir(w.FFmpeg))
		})
	}
}

// A kernel that lacks a layer is refused before a byte of the clip is read, and
// allowed only where the configuration says so; health is told.
func TestKernelsThatLackALayer(t *testing.T) {
	for name, calls := range map[string]string{
		"landlock": "landlock_create_ruleset,landlock_add_rule,landlock_restrict_self",
		"seccomp":  "seccomp",
	} {
		t.Run(name, func(t *testing.T) {
			dir := odd(t, "without-"+calls, "veil-redact")
			if err := os.Symlink(program, filepath.Join(dir, "real")); err != nil {
				t.Fatal(err)
			}
			w := &Worker{Path: filepath.Join(dir, "veil-redact")}
			store := &memory{}
			if _, err := w.Produce(t.Context(), Job{Subjects: make1(1)}, bytes.NewReader(make([]byte, 1<<20)), store, nil); !errors.Is(err, sandbox.Degraded) || store.b != nil {
				t.Errorf("%v", err)
			}
			s, err := w.Open(t.Context(), SessionJob{}, bytes.NewReader(make([]byte, 1<<20)))
			if err == nil {
				if _, err = s.People(t.Context(), 0); !errors.Is(err, sandbox.Degraded) {
					t.Errorf("session: %v", err)
				}
				s.Close()
			}
			if _, err := w.Check(t.Context()); !errors.Is(err, sandbox.Degraded) {
				t.Errorf("check: %v", err)
			}
			w.Sandbox.AllowDegraded = true
			st, err := w.Check(t.Context())
			if err != nil || !st.Degraded || (st.Sandbox.Landlock == 0) != (name == "landlock") || st.Sandbox.Seccomp == (name == "seccomp") {
				t.Errorf("allowed: %+v, %v", st, err)
			}
		})
	}
}

// none waits until no process runs a program in dir or the test's veil-redact.
func none(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; <-time.After(5 * time.Millisecond) {
		left := those(t, dir)
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still there: %v", left)
		}
	}
}

func those(t *testing.T, dir string) (out []string) {
	t.Helper()
	exes, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range exes {
		// One that has ended meanwhile has no link.
		if at, err := os.Readlink(e); err == nil && (at == program || filepath.Dir(at) == dir) {
			out = append(out, at)
		}
	}
	return out
}

// daemon is a process that veils and is killed; "bare" on a kernel that gives
// no namespaces.
func daemon() int {
	kind, ffmpeg, _ := strings.Cut(os.Getenv(daemonVar), " ")
	if kind == "bare" {
		var spaces []seccomp.NameWithConditions
		for _, bit := range []uint64{unix.CLONE_NEWUSER, unix.CLONE_NEWNET, unix.CLONE_NEWPID} {
			spaces = append(spaces, seccomp.NameWithConditions{Name: "clone",
				Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: bit}}})
		}
		err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{DefaultAction: seccomp.ActionAllow,
			Syscalls: []seccomp.SyscallGroup{{NamesWithCondtions: spaces, Action: seccomp.ActionErrno | seccomp.Action(unix.EPERM)},
				{Names: []string{"clone3"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)}}}})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		s, err := worker().Check(context.Background())
		fmt.Println("spaces", s.Sandbox.NetNS, s.Sandbox.PIDNS, s.Degraded, err)
	} else {
		fmt.Println("spaces")
	}
	w := worker()
	w.FFmpeg = ffmpeg
	_, err := w.Produce(context.Background(), Job{Subjects: make1(1)}, strings.NewReader("a clip"), &memory{}, nil)
	fmt.Println(err)
	return 1
}

// Where the daemon is killed, what it started dies with it: by the namespace, or
// link by link where the kernel gives none.
func TestDaemonIsKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{"full": "spaces\n", "bare": "spaces false false false <nil>\n"} {
		t.Run(kind, func(t *testing.T) {
			dir := odd(t, "hold", "ffmpeg", "ffprobe")
			c := exec.Command(self)
			c.Env = []string{"PATH=/usr/bin:/bin", "VEILBOX_TEST_PROGRAM=" + program, daemonVar + "=" + kind + " " + filepath.Join(dir, "ffmpeg")}
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(20 * time.Second); len(those(t, dir)) < 2; <-time.After(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("running: %v; it said %q", those(t, dir), out.String())
				}
			}
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := c.Wait(); !errors.As(err, &exit) || out.String() != want {
				t.Errorf("%v; it said %q, want %q", err, out.String(), want)
			}
			none(t, dir)
		})
	}
}
