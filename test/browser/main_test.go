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
	"testing"

	"veilbox/internal/testrun"
)

var bin string // folder of veil-redact and veil-detect

func TestMain(m *testing.M) { testrun.With(m, 0, &bin, "veil-redact", "veil-detect") }
