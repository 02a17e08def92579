//go:build linux

package sandbox

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Confirm tries, from within, what must be refused, and returns which layers
// hold. port is a port of the loopback on which something listens outside, or
// 0. Outside a sandbox the attempts succeed and leave nothing behind.
func Confirm(port int) Status {
	s := Status{Attempts: map[string]string{
		"connect to the loopback": refusal(func() error { return connect(port) }),
		"open a socket":           refusal(func() error { return socket(unix.AF_UNIX) }),
		"open /etc/passwd":        refusal(func() error { return openClose("/etc/passwd", os.O_RDONLY) }),
		"list the root folder":    refusal(func() error { return openClose("/", os.O_RDONLY) }),
		"create a file in /tmp":   refusal(create),
		"run /bin/sh":             refusal(shell),
		"trace a process":         refusal(func() error { return syscall.PtraceAttach(0) }),
		"leave its namespace":     refusal(func() error { return unix.Unshare(0) }),
		"mount":                   refusal(func() error { return unix.Mount("none", "/proc/self/none", "tmpfs", 0, "") }),
		"load a key":              refusal(func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err }),
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

// refusal returns how f was refused. Failing for another reason is no refusal:
// no such process, or nothing that listens, only says that f came through.
func refusal(f func() error) string {
	if err := f(); errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
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

func create() error {
	f, err := os.CreateTemp("/tmp", "veil-redact")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func socket(family int) error {
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func connect(port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // the attempt is over either way
	return unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

func shell() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	c := exec.Command("/bin/sh", "-c", "exit 0")
	c.Env = []string{}
	c.Stdin, c.Stdout, c.Stderr = r, w, w
	return c.Run()
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
