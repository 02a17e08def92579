package ring

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"veilbox/capture/footage"
	"veilbox/internal/keys"
)

var update = flag.Bool("update", false, "write the test vectors anew")

const vectorFile = "testdata/records.txt"

// vectors are parts whose records are written down, with their places.
func vectors() map[string]*footage.Part {
	plain := vectorPart()
	audible := vectorPart()
	audible.Audio = footage.Audio{Format: footage.AudioFormat{Codec: footage.AAC, Rate: 48000, Channels: 2, Config: []byte{0x11, 0x90}},
		Start: audible.Start - 100, Samples: []footage.AudioSample{{Size: 3, Duration: 1920}, {Size: 3, Duration: 1920}, {Size: 2, Duration: 1920}}, Data: []byte("soundabc")}
	jpeg := vectorPart()
	jpeg.Format = footage.Format{Codec: footage.MJPEG, Width: 64, Height: 48}
	jpeg.Samples[1].Key = true
	goes := vectorPart()
	goes.Continues, goes.Samples[0].Key = true, false
	return map[string]*footage.Part{"plain": plain, "sound": audible, "motion jpeg": jpeg, "continues": goes}
}

var vectorOrder = []string{"plain", "continues", "sound", "motion jpeg"}

func vectorNonce(i int) [nonceSize]byte {
	return [nonceSize]byte{0xa0, byte(i), 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
}

func writeVectors(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Records of version 2, as the package doc describes them; numbers are decimal, bytes hexadecimal.\n")
	for i, name := range vectorOrder {
		p := vectors()[name]
		pl, tab := vectorPlace(), tableOf(p)
		record := pl.sealWith(nil, vectorKey(t).AEAD(), vectorNonce(i), &tab, p.Data, p.Audio.Data)
		fmt.Fprintf(&b, "\nname %s\nkey %x\ncamera %s\nsegment %x\noffset %d\nnumber %d\nstart %d\nnonce %x\ntable %x\ndata %x\nrecord %x\n",
			name, vectorKey(t).Bytes(), pl.camera, pl.uid, pl.offset, pl.number, pl.start, vectorNonce(i), tab.append(nil), append(bytes.Clone(p.Data), p.Audio.Data...), record)
	}
	if err := os.WriteFile(vectorFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What was sealed once opens for ever, and is sealed as it was.
func TestRecordVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, block := range strings.Split(string(b), "\n\n")[1:] {
		v := map[string]string{}
		for line := range strings.Lines(block) {
			k, x, _ := strings.Cut(strings.TrimSpace(line), " ")
			v[k] = x
		}
		bin := func(k string) []byte {
			x, err := hex.DecodeString(v[k])
			if err != nil || len(x) == 0 {
				t.Fatalf("%s of %s: %v", k, v["name"], err)
			}
			return x
		}
		pl := place{camera: footage.CameraID(v["camera"]), uid: [uidSize]byte(bin("segment"))}
		if _, err := fmt.Sscan(v["offset"]+" "+v["number"]+" "+v["start"], &pl.offset, &pl.number, &pl.start); err != nil {
			t.Fatal(err)
		}
		k, err := keys.FromBytes(bin("key"))
		if err != nil {
			t.Fatal(err)
		}
		raw, data, err := pl.open(bin("record"), k.AEAD())
		if err != nil || !bytes.Equal(raw, bin("table")) || !bytes.Equal(data, bin("data")) {
			t.Errorf("%s: table %x, data %x, %v", v["name"], raw, data, err)
		}
		want := vectors()[v["name"]]
		if want == nil {
			t.Fatalf("no part is called %q", v["name"])
		}
		seen++
		tab, end, err := readTable(raw, pl.start, int64(len(data)))
		if w := tableOf(want); err != nil || end != want.Span().To || !bytes.Equal(tab.append(nil), w.append(nil)) {
			t.Errorf("%s: the table reads as %+v to %d, %v", v["name"], tab, end, err)
		}
		got := pl.sealWith(nil, k.AEAD(), [nonceSize]byte(bin("nonce")), &tab, data)
		if !bytes.Equal(got, bin("record")) {
			t.Errorf("%s is sealed as %x", v["name"], got)
		}
	}
	if seen != len(vectorOrder) {
		t.Errorf("%d vectors", seen)
	}
}
