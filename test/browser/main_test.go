// Package browser walks the main job through the pages alone, as people do:
// with Debian's chromium, a mouse and a keyboard, over HTTPS, against a camera,
// two boxes and an extranet on loopback (test/lab).
//
// VEILBOX_PICTURES names a folder that the screenshots are kept in, as PNG.
// VEILBOX_SCENE=drawn films a drawn scene in the place of vtest.avi, for
// pictures that may be published. Without either the screenshots are taken all
// the same, and kept only when the test fails.
package browser

import (
	"os"
	"os/exec"
	"testing"
)

var bin string // folder of veil-redact

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "veilbox-browser-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		bin = dir
		// The worker is built without cgo, as it is shipped.
		cmd := exec.Command("go", "build", "-o", dir, "veilbox/cmd/veil-redact")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}())
}
