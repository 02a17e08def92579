package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The shipped examples are the defaults, have every key, and say about each
// what it does.
func TestShippedExamplesAreTheDefaults(t *testing.T) {
	for _, k := range []struct {
		name, text string
		got, want  any
		check      func(any) func(*checker)
	}{
		{"veilbox.toml", ExampleBox(), &Box{}, ptr(DefaultBox()), func(v any) func(*checker) { return v.(*Box).check }},
		{"extranet.toml", ExampleExtranet(), &Extranet{}, ptr(DefaultExtranet()), func(v any) func(*checker) { return v.(*Extranet).check }},
	} {
		if err := parse(k.name, []byte(k.text), k.got, k.check(k.got)); err != nil {
			t.Errorf("%v", err)
		}
		if !reflect.DeepEqual(k.got, k.want) {
			t.Errorf("%s reads as\n%+v\ndefaults are\n%+v", k.name, k.got, k.want)
		}
		lines := strings.Split(k.text, "\n")
		for _, key := range keysOf(k.got) {
			n := lineOf([]byte(k.text), key)
			if n == 0 {
				t.Errorf("%s: %s is missing", k.name, key)
				continue
			}
			if !strings.HasPrefix(lines[n-2], "# ") {
				t.Errorf("%s:%d: %s is not documented", k.name, n, key)
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadReadsValues(t *testing.T) {
	b, err := LoadBox(write(t, "data_dir = '/srv/box'\nhostnames = ['box', '192.0.2.7', '2001:db8::1']\n[ring]\nquota = \"500GiB\"\nretention = \"168h\"\n[gate]\ntwo_persons = false\n[log]\nlevel='debug'\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultBox()
	want.DataDir, want.Hostnames = "/srv/box", []string{"box", "192.0.2.7", "2001:db8::1"}
	want.Ring = Ring{Quota: 500 << 30, Retention: Duration(7 * 24 * time.Hour)}
	want.Gate.TwoPersons = false
	want.Log.Level = "debug"
	if !reflect.DeepEqual(b, want) {
		t.Errorf("got %+v\nwant %+v", b, want)
	}
	e, err := LoadExtranet(write(t, "allow_boxes = ['192.0.2.0/24', '198.51.100.7']\n"))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{"192.0.2.200": true, "::ffff:192.0.2.1": true, "198.51.100.7": true, "198.51.100.8": false, "127.0.0.1": false} {
		if got := Allowed(e.AllowBoxes, netip.MustParseAddr(addr)); got != want {
			t.Errorf("Allowed(%s) = %v, want %v", addr, got, want)
		}
	}
	if d, err := LoadBox(""); err != nil || !reflect.DeepEqual(d, DefaultBox()) {
		t.Errorf("no file: %+v, %v", d, err)
	}
}

// Each fault names its line, its key and what to write instead.
func TestFaultsNameLineKeyAndRemedy(t *testing.T) {
	box := func(p string) error { _, err := LoadBox(p); return err }
	ext := func(p string) error { _, err := LoadExtranet(p); return err }
	for _, k := range []struct {
		load func(string) error
		text string
		line int
		key  string
		says string
	}{
		{box, "\nlisen = ':1'\n", 2, "lisen", "did you mean listen?"},
		{box, "[ring]\nlevel = 'info'\n", 2, "ring.level", "did you mean log.level?"},
		{box, "[rong]\nquota = '1GiB'\n", 1, "rong", "did you mean ring?"},
		{box, "zzzzzzzzzzzz = 1\n", 1, "zzzzzzzzzzzz", "take the line out"},
		{box, "# a\nlisten = 'here'\n", 2, "listen", "ADDRESS:PORT"},
		{box, "listen = ':99999'\n", 1, "listen", "no port"},
		{box, "listen = 'example.com:80'\n", 1, "listen", "no IP address"},
		{box, "listen = 8443\n", 1, "listen", "shipped example"},
		{box, "listen = ':1\n", 1, "listen", "shipped example"},
		{box, "listen\n", 1, "", "TOML"},
		{box, "data_dir = 'var'\n", 1, "data_dir", "from /"},
		{box, "data_dir = '/var/../etc'\n", 1, "data_dir", "without .."},
		{box, "hostnames = []\n", 1, "hostnames", "1 to 16"},
		{box, "hostnames = ['https://x']\n", 1, "hostnames", "without port"},
		{box, "hostnames = ['192.0.2.7', '2001:db8::1']\n", 1, "hostnames", "never for an address"},
		{box, "[people]\nbreached = 'leaked.txt'\n", 2, "people.breached", "the whole path"},
		{box, "[keep]\naudit = '365d'\n", 2, "keep.audit", "366"},
		{box, "[keep]\ncases = '29d'\n", 2, "keep.cases", "30d"},
		{box, "[cameras]\naddresses = ['192.0.2.7', 'camera.local']\n", 2, "cameras.addresses", "192.168.7.20"},
		{box, "[cameras]\ninterfaces = ['eth 1']\n", 2, "cameras.interfaces", "ip -br link"},
		{box, "metrics = ':9090'\n", 1, "metrics", "127.0.0.1"},
		{box, "metrics = '0.0.0.0:9090'\n", 1, "metrics", "127.0.0.1"},
		{box, "[ring]\n\nretention = '31d'\n", 3, "ring.retention", "30 days"},
		{box, "[ring]\nretention = '0s'\n", 2, "ring.retention", "1h0m0s"},
		{box, "[ring]\nretention = '-1h'\n", 2, "ring.retention", "no duration"},
		{box, "[ring]\nretention = 30\n", 2, "ring.retention", "shipped example"},
		{box, "[ring]\nquota = '1MiB'\n", 2, "ring.quota", "at least"},
		{box, "[ring]\nquota = '9999999TiB'\n", 2, "ring.quota", "no size"},
		{box, "[ring]\nquota = 'lots'\n", 2, "ring.quota", "500GiB"},
		{box, "[redact]\nencoder = 'x -i /etc/passwd'\n", 2, "redact.encoder", "libx264"},
		{box, "redact.crf = 0\n", 1, "redact.crf", "1 (best"},
		{box, "redact.model_sha256 = \"00\"\n", 1, "redact.model_sha256", "ONNX"},
		{box, "redact.model = \"/m.onnx\"\n", 1, "redact.model", "sha256sum"},
		{box, "[redact]\nffmpeg = ''\n", 2, "redact.ffmpeg", "path"},
		{box, "[redact]\nworker = 'veil-redact'\n", 2, "redact.worker", "whole path"},
		{box, "[redact]\nmax_clip = '1s'\n", 2, "redact.max_clip", "10s"},
		{box, "[gate]\nmax_disclosure = '31d'\n", 2, "gate.max_disclosure", "condition 8"},
		{box, "[log]\nlevel = 'loud'\n", 2, "log.level", "debug"},
		{box, "[log]\nformat = 'xml'\n", 2, "log.format", "json"},
		{ext, "public_url = 'http://x'\n", 1, "public_url", "https://"},
		{ext, "public_url = 'https://u:secret@x'\n", 1, "public_url", "https://"},
		{ext, "operator_listen = ':9443'\n", 1, "operator_listen", "ports"},
		{ext, "allow_boxes = []\n", 1, "allow_boxes", "S4"},
		{ext, "allow_boxes = ['0.0.0.0/0']\n", 1, "allow_boxes", "everybody"},
		{ext, "allow_boxes = ['192.0.2.7/24']\n", 1, "allow_boxes", "192.0.2.0/24"},
		{ext, "allow_operators = ['office']\n", 1, "allow_operators", "no network"},
		{ext, "[limits]\nupload = '1B'\n", 2, "limits.upload", "16GiB"},
		{ext, "[limits]\ncode_life = '8d'\n", 2, "limits.code_life", "7d"},
		{ext, "[limits]\nviewing_life = '1s'\n", 2, "limits.viewing_life", "1m0s"},
		{ext, "[duties]\nkeep_access = '30d'\n", 2, "duties.keep_access", "S6"},
		{ext, "[duties]\npentest_every = '365d'\n", 2, "duties.pentest_every", "S3"},
	} {
		path := write(t, k.text)
		err := k.load(path)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", k.text, err)
			continue
		}
		f := e.Faults[0]
		if f.Line != k.line || f.Key != k.key {
			t.Errorf("%q: line %d key %q, want %d %q (%v)", k.text, f.Line, f.Key, k.line, k.key, err)
		}
		if !strings.Contains(err.Error(), k.says) || f.Remedy == "" {
			t.Errorf("%q: %v\ndoes not say %q", k.text, err, k.says)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: shows a password: %v", k.text, err)
		}
		if !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%q: names no file: %v", k.text, err)
		}
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	_, err := LoadBox(write(t, "listen = 'x'\nhostnames = []\n[log]\nlevel = 'x'\n"))
	var e *Error
	if !errors.As(err, &e) || len(e.Faults) != 3 {
		t.Fatalf("got %v", err)
	}
	if n := strings.Count(err.Error(), "\n"); n != 2 {
		t.Errorf("%d lines, want one a fault", n+1)
	}
}

func TestLoadNamesAMissingOrOverlongFile(t *testing.T) {
	if _, err := LoadBox(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--config") {
		t.Errorf("missing: %v", err)
	}
	var e *Error
	if _, err := LoadBox(write(t, strings.Repeat("#\n", MaxFile))); !errors.As(err, &e) {
		t.Errorf("overlong: %v", err)
	}
}

func TestASecretNeverPrints(t *testing.T) {
	s := NewSecret("hemmelig")
	out := fmt.Sprint(s, &s) + fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s) + fmt.Sprintf("%+v", struct{ S Secret }{s}) + s.LogValue().String()
	if regexp.MustCompile(`(?i)hemmelig|68656d`).MatchString(out) {
		t.Errorf("it prints: %s", out)
	}
	if b, err := json.Marshal(s); err == nil {
		t.Errorf("it marshals: %s", b)
	}
	if s.Reveal() != "hemmelig" || s.IsZero() || !NewSecret("").IsZero() {
		t.Error("it does not hold its value")
	}
}

func TestSizesAndDurationsRoundTrip(t *testing.T) {
	for _, text := range []string{"0B", "1B", "64MiB", "500GiB", "2TiB", "1000B"} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err != nil || z.String() != text {
			t.Errorf("%s: %s, %v", text, z, err)
		}
	}
	for _, text := range []string{"1h0m0s", "30d", "90s", "1m30s"} {
		var d, again Duration
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
}

// Whatever is in the file, loading ends with settings that hold or with an
// error that names a remedy.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{ExampleBox(), ExampleExtranet(), "", "a", "[ring]\nquota='1GiB'", "listen = 1e9", "x = [[1],[2]]", "[a.b]\n[a]\n", "\"\" = 1", "ring = 3", "[[ring]]\nquota = '1'", "hostnames = [{}]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		box, ext := DefaultBox(), DefaultExtranet()
		boxErr, extErr := parse("f", b, &box, box.check), parse("f", b, &ext, ext.check)
		for _, err := range []error{boxErr, extErr} {
			var e *Error
			if err == nil {
				continue
			}
			if !errors.As(err, &e) || len(e.Faults) == 0 || e.Faults[0].Remedy == "" || e.Faults[0].Cause == "" {
				t.Fatalf("an error without a remedy: %v", err)
			}
		}
		if boxErr == nil && (box.Ring.Retention > Duration(MaxRetention) || box.Gate.MaxDisclosure > Duration(MaxDisclosure)) {
			t.Fatalf("the law's limits are passed: %+v", box)
		}
		if extErr == nil && (ext.Duties.KeepAccess < Duration(366*day) || len(ext.AllowBoxes) == 0) {
			t.Fatalf("limits are passed: %+v", ext)
		}
	})
}
