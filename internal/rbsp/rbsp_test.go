package rbsp

import "testing"

func TestNumbers(t *testing.T) {
	// 1 | 010 | 011 | 00100 | 1 and zeros: ue 0, 1, 2, 3, then the trailing bits.
	r := New([]byte{0b1010_0110, 0b0100_1000})
	for want := range uint64(4) {
		if !r.More() {
			t.Fatalf("nothing is left before %d", want)
		}
		if v := r.Golomb(); v != want {
			t.Fatalf("%d, want %d", v, want)
		}
	}
	if r.More() || r.Trailing() != nil || r.Short {
		t.Error("the end was not found")
	}
	if r.Bits(8) != 0 || !r.Short {
		t.Error("past the end")
	}
}

func TestEscapes(t *testing.T) {
	b := []byte{0, 0, 3, 1, 0, 0, 3}
	if v := New(b).Bits(24); v != 1 {
		t.Errorf("%x", v)
	}
	if v := Plain(b).Bits(32); v != 0x00000301 {
		t.Errorf("%x", v)
	}
}

func TestBad(t *testing.T) {
	for name, b := range map[string][]byte{"nothing": nil, "zeros": make([]byte, 8), "a bit too much": {0b1100_0000}, "a byte too much": {0x80, 0x80}} {
		if New(b).Trailing() == nil {
			t.Errorf("%s was taken for trailing bits", name)
		}
	}
	if r := New(make([]byte, 8)); r.Golomb() != 0 || !r.Short {
		t.Error("33 zeros were taken for a number")
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 0, 3, 1}, uint8(9))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		r := New(b)
		for range 64 {
			r.Golomb()
			r.Bits(int(n % 65))
			r.More()
		}
	})
}
