package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module       = "veilbox"
	maxFileLines = 500
	maxMainLines = 50
)

// A pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	// -e: a package that does not compile has a test of its own to say so.
	c := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,Deps", module+"/...")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, &stderr)
	}
	var all []pkg
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// name is how the rules write an import path.
func name(path string) string {
	if rest, ok := strings.CutPrefix(path, module+"/"); ok {
		return rest
	}
	if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
		return path
	}
	return "std:" + path
}

func match(pattern, name string) bool {
	if pattern == "..." { // everything in the module
		first, _, _ := strings.Cut(name, "/")
		return !strings.ContainsAny(first, ".:")
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}

func anyMatch(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}

func violations(pkgs []pkg, rules []rule) []string {
	var out []string
	for _, r := range rules {
		for _, p := range pkgs {
			from := name(p.ImportPath)
			if !anyMatch(r.From, from) || anyMatch(r.Spare, from) {
				continue
			}
			deps := p.Deps
			if r.Direct {
				deps = p.Imports
			}
			for _, d := range deps {
				to := name(d)
				if to != from && anyMatch(r.Not, to) && !anyMatch(r.Except, to) {
					out = append(out, fmt.Sprintf("%s depends on %s: %s", from, to, r.Why))
				}
			}
		}
	}
	return out
}

func TestImportRulesHold(t *testing.T) {
	pkgs := list(t)
	if len(pkgs) < 10 {
		t.Fatalf("go list gave %d packages", len(pkgs))
	}
	for _, v := range violations(pkgs, rules) {
		t.Error(v)
	}
}

// The rules see what they are there for.
func TestImportRulesNoticeABreach(t *testing.T) {
	for _, k := range []struct{ from, imports, dep string }{
		{"capture/ring", "appliance/store", "appliance/store"},
		{"capture/clip", "capture/ring", "redact/veil"},
		{"redact/track", "uplink/wire", "uplink/wire"},
		{"appliance/policy", "capture/ring", "capture/ring"},
		{"appliance/policy", "std:os", "std:os"},
		{"appliance/incident", "appliance/policy", "appliance/policy"},
		{"appliance/casework", "uplink/outbox", "uplink/outbox"},
		{"appliance/web", "appliance/daemon", "appliance/daemon"},
		{"uplink/extranet", "uplink/wire", "capture/ring"},
		{"uplink/extranet/members", "uplink/parcel", "uplink/parcel"},
		{"cmd/veil-extranet", "redact/veil", "redact/veil"},
		{"cmd/veilboxd", "appliance/daemon", "uplink/extranet"},
		{"cmd/veilctl", "internal/footagetest", "std:testing"},
		{"cmd/veil-redact", "redact", "appliance/config"},
		{"appliance/web", "github.com/bluenviron/gortsplib/v4", "github.com/bluenviron/gortsplib/v4"},
		{"capture/camera", "github.com/pion/webrtc/v4", "github.com/pion/webrtc/v4"},
		{"internal/clock", "capture/footage", "capture/footage"},
	} {
		path := func(n string) string {
			if std, ok := strings.CutPrefix(n, "std:"); ok {
				return std
			}
			if strings.HasPrefix(n, "github.com/") {
				return n
			}
			return module + "/" + n
		}
		p := pkg{path(k.from), []string{path(k.imports)}, []string{path(k.imports), path(k.dep)}}
		if len(violations([]pkg{p}, rules)) == 0 {
			t.Errorf("nothing is said when %s depends on %s", k.from, k.dep)
		}
	}
	fine := []pkg{
		{module + "/capture/ring", []string{module + "/capture/footage", "os"}, []string{module + "/capture/footage", module + "/internal/keys", "os"}},
		{module + "/uplink/extranet", []string{module + "/uplink/wire"}, []string{module + "/uplink/wire", module + "/capture/footage"}},
		{module + "/appliance/daemon", []string{module + "/uplink/outbox"}, []string{module + "/uplink/outbox", module + "/capture"}},
	}
	for _, v := range violations(fine, rules) {
		t.Errorf("refused for nothing: %s", v)
	}
}

// Files stay short enough to read, and programs' main files do nothing.
func TestFilesAreShort(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); path != root && (strings.HasPrefix(n, ".") || n == "testdata" || n == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		most := maxFileLines
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(filepath.ToSlash(rel), "cmd/") {
			most = maxMainLines - 1
		}
		if n := bytes.Count(b, []byte("\n")); n > most {
			t.Errorf("%s has %d lines, at most %d: split it by what it does", filepath.ToSlash(rel), n, most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
