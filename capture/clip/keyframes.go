package clip

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
	"veilbox/capture/ring"
)

// Bounds of Keyframes.
const (
	MaxKeyframes     = 1000
	maxKeyframeBytes = 256 << 20
)

// albumFrame is how long each picture of an album is shown, in ticks.
const albumFrame = footage.TicksPerSecond / 25

// ErrAlbum says that keyframes do not make an album.
var ErrAlbum = errors.New("clip: an album is of keyframes of one format; group them by format and leave out those without data")

// A KeyframeAt is the keyframe that was current at a time.
type KeyframeAt struct {
	Asked  footage.Ticks
	At     footage.Ticks // when it was shown
	Format footage.Format
	// Data is the sample as a part holds it; nil where nothing was recorded at
	// the time asked for, or its part is damaged or deleted.
	Data []byte
}

// Keyframes returns for each time the keyframe that was current then, the last
// one at or before it. It reads one part for each keyframe, and none twice
// where the times are in order.
func Keyframes(ctx context.Context, src Source, cam footage.CameraID, times []footage.Ticks) ([]KeyframeAt, error) {
	if len(times) > MaxKeyframes {
		return nil, ErrSpan
	}
	out := make([]KeyframeAt, len(times))
	var total int
	for i, t := range times {
		out[i].Asked = t
		if i > 0 && t == times[i-1] {
			out[i] = out[i-1]
			continue
		}
		if t <= 0 {
			continue
		}
		parts, err := src.Parts(ctx, cam, footage.Span{From: t, To: t + 1})
		if err != nil {
			if errors.Is(err, ring.ErrDamaged) {
				continue
			}
			return nil, fmt.Errorf("clip: %w", err)
		}
		k, ok := keyframeAt(parts, t)
		if !ok {
			continue
		}
		out[i].At, out[i].Format = k.at, parts[k.part].Format
		if i > 0 && out[i-1].At == k.at && out[i-1].Data != nil {
			out[i].Data = out[i-1].Data
			continue
		}
		p, err := src.Read(ctx, parts[k.part])
		if errors.Is(err, ring.ErrDamaged) || errors.Is(err, ring.ErrGone) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("clip: %w", err)
		}
		if len(p.Data) < k.off+k.size {
			continue
		}
		out[i].Data = slices.Clone(p.Data[k.off:][:k.size])
		if total += k.size; total > maxKeyframeBytes {
			return nil, fmt.Errorf("clip: more than %d MiB of keyframes: ask for fewer at a time", maxKeyframeBytes>>20)
		}
	}
	return out, nil
}

type keyframe struct {
	at              footage.Ticks
	part, off, size int
}

// keyframeAt finds the keyframe that is current at t in parts, which reach back
// to one. Nothing is current behind the end of the last part.
func keyframeAt(parts []ring.PartInfo, t footage.Ticks) (k keyframe, ok bool) {
	if len(parts) == 0 || parts[len(parts)-1].End+ring.Join <= t || parts[0].Start > t {
		return k, false
	}
	lag := delay(parts)
	for i := range parts {
		at, off := parts[i].Start, 0
		for _, s := range parts[i].Samples {
			if s.Key {
				if shown := at + footage.Ticks(s.Offset) - lag; shown <= t || !ok {
					k, ok = keyframe{shown, i, off, int(s.Size)}, true
				}
			}
			at += footage.Ticks(s.Duration)
			off += int(s.Size)
		}
	}
	return k, ok
}

// Album returns an MP4 with a sample for each keyframe, each shown for 1/25 s,
// for a decoder in the sandbox. All have data and one format.
func Album(keyframes []KeyframeAt) ([]byte, error) {
	if len(keyframes) == 0 || len(keyframes) > MaxKeyframes {
		return nil, ErrAlbum
	}
	samples := make([]footage.Sample, len(keyframes))
	for i := range keyframes {
		k := &keyframes[i]
		if len(k.Data) == 0 || !k.Format.Equal(keyframes[0].Format) {
			return nil, ErrAlbum
		}
		samples[i] = footage.Sample{Size: uint32(len(k.Data)), Duration: albumFrame, Key: true}
	}
	header, size, err := mp4.Header(keyframes[0].Format, slices.Values([][]footage.Sample{samples}), mp4.Options{})
	if err != nil {
		return nil, fmt.Errorf("clip: album: %w", err)
	}
	b := slices.Grow(header, int(size))
	for i := range keyframes {
		b = append(b, keyframes[i].Data...)
	}
	return b, nil
}
