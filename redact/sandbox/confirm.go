//go:build linux

package sandbox

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Confirm tries, from within, what must fail, and returns which layers hold.
// port is a port of the loopback on which something listens outside, or 0.
func Confirm(port int) Status {
	s := Status{Attempts: map[string]string{
		"connect to the loopback": connect(port),
		"open a socket":           socket(unix.AF_UNIX),
		"open /etc/passwd":        try(func() error { return openClose("/etc/passwd", os.O_RDONLY) }),
		"list the root folder":    try(func() error { return openClose("/", os.O_RDONLY) }),
		"create a file in /tmp":   try(func() error { return openClose("/tmp/veil-redact-was-here", os.O_CREATE|os.O_WRONLY) }),
		"run /bin/sh":             shell(),
		"ptrace its parent":       try(func() error { return ptrace(os.Getppid()) }),
		"leave its namespace":     try(func() error { return unix.Unshare(unix.CLONE_NEWUSER) }),
		"mount":                   try(func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") }),
		"load a key":              try(func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err }),
	}}
	if s.Attempts["open /etc/passwd"] != "" && s.Attempts["list the root folder"] != "" {
		s.Landlock = abi()
	}
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	s.Seccomp = err == nil && mode == 2 && s.Attempts["open a socket"] != ""
	nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	s.NoNewPrivs = err == nil && nnp == 1
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var c [2]unix.CapUserData
	s.NoCapabilities = unix.Capget(&h, &c[0]) == nil && c == [2]unix.CapUserData{}
	var as, cpu unix.Rlimit
	s.Limits = unix.Getrlimit(unix.RLIMIT_AS, &as) == nil && unix.Getrlimit(unix.RLIMIT_CPU, &cpu) == nil &&
		as.Max != unix.RLIM_INFINITY && cpu.Max != unix.RLIM_INFINITY
	return s
}

func try(f func() error) string {
	if err := f(); err != nil {
		return err.Error()
	}
	return ""
}

func openClose(path string, flag int) error {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func socket(family int) string {
	return try(func() error {
		fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	})
}

func connect(port int) string {
	return try(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd) // the attempt is over either way
		return unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	})
}

func shell() string {
	r, w, err := os.Pipe()
	if err != nil {
		return "pipe: " + err.Error()
	}
	defer r.Close()
	defer w.Close()
	c := exec.Command("/bin/sh", "-c", "exit 0")
	c.Env = []string{}
	c.Stdin, c.Stdout, c.Stderr = r, w, w
	return try(c.Run)
}

// ptrace asks to attach and lets go at once.
func ptrace(pid int) error {
	if pid == 0 {
		// The parent lies outside the PID namespace and has no number here.
		pid = 1
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := syscall.PtraceAttach(pid)
	if err == nil {
		_ = syscall.PtraceDetach(pid) // the attempt itself is the finding
	}
	return err
}

// Input returns a sealed file in memory with what r gives, and its size. More
// than limit bytes are an error. Nothing can change it afterwards (memfd_create(2)).
func Input(r io.Reader, limit int64) (*os.File, int64, error) {
	f, err := Memory("clip")
	if err != nil {
		return nil, 0, err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(r, limit+1), make([]byte, 256<<10))
	if err == nil && n > limit {
		err = ErrTooMuch
	}
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		f.Close() // err says more
		return nil, 0, err
	}
	return f, n, nil
}

// ErrTooMuch is the error of Input for more bytes than its limit.
var ErrTooMuch = errors.New("sandbox: the input is larger than its limit")

// Memory returns an empty file that is in memory alone.
func Memory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
