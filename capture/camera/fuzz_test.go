package camera

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
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

func FuzzAuth(f *testing.F) {
	for _, h := range []string{askMD5, askQop, askSHA256, askSess, askBasic, askOdd, askBasic + ", " + askQop, `Digest realm="a\"b, c", nonce=x`, "Digest nonce=\"", ",,=,", "Digest algorithm=-sess, nonce=1"} {
		f.Add(h, "u\"s\\er\r\n", "hunter2")
	}
	f.Fuzz(func(t *testing.T, h, user, password string) {
		c, ok := best([]string{h, h})
		if !ok {
			return
		}
		out := c.answer(user, Secret(password), "DESCRIBE", "rtsp://h/x")
		if len(out) > 8*(len(h)+len(user)+len(password))+1024 {
			t.Fatalf("%d bytes", len(out))
		}
		for i := range len(out) {
			if out[i] < ' ' || out[i] == 0x7f {
				t.Fatalf("a control character in %q", out)
			}
		}
		// The library of the other side reads it.
		var a headers.Authorization
		if err := a.Unmarshal(base.HeaderValue{out}); err != nil && c.alg == "" && user == "u" {
			t.Fatalf("%q: %v", out, err)
		}
	})
}

// The examples of RFC 7616 §3.9.1 and RFC 2069 §2.4 as its errata mend it.
func TestDigest(t *testing.T) {
	for _, tc := range []struct{ header, user, password, uri, cnonce, want string }{
		{`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"},
		{`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"Mufasa", "CircleOfLife", "/dir/index.html", "", "1949323746fe6a43ef61f9606e7febea"},
	} {
		c, ok := best([]string{tc.header})
		if !ok {
			t.Fatal(tc.header)
		}
		c.count = 1
		if out := c.respond(tc.user, Secret(tc.password), "GET", tc.uri, tc.cnonce); !strings.Contains(out, `response="`+tc.want+`"`) {
			t.Errorf("%s\nwant %s", out, tc.want)
		}
	}
	if sum := md5.Sum(nil); hex.EncodeToString(sum[:]) != (&challenge{scheme: digestMD5}).hash("") {
		t.Error("the sum of nothing")
	}
}

func TestChallenges(t *testing.T) {
	for _, tc := range []struct {
		header string
		want   challenge
		ok     bool
	}{
		{`Digest realm="a, \"b\"=c", nonce="d"`, challenge{scheme: digestMD5, realm: `a, "b"=c`, nonce: "d"}, true},
		{`Basic realm="x", Digest realm=y,nonce=z,qop="auth-int"`, challenge{scheme: basic, realm: "x"}, true},
		{`Digest nonce="1", algorithm=MD5, Digest nonce="2", algorithm=sha-256-SESS, stale=True`, challenge{scheme: digestSHA256, nonce: "2", alg: "sha-256-SESS", sess: true, stale: true}, true},
		{`Negotiate abc==, Digest nonce="1", algorithm="SHA-512-256"`, challenge{scheme: digestSHA512, nonce: "1", alg: "SHA-512-256"}, true},
		{`Digest realm="no nonce"`, challenge{}, false},
		{`nonce="1"`, challenge{}, false},
		{``, challenge{}, false},
	} {
		got, ok := best([]string{tc.header})
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%s: %+v, %v", tc.header, got, ok)
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
