package badinput

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/daemon"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/uplink/extranet"
	"veilbox/uplink/extranet/cli"
)

// taken is an address that somebody listens at.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // nothing is left to lose
	return l.Addr().String()
}

// free is an address that was free a moment ago.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func extranetFile(t *testing.T, dir, boxes, operators string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "extranet.toml"), fmt.Sprintf(
		"data_dir = %q\nbox_listen = %q\noperator_listen = %q\npublic_url = \"https://127.0.0.1:9\"\nhostnames = [\"127.0.0.1\"]\n", dir, boxes, operators), 0o600)
}

// A program that cannot listen ends with status 1, says why, and touches nothing.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	t.Run("box", func(t *testing.T) {
		for _, key := range []string{"listen", "metrics"} {
			dir := filepath.Join(t.TempDir(), "box")
			addr := map[string]string{"listen": "127.0.0.1:0", "metrics": "127.0.0.1:0"}
			addr[key] = taken(t)
			conf := write(t, filepath.Join(t.TempDir(), "veilbox.toml"),
				fmt.Sprintf("data_dir = %q\nlisten = %q\nmetrics = %q\n", dir, addr["listen"], addr["metrics"]), 0o600)
			r := program(t, "veilboxd", "--config", conf)
			r.tells(t, 1, &problem.Problem{Cause: problem.Text{EN: "The address is taken by another program."}, Remedy: problem.Text{EN: "Stop the other program (ss -ltnp shows which), or choose another port in the settings."}})
			if !strings.Contains(r.errors, addr[key]) {
				t.Errorf("%s: the address is not named: %s", key, r.errors)
			}
			if _, err := os.Stat(filepath.Join(dir, "box.db")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: the data was touched: %v", key, err)
			}
		}
	})
	t.Run("extranet", func(t *testing.T) {
		for _, boxes := range []bool{true, false} {
			a := []string{"127.0.0.1:0", taken(t)}
			if boxes {
				a[0], a[1] = a[1], a[0]
			}
			program(t, "veil-extranet", "--config", extranetFile(t, t.TempDir(), a[0], a[1])).tells(t, 1, extranet.ErrPort)
		}
	})
	t.Run("simulated camera", func(t *testing.T) {
		r := program(t, "veilctl", "camera", "simulate", clip(t), "--listen", taken(t))
		if r.status != 1 || !strings.Contains(r.errors, "The address is taken") || !strings.Contains(r.errors, "Choose another port") {
			t.Errorf("status %d, %s", r.status, r.errors)
		}
	})
	t.Run("a second daemon on the same box", func(t *testing.T) {
		b := newBox(t, t.TempDir())
		b.start()
		second := newBox(t, b.cfg.DataDir)
		second.cfg.Listen = b.d.Addr().String()
		refused(t, "open", second.open(), "port.taken")
		b.well("ring")
	})
}

// A machine whose clock was never set makes no recording and no promise of time.
func TestClockNotSet(t *testing.T) {
	t.Parallel()
	for _, now := range []time.Time{time.Unix(30, 0), time.Date(2024, 12, 31, 23, 0, 0, 0, time.UTC)} {
		b := newBox(t, filepath.Join(t.TempDir(), "box"))
		_, err := daemon.New(t.Context(), b.cfg, daemon.Options{Clock: clock.NewFake(now)})
		p := refused(t, "box", err, "clock.unset")
		if !strings.Contains(p.Error(), now.UTC().Format("2006-01-02")) || !strings.Contains(p.Remedy.EN, "NTP") {
			t.Errorf("the box says %v", p)
		}
		if _, err := os.Stat(b.cfg.DataDir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the box touched its folder: %v", err)
		}
		// What Main returns is what veil-extranet prints and fails with.
		var out, errs bytes.Buffer
		conf := extranetFile(t, t.TempDir(), "127.0.0.1:0", "localhost:0")
		err = cli.Main(t.Context(), []string{"--config", conf}, &out, &errs, clock.NewFake(now))
		refused(t, "extranet", err, extranet.ErrClockUnset.Code)
	}
}

// A clock that is set while the box records: forward leaves a gap, back is
// shown; what was recorded stays, and the recording goes on.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	cam, _ := camera(t, "", clip(t), false)
	b := newBox(t, t.TempDir())
	b.start()
	b.record(at(cam.URL()))
	k := b.keep()
	b.clk.Shift(6 * time.Hour)
	b.again()
	b.more(2 * time.Second)
	b.kept(k)
	b.well("camera:kasse-1")
	b.clk.Shift(-5 * time.Hour)
	b.again()
	c := b.ill("camera:kasse-1", "capture.ahead")
	if c.Problem != nil && !strings.Contains(c.Problem.Remedy.EN, "clock") {
		t.Errorf("the remedy: %s", c.Problem.Remedy.EN)
	}
	b.log.tells(t, "capture.ahead")
	b.more(2 * time.Second)
	b.kept(k)
}

// A folder that cannot be written to.
func TestDataFolder(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "file"), "", 0o600)
	b := newBox(t, filepath.Join(file, "box"))
	refused(t, "box", b.open(), "data.folder")
	conf := extranetFile(t, filepath.Join(file, "extranet"), "127.0.0.1:0", "localhost:0")
	program(t, "veil-extranet", "--config", conf).tells(t, 1, extranet.ErrDir)
}
