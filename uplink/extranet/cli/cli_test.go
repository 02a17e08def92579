package cli

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/config"
	"veilbox/internal/clock"
	"veilbox/uplink/extranet"
)

// The defaults of the settings file are those of the server.
func TestDefaults(t *testing.T) {
	if got, want := from(config.DefaultExtranet()), extranet.Defaults(); !reflect.DeepEqual(got, want) {
		t.Fatalf("settings %+v\nserver   %+v", got, want)
	}
}

func TestMain_(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(t.TempDir(), "extranet.toml")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		var out, errw bytes.Buffer
		err := Main(t.Context(), args, &out, &errw, clock.NewFake(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)))
		return out.String(), err
	}
	write("data_dir = \"" + t.TempDir() + "\"\nbox_listen = \"" + l.Addr().String() + "\"\npublic_url = \"https://" + l.Addr().String() + "\"\n")
	if out, err := run("--config", file, "check"); err != nil || !strings.Contains(out, l.Addr().String()) {
		t.Fatalf("check: %q %v", out, err)
	}
	if _, err := run("--config", file); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Fatalf("a taken port: %v", err)
	}
	if _, err := run("--config", file, "dance"); err == nil {
		t.Fatal("an unknown command was accepted")
	}
	for _, args := range [][]string{{"assessors"}, {"operators"}} {
		if _, err := run(append([]string{"--config", file}, args...)...); err == nil || !strings.Contains(err.Error(), "systemctl start") {
			t.Fatalf("%s without a service: %v", args, err)
		}
	}
	for _, args := range [][]string{{"assessors", "confirm", "a"}, {"operators", "dance"}} {
		if _, err := run(append([]string{"--config", file}, args...)...); err == nil || !strings.Contains(err.Error(), "--help") {
			t.Fatalf("%s: %v", args, err)
		}
	}
	write("box_lissen = \"x\"\n")
	if _, err := run("--config", file); err == nil || !strings.Contains(err.Error(), "box_lissen") {
		t.Fatalf("an unknown key: %v", err)
	}
	if _, err := run("--config", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Fatal("a missing file was accepted")
	}
}
