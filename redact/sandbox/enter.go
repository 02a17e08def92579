//go:build linux

package sandbox

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// libraries is where the dynamic loader of Debian looks.
var libraries = []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"}

// Enter shuts the calling program in and executes it anew with args as its
// arguments and an empty environment. It returns only with an error.
func Enter(o Options, args []string) error {
	// Everything below acts on this thread; execve makes it the only one.
	runtime.LockOSThread()
	if err := setLimits(o.Limits); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: no_new_privs: %w", err)
	}
	run, err := executables(o.Programs)
	if err != nil {
		return err
	}
	if err := lock(o, run); err != nil && !o.AllowDegraded {
		return Degraded.With(err)
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	if err := filter(); err != nil && !o.AllowDegraded {
		return Degraded.With(err)
	}
	err = syscall.Exec("/proc/self/exe", append([]string{"veil-redact"}, args...), []string{})
	return fmt.Errorf("sandbox: execute anew: %w", err)
}

func setLimits(l Limits) error {
	for _, r := range []struct {
		name string
		id   int
		v    uint64
		set  bool
	}{
		{"core", unix.RLIMIT_CORE, 0, true},
		{"address space", unix.RLIMIT_AS, l.AddressSpace, l.AddressSpace > 0},
		{"CPU", unix.RLIMIT_CPU, l.CPU, l.CPU > 0},
		{"file size", unix.RLIMIT_FSIZE, l.FileSize, l.FileSize > 0},
		{"open files", unix.RLIMIT_NOFILE, l.OpenFiles, l.OpenFiles > 0},
		{"processes", unix.RLIMIT_NPROC, l.Processes, l.Processes > 0},
	} {
		if !r.set {
			continue
		}
		var old unix.Rlimit
		if err := unix.Getrlimit(r.id, &old); err != nil {
			return fmt.Errorf("sandbox: limit of %s: %w", r.name, err)
		}
		v := min(r.v, old.Max)
		if err := unix.Setrlimit(r.id, &unix.Rlimit{Cur: v, Max: v}); err != nil {
			return fmt.Errorf("sandbox: limit of %s: %w", r.name, err)
		}
	}
	return nil
}

// abi returns the version of Landlock that the kernel has, 0 for none.
func abi() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// lock applies Landlock. The right to execute is given to single files, never
// to a folder: what lies in the library folders may be read, not run.
func lock(o Options, run []string) error {
	if abi() < 1 {
		return errors.New("sandbox: the kernel has no Landlock")
	}
	rules := []landlock.Rule{landlock.PathAccess(llsys.AccessFSExecute|llsys.AccessFSReadFile, run...)}
	for _, p := range append(append([]string{}, libraries...), o.ReadOnly...) {
		info, err := os.Stat(p)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return fmt.Errorf("sandbox: %w", err)
		case info.IsDir():
			rules = append(rules, landlock.PathAccess(llsys.AccessFSReadFile|llsys.AccessFSReadDir, p))
		default:
			rules = append(rules, landlock.PathAccess(llsys.AccessFSReadFile, p))
		}
	}
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("sandbox: landlock: %w", err)
	}
	return nil
}

// executables returns the files that must be executable so that programs run:
// themselves, this program, and the loaders that they name.
func executables(programs []string) ([]string, error) {
	out := []string{"/proc/self/exe"}
	for _, p := range append([]string{"/proc/self/exe"}, programs...) {
		loader, err := interpreter(p)
		if err != nil {
			return nil, err
		}
		if loader != "" {
			out = append(out, loader)
		}
		if p != "/proc/self/exe" {
			out = append(out, p)
		}
	}
	return out, nil
}

// ErrProgram says that a program is missing or is a script: the sandbox has no
// shell to run it.
var ErrProgram = errors.New("sandbox: it is no program that can be shut in")

func interpreter(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrProgram, filepath.Base(path), err)
	}
	defer f.Close() // read only
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err != nil {
			return "", fmt.Errorf("sandbox: %s: %w", filepath.Base(path), err)
		}
		return strings.TrimRight(string(b), "\x00"), nil
	}
	return "", nil
}

// dropCapabilities empties every set of capabilities of the thread. With
// no_new_privs, executing a program as root does not bring them back.
func dropCapabilities() error {
	for c := uintptr(0); c < 64; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // past the last capability that this kernel knows
		}
		if errors.Is(err, unix.EPERM) {
			break // an ordinary user: the other sets are empty already
		}
		if err != nil {
			return fmt.Errorf("sandbox: bounding set: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: ambient capabilities: %w", err)
	}
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&h, &none[0]); err != nil {
		return fmt.Errorf("sandbox: capabilities: %w", err)
	}
	return nil
}
