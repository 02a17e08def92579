package field

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"veilbox/appliance/casework"
	"veilbox/appliance/config"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/daemon"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/footagetest"
	"veilbox/internal/problem"
)

// small mounts a disk of its own, of so many bytes.
func small(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("only root can mount a small disk; capture/ring tests a full one by injected errors")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// heavy is a camera that sends some MB a second.
func heavy(t *testing.T) *simulate.Camera {
	t.Helper()
	file := footagetest.Synthetic(t, footagetest.Options{Duration: time.Second, FPS: 30, Width: 1920, Height: 1080, Source: "mandelbrot"})
	cam, _ := simulated(t, simulate.Options{Files: []string{file}, Codec: footage.MJPEG, FPS: 30})
	return cam
}

// refusing makes the disk take no byte more from the daemon, or take them again.
// A disk that the kernel has made read-only after an error does the same, but
// cannot be had back without a new start.
func (b *box) refusing(on bool) {
	b.t.Helper()
	l := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if on {
		l.Cur = 0
	}
	if err := unix.Prlimit(b.cmd.Process.Pid, unix.RLIMIT_FSIZE, &l, nil); err != nil {
		b.t.Fatal(err)
	}
}

// The disk takes nothing for a while: staff see it, what cannot wait is dropped
// and counted, and the recording comes back by itself. A disk that is read-only
// at the start is told by cause and remedy.
func TestDiskRefuses(t *testing.T) {
	t.Parallel()
	mount := small(t, "400m")
	cam := heavy(t)
	b := newBox(t, filepath.Join(mount, "box"))
	b.add("kasse-1", cam)
	b.more("kasse-1", 3*time.Second)
	before := b.runs("kasse-1")

	b.refusing(true)
	refused := time.Now()
	v := b.ill("kasse-1", 20*time.Second, "ring.storage")
	if v.State != "storage" {
		t.Errorf("the camera is shown as %q", v.State)
	}
	b.up(time.Second)
	if start := b.see("/"); !strings.Contains(start, `data-testid="alarms"`) && !strings.Contains(start, v.Problem.Cause.DA) {
		t.Errorf("the start page says nothing of %q", v.Problem.Cause.DA)
	}
	if _, err := b.call.AddPerson(t.Context(), casework.NewPerson{Login: "ny", Name: "Ny"}); problem.Of(err).Code != "disk.failing" {
		t.Errorf("an act that cannot be put on record: %v, want disk.failing", err)
	}
	dropped := func() (n uint64) {
		for _, c := range b.camera("kasse-1").Counts {
			if c.Code == "dropped" {
				n = c.Count
			}
		}
		return n
	}
	within(t, 40*time.Second, "2 s of GOPs to be dropped", func() bool { return dropped() > 60 })
	b.refusing(false)
	again := time.Now()
	b.well("kasse-1", 25*time.Second)
	b.more("kasse-1", 2*time.Second)
	runs := b.runs("kasse-1")
	// What waited in memory is stored after all, so that the gap is shorter than
	// the time in which the disk took nothing.
	var gap time.Duration
	for i := range runs[1:] {
		gap += runs[i+1].From.Sub(runs[i].To)
	}
	lost := time.Duration(dropped()) * time.Second / 30 // each picture is a GOP
	t.Logf("the disk took nothing for %v; %v are missing, %v were counted as dropped", again.Sub(refused), gap, lost)
	if d := gap - lost; d.Abs() > 500*time.Millisecond {
		t.Errorf("%v are missing, and %v were counted", gap, lost)
	}
	if !covered(before[0], runs) || gap >= again.Sub(refused)+2*time.Second || gap == 0 || len(runs) > 3 {
		t.Errorf("the time line shows %v, was %v", runs, before)
	}
	b.export("kasse-1", casework.TimeSpan{From: runs[0].From, To: runs[len(runs)-1].To})
	if _, err := b.call.AddPerson(t.Context(), casework.NewPerson{Login: "ny", Name: "Ny"}); err != nil && problem.Of(err).Status >= 500 {
		t.Errorf("an act after the disk came back: %v", err)
	}

	b.kill()
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("", mount, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	b.start()
	select {
	case <-b.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the box does not end on a disk that is read-only")
	}
	log := b.log.String()
	said := log[strings.LastIndex(log, "veilboxd: "):]
	if b.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, "read-only file system") || !strings.Contains(said, problem.DiskFailed.Cause.EN) || !strings.Contains(said, problem.DiskFailed.Remedy.EN) {
		t.Errorf("on a disk that is read-only: %v, %s", b.cmd.ProcessState, said)
	}
	remount(0)
	b.start()
	b.up(10 * time.Second)
	b.more("kasse-1", time.Second)
	if !covered(before[0], b.runs("kasse-1")) {
		t.Error("what was recorded is lost")
	}
	b.stop()
	b.ctl("check", b.dir)
}

// A disk that is too small for the quota: the oldest goes first, and the
// recording goes on as if nothing were.
func TestOldestGoesFirst(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(small(t, "64m"), "box")
	cam := heavy(t)
	clk := &clock.Shifted{}
	cfg := config.DefaultBox()
	cfg.DataDir, cfg.Listen, cfg.Metrics, cfg.Hostnames = dir, "127.0.0.1:0", "", []string{"localhost", "127.0.0.1"}
	cfg.Redact.Worker, cfg.Ring.Quota = filepath.Join(bin, "veil-redact"), 1<<30
	b := &box{t: t, dir: dir, log: &journal{}, session: filepath.Join(t.TempDir(), "session.json")}
	d := must[*daemon.Daemon](t)(daemon.New(context.WithoutCancel(t.Context()), cfg, daemon.Options{Clock: clk, Log: slog.New(slog.NewTextHandler(b.log, nil)), Version: "test"}))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- errors.Join(d.Run(ctx), d.Close()) }()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the box ended with %v", err)
		}
	}))
	b.addr = d.Addr().String()
	b.call = must[*client.Client](t)(client.New("https://"+b.addr, must[client.Trust](t)(client.TrustFile(filepath.Join(dir, "tls", "ca.pem")))))
	t.Cleanup(b.call.Close)
	b.firstLogin()
	b.add("kasse-1", cam)
	recorded := func() []casework.TimeSpan {
		v := must[casework.Timeline](t)(b.call.Timeline(t.Context(), "kasse-1", clk.Now().Add(-72*time.Hour), clk.Now().Add(time.Hour)))
		return v.Recorded
	}
	within(t, 20*time.Second, "4 s of recording", func() bool {
		r := recorded()
		return len(r) > 0 && r[0].To.Sub(r[0].From) > 4*time.Second
	})
	// Two days on: what there is is old enough to be given up.
	clk.Shift(48 * time.Hour)
	must[client.Session](t)(b.call.LogInPasskey(t.Context(), b.key))
	within(t, 10*time.Second, "a day between the recordings", func() bool { return len(recorded()) == 2 })
	young := recorded()[1].From
	within(t, 60*time.Second, "the oldest to go", func() bool { return len(recorded()) < 2 })
	if v := b.camera("kasse-1"); v.State == "storage" {
		t.Errorf("although there was something to give up, the camera is shown as %q: %+v", v.State, v.Problem)
	}
	was := recorded()[0]
	within(t, 20*time.Second, "more recording in what came free", func() bool { return recorded()[0].To.Sub(was.To) > time.Second })
	if r := recorded(); len(r) != 1 || r[0].From.After(young) {
		t.Errorf("the time line shows %v, want one run from %v", r, young)
	}
	// The rest is younger than a day: nothing of it is given up, and staff are told.
	b.ill("kasse-1", 40*time.Second, "ring.full")
	if r := recorded(); r[0].From.After(young) {
		t.Errorf("what is younger than a day was given up: %v, want it from %v", r, young)
	}
	if !strings.Contains(b.log.String(), "the disk is full before the quota is") {
		t.Error("the log says nothing")
	}
}
