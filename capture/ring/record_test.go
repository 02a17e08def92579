package ring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"veilbox/capture/footage"
	"veilbox/internal/keys"
)

func vectorPart() *footage.Part {
	return &footage.Part{
		Camera: "till-1", Start: 160_000_000_000_000, Format: testFormat(),
		Samples: []footage.Sample{{Size: 5, Duration: 3600, Key: true}, {Size: 6, Duration: 3600, Offset: -1}}, Data: []byte("hello,world"),
	}
}

func vectorPlace() place {
	return place{camera: "till-1", uid: [uidSize]byte{1, 2, 3}, number: 7, offset: 24, start: 160_000_000_000_000}
}

// What was sealed once opens for ever: this record, of the bytes "hello, world"
// less one, was written by version 1.
const vector1 = "565054010000000b00009184e72a0000000000070c35fa54221aedbb60e7eb94510e1734a93e74d5bdd33813916ae40ac88b4bf74f9004eedea335"

func vectorKey(t testing.TB) keys.Key {
	t.Helper()
	k, err := keys.FromBytes([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRecordVersion1Opens(t *testing.T) {
	tab := tableOf(vectorPart())
	if got := hex.EncodeToString(tab.samples); got != "02"+"02901c"+"0100"+"0101"+"00"+"01"+"01"+"05"+"06" {
		t.Errorf("the sample table is written as %s", got)
	}
	if got := hex.EncodeToString(tab.format); got != "01"+"8005"+"e802"+"0467010203"+"03680405" {
		t.Errorf("the format is written as %s", got)
	}
	b, err := hex.DecodeString(vector1)
	if err != nil {
		t.Fatal(err)
	}
	pl := vectorPlace()
	for name, change := range map[string]func(*table){
		"nothing":   func(*table) {},
		"continues": func(p *table) { p.continues = true },
		"format":    func(p *table) { p.format = append([]byte(nil), p.format[1:]...) },
		"samples":   func(p *table) { p.samples = append([]byte(nil), p.samples[1:]...) },
	} {
		x := tab
		change(&x)
		data, err := pl.open1(bytes.Clone(b), vectorKey(t).AEAD(), &x)
		if name == "nothing" && (err != nil || string(data) != "hello,world") || name != "nothing" && !errors.Is(err, errRecord) {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

// A record opens nowhere but where it was written, and only whole.
func TestRecordIsBoundToItsPlace(t *testing.T) {
	aead := vectorKey(t).AEAD()
	p := vectorPart()
	tab := tableOf(p)
	for name, change := range map[string]func(*place){
		"nothing": func(*place) {},
		"camera":  func(p *place) { p.camera = "till-2" },
		"segment": func(p *place) { p.uid[15]++ },
		"number":  func(p *place) { p.number++ },
		"offset":  func(p *place) { p.offset++ },
		"start":   func(p *place) { p.start++ },
	} {
		pl := vectorPlace()
		b := pl.seal(nil, aead, &tab, p.Data)
		change(&pl)
		raw, data, err := pl.open(b, aead)
		if name == "nothing" {
			if err != nil || string(data) != "hello,world" || !bytes.Equal(raw, tab.append(nil)) {
				t.Errorf("unchanged: %v", err)
			}
		} else if !errors.Is(err, errRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	pl := vectorPlace()
	b := pl.seal(nil, aead, &tab, p.Data)
	if len(b) != recordSize(tab.size(), len(p.Data)) {
		t.Errorf("%d bytes, want %d", len(b), recordSize(tab.size(), len(p.Data)))
	}
	for n := range b {
		if _, _, err := pl.open(bytes.Clone(b[:n]), aead); !errors.Is(err, errRecord) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
		x := bytes.Clone(b)
		x[n] ^= 1
		if _, _, err := pl.open(x, aead); !errors.Is(err, errRecord) {
			t.Errorf("byte %d changed: %v", n, err)
		}
	}
}
