package story

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

type video struct {
	codec    string
	streams  int
	frames   int
	duration float64 // seconds
	tags     map[string]string
}

// probe has ffprobe decode a video, which also shows that it can be played. The
// file is in memory: what is tested is footage.
func (w *World) probe(ctx context.Context, r io.Reader) (video, error) {
	f, err := memory()
	if err != nil {
		return video{}, err
	}
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return video{}, fmt.Errorf("story: %w", err)
	}
	name := w.FFprobe
	if name == "" {
		name = "ffprobe"
	}
	cmd := exec.CommandContext(ctx, name, "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", "/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return video{}, fmt.Errorf("story: ffprobe: %w", err)
	}
	var a struct {
		Streams []struct {
			Codec    string            `json:"codec_name"`
			Duration string            `json:"duration"`
			Frames   string            `json:"nb_read_frames"`
			Tags     map[string]string `json:"tags"`
		}
		Format struct {
			Duration string            `json:"duration"`
			Tags     map[string]string `json:"tags"`
		}
	}
	if err := json.Unmarshal(out, &a); err != nil || len(a.Streams) == 0 {
		return video{}, fmt.Errorf("story: ffprobe printed %q: %w", out, err)
	}
	v := video{codec: a.Streams[0].Codec, streams: len(a.Streams), tags: map[string]string{}}
	if v.duration, err = strconv.ParseFloat(a.Format.Duration, 64); err != nil {
		return video{}, fmt.Errorf("story: the duration %q: %w", a.Format.Duration, err)
	}
	if v.frames, err = strconv.Atoi(a.Streams[0].Frames); err != nil {
		return video{}, fmt.Errorf("story: the number of frames %q: %w", a.Streams[0].Frames, err)
	}
	for _, tags := range []map[string]string{a.Format.Tags, a.Streams[0].Tags} {
		for k, t := range tags {
			switch k {
			case "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id", "language":
				// What every MP4 file has.
			default:
				v.tags[k] = t
			}
		}
	}
	return v, nil
}
