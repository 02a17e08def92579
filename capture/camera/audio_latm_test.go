package camera

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"veilbox/capture/footage"
)

// packBits returns bits written as 0 and 1, filled up to a byte.
func packBits(s string) []byte {
	s = strings.ReplaceAll(s, " ", "")
	out := make([]byte, (len(s)+7)/8)
	for i, c := range s {
		if c == '1' {
			out[i/8] |= 0x80 >> (i % 8)
		}
	}
	return out
}

func bitsOf(b ...byte) string {
	var s strings.Builder
	for _, c := range b {
		for i := 7; i >= 0; i-- {
			s.WriteByte('0' + c>>i&1)
		}
	}
	return s.String()
}

const (
	muxHead  = "0 1 000000 0000 000 "            // version, framing, one frame of one layer
	lc16     = "00010 1000 0001 000 "            // AAC-LC, 16 kHz, mono
	withSBR  = "01010110111 00101 1 0101 "       // spectral band replication, 32 kHz
	withoutS = "01010110111 00101 0 "            // none
	variable = "000 11111111 0 0 "               // frames that tell their length
	explicit = "00101 1000 0001 0101 00010 000 " // replication said first
)

func TestLATMConfigurations(t *testing.T) {
	in := func(config string, payload ...byte) []byte { return packBits("0" + config + bitsOf(payload...)) }
	again := packBits("1" + bitsOf(2, 0x21, 9))
	for _, tc := range []struct {
		name    string
		out     string // the configuration in the session's description
		packets [][]byte
		want    []string
		config  string
	}{
		{name: "replication told behind", out: muxHead + lc16 + withSBR + variable, packets: [][]byte{{2, 0x21, 7}}, want: []string{"2107"}, config: "1408"},
		{name: "padded before what follows", out: muxHead + lc16 + withoutS + "0000000" + variable, packets: [][]byte{{2, 0x21, 7}}, want: []string{"2107"}, config: "1408"},
		{name: "cut behind the AAC's own", out: muxHead + lc16, packets: [][]byte{{2, 0x21, 7}}, want: []string{"2107"}, config: "1408"},
		{name: "replication told first", out: muxHead + explicit + variable, packets: [][]byte{{2, 0x21, 7}}, want: []string{"2107"}, config: "2c0a8800"},
		{name: "two frames", out: "0 1 000001 0000 000" + lc16 + variable, packets: [][]byte{{1, 0x21, 2, 0x21, 8}}, want: []string{"21", "2108"}, config: "1408"},
		{name: "in band", packets: [][]byte{in(muxHead+lc16+variable, 2, 0x21, 7), again}, want: []string{"2107", "2109"}, config: "1408"},
		{name: "in band with replication", packets: [][]byte{in(muxHead+lc16+withSBR+variable, 2, 0x21, 7), again}, want: []string{"2107", "2109"}, config: "1408"},
		{name: "in band, told that there is none", packets: [][]byte{in(muxHead+lc16+withoutS+variable, 2, 0x21, 7)}, want: []string{"2107"}, config: "1408"},
		{name: "in band, of version 1", packets: [][]byte{in("1 0 00 00000000 1 000000 0000 000 00 00011000"+lc16+"00000000"+variable, 2, 0x21, 7), again}, want: []string{"2107", "2109"}, config: "1408"},
		{name: "other data and a checksum", packets: [][]byte{in(muxHead+lc16+"000 11111111 1 0 00001000 1 10101010", 2, 0x21, 7, 0x55), again}, want: []string{"2107", "2109"}, config: "1408"},
		{name: "several layers", packets: [][]byte{in("0 1 000000 0000 001"+lc16+variable, 2, 0x21, 7)}},
		{name: "frames of a fixed length", packets: [][]byte{in(muxHead+lc16+"001 000000001 0 0", 2, 0x21, 7)}},
		{name: "of a later version", packets: [][]byte{in("1 1 00 00000000", 2, 0x21, 7)}},
		{name: "not AAC-LC", packets: [][]byte{in(muxHead+"00001 1000 0001 000"+variable, 2, 0x21, 7)}},
		{name: "six channels", packets: [][]byte{in(muxHead+"00010 1000 0110 000"+variable, 2, 0x21, 7)}},
		{name: "a frame that is cut", packets: [][]byte{in(muxHead+lc16+variable, 9, 0x21, 7)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			track := audioTrack{name: "MP4A-LATM", rate: 16000, channels: 1}
			if tc.out != "" {
				track.fmtp = "cpresent=0;config=" + hex.EncodeToString(packBits(tc.out))
			}
			a, h, stats := newHeard(t, track)
			for i, p := range tc.packets {
				a.push(uint16(i), uint32(i*1024), true, p, soundBegin)
			}
			var got []string
			for _, u := range h.units {
				got = append(got, hex.EncodeToString(u.Data))
			}
			if strings.Join(got, " ") != strings.Join(tc.want, " ") || (stats.AudioDropped.Load() == 0) != (tc.want != nil) {
				t.Fatalf("%q, %d dropped; want %q", got, stats.AudioDropped.Load(), tc.want)
			}
			if tc.want != nil && (len(h.formats) != 1 || h.formats[0].Codec != footage.AAC || hex.EncodeToString(h.formats[0].Config) != tc.config) {
				t.Errorf("formats %+v, want %s", h.formats, tc.config)
			}
		})
	}
}

// A configuration in each packet, and units that do not begin with a byte, cost
// nothing once they are known.
func TestLATMAllocatesNothing(t *testing.T) {
	unit := bytes.Repeat([]byte{0x21, 7, 0x55}, 100)
	packet := packBits("0" + muxHead + lc16 + variable + bitsOf(append([]byte{255, 45}, unit...)...))
	a, err := newAudio(audioTrack{name: "MP4A-LATM", rate: 16000, channels: 1}, new(Stats), sessionTicks, &noListener{})
	if err != nil {
		t.Fatal(err)
	}
	seq, ts := uint16(0), uint32(0)
	if n := testing.AllocsPerRun(100, func() {
		a.push(seq, ts, true, packet, soundBegin)
		if len(a.units) != 1 || !bytes.Equal(a.units[0], unit) {
			t.Fatalf("%d units", len(a.units))
		}
		seq, ts = seq+1, ts+1024
	}); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
