//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Process is a program that was started by Start.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start runs cmd in namespaces of its own, as many as the kernel gives, with an
// empty environment and in its own process group. It is killed with everything
// it has started when ctx ends or when this process dies.
func Start(ctx context.Context, cmd *exec.Cmd) (*Process, error) {
	cmd.Env = []string{}
	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		// The signal at the parent's death is sent when the *thread* ends that
		// started the child (prctl(2)), so one thread stays for its whole life.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := p.start(cmd); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = p.cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	go func() {
		select {
		case <-ctx.Done():
			p.Kill()
		case <-p.done:
		}
	}()
	return p, nil
}

// Kill ends the process and its children.
func (p *Process) Kill() {
	// The group may be gone already; there is nothing else that can fail.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Process.Kill()
}

// PID returns the process's number, which is that of its group too.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Wait returns how the process ended.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// start tries the namespaces from most to none. exec.Cmd starts once, so each
// try has a copy.
func (p *Process) start(cmd *exec.Cmd) error {
	const spaces = unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWPID
	user := &syscall.SysProcAttr{
		Cloneflags:  spaces | unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
	}
	tries := []*syscall.SysProcAttr{{Cloneflags: spaces}, user, {}}
	if os.Geteuid() != 0 {
		tries = tries[1:]
	}
	var err error
	for _, attr := range tries {
		attr.Setpgid = true
		attr.Pdeathsig = syscall.SIGKILL
		c := *cmd
		c.SysProcAttr = attr
		if err = c.Start(); err == nil {
			p.cmd = &c
			return nil
		}
		if errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	return fmt.Errorf("sandbox: start %s: %w", cmd.Path, err)
}

// Namespaces returns the names of this process's network and PID namespaces,
// for the inside to compare with.
func Namespaces() (net, pid string) {
	// Without /proc the inside cannot tell, and reports that it shares them.
	net, _ = os.Readlink("/proc/self/ns/net")
	pid, _ = os.Readlink("/proc/self/ns/pid")
	return net, pid
}
