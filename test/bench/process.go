package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/internal/passkey/softkey"
	"veilbox/test/story"
)

// A proc is a program under measurement, or one that serves it.
type proc struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a program with its standard error, and its output unless that is
// taken already, in a log.
func start(cmd *exec.Cmd, log string) (*proc, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if cmd.Stdout == nil {
		cmd.Stdout = f
	}
	cmd.Stderr = f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := errors.Join(cmd.Start(), f.Close()); err != nil {
		return nil, err
	}
	p := &proc{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		// How it ended is told by ProcessState.
		_ = cmd.Wait()
	}()
	return p, nil
}

func (p *proc) pid() int { return p.cmd.Process.Pid }

// end asks the program to end and waits for it.
func (p *proc) end(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(20 * time.Second):
		return errors.Join(fmt.Errorf("%s does not end", p.cmd.Path), p.cmd.Process.Kill())
	}
}

// cameras is a sender's process.
type cameras struct {
	*proc
	addr string
	told bool // ask that the sending of each picture be told

	mu   sync.Mutex
	sent map[int]time.Time // when a picture of the told camera was last sent
}

// sendCameras starts this program once more as the cameras.
func sendCameras(ctx context.Context, e env, clip string, n int) (*cameras, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-send", clip, "-cameras", strconv.Itoa(n))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if _, err := cmd.StdinPipe(); err != nil { // its end is the sender's
		return nil, err
	}
	p, err := start(cmd, filepath.Join(e.dir, "cameras.log"))
	if err != nil {
		return nil, err
	}
	c := &cameras{proc: p, sent: map[int]time.Time{}}
	in := bufio.NewScanner(out)
	if !in.Scan() {
		return nil, errors.Join(errors.New("the cameras did not say where they are"), in.Err(), c.end(syscall.SIGKILL))
	}
	c.addr = in.Text()
	go func() {
		for in.Scan() {
			var n int
			var at int64
			if _, err := fmt.Sscan(in.Text(), &n, &at); err == nil {
				c.mu.Lock()
				c.sent[n] = time.UnixMicro(at)
				c.mu.Unlock()
			}
		}
	}()
	return c, context.Cause(ctx)
}

func (c *cameras) url(i int) string {
	path := ""
	if c.told {
		path = "/told"
	}
	return fmt.Sprintf("rtsp://%s%s/cam%d", c.addr, path, i)
}

func (c *cameras) sentAt(n int) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.sent[n]
	return t, ok
}

// A boxProc is a veilboxd of its own with a manager logged in.
type boxProc struct {
	*proc
	*client.Client
	dir     string
	metrics string
}

// startBox starts veilboxd on e.dir/box, which may hold data already.
func startBox(ctx context.Context, e env) (_ *boxProc, err error) {
	b := &boxProc{dir: filepath.Join(e.dir, "box")}
	var addr [2]string
	for i := range addr {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addr[i] = l.Addr().String()
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	b.metrics = addr[1]
	conf := filepath.Join(e.dir, "box.toml")
	text := fmt.Sprintf("data_dir = %q\nlisten = %q\nhostnames = [\"localhost\", \"127.0.0.1\"]\nmetrics = %q\n\n[ring]\nquota = \"16GiB\"\n", b.dir, addr[0], addr[1])
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if b.proc, err = start(exec.Command(filepath.Join(e.bin, "veilboxd"), "--config", conf), filepath.Join(e.dir, "box.log")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(e.dir, "box.log")) // what there is of it
			err = errors.Join(err, fmt.Errorf("its log ends: %s", log[max(0, len(log)-2000):]), b.end(syscall.SIGKILL))
		}
	}()
	// It listens before it has anything to say, and answers once it is up.
	for limit := time.Now().Add(30 * time.Second); ; {
		c, err := tls.Dial("tcp", addr[0], &tls.Config{InsecureSkipVerify: true}) // nothing is sent
		if err == nil {
			if err := c.Close(); err != nil {
				return nil, err
			}
			break
		}
		if time.Now().After(limit) {
			return nil, fmt.Errorf("veilboxd does not answer: %w", err)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return b, b.logIn(ctx, "https://"+addr[0])
}

// logIn gives the first log-in a password of its own.
func (b *boxProc) logIn(ctx context.Context, url string) error {
	text, err := os.ReadFile(filepath.Join(b.dir, "first-login"))
	if err != nil {
		return err
	}
	f := strings.Fields(string(text))
	if len(f) != 2 {
		return errors.New("first-login is not a log-in and a password")
	}
	trust, err := client.TrustFile(filepath.Join(b.dir, "tls", "ca.pem"))
	if err != nil {
		return err
	}
	if b.Client, err = client.New(url, trust); err != nil {
		return err
	}
	const passphrase = "kun til målingen"
	file := b.dir + ".key"
	if sealed, err := os.ReadFile(file); err == nil { // started before
		k, err := softkey.Read(bytes.NewReader(sealed), passphrase)
		if err != nil {
			return err
		}
		_, err = b.LogInPasskey(ctx, k)
		return err
	}
	k, err := story.FirstKey(ctx, b.Client, f[0], f[1], passphrase)
	if err != nil {
		return err
	}
	var sealed bytes.Buffer
	if err := k.Write(&sealed); err != nil {
		return err
	}
	if err := os.WriteFile(file, sealed.Bytes(), 0o600); err != nil {
		return err
	}
	v, err := b.Session(ctx)
	if err != nil {
		return err
	}
	name, function, need := "Bente Måling", "Butikschef", "Har ansvaret for butikkens overvågning"
	_, err = b.ChangePerson(ctx, v.Person.ID, casework.PersonChange{Name: &name, Function: &function, Need: &need})
	return err
}

// record makes the box record cameras from the one numbered from up to n.
func (b *boxProc) record(ctx context.Context, c *cameras, from, n int) error {
	for i := from; i < n; i++ {
		if _, err := b.AddCamera(ctx, casework.NewCamera{ID: fmt.Sprintf("cam-%d", i), Name: fmt.Sprintf("Kamera %d", i), URL: c.url(i)}); err != nil {
			return err
		}
	}
	for limit := time.Now().Add(30 * time.Second); ; {
		all, err := b.Cameras(ctx)
		if err != nil {
			return err
		}
		recording := 0
		for _, v := range all {
			if v.State == "recording" {
				recording++
			}
		}
		if recording >= n {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%d of %d cameras are recorded", recording, n)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// sum adds what a metric of the box counts over all cameras.
func (b *boxProc) sum(ctx context.Context, metric string) (total float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	found := false
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, metric+"{") && !strings.HasPrefix(line, metric+" ") {
			continue
		}
		f := strings.Fields(line)
		v, err := strconv.ParseFloat(f[len(f)-1], 64)
		if err != nil {
			return 0, err
		}
		total, found = total+v, true
	}
	if !found {
		return 0, fmt.Errorf("the box has no metric %s", metric)
	}
	return total, nil
}
