package mp4test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
)

// SoundFormat returns the format in which AddSound makes sound of codec, but
// for the configuration of AAC.
func SoundFormat(codec footage.AudioCodec) footage.AudioFormat {
	f := footage.AudioFormat{Codec: codec, Rate: 8000, Channels: 1}
	switch codec {
	case footage.AAC:
		f.Rate = 16_000
	case footage.Opus:
		f.Rate = 48_000
	}
	return f
}

// AddSound gives parts, which follow each other, a tone of 1 kHz that sounds
// from 0.3 to 0.4 of each second, from the start of the first part on.
func AddSound(t testing.TB, parts []*footage.Part, codec footage.AudioCodec) {
	t.Helper()
	f := SoundFormat(codec)
	seconds := len(parts)
	source := []string{"-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("aevalsrc=if(between(mod(t\\,1)\\,0.3\\,0.4)\\,0.5*sin(2*PI*1000*t)\\,0):s=%d:d=%d", f.Rate, seconds), "-ac", "1"}
	var units [][]byte
	var durations []uint32
	switch codec {
	case footage.PCMA, footage.PCMU:
		name := map[footage.AudioCodec]string{footage.PCMA: "alaw", footage.PCMU: "mulaw"}[codec]
		for b := range slices.Chunk(run(t, append(source, "-f", name, "pipe:1")), 160) {
			units, durations = append(units, b), append(durations, uint32(len(b))*90/8)
		}
	default:
		path := filepath.Join(t.TempDir(), "sound.mp4")
		encoder := map[footage.AudioCodec][]string{footage.AAC: {"-c:a", "aac"}, footage.Opus: {"-c:a", "libopus"}}[codec]
		run(t, append(append(source, encoder...), path))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := mp4.DecodeFile(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		stbl := file.Moov.Trak.Mdia.Minf.Stbl
		if codec == footage.AAC {
			f.Config = stbl.Stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
		}
		data := file.Mdat.Data
		for i := uint32(1); i <= stbl.Stsz.SampleNumber; i++ {
			n := stbl.Stsz.GetSampleSize(int(i))
			units, durations = append(units, data[:n]), append(durations, map[footage.AudioCodec]uint32{footage.AAC: 5760, footage.Opus: 1800}[codec])
			data = data[n:]
		}
	}
	at, k := parts[0].Start, 0
	if codec == footage.AAC {
		at -= 5760 // the encoder begins with a unit that only primes
	}
	for i, u := range units {
		for k+1 < len(parts) && at >= parts[k+1].Start {
			k++
		}
		a := &parts[k].Audio
		if len(a.Samples) == 0 {
			a.Format, a.Start = f, at
		}
		a.Samples = append(a.Samples, footage.AudioSample{Size: uint32(len(u)), Duration: durations[i]})
		a.Data = append(a.Data, u...)
		at += footage.Ticks(durations[i])
	}
}

func run(t testing.TB, args []string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("ffmpeg", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg is needed to make sound: %v\n%s", err, stderr.String())
	}
	return out
}

// Beeps decodes a file's sound as it comes, without a look at its times, as a
// browser does, and returns when each tone of AddSound begins, in seconds. What
// an edit list says of the start is heeded.
func Beeps(t testing.TB, path string) []float64 {
	t.Helper()
	const rate = 8000
	b := run(t, []string{"-v", "error", "-xerror", "-i", path, "-vn", "-ac", "1", "-ar", fmt.Sprint(rate), "-f", "s16le", "pipe:1"})
	var out []float64
	last := -rate
	for i := 0; i+1 < len(b); i += 2 {
		v := int(int16(uint16(b[i]) | uint16(b[i+1])<<8))
		if v > 4000 || v < -4000 {
			if i/2-last > rate/4 {
				out = append(out, float64(i/2)/rate)
			}
			last = i / 2
		}
	}
	return out
}
