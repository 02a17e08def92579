package live

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pion/rtp"

	"veilbox/capture"
	"veilbox/capture/footage"
)

// mtu is what an RTP payload may measure so that with RTP, SRTP, UDP and IPv6
// headers it passes any common network.
const mtu = 1200

// A packer makes RTP packets of pictures: single NAL units and fragments, of
// H.264 (RFC 6184) or H.265 (RFC 7798). Its packet is used again for the next;
// the track copies what it keeps.
type packer struct {
	write func(*rtp.Packet) error
	codec footage.Codec
	pkt   rtp.Packet
	buf   []byte

	begun bool
	shift int64 // to the camera's times, which begin anew with each session
	ts    int64 // of the last picture
	dts   int64
	seen  time.Time // arrival of the latest picture that was sent in its time
}

func newPacker(codec footage.Codec, write func(*rtp.Packet) error) *packer {
	var seed [6]byte
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(seed[:])
	p := &packer{codec: codec, write: write, buf: make([]byte, 0, mtu), ts: int64(binary.BigEndian.Uint32(seed[:]))}
	p.pkt.Version = 2
	p.pkt.SequenceNumber = binary.BigEndian.Uint16(seed[4:])
	return p
}

// stamp returns the time stamp of fr.
func (p *packer) stamp(fr *capture.Frame) int64 {
	au := &fr.Unit
	ts := au.PTS + p.shift
	late := int64(0) // after the latest picture that was sent in its time
	if !p.seen.IsZero() {
		late = int64(footage.TicksIn(au.Arrived.Sub(p.seen)))
	}
	switch {
	case !p.begun:
		ts = p.ts
	case fr.Replayed:
		// A past picture: as close to the one before as can be.
		ts = p.ts + max(1, late)
	case au.DTS <= p.dts:
		// A new session: go on by the clock of arrival.
		ts = p.ts + max(1, late)
	}
	if !fr.Replayed || late > 0 {
		p.seen = au.Arrived
	}
	p.begun, p.dts, p.ts, p.shift = true, au.DTS, ts, ts-au.PTS
	return ts
}

func (p *packer) frame(fr *capture.Frame) error {
	p.pkt.Timestamp = uint32(p.stamp(fr))
	au := &fr.Unit
	if au.Key {
		for _, n := range fr.Format.Params {
			if err := p.unit(n, false); err != nil {
				return err
			}
		}
	}
	for i, n := range au.NALUs {
		if err := p.unit(n, i == len(au.NALUs)-1); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) unit(n []byte, last bool) error {
	if len(n) <= mtu {
		return p.send(n, last)
	}
	// What stands in front of a fragment, and how much of it the unit had.
	head, had := [3]byte{n[0]&0xe0 | 28, n[0] & 0x1f}, 1 // FU-A
	size := 2
	if p.codec == footage.H265 {
		head, had, size = [3]byte{n[0]&0x81 | 49<<1, n[1], n[0] >> 1 & 0x3f}, 2, 3 // FU
	}
	typ := head[size-1]
	for rest, first := n[had:], true; len(rest) > 0; first = false {
		chunk := rest[:min(len(rest), mtu-size)]
		rest = rest[len(chunk):]
		head[size-1] = typ
		if first {
			head[size-1] |= 0x80
		}
		if len(rest) == 0 {
			head[size-1] |= 0x40
		}
		p.buf = append(append(p.buf[:0], head[:size]...), chunk...)
		if err := p.send(p.buf, last && len(rest) == 0); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) send(payload []byte, mark bool) error {
	p.pkt.Payload, p.pkt.Marker = payload, mark
	err := p.write(&p.pkt)
	p.pkt.SequenceNumber++
	if err != nil {
		return fmt.Errorf("live: send: %w", err)
	}
	return nil
}
