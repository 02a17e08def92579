package proof

import (
	"fmt"
	"iter"
	"slices"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
)

// Sound that is kept in a copy is AAC-LC (ISO/IEC 14496-3) in access units of
// unitLength instants, from the first frame on, without an edit: who writes it
// leaves out the unit in which an encoder only primes.
const (
	unitLength = 1024
	unitMost   = 768 // bytes of a channel in a unit, ISO/IEC 14496-3 §4.5.3
)

// rates are the sampling rates of AAC by their index, ISO/IEC 14496-3 §1.6.3.4.
var rates = []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// SoundFormat returns the one description of sound of rate and channels that a
// copy may have.
func SoundFormat(rate, channels int) (footage.AudioFormat, error) {
	i := slices.Index(rates, rate)
	if i < 0 || channels < 1 || channels > 2 {
		return footage.AudioFormat{}, fmt.Errorf("proof: sound of %d Hz in %d channels: code it in a rate that AAC has, in 1 or 2 channels", rate, channels)
	}
	// Type of object 2, index of the rate, channels; frames of 1024.
	c := 2<<11 | i<<7 | channels<<3
	return footage.AudioFormat{Codec: footage.AAC, Rate: rate, Channels: channels, Config: []byte{byte(c >> 8), byte(c)}}, nil
}

// Layout is how the samples of a copy lie in its file; there is one way, so that
// a file has one form. Pictures are track 0, in chunks that begin with a
// keyframe each; behind such a chunk come the units of sound, track 1, that
// begin before the next one does, and behind the last chunk all that are left.
// Durations of pictures are ticks, those of sound are instants at rate.
func Layout(video, sound []footage.Sample, rate int) iter.Seq[mp4.Chunk] {
	return func(yield func(mp4.Chunk) bool) {
		var at, heard int64
		var runs []mp4.Run
		for from := 0; from < len(video); {
			to := from + 1
			for to < len(video) && !video[to].Key {
				to++
			}
			if !yield(mp4.Chunk{Samples: video[from:to]}) {
				return
			}
			for _, s := range video[from:to] {
				at += int64(s.Duration)
			}
			runs = runs[:0]
			for len(sound) > 0 && (to == len(video) || heard*footage.TicksPerSecond < at*int64(rate)) {
				s := sound[0]
				if n := len(runs); n > 0 && runs[n-1].Size == s.Size && runs[n-1].Length == s.Duration {
					runs[n-1].Count++
				} else {
					runs = append(runs, mp4.Run{Count: 1, Size: s.Size, Length: s.Duration})
				}
				heard += int64(s.Duration)
				sound = sound[1:]
			}
			if len(runs) > 0 && !yield(mp4.Chunk{Track: 1, Sound: runs}) {
				return
			}
			from = to
		}
	}
}

// Header returns everything in front of the samples of a copy, and how many
// bytes the samples are. Without samples of sound there is no track of it.
func Header(f footage.Format, video []footage.Sample, a footage.AudioFormat, sound []footage.Sample) (header []byte, data int64, err error) {
	tracks := []mp4.Track{{Formats: []footage.Format{f}, Expect: len(video)}}
	if len(sound) > 0 {
		tracks = append(tracks, mp4.Track{Sound: a, Expect: len(sound)})
	}
	header, data, err = mp4.Compose(tracks, Layout(video, sound, a.Rate))
	if err != nil {
		return nil, 0, fmt.Errorf("proof: the copy's tables: %w", err)
	}
	return header, data, nil
}
