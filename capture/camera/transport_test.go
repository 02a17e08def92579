package camera

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// Over UDP packets that overtake each other are put in order, those that come
// twice are taken once, and those that never come are counted.
func TestUDPOrder(t *testing.T) {
	const lost = 3
	url := script{sdp: videoSDP, udp: "only", play: func(send func(int, []byte) error) error {
		packet := func(seq int, payload []byte) error {
			b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: 7, SequenceNumber: uint16(seq), Timestamp: uint32(seq * 3000), Marker: true}, Payload: payload}).Marshal()
			return errors.Join(err, send(0, b))
		}
		key := append(append([]byte{0x78, 0, byte(len(sps320))}, sps320...), append([]byte{0, byte(len(pps264))}, append(append([]byte{}, pps264...), append([]byte{0, byte(len(idr))}, idr...)...)...)...)
		err := packet(0, key)
		for seq := 1; err == nil; {
			switch {
			case seq == 5:
				err = errors.Join(packet(seq+1, slice), packet(seq, slice))
				seq += 2
			case seq == 12:
				err = errors.Join(packet(seq+2, slice), packet(seq+1, slice), packet(seq, slice), packet(seq, slice))
				seq += 3
			case seq == 20:
				seq += lost
			default:
				err = packet(seq, slice)
				seq++
			}
			<-time.After(time.Millisecond)
		}
		return err
	}}.start(t)
	var stats Stats
	c := until(t, url, 120, Options{Stats: &stats})
	for i := 1; i < len(c.units); i++ {
		if d := c.units[i].DTS - c.units[i-1].DTS; d != 3000 && d != 3000*(lost+1) {
			t.Errorf("%d ticks between %d and %d", d, i-1, i)
		}
	}
	if stats.Lost.Load() != lost || stats.Dropped.Load() != 0 {
		t.Errorf("%d lost, %d dropped", stats.Lost.Load(), stats.Dropped.Load())
	}
}

// What works is remembered, and tried first.
func TestLearned(t *testing.T) {
	asked := make(chan string, 100)
	s := script{sdp: videoSDP, udp: "only", play: pictures, answer: func(r *request) string {
		if r.method == "SETUP" {
			asked <- r.header["Transport"][:len("RTP/AVP/TCP")]
		}
		return ""
	}}
	url, learned := s.start(t), new(Learned)
	for i, want := range [][]string{{"RTP/AVP/TCP", "RTP/AVP;uni"}, {"RTP/AVP;uni"}} {
		runNasty(t, Source{URL: url}, Options{Learned: learned}, &collect{}, nil)
		for _, w := range want {
			if got := <-asked; got != w {
				t.Errorf("session %d asked for %q, want %q", i, got, w)
			}
		}
		if len(asked) > 0 {
			t.Errorf("session %d asked for %q as well", i, <-asked)
		}
	}
}
