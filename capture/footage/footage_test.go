package footage

import (
	"encoding/json"
	"testing"
	"time"
)

func TestTicks(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 700_000_000, time.UTC)
	k := TicksOf(at)
	if !k.Time().Equal(at) {
		t.Errorf("%v became %v", at, k.Time())
	}
	if got := TicksIn(1500 * time.Millisecond); got != 135_000 {
		t.Errorf("1.5 s = %d ticks, want 135000", got)
	}
	if got := Ticks(135_000).Duration(); got != 1500*time.Millisecond {
		t.Errorf("135000 ticks = %v, want 1.5s", got)
	}
	for k := Ticks(0); k < 1000; k++ {
		if back := TicksOf((k).Time().Add(11112 * time.Nanosecond)); back != k && back != k+1 {
			t.Fatalf("tick %d came back as %d", k, back)
		}
	}
}

func TestSpan(t *testing.T) {
	a, b, c := Span{0, 10}, Span{10, 20}, Span{9, 11}
	if a.Overlaps(b) || !a.Overlaps(c) || !c.Overlaps(b) {
		t.Error("spans are half open")
	}
	if !(Span{5, 5}).Empty() || a.Empty() {
		t.Error("Empty")
	}
}

func TestParseCameraID(t *testing.T) {
	for s, ok := range map[string]bool{
		"till-1": true, "0": true, "": false, "-a": false, "Till": false, "a/b": false, "..": false,
		"abcdefghijklmnopqrstuvwxyz01234": true, "abcdefghijklmnopqrstuvwxyz012345": false, "a\n": false,
	} {
		if _, err := ParseCameraID(s); (err == nil) != ok {
			t.Errorf("ParseCameraID(%q): %v, want ok %v", s, err, ok)
		}
	}
}

func TestHashText(t *testing.T) {
	h := ClipHash{Hash{1, 2, 3}}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back ClipHash
	if err := json.Unmarshal(b, &back); err != nil || back != h {
		t.Fatalf("%s came back as %v, %v", b, back, err)
	}
	for _, bad := range []string{`"00"`, `"zz"`, `""`, `"` + h.String()[:63] + `g"`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
