package mp4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"slices"
	"testing"

	lib "github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
)

func opus() footage.AudioFormat {
	return footage.AudioFormat{Codec: footage.Opus, Rate: 48_000, Channels: 2}
}

func g711(c footage.AudioCodec) footage.AudioFormat {
	return footage.AudioFormat{Codec: c, Rate: 8000, Channels: 1}
}

func aac() footage.AudioFormat {
	return footage.AudioFormat{Codec: footage.AAC, Rate: 16_000, Channels: 1, Config: []byte{0x14, 0x08}}
}

// The entry of each format, byte by byte.
func TestSampleEntries(t *testing.T) {
	for name, c := range map[string]struct {
		f    footage.AudioFormat
		want string
	}{
		"AAC": {aac(), "0000004b" + "6d703461" + "0000000000000001" + "0000000000000000" + "00010010" + "00000000" + "3e800000" +
			"00000027" + "65736473" + "00000000" + "0319000000" + "0411" + "4015" + "0000000000000000000000" + "05021408" + "060102"},
		"A-law":  {g711(footage.PCMA), "00000024" + "616c6177" + "0000000000000001" + "0000000000000000" + "00010010" + "00000000" + "1f400000"},
		"mu-law": {g711(footage.PCMU), "00000024" + "756c6177" + "0000000000000001" + "0000000000000000" + "00010010" + "00000000" + "1f400000"},
		"Opus": {opus(), "00000037" + "4f707573" + "0000000000000001" + "0000000000000000" + "00020010" + "00000000" + "bb800000" +
			"00000013" + "644f7073" + "00" + "02" + "0000" + "0000bb80" + "0000" + "00"},
	} {
		e, err := soundEntry(c.f)
		if err != nil {
			t.Fatal(name, err)
		}
		var b bytes.Buffer
		if err := e.Encode(&b); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b.Bytes()); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
	e, err := sampleEntry(footage.Format{Codec: footage.MJPEG, Width: 320, Height: 240})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.Encode(&b); err != nil {
		t.Fatal(err)
	}
	want := "00000023" + "65736473" + "00000000" + "0315000000" + "040d" + "6c11" + "0000000000000000000000" + "060102"
	if got := hex.EncodeToString(b.Bytes()); got[8:16] != hex.EncodeToString([]byte("mp4v")) || got[2*86:] != want {
		t.Errorf("MJPEG:\n%s\nwant\n%s", got[2*86:], want)
	}
}

func TestSoundRefuses(t *testing.T) {
	change := func(f footage.AudioFormat, do func(*footage.AudioFormat)) footage.AudioFormat {
		do(&f)
		return f
	}
	for name, f := range map[string]footage.AudioFormat{
		"nothing":            {},
		"no rate":            change(g711(footage.PCMA), func(f *footage.AudioFormat) { f.Rate = 0 }),
		"too fast":           change(aac(), func(f *footage.AudioFormat) { f.Rate = 96_001 }),
		"no channels":        change(opus(), func(f *footage.AudioFormat) { f.Channels = 0 }),
		"three channels":     change(opus(), func(f *footage.AudioFormat) { f.Channels = 3 }),
		"Opus at 44100":      change(opus(), func(f *footage.AudioFormat) { f.Rate = 44_100 }),
		"AAC without setup":  change(aac(), func(f *footage.AudioFormat) { f.Config = nil }),
		"AAC of object 0":    change(aac(), func(f *footage.AudioFormat) { f.Config = []byte{0x04, 0x08} }),
		"AAC of 6 channels":  change(aac(), func(f *footage.AudioFormat) { f.Config = []byte{0x14, 0x30} }),
		"AAC of no rate":     change(aac(), func(f *footage.AudioFormat) { f.Config = []byte{0x16, 0x88} }),
		"AAC of a long one":  change(aac(), func(f *footage.AudioFormat) { f.Config = make([]byte, 65) }),
		"A-law with a setup": change(g711(footage.PCMA), func(f *footage.AudioFormat) { f.Config = []byte{1} }),
		"unknown":            change(opus(), func(f *footage.AudioFormat) { f.Codec = 9 }),
	} {
		if err := CheckSound(f); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	picture := Chunk{Samples: []footage.Sample{{Size: 1, Duration: 3600, Key: true}}}
	for name, c := range map[string]struct {
		tracks []Track
		chunks []Chunk
	}{
		"no track":            {nil, nil},
		"sound as pictures":   {[]Track{{Sound: opus()}}, []Chunk{picture}},
		"a track too many":    {[]Track{{Formats: []footage.Format{testFormat()}}}, []Chunk{{Track: 1, Samples: picture.Samples}}},
		"a format too many":   {[]Track{{Formats: []footage.Format{testFormat()}}}, []Chunk{{Format: 1, Samples: picture.Samples}}},
		"two codecs":          {[]Track{{Formats: []footage.Format{testFormat(), {Codec: footage.MJPEG, Width: 1, Height: 1}}}}, []Chunk{picture}},
		"no sound":            {[]Track{{Formats: []footage.Format{testFormat()}}, {Sound: opus()}}, []Chunk{picture}},
		"half a sample":       {[]Track{{Sound: footage.AudioFormat{Codec: footage.PCMA, Rate: 8000, Channels: 2}}}, []Chunk{{Sound: []Run{{1, 3, 1}}}}},
		"untrue length":       {[]Track{{Sound: g711(footage.PCMA)}}, []Chunk{{Sound: []Run{{1, 160, 161}}}}},
		"endless":             {[]Track{{Sound: opus()}}, []Chunk{{Sound: []Run{{4_000_000_000, 1, 960}}}}},
		"days of silence":     {[]Track{{Sound: g711(footage.PCMA)}}, []Chunk{{Sound: []Run{{5_000_000, 160, 160}}}}},
		"parameters of MJPEG": {[]Track{{Formats: []footage.Format{{Codec: footage.MJPEG, Width: 1, Height: 1, Params: [][]byte{{1, 2, 3}}}}}}, []Chunk{picture}},
	} {
		if _, _, err := Compose(c.tracks, slices.Values(c.chunks)); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// movieOf has two formats of pictures and sound that begins late.
func movieOf(sound footage.AudioFormat, size, length uint32) ([]Track, iter.Seq[Chunk]) {
	second := testFormat()
	second.Width = 32
	tracks := []Track{
		{Formats: []footage.Format{testFormat(), second}, Edit: Edit{Start: 3600}},
		{Sound: sound, Edit: Edit{Delay: 900, Start: 7, Duration: 9000}},
	}
	return tracks, func(yield func(Chunk) bool) {
		for i := range 6 {
			ss := []footage.Sample{{Size: uint32(100 + i), Duration: 3600, Key: true}, {Size: 50, Duration: 3600, Offset: int32(i % 2 * 900)}}
			if !yield(Chunk{Format: i / 2 % 2, Samples: ss}) || !yield(Chunk{Track: 1, Sound: []Run{{3, size, length}, {1, 2 * size, 2 * length}}}) {
				return
			}
		}
	}
}

func TestComposeIsGolden(t *testing.T) {
	for name, c := range map[string]struct {
		sound        footage.AudioFormat
		size, length uint32
		want         string
	}{
		"AAC":   {aac(), 40, 1024, "97cc5391adadb658"},
		"A-law": {g711(footage.PCMA), 160, 160, "e1feac9aceabe4dd"},
		"Opus":  {opus(), 60, 960, "7d3bd3e427989be6"},
	} {
		tracks, chunks := movieOf(c.sound, c.size, c.length)
		header, size, err := Compose(tracks, chunks)
		if err != nil {
			t.Fatal(name, err)
		}
		init, err := Init(tracks, 0)
		if err != nil {
			t.Fatal(name, err)
		}
		all := slices.Concat(header, init)
		n := uint32(0)
		var pending []Fragment
		for chunk := range chunks {
			pending = append(pending, Fragment{Chunk: chunk, Time: int64(n) * 7200})
			if len(pending) < 2 {
				continue
			}
			n++
			if all, err = Head(all, tracks, n, pending); err != nil {
				t.Fatal(name, err)
			}
			pending = pending[:0]
		}
		if sum := sha256.Sum256(all); hex.EncodeToString(sum[:8]) != c.want {
			t.Errorf("%s: %x", name, sum[:8])
		}
		f, err := lib.DecodeFile(bytes.NewReader(header[:len(header)-8]))
		if err != nil {
			t.Fatal(name, err)
		}
		// Each chunk lies behind the one before.
		at := uint32(len(header))
		video, audio := f.Moov.Traks[0].Mdia.Minf.Stbl, f.Moov.Traks[1].Mdia.Minf.Stbl
		for i := range 6 {
			if video.Stco.ChunkOffset[i] != at {
				t.Errorf("%s: pictures %d at %d, want %d", name, i, video.Stco.ChunkOffset[i], at)
			}
			at += uint32(150 + i)
			if audio.Stco.ChunkOffset[i] != at {
				t.Errorf("%s: sound %d at %d, want %d", name, i, audio.Stco.ChunkOffset[i], at)
			}
			at += 5 * c.size
		}
		if got := video.Stsc; !slices.Equal(got.SampleDescriptionID, []uint32{1, 2, 1}) || got.Entries[1].FirstChunk != 3 || got.Entries[2].FirstChunk != 5 {
			t.Errorf("%s: entries %v of chunks %v", name, got.SampleDescriptionID, got.Entries)
		}
		if int64(at) != int64(len(header))+size {
			t.Errorf("%s: %d bytes, the tables say %d", name, int64(len(header))+size, at)
		}
	}
}

func FuzzAudioSpecificConfig(f *testing.F) {
	for _, seed := range [][]byte{{0x14, 0x08}, {0x12, 0x10}, {0x2b, 0x92, 0x08, 0x00}, {0xf8, 0xe8, 0x50, 0}, {0x17, 0x80, 0, 0, 8}} {
		f.Add(seed, 48_000, 2)
	}
	f.Fuzz(func(t *testing.T, config []byte, rate, channels int) {
		format := footage.AudioFormat{Codec: footage.AAC, Rate: rate, Channels: channels, Config: config}
		header, size, err := Compose([]Track{{Sound: format}}, slices.Values([]Chunk{{Sound: []Run{{2, 9, 1024}}}}))
		if err != nil {
			if !errors.Is(err, ErrInput) {
				t.Fatal(err)
			}
			return
		}
		file, err := lib.DecodeFile(bytes.NewReader(header[:len(header)-8]))
		if err != nil || size != 18 {
			t.Fatal(size, err)
		}
		if got := file.Moov.Trak.Mdia.Minf.Stbl.Stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig; !bytes.Equal(got, config) {
			t.Fatalf("% x became % x", config, got)
		}
	})
}
