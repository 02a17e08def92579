package casework

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/redact"
	"veilbox/redact/subject"
)

// The still scene is learnt from keyframes of the hours before the clip. It is
// fewer pictures where they are large: they lie in memory while the copy is made.
const (
	sceneBack     = 24 * time.Hour
	scenePictures = 120
	sceneLeast    = 40 // pictures
	sceneSpan     = 2 * time.Hour
	sceneGap      = time.Minute // before the clip, in which the clip's people may stand still
	sceneBytes    = 48 << 20
)

// scene returns the pictures that the still scene of c's camera is learnt from,
// or what the ring is too short for: then nothing of the scene is shown.
func (s *Service) scene(ctx context.Context, c incident.Case, f footage.Format) (*redact.Scene, []string, error) {
	if c.Choice.Mode != subject.StillScene {
		return nil, nil, nil
	}
	short := []string{incident.NoticeShortScene}
	to := c.Clip.Span.From - footage.Ticks(sceneGap.Seconds()*footage.TicksPerSecond)
	from := to - footage.Ticks(sceneBack.Seconds()*footage.TicksPerSecond)
	runs, err := s.o.Ring.Timeline(ctx, c.Clip.Camera, footage.Span{From: from, To: to})
	if err != nil {
		return nil, nil, fmt.Errorf("casework: %w", err)
	}
	var all []clip.KeyframeAt
	n := scenePictures
	for {
		times := spread(runs, n)
		if len(times) < sceneLeast {
			return nil, short, nil
		}
		// The first few say how large they are.
		few, err := clip.Keyframes(ctx, s.o.Ring, c.Clip.Camera, times[:4])
		if err != nil {
			return nil, nil, fmt.Errorf("casework: %w", err)
		}
		largest := 1
		for _, k := range few {
			largest = max(largest, len(k.Data))
		}
		if fit := sceneBytes / largest; fit < n {
			n = fit
			continue
		}
		all, err = clip.Keyframes(ctx, s.o.Ring, c.Clip.Camera, times)
		if err != nil {
			return nil, nil, fmt.Errorf("casework: %w", err)
		}
		break
	}
	var album []clip.KeyframeAt
	var at []footage.Ticks
	size := 0
	for _, k := range all {
		if k.Data == nil || !k.Format.Equal(f) || len(at) > 0 && k.At <= at[len(at)-1] || size+len(k.Data) > sceneBytes {
			continue
		}
		size += len(k.Data)
		album, at = append(album, k), append(at, k.At)
	}
	if len(album) < sceneLeast || time.Duration(float64(at[len(at)-1]-at[0])/footage.TicksPerSecond*float64(time.Second)) < sceneSpan {
		return nil, short, nil
	}
	movie, err := clip.Album(album)
	if err != nil {
		return nil, nil, fmt.Errorf("casework: the pictures of the scene: %w", err)
	}
	return &redact.Scene{Times: at, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(movie)), nil }}, nil, nil
}

// spread returns up to n times, evenly over what is recorded.
func spread(runs []footage.Span, n int) []footage.Ticks {
	var total footage.Ticks
	for _, r := range runs {
		total += r.To - r.From
	}
	if total <= 0 || n <= 0 {
		return nil
	}
	step := max(total/footage.Ticks(n), footage.TicksPerSecond)
	var out []footage.Ticks
	next := step / 2 // into what is recorded
	var before footage.Ticks
	for _, r := range runs {
		for ; next < before+r.To-r.From && len(out) < n; next += step {
			out = append(out, r.From+next-before)
		}
		before += r.To - r.From
	}
	return out
}
