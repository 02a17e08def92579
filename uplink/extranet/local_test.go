package extranet

import "testing"

func TestLocalCallers(t *testing.T) {
	for uid, want := range map[int]string{0: "local:root", 33: "local:uid 33", 1000: ""} {
		got, err := localName(uid, 33)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("user %d is %q, %v", uid, got, err)
		}
	}
}
