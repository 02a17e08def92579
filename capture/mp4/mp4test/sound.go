package mp4test

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
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
		// As fragments, because MP4 to a pipe can be nothing else.
		encoder := map[footage.AudioCodec][]string{footage.AAC: {"-c:a", "aac"}, footage.Opus: {"-c:a", "libopus"}}[codec]
		b := run(t, append(append(source, encoder...), "-f", "mp4", "-movflags", "empty_moov+default_base_moof", "pipe:1"))
		file, err := mp4.DecodeFile(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		duration := uint32(1800)
		if codec == footage.AAC {
			f.Config = file.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
			duration = 5760
		}
		for _, s := range file.Segments {
			for _, x := range s.Fragments {
				samples, err := x.GetFullSamples(file.Init.Moov.Mvex.Trex)
				if err != nil {
					t.Fatal(err)
				}
				for _, y := range samples {
					units, durations = append(units, y.Data), append(durations, duration)
				}
			}
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

// made is what ffmpeg made before in this process, by its arguments: drawing
// and encoding the same again is most of what a test would wait for.
var made sync.Map

// run runs ffmpeg and returns its output, which is not to be changed. Where an
// output has no name, it is made once.
func run(t testing.TB, args []string) []byte {
	t.Helper()
	key := strings.Join(args, " ")
	if b, ok := made.Load(key); ok {
		return b.([]byte)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("ffmpeg", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg is needed to make footage: %v\n%s", err, stderr.String())
	}
	if slices.Contains(args, "lavfi") && args[len(args)-1] == "pipe:1" {
		made.Store(key, out)
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
