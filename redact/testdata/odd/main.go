//go:build linux

// Command odd stands in the place of another program in the tests of redact.
// What it does is the name of the folder that it lies in: it gets no
// environment, and its arguments are another's.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"

	"veilbox/redact/sandbox"
)

func main() {
	dir := filepath.Dir(os.Args[0])
	what, arg, _ := strings.Cut(filepath.Base(dir), "-")
	if err := run(what, arg, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(what, arg, dir string) error {
	switch what {
	case "confirm": // as an ffmpeg: what it could do is its version
		port, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		s := sandbox.Confirm(port)
		said := fmt.Sprintf("refused-%d", len(s.Attempts))
		if err := s.Holds(); err != nil || s.Degraded() || !s.NoCapabilities || !s.Limits {
			said = strings.ReplaceAll(fmt.Sprintf("%v:%+v", err, s), " ", "_")
		}
		fmt.Printf("ffmpeg version %s Copyright\nlibavcodec     61. 19.101 / 61. 19.101\n", said)
		return nil
	case "allocate":
		var kept [][]byte
		for {
			b := make([]byte, 64<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			kept = append(kept, b)
			runtime.KeepAlive(kept)
		}
	case "spin":
		for i := 0; ; i++ {
			runtime.KeepAlive(i)
		}
	case "flood": // more words than anybody wants
		b := []byte(strings.Repeat("ffmpeg is a word. ", 1000))
		for {
			if _, err := os.Stdout.Write(b); err != nil {
				return err
			}
		}
	case "hold":
		for {
			if err := unix.Pause(); !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	case "without": // as a veil-redact: the kernel has not got these calls
		err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{DefaultAction: seccomp.ActionAllow,
			Syscalls: []seccomp.SyscallGroup{{Names: strings.Split(arg, ","), Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)}}}})
		if err != nil {
			return err
		}
		return syscall.Exec(filepath.Join(dir, "real"), os.Args, nil)
	}
	return fmt.Errorf("a program in the folder %q", what)
}
