package problem

import "testing"

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]Text{0: {"0,0", "0.0"}, 12.34: {"12,3", "12.3"}, -0.06: {"-0,1", "-0.1"}, 1e6: {"1000000,0", "1000000.0"}} {
		if got := Numbers(v); got != want {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
}
