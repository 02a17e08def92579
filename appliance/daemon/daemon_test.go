package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/config"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/internal/testrun"
)

var bin string // holds veil-redact

func TestMain(m *testing.M) { testrun.With(m, 0, &bin, "veil-redact") }

func settings(dir string) config.Box {
	c := config.DefaultBox()
	c.DataDir, c.Listen, c.Metrics = dir, "127.0.0.1:0", "127.0.0.1:0"
	c.Hostnames = []string{"127.0.0.1"}
	c.Redact.Worker = filepath.Join(bin, "veil-redact")
	c.Ring.Quota = 1 << 30
	return c
}

func options() Options {
	return Options{Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Version: "1.2.3-test"}
}

func open(t *testing.T, c config.Box) *Daemon {
	t.Helper()
	d, err := New(t.Context(), c, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// run runs d until the returned function is called.
func run(t *testing.T, d *Daemon) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stop = func() error {
		cancel()
		err := <-done
		done <- err
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

func poll(t *testing.T, ok func() bool, says func() string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatal(says())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func refused(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it should be refused with %s", code)
	}
	if p := problem.Of(err); p.Code != code || p.Cause.DA == "" || p.Remedy.DA == "" {
		t.Fatalf("refused with %s (%v), it should be %s", p.Code, err, code)
	}
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() // nothing is sent on it
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unset := clock.NewFake(time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC))
	for name, tc := range map[string]struct {
		code   string
		change func(*config.Box, *Options)
	}{
		"port taken":         {"port.taken", func(c *config.Box, _ *Options) { c.Listen = taken.Addr().String() }},
		"metrics port taken": {"port.taken", func(c *config.Box, _ *Options) { c.Metrics = taken.Addr().String() }},
		"no such address":    {"port.address", func(c *config.Box, _ *Options) { c.Listen = "192.0.2.1:8443" }},
		"clock not set":      {"clock.unset", func(_ *config.Box, o *Options) { o.Clock = unset }},
		"folder in a file":   {"data.folder", func(c *config.Box, _ *Options) { c.DataDir = filepath.Join(file, "box") }},
		"folder is a file":   {"data.folder", func(c *config.Box, _ *Options) { c.DataDir = file }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "box")
			c, o := settings(dir), options()
			tc.change(&c, &o)
			d, err := New(t.Context(), c, o)
			refused(t, err, tc.code)
			if d != nil {
				t.Error("there is a daemon all the same")
			}
			for _, name := range []string{"box.db", "audit.db", "first-login", "keys/box.key", "ring"} {
				if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s was made: %v", name, err)
				}
			}
			// The ports are free again.
			for _, addr := range []string{c.Listen, c.Metrics} {
				if strings.HasSuffix(addr, ":0") || tc.code != "data.folder" {
					continue
				}
				if l, err := net.Listen("tcp", addr); err != nil {
					t.Errorf("%s is still taken", addr)
				} else if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestASecondDaemonOnTheFolder(t *testing.T) {
	dir := t.TempDir()
	first := open(t, settings(dir))
	for name, c := range map[string]config.Box{"another port": settings(dir), "the same port": settings(dir)} {
		t.Run(name, func(t *testing.T) {
			if name == "the same port" {
				c.Listen = first.Addr().String()
			}
			_, err := New(t.Context(), c, options())
			if err == nil {
				t.Fatal("two daemons have one folder")
			}
			if name == "the same port" {
				refused(t, err, "port.taken")
			} else if !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), "stop it first") {
				t.Errorf("it does not say what to do: %v", err)
			}
		})
	}
	if _, err := first.ring.Stats(t.Context()); err != nil {
		t.Errorf("the first works no more: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, settings(dir))
}

func TestQuota(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "till-1", "2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"index.db": 100, "till-1/a.seg": 5000, "till-1/2026/b.seg": 7} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := sizeOf(dir); err != nil || n != 5107 {
		t.Errorf("%d bytes, %v", n, err)
	}
	for _, tc := range []struct{ name, total, free, used, want string }{
		{"a tenth is kept free", "100G", "100G", "0", "90G"},
		{"what it has counts", "100G", "40G", "55G", "85G"},
		{"2 GiB at least", "10G", "9G", "0", "7G"},
		{"a full disk", "100G", "0", "50G", "40G"},
		{"others have filled it", "100G", "2G", "3G", "1G"},
		{"a tiny disk", "4G", "1G", "0", "1G"},
	} {
		if got := quotaFrom(gib(t, tc.total), gib(t, tc.free), gib(t, tc.used)); got != gib(t, tc.want) {
			t.Errorf("%s: %d, want %s", tc.name, got, tc.want)
		}
	}
	if n, err := quotaOf(dir); err != nil || n < 1<<30 {
		t.Errorf("%d, %v", n, err)
	}
	_, err := quotaOf(filepath.Join(dir, "gone"))
	refused(t, err, "data.folder")
}

func gib(t *testing.T, s string) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil {
		t.Fatal(err)
	}
	return n << 30
}

func TestFirstLogin(t *testing.T) {
	dir := t.TempDir()
	d := open(t, settings(dir))
	path := filepath.Join(dir, "first-login")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(text))
	if len(words) != 2 {
		t.Fatalf("%d words", len(words))
	}
	_, s, err := d.work.Login(t.Context(), words[0], words[1], "", "127.0.0.1")
	if err != nil || !slices.Contains(s.Must, account.NeedPassword) || !s.Can(account.ManagePeople) {
		t.Fatalf("%+v, %v", s.Roles, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d = open(t, settings(dir))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the first log-in is there again: %v", err)
	}
	if _, _, err := d.work.Login(t.Context(), words[0], words[1], "", "127.0.0.1"); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if key, err := os.ReadFile(filepath.Join(dir, "keys", "box.key")); err != nil || len(key) == 0 {
		t.Fatal(err)
	} else if info, err := os.Stat(filepath.Join(dir, "keys", "box.key")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others can read the key: %v, %v", info.Mode(), err)
	}
}

// get asks over a connection of its own and trusts the box's authority alone.
func get(t *testing.T, d *Daemon, url string) (int, string) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(d.ca.Certificate())
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, DisableKeepAlives: true}
	c := http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestHealthAndMetrics(t *testing.T) {
	d := open(t, settings(t.TempDir()))
	run(t, d)
	pages, metrics := "https://"+d.Addr().String(), "http://"+d.MetricsAddr().String()
	poll(t, func() bool { at, _ := d.sandbox.get(); return !at.IsZero() }, func() string { return "the sandbox was never tried" })
	if code, text := get(t, d, metrics+"/healthz"); code != 200 || text != "ok\n" {
		t.Errorf("/healthz: %d %q", code, text)
	}
	if code, text := get(t, d, pages+"/healthz"); code != 200 || !strings.Contains(text, `"ok"`) {
		t.Errorf("the pages' /healthz: %d %q", code, text)
	}
	code, text := get(t, d, metrics+"/metrics")
	for _, want := range []string{
		`veilbox_build_info{version="1.2.3-test"} 1`, "veilbox_ring_quota_bytes 1.073741824e+09", "veilbox_ring_damaged 0",
		"veilbox_sandbox_holds 1", "process_resident_memory_bytes ", "go_goroutines ",
	} {
		if code != 200 || !strings.Contains(text, "\n"+want) {
			t.Errorf("/metrics: %d without %s", code, want)
		}
	}
	if code, text := get(t, d, pages+"/metrics"); code == 200 || strings.Contains(text, "veilbox_ring") {
		t.Errorf("the metrics are on the pages' port: %d", code)
	}
	conn, err := tls.Dial("tcp", d.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil {
		t.Errorf("it speaks %x", conn.ConnectionState().Version)
	}
}

func TestAnUnwellBoxNamesOnlyTheCheck(t *testing.T) {
	c := settings(t.TempDir())
	c.Redact.Worker = filepath.Join(c.DataDir, "secret-path", "veil-redact")
	d := open(t, c)
	run(t, d)
	poll(t, func() bool { at, _ := d.sandbox.get(); return !at.IsZero() }, func() string { return "the sandbox was never tried" })
	if code, text := get(t, d, "http://"+d.MetricsAddr().String()+"/healthz"); code != 503 || text != "not well: [sandbox]\n" {
		t.Errorf("%d %q", code, text)
	}
	// Whoever can reach the pages learns that something is wrong, and not what.
	if code, text := get(t, d, "https://"+d.Addr().String()+"/healthz"); code != 200 || !strings.Contains(text, "degraded") || strings.Contains(text, "sandbox") {
		t.Errorf("the pages: %d %q", code, text)
	}
}

func TestMetricsCanBeSwitchedOff(t *testing.T) {
	c := settings(t.TempDir())
	c.Metrics = ""
	if d := open(t, c); d.MetricsAddr() != nil {
		t.Error("metrics are served where they are switched off")
	}
}

func TestRunEndsCleanly(t *testing.T) {
	count := runtime.NumGoroutine
	before := 0
	for round := range 3 {
		d := open(t, settings(t.TempDir()))
		stop := run(t, d)
		get(t, d, "https://"+d.Addr().String()+"/healthz")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			// What a process starts once and keeps is not a leak of a daemon.
			settle := count()
			poll(t, func() bool { last := settle; settle = count(); return settle == last }, func() string { return "it never settles" })
			before = settle
		}
	}
	poll(t, func() bool { return count() <= before+2 }, func() string {
		stacks := make([]byte, 1<<20)
		return fmt.Sprintf("%d goroutines, there were %d:\n%s", count(), before, stacks[:runtime.Stack(stacks, true)])
	})
}

func TestRunTellsWhatBroke(t *testing.T) {
	d := open(t, settings(t.TempDir()))
	done := make(chan error, 1)
	go func() { done <- d.Run(t.Context()) }()
	get(t, d, "https://"+d.Addr().String()+"/healthz")
	if err := d.listener.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "daemon: pages: ") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the box serves no pages and runs on")
	}
}
