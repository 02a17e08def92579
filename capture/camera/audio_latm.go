package camera

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// A latmMux is what a StreamMuxConfig (ISO/IEC 14496-3 §1.7.3) says, of one layer
// of one program, the only one that cameras have. Its zero value is of none.
type latmMux struct {
	aac    mpeg4audio.AudioSpecificConfig
	frames int // of an element
}

var (
	errLATM   = errors.New("the configuration is cut")
	aacRates  = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	errLayers = errors.New("several layers, or none that AAC has")
)

// latm reads the parameters of RFC 6416 §7.3.
func (a *audio) latm(p map[string]string) error {
	a.inBand = p["cpresent"] != "0"
	v, ok := p["config"]
	if !ok {
		if !a.inBand {
			return fmt.Errorf("%w: its configuration is missing", errAudio)
		}
		return nil
	}
	raw, err := hex.DecodeString(v)
	if err != nil || len(raw) > maxAudioConfig {
		return fmt.Errorf("%w: its configuration cannot be read", errAudio)
	}
	// Nothing that follows the AAC's own part is needed, and some pad before it.
	m, err := readMux(&bitReader{b: raw}, false)
	if err != nil {
		if a.inBand {
			return nil // the stream tells it again
		}
		return fmt.Errorf("%w: configuration: %w", errAudio, err)
	}
	return a.muxed(m)
}

// muxed takes the configuration of LATM as the AudioSpecificConfig that a
// container has. What tells of spectral band replication at the end of one is left
// out: decoders find that in the stream, and others play the sound without.
func (a *audio) muxed(m latmMux) error {
	if m == a.mux {
		return nil
	}
	if m.frames > maxAudioAUs {
		return fmt.Errorf("%w: %d frames at once", errAudio, m.frames)
	}
	raw, err := m.aac.Marshal()
	if err != nil {
		return fmt.Errorf("%w: configuration: %w", errAudio, err)
	}
	if err := a.configure(raw, &m.aac); err != nil {
		return err
	}
	a.mux = m
	return nil
}

// readMux reads a StreamMuxConfig; only where payloads follow it, up to its end.
func readMux(r *bitReader, toEnd bool) (latmMux, error) {
	version := r.read(1)
	if version == 1 {
		if r.read(1) != 0 {
			return latmMux{}, fmt.Errorf("of a later version")
		}
		latmValue(r) // taraBufferFullness
	}
	same := r.read(1)
	m := latmMux{frames: r.read(6) + 1}
	if programs, layers := r.read(4), r.read(3); same != 1 || programs != 0 || layers != 0 {
		return latmMux{}, errLayers
	}
	end := 0
	if version == 1 {
		n := latmValue(r)
		if end = r.at + n; n > 8*maxAudioConfig || end > 8*len(r.b) {
			return latmMux{}, errLATM
		}
	}
	if err := readAAC(r, &m.aac); err != nil {
		return latmMux{}, err
	}
	switch {
	case end > 0 && r.at > end:
		return latmMux{}, errLATM
	case end > 0:
		r.at = end
	default:
		skipSBR(r)
	}
	if !toEnd {
		return m, nil
	}
	if r.read(3) != 0 {
		return latmMux{}, errLayers // frames of a fixed length, which AAC's are not
	}
	r.read(8) // latmBufferFullness
	// Other data stand behind the payloads, where nobody looks.
	if r.read(1) == 1 {
		if version == 1 {
			latmValue(r)
		} else {
			for more := 1; more == 1 && !r.bad; {
				more = r.read(1)
				r.read(8)
			}
		}
	}
	if r.read(1) == 1 {
		r.read(8) // its checksum
	}
	if r.bad {
		return latmMux{}, errLATM
	}
	return m, nil
}

// latmValue reads a number behind how many bytes it takes.
func latmValue(r *bitReader) int { return r.read(8 * (r.read(2) + 1)) }

// readAAC reads an AudioSpecificConfig of AAC-LC, with or without spectral band
// replication (ISO/IEC 14496-3 §1.6.2.1, §4.4.1).
func readAAC(r *bitReader, c *mpeg4audio.AudioSpecificConfig) error {
	rate := func() int {
		i := r.read(4)
		switch {
		case i == 15:
			return r.read(24)
		case i < len(aacRates):
			return aacRates[i]
		}
		return 0
	}
	c.Type = mpeg4audio.ObjectType(r.read(5))
	c.SampleRate, c.ChannelCount = rate(), r.read(4)
	if c.Type == mpeg4audio.ObjectTypeSBR || c.Type == mpeg4audio.ObjectTypePS {
		c.ExtensionType, c.ExtensionSampleRate = c.Type, rate()
		c.Type = mpeg4audio.ObjectType(r.read(5))
	}
	c.FrameLengthFlag = r.read(1) == 1
	if c.DependsOnCoreCoder = r.read(1) == 1; c.DependsOnCoreCoder {
		c.CoreCoderDelay = uint16(r.read(14))
	}
	extended := r.read(1) == 1
	switch {
	case r.bad:
		return errLATM
	case c.Type != mpeg4audio.ObjectTypeAACLC || extended:
		return fmt.Errorf("AAC of kind %d", c.Type)
	}
	return plausibleAAC(c)
}

func plausibleAAC(c *mpeg4audio.AudioSpecificConfig) error {
	if c.SampleRate < 7350 || c.SampleRate > 96000 || c.ChannelCount < 1 || c.ChannelCount > 2 {
		return fmt.Errorf("%d channels of %d Hz", c.ChannelCount, c.SampleRate)
	}
	return nil
}

// skipSBR leaves out what tells of spectral band replication. It cannot be taken
// for what would follow otherwise: frames of a reserved kind.
func skipSBR(r *bitReader) {
	next := func(code, bits int) bool {
		ahead := *r
		if ahead.read(bits) != code || ahead.bad {
			return false
		}
		*r = ahead
		return true
	}
	if !next(0x2b7<<5|5, 16) || r.read(1) == 0 {
		return
	}
	if r.read(4) == 15 {
		r.read(24)
	}
	if next(0x548, 11) {
		r.read(1)
	}
}

// element reads a packet of MP4A-LATM (RFC 6416 §6): an audioMuxElement or a
// part of it.
func (a *audio) element(mark bool, p []byte) {
	if !mark || len(a.buf) > 0 || a.skip {
		a.fragment(mark, p)
		if len(a.units) == 0 {
			return
		}
		p = a.units[0]
		a.units = a.units[:0]
	} else if len(p) > maxAudioUnit {
		a.bad()
		return
	}
	r := bitReader{b: p}
	if a.inBand && r.read(1) == 0 {
		m, err := readMux(&r, true)
		if err == nil {
			err = a.muxed(m)
		}
		if err != nil {
			a.bad()
			return
		}
	}
	if a.mux.frames == 0 {
		a.bad()
		return
	}
	if cap(a.aligned) < len(p) {
		a.aligned = make([]byte, 0, maxAudioUnit)
	}
	a.aligned = a.aligned[:0]
	// payloadLengthInfo (ISO/IEC 14496-3 §1.7.3): bytes of 255, and one less.
	for range a.mux.frames {
		n := 0
		for more := true; more && !r.bad; {
			b := r.read(8)
			n += b
			more = b == 255
		}
		if r.bad || r.at+8*n > 8*len(p) {
			a.units = a.units[:0]
			a.bad()
			return
		}
		a.units = append(a.units, a.bytes(&r, n))
	}
}

// bytes reads n bytes, which must be there. They are good until the next packet.
func (a *audio) bytes(r *bitReader, n int) []byte {
	from, shift := r.at/8, r.at%8
	r.at += 8 * n
	if shift == 0 {
		return r.b[from : from+n]
	}
	begin := len(a.aligned)
	for i := from; i < from+n; i++ {
		a.aligned = append(a.aligned, r.b[i]<<shift|r.b[i+1]>>(8-shift))
	}
	return a.aligned[begin:]
}
