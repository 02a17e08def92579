package badinput

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/config"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/daemon"
	"veilbox/capture/camera/simulate"
	"veilbox/internal/clock"
	"veilbox/internal/footagetest"
	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
	"veilbox/internal/testrun"
	"veilbox/test/story"
)

var bin string

// The tests wait for cameras more than they compute.
func TestMain(m *testing.M) {
	testrun.With(m, 8, &bin, "veil-redact", "veilctl", "veilboxd", "veil-extranet")
}

// A journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !ok(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 40 s", what)
		}
	}
}

// tells waits until the log holds all of words.
func (j *journal) tells(t *testing.T, words ...string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; <-time.After(50 * time.Millisecond) {
		missing := ""
		log := j.String()
		for _, w := range words {
			if !strings.Contains(log, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Errorf("the log does not say %q:\n%s", missing, log[max(0, len(log)-3000):])
			return
		}
	}
}

// complete checks that a problem can be acted on in both languages.
func complete(t *testing.T, code string, cause, remedy problem.Text) {
	t.Helper()
	for what, s := range map[string]string{"cause, Danish": cause.DA, "cause, English": cause.EN, "remedy, Danish": remedy.DA, "remedy, English": remedy.EN} {
		if len(s) < 10 {
			t.Errorf("%s: %s: %q says nothing", code, what, s)
		}
	}
	if cause.DA == cause.EN || remedy.DA == remedy.EN {
		t.Errorf("%s: the two languages are one: %q, %q", code, cause.DA, remedy.DA)
	}
}

// refused checks that err is a complete problem with one of codes.
func refused(t *testing.T, what string, err error, codes ...string) *problem.Problem {
	t.Helper()
	var p *problem.Problem
	if !errors.As(err, &p) {
		t.Errorf("%s: %v is no problem, want %q", what, err, codes)
		return problem.Internal
	}
	for _, c := range codes {
		if p.Code == c {
			complete(t, p.Code, p.Cause, p.Remedy)
			return p
		}
	}
	t.Errorf("%s: the problem is %s (%v), want %q", what, p.Code, err, codes)
	return p
}

// A box is a daemon within the test's process.
type box struct {
	t    *testing.T
	cfg  config.Box
	log  *journal
	clk  *clock.Shifted
	d    *daemon.Daemon
	end  func() error
	call *client.Client

	key *softkey.Key
}

func newBox(t *testing.T, dir string) *box {
	b := &box{t: t, log: &journal{}, clk: &clock.Shifted{}}
	b.cfg = config.DefaultBox()
	b.cfg.DataDir, b.cfg.Listen, b.cfg.Metrics = dir, "127.0.0.1:0", ""
	b.cfg.Hostnames = []string{"localhost", "127.0.0.1"}
	b.cfg.Redact.Worker = filepath.Join(bin, "veil-redact")
	b.cfg.Ring.Quota = 1 << 30
	return b
}

// open opens the daemon and returns why it could not.
func (b *box) open() (err error) {
	b.t.Helper()
	b.d, err = daemon.New(context.WithoutCancel(b.t.Context()), b.cfg, daemon.Options{
		Clock: b.clk, Log: slog.New(slog.NewTextHandler(b.log, nil)), Version: "test"})
	return err
}

func (b *box) start() {
	t := b.t
	t.Helper()
	if err := b.open(); err != nil {
		t.Fatalf("the box does not start: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	d := b.d
	go func() { done <- errors.Join(d.Run(ctx), d.Close()) }()
	b.end = sync.OnceValue(func() error { cancel(); return <-done })
	end := b.end
	t.Cleanup(func() {
		if err := end(); err != nil && !t.Failed() {
			t.Errorf("the box ended with %v", err)
		}
	})
	trust, err := client.TrustFile(filepath.Join(b.cfg.DataDir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if b.call, err = client.New("https://"+b.d.Addr().String(), trust); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.call.Close)
	if b.key != nil {
		if _, err := b.call.LogInPasskey(t.Context(), b.key); err != nil {
			t.Fatal(err)
		}
		return
	}
	b.firstLogin()
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// firstLogin makes a passkey in the first password's place, gives the manager all that the tests
// do, and logs in.
func (b *box) firstLogin() {
	t, ctx := b.t, b.t.Context()
	t.Helper()
	lines := strings.Fields(string(must[[]byte](t)(os.ReadFile(filepath.Join(b.cfg.DataDir, "first-login")))))
	b.key = must[*softkey.Key](t)(story.FirstKey(ctx, b.call, lines[0], lines[1], rand.Text()))
	s := must[client.Session](t)(b.call.Session(ctx))
	name, function, need := "Mette Mikkelsen", "Butikschef", "Har ansvaret for overvågningen"
	roles := []account.Role{account.Manager, account.Staff}
	must[casework.PersonView](t)(b.call.ChangePerson(ctx, s.Person.ID, casework.PersonChange{Name: &name, Function: &function, Need: &need, Roles: &roles}))
	must[client.Session](t)(b.call.LogInPasskey(ctx, b.key))
}

func (b *box) stop() {
	b.t.Helper()
	if err := b.end(); err != nil {
		b.t.Errorf("the box ended with %v", err)
	}
}

// again logs in again, after the clock has ended the session.
func (b *box) again() {
	b.t.Helper()
	must[client.Session](b.t)(b.call.LogInPasskey(b.t.Context(), b.key))
}

// ill waits until the health page shows a check with a problem, and returns it.
func (b *box) ill(check, code string) casework.Check {
	b.t.Helper()
	var found casework.Check
	seen := ""
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); <-time.After(100 * time.Millisecond) {
		all, err := b.call.Health(b.t.Context())
		if err != nil {
			seen = err.Error()
			continue
		}
		for _, c := range all {
			if c.Name != check {
				continue
			}
			seen = fmt.Sprintf("%+v", c)
			if c.Problem != nil && c.Problem.Code == code {
				if c.OK {
					b.t.Errorf("%s: a problem that is said to be well", check)
				}
				complete(b.t, code, c.Problem.Cause, c.Problem.Remedy)
				return c
			}
		}
	}
	b.t.Errorf("the health page does not show %s as %s, but %s", check, code, seen)
	return found
}

func (b *box) well(check string) {
	b.t.Helper()
	poll(b.t, check+" to be well", func() bool {
		all, err := b.call.Health(b.t.Context())
		for _, c := range all {
			if c.Name == check {
				return err == nil && c.OK && c.Problem == nil
			}
		}
		return false
	})
}

// clip is the footage that the simulated cameras send.
func clip(t *testing.T) string {
	return footagetest.Synthetic(t, footagetest.Options{Duration: 3 * time.Second, FPS: 10})
}

const camPassword = "kamera-kode"

// camera runs a simulated camera at addr ("" for any) until stop. One that is
// locked refuses every password.
func camera(t *testing.T, addr, file string, locked bool) (cam *simulate.Camera, stop func()) {
	t.Helper()
	cam, err := simulate.New(t.Context(), simulate.Options{
		Files: []string{file}, Listen: addr, Username: "demo", Password: camPassword, AsFound: true, WrongPassword: locked})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := cam.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("camera: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return cam, stop
}

func at(url string) casework.NewCamera {
	return casework.NewCamera{ID: "kasse-1", Name: "Kassen", URL: url, Username: "demo", Password: camPassword}
}

// record adds a camera and waits until some of it is recorded.
func (b *box) record(n casework.NewCamera) {
	b.t.Helper()
	must[casework.CameraView](b.t)(b.call.AddCamera(b.t.Context(), n))
	b.more(2 * time.Second)
}

func (b *box) runs() []casework.TimeSpan {
	b.t.Helper()
	now := b.clk.Now()
	return must[casework.Timeline](b.t)(b.call.Timeline(b.t.Context(), "kasse-1", now.Add(-20*24*time.Hour), now.Add(10*24*time.Hour))).Recorded
}

func (b *box) recorded() time.Duration {
	b.t.Helper()
	var d time.Duration
	for _, r := range b.runs() {
		d += r.To.Sub(r.From)
	}
	return d
}

// more waits until so much more is recorded.
func (b *box) more(d time.Duration) {
	b.t.Helper()
	was := b.recorded()
	poll(b.t, fmt.Sprintf("%v more of recording", d), func() bool { return b.recorded() >= was+d })
}

// A keep is a span that was recorded, and what it looked like.
type keep struct {
	span casework.TimeSpan
	sum  [32]byte
}

// fetch reads recorded footage whole.
func (b *box) fetch(s casework.TimeSpan) ([]byte, error) {
	m, err := b.call.Footage(b.t.Context(), "kasse-1", s.From, s.To, false, "")
	if err != nil {
		return nil, err
	}
	p, err := io.ReadAll(m)
	return p, errors.Join(err, m.Close())
}

// keep notes what is recorded so far.
func (b *box) keep() keep {
	b.t.Helper()
	k := keep{span: b.runs()[0]}
	k.sum = sha256.Sum256(must[[]byte](b.t)(b.fetch(k.span)))
	return k
}

// kept checks that it is still there, byte by byte.
func (b *box) kept(k keep) {
	b.t.Helper()
	p, err := b.fetch(k.span)
	if err != nil {
		b.t.Errorf("what was recorded is lost: %v", err)
	} else if sha256.Sum256(p) != k.sum {
		b.t.Error("what was recorded is another")
	}
}

// A run is a program that has ended.
type run struct {
	status      int
	out, errors string
}

func program(t *testing.T, name string, args ...string) run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir())
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", name, err)
	}
	return run{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// tells checks that a program failed and said the problem's cause and remedy.
func (r run) tells(t *testing.T, status int, p *problem.Problem) {
	t.Helper()
	if r.status != status {
		t.Errorf("exit status %d, want %d", r.status, status)
	}
	for _, s := range []string{p.Cause.EN, p.Remedy.EN} {
		if !strings.Contains(r.errors, s) {
			t.Errorf("standard error does not say %q:\n%s", s, r.errors)
		}
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}
