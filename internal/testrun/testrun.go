// Package testrun is what the TestMain of several packages does: say how many
// tests go at once, and build the programs that they start.
package testrun

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Main runs the tests of a package, n at once unless -parallel says otherwise. It
// is what TestMain calls, and does not return. Tests that wait for clocks,
// sockets and other programs far more than they work may be more than there are
// processors.
func Main(m *testing.M, n int) {
	pace(n)
	os.Exit(m.Run())
}

func pace(n int) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(fmt.Sprint(n)); err != nil {
			fail(err)
		}
	}
}

// With builds programs of cmd, as they are shipped, into a folder that dir is set
// to, and is Main after that. n of 0 leaves the pace as it is.
func With(m *testing.M, n int, dir *string, programs ...string) {
	if n > 0 {
		pace(n)
	}
	tmp, err := os.MkdirTemp("", "veilbox-test-*")
	if err != nil {
		fail(err)
	}
	*dir = tmp
	code := 1
	if err := Build(tmp, programs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if err := os.RemoveAll(tmp); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// Build builds programs of cmd, as they are shipped, into dir.
func Build(dir string, programs ...string) error {
	for _, name := range programs {
		// The worker has no C in it, and the detector has OpenCV.
		cgo, tags := "CGO_ENABLED=1", ""
		switch name {
		case "veil-redact":
			cgo = "CGO_ENABLED=0"
		case "veil-detect":
			tags = "opencv"
		}
		c := exec.Command("go", "build", "-buildvcs=false", "-tags", tags, "-o", filepath.Join(dir, name), "veilbox/cmd/"+name)
		c.Env = append(os.Environ(), cgo)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: run make setup\n%s", name, err, out)
		}
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
