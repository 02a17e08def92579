package ring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"veilbox/capture/footage"
	"veilbox/internal/keys"
)

func vectorPlace() place {
	return place{
		camera: "till-1", uid: [uidSize]byte{1, 2, 3}, number: 7, offset: 24, start: 160_000_000_000_000,
		format: encodeFormat(testFormat()), samples: encodeSamples([]footage.Sample{{Size: 5, Duration: 3600, Key: true}, {Size: 6, Duration: 3600, Offset: -1}}),
	}
}

// What was sealed once opens for ever: this record, of the bytes "hello, world"
// less one, was written by version 1.
const vector = "565054010000000b00009184e72a0000000000070c35fa54221aedbb60e7eb94510e1734a93e74d5bdd33813916ae40ac88b4bf74f9004eedea335"

func vectorKey(t testing.TB) keys.Key {
	t.Helper()
	k, err := keys.FromBytes([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRecordVector(t *testing.T) {
	pl := vectorPlace()
	if got := hex.EncodeToString(pl.samples); got != "02"+"02901c"+"0100"+"0101"+"00"+"01"+"01"+"05"+"06" {
		t.Errorf("the sample table is written as %s", got)
	}
	if got := hex.EncodeToString(pl.format); got != "01"+"8005"+"e802"+"0467010203"+"03680405" {
		t.Errorf("the format is written as %s", got)
	}
	b, err := hex.DecodeString(vector)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(vector, "56505401"+"0000000b"+"0000918") {
		t.Error("the header is another")
	}
	data, err := pl.open(b, vectorKey(t).AEAD())
	if err != nil || string(data) != "hello,world" {
		t.Errorf("%q, %v", data, err)
	}
}

// Everything that the index says of a part is bound to it.
func TestRecordIsBoundToItsPlace(t *testing.T) {
	aead := vectorKey(t).AEAD()
	for name, change := range map[string]func(*place){
		"nothing":   func(*place) {},
		"camera":    func(p *place) { p.camera = "till-2" },
		"segment":   func(p *place) { p.uid[15]++ },
		"number":    func(p *place) { p.number++ },
		"offset":    func(p *place) { p.offset++ },
		"start":     func(p *place) { p.start++ },
		"continues": func(p *place) { p.continues = true },
		"format":    func(p *place) { p.format = append([]byte(nil), p.format[1:]...) },
		"samples":   func(p *place) { p.samples = append([]byte(nil), p.samples[1:]...) },
	} {
		pl := vectorPlace()
		b := pl.seal(nil, aead, []byte("hello,world"))
		change(&pl)
		data, err := pl.open(b, aead)
		if name == "nothing" {
			if err != nil || string(data) != "hello,world" {
				t.Errorf("unchanged: %v", err)
			}
		} else if !errors.Is(err, errRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	pl := vectorPlace()
	b := pl.seal(nil, aead, []byte("hello,world"))
	for n := range b {
		if _, err := pl.open(bytes.Clone(b[:n]), aead); !errors.Is(err, errRecord) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}
