package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"veilbox/capture/footage"
)

// A sound is a rising tone in a loop of 4 s, no two units of which are alike.
type sound struct {
	units  [][]byte
	rate   int64
	lasts  int64 // RTP time of a unit
	media  *description.Media
	encode func([]byte) ([]*rtp.Packet, error)
	next   int
	pos    int64
}

func newSound(ctx context.Context, opt Options) (*sound, error) {
	s := &sound{rate: 8000, lasts: 160}
	args := []string{"-nostdin", "-hide_banner", "-v", "error", "-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*(220+60*t)*t):s=48000:d=4", "-ac", "1"}
	switch opt.Audio {
	case footage.AAC:
		s.rate, s.lasts = 16000, 1024
		args = append(args, "-ar", "16000", "-c:a", "aac", "-b:a", "32k", "-f", "adts")
	case footage.PCMA:
		args = append(args, "-ar", "8000", "-c:a", "pcm_alaw", "-f", "alaw")
	case footage.PCMU:
		args = append(args, "-ar", "8000", "-c:a", "pcm_mulaw", "-f", "mulaw")
	case footage.Opus:
		s.rate, s.lasts = 48000, 960
		args = append(args, "-c:a", "libopus", "-b:a", "24k", "-frame_duration", "20", "-f", "ogg")
	default:
		return nil, fmt.Errorf("%v is not made here", opt.Audio)
	}
	cmd := exec.CommandContext(ctx, opt.FFmpeg, append(args, "pipe:1")...)
	var complaint bytes.Buffer
	cmd.Stderr = &limited{w: &complaint, left: 4096}
	b, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	var f format.Format
	switch opt.Audio {
	case footage.AAC:
		f, err = s.aac(b, opt.LATM)
	case footage.Opus:
		f, err = s.opus(b)
	default:
		f, err = s.g711(b, opt.Audio == footage.PCMU)
	}
	if err != nil {
		return nil, err
	}
	if len(s.units) == 0 {
		return nil, errors.New("no sound came out")
	}
	s.media = &description.Media{Type: description.MediaTypeAudio, Formats: []format.Format{f}}
	return s, nil
}

func (s *sound) aac(b []byte, latm bool) (format.Format, error) {
	var packets mpeg4audio.ADTSPackets
	if err := packets.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("ADTS: %w", err)
	}
	for _, p := range packets {
		s.units = append(s.units, p.AU)
	}
	c := &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: packets[0].SampleRate, ChannelCount: packets[0].ChannelCount}
	if !latm {
		f := &format.MPEG4Audio{PayloadTyp: soundPayload, Config: c, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
		e, err := f.CreateEncoder()
		s.encode = func(u []byte) ([]*rtp.Packet, error) { return e.Encode([][]byte{u}) }
		return f, err
	}
	mux := &mpeg4audio.StreamMuxConfig{Programs: []*mpeg4audio.StreamMuxConfigProgram{{Layers: []*mpeg4audio.StreamMuxConfigLayer{{
		AudioSpecificConfig: c, LatmBufferFullness: 255,
	}}}}}
	f := &format.MPEG4AudioLATM{PayloadTyp: soundPayload, ProfileLevelID: 30, StreamMuxConfig: mux}
	e, err := f.CreateEncoder()
	s.encode = func(u []byte) ([]*rtp.Packet, error) {
		b, err := mpeg4audio.AudioMuxElement{StreamMuxConfig: mux, Payloads: [][][][]byte{{{u}}}}.Marshal()
		if err != nil {
			return nil, err
		}
		return e.Encode(b)
	}
	return f, err
}

func (s *sound) g711(b []byte, mu bool) (format.Format, error) {
	for ; len(b) >= int(s.lasts); b = b[s.lasts:] {
		s.units = append(s.units, b[:s.lasts])
	}
	f := &format.G711{PayloadTyp: 8, MULaw: mu, SampleRate: 8000, ChannelCount: 1}
	if mu {
		f.PayloadTyp = 0
	}
	e, err := f.CreateEncoder()
	s.encode = e.Encode
	return f, err
}

func (s *sound) opus(b []byte) (format.Format, error) {
	s.units = oggPackets(b)
	if len(s.units) < 3 {
		return nil, errors.New("no Opus packets came out")
	}
	s.units = s.units[2:] // without OpusHead and OpusTags
	f := &format.Opus{PayloadTyp: soundPayload, ChannelCount: 1}
	e, err := f.CreateEncoder()
	s.encode = func(u []byte) ([]*rtp.Packet, error) {
		p, err := e.Encode(u)
		return []*rtp.Packet{p}, err
	}
	return f, err
}

// oggPackets returns the packets of an Ogg stream (RFC 3533 §6).
func oggPackets(b []byte) (out [][]byte) {
	var open []byte
	for len(b) >= 27 && string(b[:4]) == "OggS" {
		n := int(b[26])
		if len(b) < 27+n {
			break
		}
		lacing, body := b[27:27+n], b[27+n:]
		for _, l := range lacing {
			if int(l) > len(body) {
				return out
			}
			open = append(open, body[:l]...)
			body = body[l:]
			if l < 255 {
				out = append(out, open)
				open = nil
			}
		}
		b = body
	}
	return out
}

// write sends what is heard until the stream time ticks.
func (s *sound) write(stream *gortsplib.ServerStream, ticks int64, opt Options) error {
	for ; s.pos*footage.TicksPerSecond/s.rate <= ticks; s.pos += s.lasts {
		packets, err := s.encode(s.units[s.next])
		if err != nil {
			return err
		}
		s.next = (s.next + 1) % len(s.units)
		// In whole samples, so that only a jump and drift make a seam.
		at := uint32(s.pos)
		if len(opt.Jumps) > 0 || opt.Drift != 0 {
			at = uint32(opt.shifted(s.pos*footage.TicksPerSecond/s.rate) * s.rate / footage.TicksPerSecond)
		}
		// It wraps when that of the pictures does.
		at -= uint32(int64(-opt.RTPStart) * s.rate / footage.TicksPerSecond)
		for _, p := range packets {
			p.Timestamp = at
			if err := stream.WritePacketRTP(s.media, p); err != nil {
				return err
			}
		}
	}
	return nil
}
