package mp4

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
	"veilbox/internal/rbsp"
)

const (
	minRate       = 7350
	maxRate       = 96_000
	maxSoundSetup = 64
)

// Object types and stream types of an esds, ISO/IEC 14496-1 §7.2.6.6.
const (
	objectAAC    = 0x40
	objectJPEG   = 0x6c
	streamVisual = 4
	streamAudio  = 5
)

// raw is a box that the library does not have, or not as it is needed: all of
// its bytes. It has no type of its own, because the library asserts by type.
type raw struct{ b []byte }

func (r *raw) Type() string                                 { return "" }
func (r *raw) Size() uint64                                 { return uint64(len(r.b)) }
func (r *raw) EncodeSW(w bits.SliceWriter) error            { w.WriteBytes(r.b); return w.AccError() }
func (r *raw) Info(io.Writer, string, string, string) error { return nil }

func (r *raw) Encode(w io.Writer) error {
	_, err := w.Write(r.b)
	return err
}

// box returns a box of the bodies one after the other.
func box(name string, bodies ...[]byte) []byte {
	b := append(make([]byte, 4, 64), name...)
	for _, x := range bodies {
		b = append(b, x...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// esds returns an ES descriptor, ISO/IEC 14496-14 §5.6; setup may be empty.
func esds(object, stream byte, setup []byte) []byte {
	config := append([]byte{object, stream<<2 | 1}, make([]byte, 11)...) // buffer size and bit rates are not known
	if len(setup) > 0 {
		config = append(config, descriptor(5, setup)...)
	}
	es := append([]byte{0, 0, 0}, descriptor(4, config)...)
	es = append(es, descriptor(6, []byte{2})...)
	return box("esds", make([]byte, 4), descriptor(3, es))
}

// descriptor returns a descriptor of fewer than 128 bytes.
func descriptor(tag byte, body []byte) []byte {
	return append([]byte{tag, byte(len(body))}, body...)
}

// soundEntry returns an AudioSampleEntry, ISO/IEC 14496-12 §12.2.3.
func soundEntry(f footage.AudioFormat) (mp4.Box, error) {
	if f.Rate < minRate || f.Rate > maxRate || f.Channels < 1 || f.Channels > 2 {
		return nil, fmt.Errorf("mp4: sound of %d Hz in %d channels: %w", f.Rate, f.Channels, ErrInput)
	}
	if f.Codec != footage.AAC && len(f.Config) > 0 {
		return nil, fmt.Errorf("mp4: %v with a configuration: %w", f.Codec, ErrInput)
	}
	var name string
	var child []byte
	switch f.Codec {
	case footage.AAC:
		if _, _, err := ParseAAC(f.Config); err != nil {
			return nil, err
		}
		name, child = "mp4a", esds(objectAAC, streamAudio, f.Config)
	case footage.PCMA:
		name = "alaw"
	case footage.PCMU:
		name = "ulaw"
	case footage.Opus:
		if f.Rate != 48_000 {
			return nil, fmt.Errorf("mp4: Opus at %d Hz: %w", f.Rate, ErrInput)
		}
		// OpusSpecificBox: version, channels, pre-skip, input rate, gain, mapping.
		name, child = "Opus", box("dOps", []byte{0, byte(f.Channels), 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 0})
	default:
		return nil, fmt.Errorf("mp4: %v: %w", f.Codec, ErrInput)
	}
	e := make([]byte, 28)
	e[7] = 1 // data reference
	e[17] = byte(f.Channels)
	e[19] = 16 // bits of a sample once decoded
	if f.Rate <= 0xffff {
		binary.BigEndian.PutUint16(e[24:], uint16(f.Rate))
	}
	return &raw{box(name, e, child)}, nil
}

// uniform reports the size of a sample where all have the same, one for each
// instant: G.711. Else it is 0.
func uniform(f footage.AudioFormat) uint32 {
	if f.Codec == footage.PCMA || f.Codec == footage.PCMU {
		return uint32(f.Channels)
	}
	return 0
}

// ParseAAC returns what an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) says
// of the stream: the type of object (2 is AAC-LC, 5 and 29 with SBR) and the
// channel configuration (1 mono, 2 stereo).
func ParseAAC(config []byte) (object, channels int, err error) {
	if len(config) < 2 || len(config) > maxSoundSetup {
		return 0, 0, fmt.Errorf("mp4: an AudioSpecificConfig of %d bytes: %w", len(config), ErrInput)
	}
	r := rbsp.Plain(config)
	object = int(r.Bits(5))
	if object == 31 {
		object = 32 + int(r.Bits(6))
	}
	rate := r.Bits(4)
	if rate == 15 {
		rate = r.Bits(24)
		if rate < minRate || rate > maxRate {
			rate = 13
		} else {
			rate = 0
		}
	}
	channels = int(r.Bits(4))
	if r.Short || object == 0 || rate > 12 || channels < 1 || channels > 2 {
		return 0, 0, fmt.Errorf("mp4: the AudioSpecificConfig % x does not read: %w", config, ErrInput)
	}
	return object, channels, nil
}

// CheckSound returns an error that wraps ErrInput where f cannot be written.
func CheckSound(f footage.AudioFormat) error {
	_, err := soundEntry(f)
	return err
}
