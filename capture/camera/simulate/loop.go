package simulate

import (
	"fmt"
	"slices"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtp"

	"veilbox/capture/footage"
)

// A loop is a rendition of the footage.
type loop struct {
	units  []unit
	params [][]byte
	codec  footage.Codec
	media  *description.Media
	stream *gortsplib.ServerStream
	encode func([][]byte) ([]*rtp.Packet, error)
	alone  int  // NAL units that go first, each as if it were a picture
	each   bool // all of them do
}

// A unit is one picture.
type unit struct {
	nalus [][]byte
	ticks int64
	shift int64 // from being sent to being shown
}

const (
	payloadType  = 96
	soundPayload = 97
)

func (l *loop) open(srv *gortsplib.Server, opt Options, heard *sound) error {
	f, err := l.format(opt.ParamsOnlyInBand)
	if err != nil {
		return fmt.Errorf("simulate: encoder: %w", err)
	}
	l.each = opt.MarkSlices
	l.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{f}}
	medias := []*description.Media{l.media}
	if heard != nil {
		medias = append(medias, heard.media)
	}
	l.stream = &gortsplib.ServerStream{Server: srv, Desc: &description.Session{Title: "veilbox", Medias: medias}}
	if err := l.stream.Initialize(); err != nil {
		return fmt.Errorf("simulate: stream: %w", err)
	}
	return nil
}

func (l *loop) format(inBand bool) (format.Format, error) {
	switch l.codec {
	case footage.MJPEG:
		f := &format.MJPEG{}
		e, err := f.CreateEncoder()
		l.encode = func(pictures [][]byte) ([]*rtp.Packet, error) { return e.Encode(pictures[0]) }
		return f, err
	case footage.H265:
		f := &format.H265{PayloadTyp: payloadType}
		if !inBand {
			f.VPS, f.SPS, f.PPS = l.params[0], l.params[1], l.params[2]
		}
		e, err := f.CreateEncoder()
		l.encode = e.Encode
		return f, err
	}
	f := &format.H264{PayloadTyp: payloadType, PacketizationMode: 1}
	if !inBand {
		f.SPS, f.PPS = l.params[0], l.params[1]
	}
	e, err := f.CreateEncoder()
	l.encode = e.Encode
	return f, err
}

func (l *loop) close() { l.stream.Close() }

func (l *loop) write(u unit, ts uint32) error {
	rest := u.nalus
	for n := 0; len(rest) > 0; n++ {
		now := rest
		if (l.each || n < l.alone) && len(rest) > 1 {
			now = rest[:1]
		}
		rest = rest[len(now):]
		packets, err := l.encode(now)
		if err != nil {
			return err
		}
		for _, p := range packets {
			p.Timestamp = ts
			if err := l.stream.WritePacketRTP(l.media, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// addSEI puts an SEI with user data that nobody registered before each picture.
func (l *loop) addSEI() {
	sei := append([]byte{6, 5, 17}, make([]byte, 16)...)
	if l.codec == footage.H265 {
		sei = append([]byte{39 << 1, 1, 5, 17}, make([]byte, 16)...)
	}
	for i := range sei[len(sei)-16:] {
		sei[len(sei)-16+i] = byte(0xa0 + i)
	}
	sei = append(sei, 0x42, 0x80)
	for i := range l.units {
		l.units[i].nalus = slices.Insert(slices.Clone(l.units[i].nalus), 0, sei)
	}
	l.alone = 1
}

func (l *loop) length() time.Duration {
	var d int64
	for _, u := range l.units {
		d += u.ticks
	}
	return footage.Ticks(d).Duration()
}
