package totp

import (
	"strings"
	"testing"
	"time"
)

// The codes of RFC 6238, appendix B, cut to six digits.
func TestCodesOfTheStandard(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		now := time.Unix(at, 0)
		step := at / 30
		for _, c := range []struct {
			off  time.Duration
			last int64
			ok   bool
		}{{0, -1, true}, {30 * time.Second, -1, true}, {-30 * time.Second, -1, true}, {61 * time.Second, -1, false}, {-61 * time.Second, -1, false}, {0, step - 1, true}, {0, step, false}, {0, step + 5, false}} {
			got, ok := Step(secret, code, now.Add(c.off), c.last)
			if ok != c.ok || ok && got != step {
				t.Errorf("%d %v, last %d: step %d, %v", at, c.off, c.last, got, ok)
			}
		}
		if _, ok := Step(secret, code[:3]+" "+code[3:], now, -1); !ok {
			t.Errorf("%d: a space is not taken", at)
		}
	}
	for _, bad := range []string{"", "0", "28708", "2870822", "abcdef", strings.Repeat("287082", 1000)} {
		if _, ok := Step(secret, bad, time.Unix(59, 0), -1); ok {
			t.Errorf("%.10q was taken", bad)
		}
	}
}

func FuzzStep(f *testing.F) {
	f.Add("287082", int64(59), int64(-1))
	f.Add("", int64(0), int64(0))
	f.Fuzz(func(t *testing.T, code string, at, last int64) {
		step, ok := Step([]byte("12345678901234567890"), code, time.Unix(at, 0), last)
		if ok && (step <= last || step < at/30-2 || step > at/30+2) {
			t.Errorf("%q at %d after %d is of step %d", code, at, last, step)
		}
	})
}
