package camera

import (
	"encoding/hex"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// A bitReader reads big endian numbers; bad is set once there are no more bits.
type bitReader struct {
	b   []byte
	at  int
	bad bool
}

func (r *bitReader) read(n int) int {
	if r.at+n > 8*len(r.b) {
		r.bad = true
		return 0
	}
	v := 0
	for range n {
		v = v<<1 | int(r.b[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

// unpack reads a packet of MPEG4-GENERIC (RFC 3640 §3.2): headers of as many
// access units as it holds, or of the one that it holds a part of. Interleaved
// units are left out.
func (a *audio) unpack(mark bool, p []byte) {
	if len(p) < 2 {
		a.bad()
		return
	}
	n := int(p[0])<<8 | int(p[1])
	p = p[2:]
	if n == 0 || (n+7)/8 > len(p) {
		a.bad()
		return
	}
	heads := bitReader{b: p[:(n+7)/8]}
	data := p[len(heads.b):]
	for i := 0; heads.at+a.sizeLen <= n; i++ {
		size := heads.read(a.sizeLen)
		width := a.deltaLen
		if i == 0 {
			width = a.indexLen
		}
		if index := heads.read(width); heads.bad || index != 0 || i == maxAudioAUs || size > maxAudioUnit {
			a.bad()
			return
		}
		only := i == 0 && heads.at+a.sizeLen+a.deltaLen > n
		if only && (!mark || len(a.buf) > 0 || a.skip) {
			// A header tells the size of the whole unit, or of this part of it: the
			// mark tells which is the last.
			a.fragment(mark, data[:min(size, len(data))])
			return
		}
		if size > len(data) {
			a.bad()
			return
		}
		a.units = append(a.units, withoutADTS(data[:size]))
		data = data[size:]
	}
}

// fragment takes a part of a unit.
func (a *audio) fragment(last bool, p []byte) {
	if !a.skip && len(a.buf)+len(p) > maxAudioUnit {
		a.skip = true
		a.bad()
	}
	if a.skip {
		a.buf, a.skip = a.buf[:0], !last
		return
	}
	a.buf = append(a.buf, p...)
	if last {
		a.units = append(a.units, withoutADTS(a.buf))
		// The bytes are good until the next packet.
		a.buf = a.buf[:0]
	}
}

// withoutADTS returns an access unit without the header of a file, which some
// cameras leave before it (ISO/IEC 14496-3 §1.A.2).
func withoutADTS(u []byte) []byte {
	if len(u) < 7 || u[0] != 0xff || u[1]&0xf6 != 0xf0 {
		return u
	}
	head := 7
	if u[1]&1 == 0 {
		head = 9
	}
	if size := int(u[3]&3)<<11 | int(u[4])<<3 | int(u[5])>>5; size != len(u) || size <= head {
		return u
	}
	return u[head:]
}

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
	var c mpeg4audio.StreamMuxConfig
	if err := c.Unmarshal(raw); err != nil {
		if a.inBand {
			return nil // the stream tells it again
		}
		return fmt.Errorf("%w: configuration: %w", errAudio, err)
	}
	return a.muxed(&c)
}

// muxed takes the configuration of LATM: one layer of one program.
func (a *audio) muxed(c *mpeg4audio.StreamMuxConfig) error {
	if len(c.Programs) != 1 || len(c.Programs[0].Layers) != 1 || c.NumSubFrames >= maxAudioAUs {
		return fmt.Errorf("%w: several layers", errAudio)
	}
	l := c.Programs[0].Layers[0]
	if l.FrameLengthType != 0 || l.AudioSpecificConfig == nil {
		return fmt.Errorf("%w: frames of kind %d", errAudio, l.FrameLengthType)
	}
	raw, err := l.AudioSpecificConfig.Marshal()
	if err != nil {
		return fmt.Errorf("%w: configuration: %w", errAudio, err)
	}
	if err := a.configure(raw, l.AudioSpecificConfig); err != nil {
		return err
	}
	a.mux, a.frames = c, int(c.NumSubFrames)+1
	return nil
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
	if a.inBand {
		e := mpeg4audio.AudioMuxElement{MuxConfigPresent: true, StreamMuxConfig: a.mux}
		if err := e.Unmarshal(p); err != nil {
			a.bad()
			return
		}
		if !e.UseSameStreamMux && e.StreamMuxConfig != nil {
			if err := a.muxed(e.StreamMuxConfig); err != nil {
				a.bad()
				return
			}
		}
		for _, f := range e.Payloads {
			if len(f) == 1 && len(f[0]) == 1 {
				a.units = append(a.units, f[0][0])
			}
		}
		return
	}
	// payloadLengthInfo (ISO/IEC 14496-3 §1.7.3): bytes of 255, and one less.
	for range a.frames {
		n := 0
		for {
			if len(p) == 0 {
				a.bad()
				return
			}
			b := p[0]
			p = p[1:]
			if n += int(b); b != 255 {
				break
			}
		}
		if n > len(p) {
			a.bad()
			return
		}
		a.units = append(a.units, p[:n])
		p = p[n:]
	}
}
