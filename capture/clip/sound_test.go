package clip

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/capture/ring"
)

// memory is a source of parts that lie in memory; it counts what is read.
type memory struct {
	parts []*footage.Part
	reads map[footage.Ticks]int
	fails map[footage.Ticks]error
}

func (m *memory) Parts(_ context.Context, cam footage.CameraID, span footage.Span) ([]ring.PartInfo, error) {
	var out []ring.PartInfo
	for _, p := range m.parts {
		if p.Start >= span.To {
			break
		}
		if !p.Continues && p.Start <= span.From {
			out = out[:0]
		}
		if p.Span().To <= span.From && p.Span().To != 0 && !p.Continues && p.Start+p.Duration() <= span.From {
			continue
		}
		i := ring.PartInfo{Camera: cam, Start: p.Start, End: p.Span().To, Continues: p.Continues, Format: p.Format, Samples: p.Samples, Size: int64(len(p.Data)), Audio: p.Audio}
		i.Audio.Data = nil
		out = append(out, i)
	}
	return out, nil
}

func (m *memory) Read(_ context.Context, p ring.PartInfo) (*footage.Part, error) {
	if m.reads == nil {
		m.reads = map[footage.Ticks]int{}
	}
	m.reads[p.Start]++
	if err := m.fails[p.Start]; err != nil {
		return nil, err
	}
	for _, q := range m.parts {
		if q.Start == p.Start {
			return q, nil
		}
	}
	return nil, ring.ErrGone
}

var sounds = []footage.AudioCodec{footage.AAC, footage.PCMA, footage.PCMU, footage.Opus}

func probe(t testing.TB, path string, args ...string) string {
	t.Helper()
	out, err := exec.Command("ffprobe", append(append([]string{"-v", "error", "-of", "csv=p=0"}, args...), path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestEveryPictureWithEverySound(t *testing.T) {
	for _, codec := range []footage.Codec{footage.H264, footage.H265, footage.MJPEG} {
		made := mp4test.Parts(t, codec, "till-1", start(), 4)
		for _, audio := range sounds {
			if codec == footage.H265 && audio != footage.AAC {
				continue
			}
			t.Run(codec.String()+" "+audio.String(), func(t *testing.T) {
				parts := clone(made)
				mp4test.AddSound(t, parts, audio)
				src := &memory{parts: parts}
				m, err := OpenWith(t.Context(), src, "till-1", footage.Span{From: start() + second/2, To: start() + 7*second/2}, Options{Audio: All})
				if err != nil {
					t.Fatal(err)
				}
				path := save(t, m)
				if got := len(mp4test.PictureHashes(t, path)); got != 76 {
					t.Errorf("%d pictures, want 76", got)
				}
				// The movie begins at 0.48 with the picture that is current at 0.5.
				beeps(t, path, 0.82, 1.82, 2.82)
				names := map[footage.AudioCodec]string{footage.AAC: "aac", footage.PCMA: "pcm_alaw", footage.PCMU: "pcm_mulaw", footage.Opus: "opus"}
				if got := probe(t, path, "-select_streams", "a", "-show_entries", "stream=codec_name"); got != names[audio] {
					t.Errorf("the sound is %s", got)
				}
				a := m.About()
				if a.Parts != 4 || a.Audio.Units == 0 || a.Audio.Why != "" || a.Audio.Silence != 0 || a.Audio.Dropped != 0 || a.Audio.Other {
					t.Errorf("About: %+v", a.Audio)
				}
				for at, n := range src.reads {
					if n != 1 {
						t.Errorf("the part of second %v was read %d times", (at - start()).Duration(), n)
					}
				}
			})
		}
	}
}

func TestSoundComesFromTheRing(t *testing.T) {
	r := openRing(t, t.TempDir())
	parts := mp4test.Parts(t, footage.H264, "till-1", start(), 4)
	mp4test.AddSound(t, parts, footage.AAC)
	parts[0].Audio = footage.Audio{} // its first unit begins before the pictures
	appendAll(t, r, parts)
	span := footage.Span{From: start() + second/2, To: start() + 7*second/2}
	var hashes [2]footage.ClipHash
	for i, src := range []Source{r, &memory{parts: parts}} {
		m, err := OpenWith(t.Context(), src, "till-1", span, Options{Audio: All})
		if err != nil {
			t.Fatal(err)
		}
		if hashes[i], err = m.Hash(t.Context()); err != nil || m.About().Audio.Units == 0 {
			t.Fatal(m.About().Audio, err)
		}
	}
	if hashes[0] != hashes[1] {
		t.Error("the ring's movie is not that of its parts")
	}
}

func clone(parts []*footage.Part) []*footage.Part {
	var out []*footage.Part
	for _, p := range parts {
		q := *p
		out = append(out, &q)
	}
	return out
}

// beeps fails the test where a tone is off by more than a frame.
func beeps(t *testing.T, path string, want ...float64) {
	t.Helper()
	got := mp4test.Beeps(t, path)
	if len(got) != len(want) {
		t.Errorf("tones at %v, want %v", got, want)
		return
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 0.04 {
			t.Errorf("tone %d at %v, want %v", i, got[i], want[i])
		}
	}
}

func TestSoundStaysBesideThePictures(t *testing.T) {
	made := mp4test.Parts(t, footage.H264, "till-1", start(), 6)
	for _, audio := range sounds {
		for name, c := range map[string]struct {
			change  func([]*footage.Part)
			want    []float64
			silence time.Duration
		}{
			"hole in the sound": {func(p []*footage.Part) { p[2].Audio = footage.Audio{} }, []float64{0.3, 1.3, 3.3, 4.3, 5.3}, time.Second},
			"hole in both": {func(p []*footage.Part) {
				for _, x := range p[3:] {
					x.Start += 2 * second
					x.Audio.Start += 2 * second
				}
			}, []float64{0.3, 1.3, 2.3, 5.3, 6.3, 7.3}, 2 * time.Second},
			"begins late": {func(p []*footage.Part) { p[0].Audio, p[1].Audio = footage.Audio{}, footage.Audio{} }, []float64{2.3, 3.3, 4.3, 5.3}, 0},
			"ends early":  {func(p []*footage.Part) { p[4].Audio, p[5].Audio = footage.Audio{}, footage.Audio{} }, []float64{0.3, 1.3, 2.3, 3.3}, 0},
		} {
			t.Run(audio.String()+" "+name, func(t *testing.T) {
				parts := clone(made)
				mp4test.AddSound(t, parts, audio)
				c.change(parts)
				m, err := OpenWith(t.Context(), &memory{parts: parts}, "till-1", footage.Span{From: start(), To: start() + 20*second}, Options{Audio: All})
				if err != nil {
					t.Fatal(err)
				}
				path := save(t, m)
				want := c.want
				if name == "begins late" {
					at, err := strconv.ParseFloat(probe(t, path, "-select_streams", "a", "-show_entries", "stream=start_time"), 64)
					if err != nil || at < 1.93 || at > 2.07 {
						t.Errorf("the sound begins at %v, %v", at, err)
					}
					want = nil // decoded as it comes
					for _, x := range c.want {
						want = append(want, x-at)
					}
				}
				beeps(t, path, want...)
				if got := m.About().Audio.Silence; (got - c.silence).Abs() > 80*time.Millisecond {
					t.Errorf("silence for %v, want %v", got, c.silence)
				}
			})
		}
	}
}

// Sound that comes late lies in the part behind: it is heard beside its picture
// all the same, also at the end of the span.
func TestLateSoundIsInTheNextPart(t *testing.T) {
	made := mp4test.Parts(t, footage.H264, "till-1", start(), 5)
	for _, audio := range sounds {
		for _, late := range []footage.Ticks{second / 4, second / 2} {
			t.Run(fmt.Sprint(audio, late.Duration()), func(t *testing.T) {
				parts := clone(made)
				mp4test.AddSound(t, parts, audio)
				delaySound(parts, late)
				// The tone of 2.7 to 2.9 s lies behind the span's last part.
				shifted := false
				for _, p := range parts[1:] {
					shifted = shifted || len(p.Audio.Samples) > 0 && p.Audio.Start < p.Start-late/2
				}
				if !shifted {
					t.Fatal("no sound lies in the part behind its own")
				}
				span := footage.Span{From: start(), To: start() + 3*second}
				m, err := OpenWith(t.Context(), &memory{parts: parts}, "till-1", span, Options{Audio: All})
				if err != nil {
					t.Fatal(err)
				}
				path := save(t, m)
				beeps(t, path, 0.3, 1.3, 2.3)
				length := func(of string) float64 {
					d, err := strconv.ParseFloat(probe(t, path, "-select_streams", of, "-show_entries", "stream=duration"), 64)
					if err != nil {
						t.Fatal(err)
					}
					return d
				}
				if a, v := length("a"), length("v"); math.Abs(a-v) > 0.06 {
					t.Errorf("the sound ends at %v s, the pictures at %v", a, v)
				}
				if a := m.About().Audio; a.Dropped != 0 || a.Silence != 0 || a.Why != "" {
					t.Errorf("About: %+v", a)
				}
				if got := len(mp4test.PictureHashes(t, path)); got != 75 {
					t.Errorf("%d pictures, want 75", got)
				}
				var b bytes.Buffer
				if err := m.WriteFragments(t.Context(), &b, FragmentOptions{}); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "fragments.mp4")
				if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				primed := 0.0
				if audio == footage.AAC {
					primed = 0.064 // ffmpeg does not hide in fragments what only primes the decoder
				}
				beeps(t, file, 0.3+primed, 1.3+primed, 2.3+primed)
			})
		}
	}
}

// delaySound moves each part's last sound, of the time late, to the part behind.
func delaySound(parts []*footage.Part, late footage.Ticks) {
	var carry footage.Audio
	for i, p := range parts {
		all := footage.Audio{Format: p.Audio.Format, Start: p.Audio.Start}
		if len(carry.Samples) > 0 {
			all.Start = carry.Start
		}
		all.Samples = append(append(all.Samples, carry.Samples...), p.Audio.Samples...)
		all.Data = append(append(all.Data, carry.Data...), p.Audio.Data...)
		at, n, size := all.Start, 0, 0
		for ; n < len(all.Samples) && (i == len(parts)-1 || at < p.Span().To-late); n++ {
			at += footage.Ticks(all.Samples[n].Duration)
			size += int(all.Samples[n].Size)
		}
		p.Audio = footage.Audio{Format: all.Format, Start: all.Start, Samples: all.Samples[:n:n], Data: all.Data[:size:size]}
		carry = footage.Audio{Start: at, Samples: all.Samples[n:], Data: all.Data[size:]}
	}
}

func TestSoundNeverCostsPictures(t *testing.T) {
	made := mp4test.Parts(t, footage.H264, "till-1", start(), 4)
	plain, err := Open(t.Context(), &memory{parts: made}, "till-1", footage.Span{From: start(), To: start() + 4*second})
	if err != nil {
		t.Fatal(err)
	}
	silent, err := plain.Hash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func([]*footage.Part)
		use    Audio
		why    string
		units  bool
	}{
		"none asked for":   {func([]*footage.Part) {}, None, "", false},
		"not for browsers": {func([]*footage.Part) {}, Browser, SoundBrowser, false},
		"format changes":   {func(p []*footage.Part) { p[2].Audio.Format.Rate, p[3].Audio.Format.Rate = 16_000, 16_000 }, All, SoundChanged, true},
		"rate of nothing":  {func(p []*footage.Part) { setSound(p, footage.AudioFormat{Codec: footage.PCMA, Channels: 1}) }, All, SoundUnusable, false},
		"AAC without setup": {func(p []*footage.Part) {
			setSound(p, footage.AudioFormat{Codec: footage.AAC, Rate: 16_000, Channels: 1})
		}, All, SoundUnusable, false},
		"odd bytes of stereo": {func(p []*footage.Part) {
			p[0].Audio.Samples[0].Size = 159
			setSound(p, footage.AudioFormat{Codec: footage.PCMA, Rate: 8000, Channels: 2})
		}, All, SoundUnusable, false},
		"unknown codec": {func(p []*footage.Part) { setSound(p, footage.AudioFormat{Codec: 9, Rate: 8000, Channels: 1}) }, All, SoundUnusable, false},
		"all before the movie": {func(p []*footage.Part) {
			p[0].Audio.Start -= second
			p[1].Audio, p[2].Audio, p[3].Audio = footage.Audio{}, footage.Audio{}, footage.Audio{}
		}, All, SoundUnusable, false},
	} {
		t.Run(name, func(t *testing.T) {
			parts := clone(made)
			mp4test.AddSound(t, parts, footage.PCMA)
			c.change(parts)
			m, err := OpenWith(t.Context(), &memory{parts: parts}, "till-1", footage.Span{From: start(), To: start() + 4*second}, Options{Audio: c.use})
			if err != nil {
				t.Fatal(err)
			}
			a := m.About().Audio
			if a.Why != c.why || (a.Units > 0) != c.units || a.Other != (c.use == None) {
				t.Errorf("About: %+v", a)
			}
			if c.units {
				if a.Until != start()+2*second {
					t.Errorf("sound until %v", (a.Until - start()).Duration())
				}
				beeps(t, save(t, m), 0.3, 1.3)
				return
			}
			if h, err := m.Hash(t.Context()); err != nil || h != silent {
				t.Errorf("not the bytes of the movie without sound: %v", err)
			}
		})
	}
}

func setSound(parts []*footage.Part, f footage.AudioFormat) {
	for _, p := range parts {
		p.Audio.Format = f
	}
}

// A camera may say anything of its sound; what is laid out stays beside the
// wall clock and within the part.
func FuzzSoundLayout(f *testing.F) {
	f.Add(uint8(1), int64(0), []byte{20, 64, 20, 64, 20, 64})
	f.Add(uint8(2), int64(90_000), []byte{160, 20, 0, 0, 160, 255})
	f.Add(uint8(4), int64(-5000), []byte{3, 0, 3, 255, 3, 20})
	f.Fuzz(func(t *testing.T, codec uint8, shift int64, b []byte) {
		if shift < -10*second || shift > 10*second || len(b) > 400 {
			return
		}
		format := mp4test.SoundFormat(footage.AudioCodec(codec))
		if format.Codec == footage.AAC {
			format.Config = []byte{0x14, 0x08}
		}
		p := info(1000*second, goldenH264, 90_000, 90_000)
		q := info(1003*second, goldenH264, 90_000, 90_000)
		var size int
		for _, p := range []*ring.PartInfo{&p, &q} {
			p.Audio = footage.Audio{Format: format, Start: p.Start + footage.Ticks(shift)}
			size = 0
			for c := range slices.Chunk(b, 2) {
				s := footage.AudioSample{Size: uint32(c[0]), Duration: uint32(c[len(c)-1]) * 90}
				p.Audio.Samples = append(p.Audio.Samples, s)
				size += int(s.Size)
			}
		}
		m, err := OpenWith(t.Context(), fake{[]ring.PartInfo{p, q}}, "a", footage.Span{From: 1000 * second, To: 1005 * second}, Options{Audio: All})
		if err != nil {
			t.Fatal(err)
		}
		var at int64
		for _, x := range m.pieces {
			if x.size <= 0 || x.at != at+int64(len(m.header)) || x.kind == heard && (x.off < 0 || x.off+x.size > int64(size)) {
				t.Fatalf("piece %+v at %d", x, at)
			}
			at += x.size
		}
		if m.sound != nil && m.audio.Silence > 5*time.Second {
			t.Fatal("silence for", m.audio.Silence)
		}
	})
}

func TestSilenceIsSilent(t *testing.T) {
	made := mp4test.Parts(t, footage.H264, "till-1", start(), 1)[0]
	for _, audio := range sounds {
		for _, channels := range []int{1, 2} {
			f := mp4test.SoundFormat(audio)
			f.Channels = channels
			if audio == footage.AAC {
				f.Config = []byte{0x14, byte(channels << 3)}
			}
			unit := map[footage.AudioCodec]uint32{footage.AAC: 5760, footage.Opus: 1800}[audio]
			size := uint32(160 * channels)
			part := *made
			s := newSound(f, footage.AudioSample{Size: size, Duration: unit}, part.Start, part.Span())
			// Silence on both sides of silence.
			part.Audio = footage.Audio{Format: f, Start: part.Start, Samples: []footage.AudioSample{{Size: uint32(len(s.fill)), Duration: 45_000}, {Size: uint32(len(s.fill)), Duration: 45_000}}, Data: append(slices.Clone(s.fill), s.fill...)}
			m, err := OpenWith(t.Context(), &memory{parts: []*footage.Part{&part}}, "a", part.Span(), Options{Audio: All})
			if err != nil {
				t.Fatal(err)
			}
			path := save(t, m)
			out, err := exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", path, "-vn", "-af", "volumedetect", "-f", "null", "-").CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Errorf("%v in %d channels: %v %s", audio, channels, err, out)
			}
			if got := probe(t, path, "-select_streams", "a", "-show_entries", "stream=channels"); got != fmt.Sprint(channels) {
				t.Errorf("%v: %s channels, want %d", audio, got, channels)
			}
			if got := mp4test.Beeps(t, path); len(got) != 0 {
				t.Errorf("%v: not silent at %v", audio, got)
			}
		}
	}
}
