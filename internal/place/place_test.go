package place

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1": "10.0.0.1", "10.0.0.1:99": "10.0.0.1", "[2001:db8::1]:99": "2001:db8::/64", "2001:db8::2": "2001:db8::/64", "2001:db8:0:1::2": "2001:db8:0:1::/64",
		"::ffff:10.0.0.1": "10.0.0.1", "[::ffff:10.0.0.1]:5": "10.0.0.1", "fe80::1%eth0": "fe80::/64", "": "", "pipe": "pipe", strings.Repeat("x", 99): strings.Repeat("x", 64), "a\xffb": "ab",
	} {
		if got := Of(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzOf(f *testing.F) {
	for _, s := range []string{"10.0.0.1:9", "[2001:db8::1%x]:9", "pipe", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := Of(s); len(got) > maxOther || Of(got) != got && !strings.HasSuffix(got, "/64") {
			t.Errorf("%q: %q", s, got)
		}
	})
}
