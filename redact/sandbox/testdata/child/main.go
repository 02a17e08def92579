//go:build linux

// Command child is shut in by the tests of redact/sandbox, and tries. Started
// with "enter" and a task it says where it is, shuts itself in and executes
// itself anew with "role", which does one thing.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"

	"veilbox/redact/sandbox"
)

// A Task is the argument of "enter".
type Task struct {
	Options sandbox.Options
	Without []string // system calls that this kernel is not to have
	Role    []string
}

// A Place is the first line that it says.
type Place struct {
	Net, PID   string
	Interfaces []string
	Routes     int
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("no arguments")
	}
	switch args[0] {
	case "enter":
		return enter(args[1])
	case "role":
		return role(args[1], args[2:])
	}
	return fmt.Errorf("argument %q", args[0])
}

func enter(arg string) error {
	var t Task
	if err := json.Unmarshal([]byte(arg), &t); err != nil {
		return err
	}
	if err := where(); err != nil {
		return err
	}
	if len(t.Without) > 0 {
		err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{DefaultAction: seccomp.ActionAllow,
			Syscalls: []seccomp.SyscallGroup{{Names: t.Without, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)}}}})
		if err != nil {
			return err
		}
	}
	return sandbox.Enter(t.Options, append([]string{"role"}, t.Role...))
}

func where() error {
	var p Place
	p.Net, p.PID = sandbox.Namespaces()
	b, err := os.ReadFile("/proc/thread-self/net/dev")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if name, _, ok := strings.Cut(line, ":"); ok {
			p.Interfaces = append(p.Interfaces, strings.TrimSpace(name))
		}
	}
	if b, err = os.ReadFile("/proc/thread-self/net/route"); err != nil {
		return err
	}
	p.Routes = max(0, strings.Count(string(b), "\n")-1) // the first line is a heading
	return json.NewEncoder(os.Stdout).Encode(p)
}

func role(what string, args []string) error {
	switch what {
	case "confirm":
		port, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(sandbox.Confirm(port))
	case "exec":
		return child(args[0], args[1:]...).Run()
	case "hold":
		// As redact/codec and redact/detect start theirs.
		runtime.LockOSThread()
		c := child(args[0], "role", "wait")
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			return err
		}
		fmt.Println("ready")
		return c.Wait()
	case "wait":
		for {
			if err := unix.Pause(); !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	case "allocate":
		var kept [][]byte
		for {
			b := make([]byte, 64<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			kept = append(kept, b)
			fmt.Println(len(kept) * 64)
		}
	case "spin":
		for i := 0; ; i++ {
			runtime.KeepAlive(i)
		}
	case "grow":
		f, err := sandbox.Memory("large")
		if err != nil {
			return err
		}
		b := make([]byte, 1<<20)
		for n := 0; ; n++ {
			if _, err := f.Write(b); err != nil {
				return fmt.Errorf("after %d MiB: %w", n, err)
			}
		}
	case "open":
		for n := 0; ; n++ {
			if _, err := unix.MemfdCreate("many", 0); err != nil {
				return fmt.Errorf("after %d files: %w", n, err)
			}
		}
	}
	return fmt.Errorf("role %q", what)
}

func child(path string, args ...string) *exec.Cmd {
	c := exec.Command(path, args...)
	c.Env = []string{}
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr // the sandbox has no /dev/null
	return c
}
