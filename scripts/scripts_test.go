package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a folder of programs that stands for a machine: the real shell
// tools, and whatever the test puts there.
func machine(t *testing.T, programs map[string]string) (path, log string) {
	t.Helper()
	path, log = t.TempDir(), filepath.Join(t.TempDir(), "log")
	for _, tool := range []string{"bash", "env", "dirname", "awk", "sed", "sort", "head", "tail", "mktemp", "rm"} {
		real, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(path, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(path, name), []byte("#!/bin/bash\n"+strings.ReplaceAll(script, "LOG", log)+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return path, log
}

func setup(t *testing.T, path, purpose string) (out string, err error) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), bash, "setup.sh", purpose)
	c.Env = []string{"PATH=" + path}
	b, err := c.CombinedOutput()
	return string(b), err
}

const (
	root   = `echo 0`
	user   = `echo 1000`
	newGo  = `echo go1.99.0`
	oldGo  = `echo go1.21.5`
	apt    = `echo "apt-get $*" >>LOG`
	badApt = `echo "apt-get $*" >>LOG; echo "E: Unable to fetch some archives" >&2; exit 100`
	sudo   = `echo "sudo" >>LOG; exec "$@"`
)

func TestSetup(t *testing.T) {
	has := func(more map[string]string) map[string]string {
		m := map[string]string{"gcc": ":", "g++": ":", "make": ":", "git": ":", "ffmpeg": ":", "ffprobe": ":", "chromium": ":", "go": newGo, "id": root, "apt-get": apt,
			"firefox-esr": ":", "WebKitWebDriver": ":", "Xvfb": ":", "cvlc": ":", "onvif-util": ":", "wsdd": ":", "ip": ":", "setpriv": ":", "pdftotext": ":", "npm": ":"}
		for k, v := range more {
			if v == "" {
				delete(m, k)
			} else {
				m[k] = v
			}
		}
		return m
	}
	for _, k := range []struct {
		name     string
		programs map[string]string
		purpose  string
		ok       bool
		says     string   // in the output; "": no output at all
		apt      []string // each in the log, in order; nil: apt was not called
	}{
		{"nothing missing", has(nil), "test", true, "", nil},
		{"ffmpeg and chromium missing", has(map[string]string{"ffmpeg": "", "ffprobe": "", "chromium": ""}), "test", true, "installing ffmpeg chromium",
			[]string{"apt-get -qq -o DPkg::Lock::Timeout=300 update", "install -y --no-install-recommends ffmpeg chromium"}},
		{"chromium is for tests alone", has(map[string]string{"chromium": ""}), "run", true, "", nil},
		{"ffmpeg is not for building", has(map[string]string{"ffmpeg": "", "ffprobe": ""}), "build", true, "", nil},
		{"not root", has(map[string]string{"id": user, "sudo": sudo, "git": ""}), "build", true, "installing git", []string{"sudo", "update", "sudo", "install -y --no-install-recommends git"}},
		{"not root, no sudo", has(map[string]string{"id": user, "git": ""}), "build", false, "Run as root: apt-get install --no-install-recommends git", nil},
		{"no apt", has(map[string]string{"apt-get": "", "git": ""}), "build", false, "install them by hand", nil},
		{"apt fails", has(map[string]string{"apt-get": badApt, "git": ""}), "build", false, "Unable to fetch", []string{"update"}},
		{"Go too old", has(map[string]string{"go": oldGo}), "build", false, "Go 1.21.5 is too old", nil},
		{"unknown purpose", has(nil), "play", false, "usage", nil},
	} {
		path, log := machine(t, k.programs)
		out, err := setup(t, path, k.purpose)
		if (err == nil) != k.ok {
			t.Errorf("%s: %v: %s", k.name, err, out)
		}
		if k.says == "" && out != "" || !strings.Contains(out, k.says) {
			t.Errorf("%s: it says %q, want %q", k.name, out, k.says)
		}
		called, err := os.ReadFile(log)
		if (err == nil) != (k.apt != nil) {
			t.Errorf("%s: apt was called: %s", k.name, called)
		}
		rest := string(called)
		for _, want := range k.apt {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Errorf("%s: no %q in\n%s", k.name, want, called)
			}
			rest = after
		}
	}
}

// Scripts parse, and stop at the first error.
func TestScriptsAreStrict(t *testing.T) {
	all, err := filepath.Glob("*.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(all, filepath.Join("..", ".ci", "run")) {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b), "#!/usr/bin/env bash\n") || !strings.Contains(string(b), "\nset -euo pipefail\n") {
			t.Errorf("%s: no bash line, or not strict", s)
		}
		if out, err := exec.CommandContext(t.Context(), "bash", "-n", s).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", s, err, out)
		}
		if info, err := os.Stat(s); err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("%s cannot be executed", s)
		}
	}
}
