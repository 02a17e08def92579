package camera

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"veilbox/internal/problem"
)

// turn stands between what a fuzzed camera says to one request and the next.
const turn = "\x00\x00"

// FuzzSession lets the input be all that a camera says, through the library and
// whatever it leaves running.
func FuzzSession(f *testing.F) {
	frame := func(ch byte, b []byte) string {
		return string(append([]byte{'$', ch, byte(len(b) >> 8), byte(len(b))}, b...))
	}
	packet := func(seq uint16, ts uint32, payload []byte) string {
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: 7, SequenceNumber: seq, Timestamp: ts, Marker: true}, Payload: payload}).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		return frame(0, b)
	}
	const ok = "RTSP/1.0 200 OK\r\n"
	options := ok + "Public: OPTIONS, GET_PARAMETER\r\n\r\n"
	describe := func(sdp string) string {
		return ok + "Content-Type: application/sdp\r\nContent-Base: rtsp://127.0.0.1/s/\r\nContent-Length: " + strconv.Itoa(len(sdp)) + "\r\n\r\n" + sdp
	}
	setup := ok + "Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
	sound := ok + "Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3\r\n\r\n"
	play := ok + "RTP-Info: url=x;seq=1\r\n\r\n"
	video := packet(1, 0, sps320) + packet(2, 0, pps264) + packet(3, 0, idr) + packet(4, 3000, slice)
	sr, err := (&rtcp.SenderReport{SSRC: 7, NTPTime: 1 << 60, RTPTime: 3000}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(strings.Join([]string{options, describe(videoSDP), setup, play + video}, turn)))
	f.Add([]byte(strings.Join([]string{options, describe(soundSDP), setup, sound, play + video + frame(1, sr) + frame(2, sr) + frame(3, sr) + video}, turn)))
	f.Add([]byte(strings.Join([]string{options, describe(videoSDP), ok + "Session: 1\r\nTransport: RTP/AVP;unicast;client_port=1-2;server_port=9-10;source=127.0.0.1\r\n\r\n", play}, turn)))
	f.Add([]byte(strings.Join([]string{"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n\r\n", options, "RTSP/1.0 302 Found\r\nLocation: rtsp://127.0.0.1:1/\r\n\r\n"}, turn)))
	f.Add([]byte(strings.Join([]string{options, describe("m=video 0 RTP/AVP 26\r\na=control:%zz\r\n"), setup, play + "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" + "ANNOUNCE * RTSP/1.0\r\n\r\n" + ok + "\r\n" + video}, turn)))
	f.Add([]byte("RTSP/1.0 461 x\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go say(c, bytes.Split(b, []byte(turn)))
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var stats Stats
		opt := Options{Stats: &stats, Limits: Limits{Connect: time.Second, Stall: time.Second, FirstKeyframe: time.Second, AccessUnit: 1 << 16}}
		src := Source{URL: "rtsp://" + ln.Addr().String() + "/s", Username: "u", Password: "hunter2", Audio: true}
		var p *problem.Problem
		if err := Run(ctx, src, opt, &counting{}); !errors.As(err, &p) {
			t.Fatalf("it ended with %v", err)
		} else if strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 1000 {
			t.Fatalf("it says %q", err)
		}
	})
}

// say answers each request with the next of turns, and hangs up after the last.
func say(c net.Conn, turns [][]byte) {
	defer c.Close()
	in := bufio.NewReader(c)
	for _, what := range turns {
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if strings.TrimSpace(line) == "" {
				break
			}
		}
		if _, err := c.Write(what); err != nil {
			return
		}
	}
}

// FuzzAnswerHeaders has the library read what is made of a camera's headers.
func FuzzAnswerHeaders(f *testing.F) {
	f.Add("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=12", "12345678;timeout=60")
	f.Add("RTP/AVP;unicast;source=no.such.host;client_port=1-2;server_port=3-4", "x; timeout = 4294967295")
	f.Add("RTP/SAVP/UDP;multicast;port=99999", ";;=")
	f.Add("interleaved=255;RTP/AVP/TCP", "a;timeout=18446744073709551616")
	f.Fuzz(func(t *testing.T, transport, session string) {
		var tr headers.Transport
		out := cleanTransport(transport, "RTP/AVP/TCP;unicast;interleaved=4-5")
		if err := tr.Unmarshal(base.HeaderValue{out}); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if tr.Source != nil || tr.Secure || tr.InterleavedIDs != nil && (tr.InterleavedIDs[0] < 0 || tr.InterleavedIDs[1] > 255) {
			t.Fatalf("%q", out)
		}
		out = cleanSession(session)
		if out == "" {
			return
		}
		var s headers.Session
		if err := s.Unmarshal(base.HeaderValue{out}); err != nil || s.Session == "" || s.Timeout != nil && (*s.Timeout < minTimeout || *s.Timeout > maxTimeout) {
			t.Fatalf("%q: %v", out, err)
		}
	})
}

// FuzzLibraryPackets looks for bytes that make the parsers panic which the library
// runs in goroutines that nobody could recover.
func FuzzLibraryPackets(f *testing.F) {
	for _, p := range []rtcp.Packet{
		&rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 2}}},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: 1, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "x"}}}}},
		&rtcp.Goodbye{Sources: []uint32{1}, Reason: "x"},
		&rtcp.TransportLayerNack{Nacks: []rtcp.NackPair{{PacketID: 1}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{SSRCs: []uint32{1}},
	} {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x8f, 0xcd, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 2, 0, 0, 0, 1, 0x20, 2, 1, 0}) // transport-wide feedback
	f.Add([]byte{0x80, 0xcf, 0, 3, 0, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0, 0})                            // extended report
	f.Add([]byte{0xb0, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0, 2}) // RTP, extended and padded
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2048 {
			return
		}
		if packets, err := rtcp.Unmarshal(b); err == nil && len(packets) > len(b)/4 {
			t.Fatalf("%d packets of %d bytes", len(packets), len(b))
		}
		var p rtp.Packet
		if err := p.Unmarshal(b); err == nil && len(p.Payload) > len(b) {
			t.Fatalf("%d bytes of payload", len(p.Payload))
		}
	})
}
