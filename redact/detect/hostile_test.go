//go:build linux

package detect_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"veilbox/redact/detect"
	"veilbox/redact/detect/detecttest"
)

// Whatever is done to a model, it works, is refused, or fails at a frame; never
// is it said that the program is missing, and nothing waits for ever.
func TestDamagedModels(t *testing.T) {
	whole := detecttest.Model{Rows: true}.Bytes()
	r := rand.New(rand.NewPCG(4, 4))
	worked, refused, failed := 0, 0, 0
	for range 60 {
		b := bytes.Clone(whole)
		// Most of the file is numbers; its structure is at both ends.
		for range 1 + r.IntN(3) {
			at := r.IntN(300)
			if r.IntN(2) == 0 {
				at = len(b) - 1 - at
			}
			b[at] = byte(r.IntN(256))
		}
		d, err := try(t, detect.Options{Width: 64, Height: 64, Model: open(t, b), Timeout: 20 * time.Second})
		if err != nil {
			if !errors.Is(err, detect.BadModel) {
				t.Errorf("%v", err)
			}
			refused++
			continue
		}
		if _, err = d.Frame(square(64, 64, 8, 8, 16)); err == nil {
			worked++
		} else if failed++; !errors.Is(err, detect.ErrFailed) {
			t.Errorf("%v", err)
		}
		d.Close()
	}
	t.Logf("%d worked, %d refused, %d failed at a frame", worked, refused, failed)
	if worked == 0 || refused == 0 {
		t.Errorf("%d worked, %d refused: the damage shows nothing", worked, refused)
	}
}
