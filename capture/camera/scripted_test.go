package camera

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/pion/rtp"
)

// A script is a camera that says exactly what a test wants.
type script struct {
	sdp      string
	describe string // instead of the description
	greet    string // sent at once, instead of RTSP
	play     func(send func(channel int, p []byte) error) error
}

// start serves s at a URL until the test ends.
func (s script) start(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // nothing is left to lose
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return "rtsp://" + ln.Addr().String() + "/stream"
}

func (s script) serve(c net.Conn) {
	defer c.Close()
	if s.greet != "" {
		fmt.Fprint(c, s.greet)
	}
	r := bufio.NewReader(c)
	for {
		var method, cseq string
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSpace(line)
			if method == "" {
				method, _, _ = strings.Cut(line, " ")
			}
			if v, ok := strings.CutPrefix(line, "CSeq: "); ok {
				cseq = v
			}
			if line == "" {
				break
			}
		}
		if s.greet != "" {
			continue
		}
		head := "RTSP/1.0 200 OK\r\nCSeq: " + cseq + "\r\nServer: Kam\u0007era 9000 " + strings.Repeat("x", 200) + "\r\n"
		switch method {
		case "DESCRIBE":
			if s.describe != "" {
				fmt.Fprintf(c, strings.ReplaceAll(s.describe, "\n", "\r\n"), cseq)
				continue
			}
			fmt.Fprintf(c, "%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", head, len(s.sdp), s.sdp)
		case "SETUP":
			fmt.Fprintf(c, "%sSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n", head)
		case "PLAY":
			fmt.Fprintf(c, "%sSession: 1\r\n\r\n", head)
			go func() {
				err := s.play(func(ch int, p []byte) error {
					b := append([]byte{'$', byte(ch)}, binary.BigEndian.AppendUint16(nil, uint16(len(p)))...)
					_, err := c.Write(append(b, p...))
					return err
				})
				if err != nil {
					c.Close()
				}
			}()
		default:
			fmt.Fprintf(c, "%s\r\n", head)
		}
	}
}

// A sender numbers packets.
type sender struct {
	send func(int, []byte) error
	seq  uint16
}

func (s *sender) unit(ts uint32, nalus ...[]byte) error {
	for i, n := range nalus {
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: 7, SequenceNumber: s.seq, Timestamp: ts, Marker: i == len(nalus)-1}, Payload: n}
		s.seq++
		b, err := p.Marshal()
		if err != nil {
			return err
		}
		if err := s.send(0, b); err != nil {
			return err
		}
	}
	return nil
}

const videoSDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"

// Parameter sets of 320x240 and 160x128 as x264 writes them, of 320x240 as x265
// does, and pictures that only look like some.
var (
	sps320 = []byte{0x67, 0x42, 0xc0, 0x0c, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x07, 0x83, 0xc5, 0x0a, 0xa8}
	sps160 = []byte{0x67, 0x42, 0xc0, 0x0a, 0xda, 0x0a, 0x11, 0xb0, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x1e, 0x0f, 0x12, 0x26, 0xa0}
	pps264 = []byte{0x68, 0xce, 0x0f, 0xc8}
	vps265 = []byte{0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x95, 0x94, 0x09}
	sps265 = []byte{0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0xa0, 0x0a, 0x08, 0x0f, 0x16, 0x59, 0x59, 0x52, 0x93, 0x0b, 0xc0, 0x5a, 0x02, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x1e, 0x10}
	pps265 = []byte{0x44, 0x01, 0xc0, 0x73, 0xc1, 0x89}
	idr    = []byte{0x65, 0x88, 0x84, 0x0a, 0xf2, 0x62, 0x80, 0x01}
	slice  = []byte{0x41, 0x9a, 0x21, 0x4f, 0x01, 0x02, 0x03, 0x04}
)
