package codec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Limits bound what is taken.
type Limits struct {
	Width, Height int     // pixels
	Seconds       float64 // length of the clip
}

// Info is what ffprobe says of a clip.
type Info struct {
	Width, Height int     // as shown, even
	Codec         string  // ffmpeg's name
	Rate          float64 // frames a second, estimated
	Frames        int     // estimated, 0 = unknown
	Aspect        string  // of a sample, "" = square
	Tracks        []Track // all streams of the file
}

// Sound returns the channels of the first track of sound, 0 where there is none.
func (i Info) Sound() int {
	for _, t := range i.Tracks {
		if t.Type == "audio" {
			return max(1, t.Channels)
		}
	}
	return 0
}

// A Track is one stream of a file.
type Track struct {
	Type, Codec string
	Channels    int // of sound
}

type probed struct {
	Streams []struct {
		Type     string `json:"codec_type"`
		Codec    string `json:"codec_name"`
		Width    int    `json:"width"`
		Height   int    `json:"height"`
		Rate     string `json:"avg_frame_rate"`
		Frames   string `json:"nb_frames"`
		Channels int    `json:"channels"`
		Duration string `json:"duration"`
		Aspect   string `json:"sample_aspect_ratio"`
		Side     []struct {
			Rotation float64 `json:"rotation"`
		} `json:"side_data_list"`
		Disposition struct {
			Picture int `json:"attached_pic"`
		} `json:"disposition"`
	} `json:"streams"`
	Format struct {
		Duration string `json:"duration"`
	} `json:"format"`
}

const inputFD = "/proc/self/fd/3" // the first of exec.Cmd.ExtraFiles

// containers are ffmpeg's names of what a clip may come in: none that is a list
// of other files or addresses. Landlock refuses those in any case; this holds
// where a sandbox without it was allowed.
const containers = "mov,matroska,avi,mpegts,mpegtsraw,mpeg,mpegvideo,h264,hevc,h263,m4v,mjpeg,mpjpeg,mjpeg_2000,vc1,av1,obu,ivf,flv,asf,asf_o,ogg,nut,nuv,mxf,gxf,dv," +
	"dhav,lmlm4,ingenient,rm,wtv,ty,nsv,yuv4mpegpipe,wav,gif,gif_pipe,apng,png_pipe,jpeg_pipe,webp_pipe,bmp_pipe"

// Probe reads what in holds. in is a regular file or one in memory.
func (t Tools) Probe(ctx context.Context, in *os.File, l Limits) (Info, error) {
	out, said := tail{keep: 256 << 10}, tail{}
	c, cleanup, err := t.command(ctx, t.FFprobe, "-v", "error", "-protocol_whitelist", "file", "-format_whitelist", containers, "-of", "json",
		"-show_entries", "stream=codec_type,codec_name,width,height,avg_frame_rate,nb_frames,channels,duration,sample_aspect_ratio:stream_side_data=rotation:stream_disposition=attached_pic:format=duration",
		inputFD)
	if err != nil {
		return Info{}, err
	}
	defer cleanup()
	c.ExtraFiles = []*os.File{in}
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return Info{}, ctx.Err()
		}
		return Info{}, NotVideo.With(fmt.Errorf("codec: ffprobe: %w: %s", err, said.clean()))
	}
	return parse(out.b, l)
}

func parse(b []byte, l Limits) (Info, error) {
	var p probed
	if err := json.Unmarshal(b, &p); err != nil {
		return Info{}, NotVideo.With(fmt.Errorf("codec: ffprobe answers what is no JSON: %w", err))
	}
	return p.info(l)
}

var ratio = regexp.MustCompile(`^(\d{1,9}):(\d{1,9})$`)

func (p *probed) info(l Limits) (Info, error) {
	var i Info
	for _, s := range p.Streams {
		if len(i.Tracks) < 64 {
			i.Tracks = append(i.Tracks, Track{s.Type, s.Codec, s.Channels})
		}
		if s.Type != "video" || i.Codec != "" || s.Disposition.Picture != 0 {
			continue
		}
		w, h, turned := s.Width, s.Height, false
		for _, d := range s.Side {
			turned = turned || math.Mod(math.Abs(d.Rotation), 180) == 90
		}
		if turned {
			w, h = h, w
		}
		if w > l.Width || h > l.Height {
			// A camera turned on its side keeps its bound.
			if !turned || w > l.Height || h > l.Width {
				return Info{}, TooLarge.With(fmt.Errorf("codec: a picture of %dx%d, at most %dx%d", w, h, l.Width, l.Height))
			}
		}
		i.Width, i.Height, i.Codec = w&^1, h&^1, s.Codec
		if num, den, ok := strings.Cut(s.Rate, "/"); ok {
			i.Rate = positive(num) / positive(den)
		}
		if !(i.Rate >= 0.01 && i.Rate <= 1000) {
			i.Rate = 25
		}
		seconds := positive(s.Duration)
		if seconds == 0 {
			seconds = positive(p.Format.Duration)
		}
		if seconds > l.Seconds {
			return Info{}, TooLarge.With(fmt.Errorf("codec: a clip of %.0f s, at most %.0f", seconds, l.Seconds))
		}
		i.Frames = int(min(positive(s.Frames), 1e9))
		if i.Frames == 0 {
			i.Frames = int(seconds * i.Rate)
		}
		if m := ratio.FindStringSubmatch(s.Aspect); m != nil && m[1] != "0" && m[2] != "0" && m[1] != m[2] {
			i.Aspect = m[1] + "/" + m[2]
			if turned {
				i.Aspect = m[2] + "/" + m[1]
			}
		}
	}
	if i.Width < 16 || i.Height < 16 {
		return Info{}, NotVideo.With(errors.New("codec: no video stream of at least 16x16 pixels"))
	}
	return i, nil
}

// positive returns s as a number, 0 where it is none or not above 0.
func positive(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
