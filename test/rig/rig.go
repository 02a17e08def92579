// Package rig runs a camera, an extranet and two boxes as programs of their own
// on loopback, each with its own data folder.
package rig

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"veilbox/test/story"
)

// Options are what a Rig takes.
type Options struct {
	Dir     string // empty folder
	Bin     string // folder of the programs
	Footage string // video file
	// Fixed asks for the same ports each time where they are free.
	Fixed bool
	// Codes gives everybody a password and codes beside the passkey.
	Codes bool
}

// A Rig is programs that run.
type Rig struct {
	World *story.World
	// Died gets the first program that ends without having been asked to.
	Died chan error

	o     Options
	ports map[string]string

	mu    sync.Mutex
	procs map[string]*process
}

type process struct {
	cmd   *exec.Cmd
	done  chan struct{}
	asked bool // its end is wanted
}

// usual are the ports of the demonstration.
var usual = map[string]string{"box-a": "8443", "box-b": "8444", "operator": "8445", "extranet": "8446", "metrics-a": "9443", "metrics-b": "9444", "camera": "8554"}

// Start brings everything up.
func Start(ctx context.Context, o Options) (_ *Rig, err error) {
	if o.Bin, err = filepath.Abs(o.Bin); err != nil {
		return nil, err
	}
	r := &Rig{o: o, World: &story.World{A: &story.Box{}, B: &story.Box{}}, Died: make(chan error, 1), ports: map[string]string{}, procs: map[string]*process{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Logs(os.Stderr), r.Close())
		}
	}()
	for name, port := range usual {
		if r.ports[name], err = freePort(port, o.Fixed); err != nil {
			return r, err
		}
	}
	camera := make(chan error, 1)
	go func() { camera <- r.startCamera(ctx) }()
	err = r.StartExtranet(ctx)
	for name, b := range map[string]*story.Box{"box-a": r.World.A, "box-b": r.World.B} {
		b.Dir, b.URL, b.Codes = filepath.Join(o.Dir, name), "https://"+r.ports[name], o.Codes
		if err == nil {
			err = r.StartBox(ctx, name)
		}
	}
	return r, errors.Join(err, <-camera)
}

func freePort(wanted string, fixed bool) (string, error) {
	if !fixed {
		wanted = "0"
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+wanted)
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", fmt.Errorf("rig: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// start runs a program with its output in a log beside its data.
func (r *Rig) start(name string, cmd *exec.Cmd) error {
	log, err := os.OpenFile(filepath.Join(r.o.Dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.Stderr = log
	// Ctrl-C in the terminal is for the rig, which then ends the rest in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		return fmt.Errorf("rig: start %s: %w", name, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	r.mu.Lock()
	r.procs[name] = p
	r.mu.Unlock()
	go func() {
		err := cmd.Wait()
		r.mu.Lock()
		asked := p.asked
		r.mu.Unlock()
		close(p.done)
		if !asked {
			select {
			case r.Died <- fmt.Errorf("rig: %s ended by itself: %w", name, err):
			default:
			}
		}
	}()
	return nil
}

func (r *Rig) startCamera(ctx context.Context) error {
	pass := rand.Text()
	secret := filepath.Join(r.o.Dir, "camera.password")
	if err := os.WriteFile(secret, []byte(pass+"\n"), 0o600); err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(filepath.Join(r.o.Bin, "veilctl"), "--json", "camera", "simulate", r.o.Footage, "--listen", r.ports["camera"], "--user", "kamera", "--password-file", secret)
	cmd.Stdout = in
	if err := errors.Join(r.start("camera", cmd), in.Close()); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = out.SetReadDeadline(time.Now()) }) // best effort: the read ends with the program too
	defer stop()
	var said struct {
		URL    string `json:"url"`
		SubURL string `json:"sub_url"`
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&said); err != nil {
		return fmt.Errorf("rig: the camera did not say where it is: %w", err)
	}
	r.World.Camera = story.Camera{URL: said.URL, SubURL: said.SubURL, Username: "kamera", Password: pass, Began: time.Now(), Loop: story.Loop}
	return nil
}

// StartExtranet starts the extranet on its folder and waits until it answers.
func (r *Rig) StartExtranet(ctx context.Context) error {
	dir := filepath.Join(r.o.Dir, "extranet")
	r.World.ExtranetDir, r.World.ExtranetURL = dir, "https://"+r.ports["operator"]
	conf := filepath.Join(r.o.Dir, "extranet.toml")
	text := fmt.Sprintf("data_dir = %q\nbox_listen = %q\noperator_listen = %q\npublic_url = %q\nhostnames = [\"localhost\", \"127.0.0.1\"]\n",
		dir, r.ports["extranet"], r.ports["operator"], "https://"+r.ports["extranet"])
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	if err := r.start("extranet", exec.Command(filepath.Join(r.o.Bin, "veil-extranet"), "--config", conf)); err != nil {
		return err
	}
	return r.answers(ctx, "extranet", r.ports["operator"])
}

// StartBox starts "box-a" or "box-b" on its folder and waits until it answers.
func (r *Rig) StartBox(ctx context.Context, name string) error {
	conf := filepath.Join(r.o.Dir, name+".toml")
	text := fmt.Sprintf("data_dir = %q\nlisten = %q\nhostnames = [\"localhost\", \"127.0.0.1\"]\nmetrics = %q\n\n[ring]\nquota = \"4GiB\"\n",
		filepath.Join(r.o.Dir, name), r.ports[name], r.ports["metrics-"+name[4:]])
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	if err := r.start(name, exec.Command(filepath.Join(r.o.Bin, "veilboxd"), "--config", conf)); err != nil {
		return err
	}
	return r.answers(ctx, name, r.ports[name])
}

// answers waits until a program listens.
func (r *Rig) answers(ctx context.Context, name, addr string) error {
	r.mu.Lock()
	p := r.procs[name]
	r.mu.Unlock()
	for range 300 {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.done:
			return fmt.Errorf("rig: %s did not start", name)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("rig: %s does not answer on %s", name, addr)
}

// Pid returns the process of a program, for measuring.
func (r *Rig) Pid(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.procs[name].cmd.Process.Pid
}

// MetricsAddr returns where box A's metrics are.
func (r *Rig) MetricsAddr() string { return r.ports["metrics-a"] }

// Kill ends a program at once, as a power cut would.
func (r *Rig) Kill(name string) error { return r.end(name, syscall.SIGKILL) }

func (r *Rig) end(name string, sig syscall.Signal) error {
	r.mu.Lock()
	p := r.procs[name]
	if p != nil {
		p.asked = true
	}
	r.mu.Unlock()
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("rig: end %s: %w", name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(20 * time.Second):
		return fmt.Errorf("rig: %s does not end", name)
	}
}

// Close ends all programs.
func (r *Rig) Close() error {
	var errs []error
	for _, name := range []string{"box-a", "box-b", "extranet", "camera"} {
		errs = append(errs, r.end(name, syscall.SIGTERM))
	}
	return errors.Join(errs...)
}

// Logs writes the end of each program's log, for finding out what went wrong.
func (r *Rig) Logs(w io.Writer) error {
	const most = 4000
	for _, name := range []string{"camera", "extranet", "box-a", "box-b"} {
		b, err := os.ReadFile(filepath.Join(r.o.Dir, name+".log"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("rig: %w", err)
		}
		if _, err := fmt.Fprintf(w, "--- %s\n%s\n", name, b[max(0, len(b)-most):]); err != nil {
			return fmt.Errorf("rig: %w", err)
		}
	}
	return nil
}
