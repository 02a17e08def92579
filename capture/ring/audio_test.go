package ring

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"veilbox/capture/footage"
)

func sound(p *footage.Part, codec footage.AudioCodec) {
	a := &p.Audio
	a.Format = footage.AudioFormat{Codec: codec, Rate: 8000, Channels: 1}
	if codec == footage.AAC {
		a.Format = footage.AudioFormat{Codec: codec, Rate: 48000, Channels: 2, Config: []byte{0x11, 0x90}}
	}
	a.Start = p.Start - 123
	for i := range 50 {
		n := 160
		if codec == footage.AAC {
			n = 90 + i*i%37
		}
		a.Samples = append(a.Samples, footage.AudioSample{Size: uint32(n), Duration: 1800})
		a.Data = append(a.Data, bytes.Repeat([]byte{byte(i)}, n)...)
	}
}

func sameAudio(a, b footage.Audio) bool {
	return a.Format.Equal(b.Format) && a.Start == b.Start && slices.Equal(a.Samples, b.Samples) && bytes.Equal(a.Data, b.Data)
}

func TestSoundAndMotionJPEG(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	r := openTest(t, opt, disk{})
	var want []*footage.Part
	for i, codec := range []footage.AudioCodec{footage.AAC, 0, footage.PCMA, footage.PCMU, footage.Opus, footage.AAC} {
		p := part("till-1", start()+footage.Ticks(i)*second, 2000)
		if i == 5 {
			p.Format = footage.Format{Codec: footage.MJPEG, Width: 64, Height: 48}
		}
		if codec != 0 {
			sound(p, codec)
		}
		want = append(want, p)
	}
	if n, err := r.AppendAll(t.Context(), want); err != nil || n != len(want) {
		t.Fatal(n, err)
	}
	for range 2 {
		infos, err := r.Parts(t.Context(), "till-1", always())
		if err != nil || len(infos) != len(want) {
			t.Fatal(len(infos), err)
		}
		for i, info := range infos {
			w := want[i].Audio
			w.Data = nil
			if !sameAudio(info.Audio, w) || info.Size != 2000 {
				t.Errorf("part %d: the index has the sound as %+v", i, info.Audio)
			}
			got, err := r.Read(t.Context(), info)
			if err != nil || !same(got, want[i]) || !sameAudio(got.Audio, want[i].Audio) {
				t.Errorf("part %d is not what was appended (%v)", i, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r = openTest(t, opt, disk{})
	}
}

func TestMalformedSoundIsRefused(t *testing.T) {
	r := openTest(t, testOptions(t, t.TempDir()), disk{})
	for name, change := range map[string]func(*footage.Audio){
		"codec":      func(a *footage.Audio) { a.Format.Codec = 9 },
		"rate":       func(a *footage.Audio) { a.Format.Rate = 7999 },
		"channels":   func(a *footage.Audio) { a.Format.Channels = 3 },
		"config":     func(a *footage.Audio) { a.Format.Config = nil },
		"long":       func(a *footage.Audio) { a.Format.Config = make([]byte, maxAudioConfig+1) },
		"G.711":      func(a *footage.Audio) { a.Format.Codec = footage.PCMA },
		"early":      func(a *footage.Audio) { a.Start -= 2 * MaxPartDuration },
		"sum":        func(a *footage.Audio) { a.Samples[3].Size++ },
		"no samples": func(a *footage.Audio) { a.Samples = nil },
		"many":       func(a *footage.Audio) { a.Samples = make([]footage.AudioSample, MaxAudioSamples+1) },
		"duration":   func(a *footage.Audio) { a.Samples[1].Duration = MaxPartDuration + 1 },
	} {
		p := part("till-1", start(), 500)
		sound(p, footage.AAC)
		change(&p.Audio)
		if err := r.Append(t.Context(), p); !errors.Is(err, ErrPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAudio(f *testing.F) {
	for _, codec := range []footage.AudioCodec{footage.AAC, footage.PCMU} {
		p := part("till-1", start(), 500)
		sound(p, codec)
		f.Add(encodeAudio(&p.Audio, p.Start))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, sum, err := decodeAudio(b, start())
		if err != nil {
			return
		}
		again, sum2, err := decodeAudio(encodeAudio(&a, start()), start())
		if err != nil || sum != sum2 || !sameAudio(a, again) {
			t.Fatalf("%+v does not survive: %v", a, err)
		}
	})
}
