package footage

import (
	"fmt"
	"time"
)

// An AudioCodec is how a sound track is coded. Its values are on disk.
type AudioCodec uint8

const (
	AAC  AudioCodec = 1 // MPEG-4 audio, raw access units (ISO/IEC 14496-3)
	PCMA AudioCodec = 2 // G.711 A-law, 8 bits a sample
	PCMU AudioCodec = 3 // G.711 mu-law
	Opus AudioCodec = 4 // RFC 6716 packets
)

func (c AudioCodec) String() string {
	switch c {
	case AAC:
		return "AAC"
	case PCMA:
		return "G.711 A-law"
	case PCMU:
		return "G.711 mu-law"
	case Opus:
		return "Opus"
	}
	return fmt.Sprintf("audio codec %d", uint8(c))
}

// An AudioFormat is what a decoder of sound must know first.
type AudioFormat struct {
	Codec    AudioCodec
	Rate     int    // samples a second, 8000 to 96000; 48000 for Opus
	Channels int    // 1 or 2
	Config   []byte // AAC: the AudioSpecificConfig; else none
}

// Equal reports whether f and g are the same.
func (f AudioFormat) Equal(g AudioFormat) bool {
	return f.Codec == g.Codec && f.Rate == g.Rate && f.Channels == g.Channels && string(f.Config) == string(g.Config)
}

// An AudioSample says where one access unit of sound lies, in order.
type AudioSample struct {
	Size     uint32 // bytes
	Duration uint32 // ticks until the next sample
}

// Audio is the sound that came while a part was filled. It need not begin or
// end where the pictures do: a sample belongs to the part in which it begins.
// Without samples there is none, and the rest is zero.
type Audio struct {
	Format  AudioFormat
	Start   Ticks // of the first sample
	Samples []AudioSample
	Data    []byte // the samples one after the other
}

// An AudioUnit is one access unit of sound as a camera sent it; a packet's worth
// for G.711.
type AudioUnit struct {
	Arrived  time.Time // wall clock of the box
	PTS      int64     // within the session, ticks, on the pictures' time line; never falls
	Duration uint32    // ticks
	Data     []byte
}
