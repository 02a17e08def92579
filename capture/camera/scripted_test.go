package camera

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/pion/rtp"
)

// A script is a camera that says exactly what a test wants.
type script struct {
	sdp      string
	describe string // instead of the description
	greet    string // sent at once, instead of RTSP
	play     func(send func(channel int, p []byte) error) error
	// answer is asked first; it returns the whole answer, "" for the usual one,
	// hangUp or silent.
	answer func(r *request) string
	tls    *tls.Config
	// udp is "" for a camera that knows none, "only", "both", "mute", which sends
	// nothing over UDP, or "best", which sends nothing over TCP.
	udp string
	// spoof sends over UDP from another socket than was told.
	spoof bool
}

const (
	hangUp = "\x00"
	silent = "\x01"
)

// A request is what a scripted camera was asked.
type request struct {
	method, url string
	header      map[string]string
	conn        net.Conn
	n           int // of its connection
	session     *played
}

// ok returns an answer with more header lines.
func (r *request) ok(lines ...string) string { return r.status("200 OK", lines...) }

func (r *request) status(status string, lines ...string) string {
	return "RTSP/1.0 " + status + "\r\nCSeq: " + r.header["CSeq"] + "\r\n" + strings.Join(append(lines, "", ""), "\r\n")
}

// played is one connection's state.
type played struct {
	mu   sync.Mutex
	c    net.Conn
	udp  map[int]*net.UDPConn
	to   map[int]*net.UDPAddr
	next int
}

func (p *played) write(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.c.Write(b)
	return err
}

// start serves s at a URL until the test ends.
func (s script) start(t testing.TB) string {
	t.Helper()
	ln, url, err := s.listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // nothing is left to lose
	return url
}

func (s script) listen() (net.Listener, string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	scheme := "rtsp://"
	if s.tls != nil {
		ln, scheme = tls.NewListener(ln, s.tls), "rtsps://"
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return ln, scheme + ln.Addr().String() + "/stream", nil
}

func (s script) serve(c net.Conn) {
	p := &played{c: c, udp: map[int]*net.UDPConn{}, to: map[int]*net.UDPAddr{}}
	defer func() {
		c.Close()
		for _, u := range p.udp {
			u.Close()
		}
	}()
	if s.greet != "" {
		fmt.Fprint(c, s.greet)
	}
	in := bufio.NewReader(c)
	for n := 1; ; n++ {
		r := &request{header: map[string]string{}, conn: c, n: n, session: p}
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSpace(line)
			if k, v, ok := strings.Cut(line, ": "); ok && r.method != "" {
				r.header[k] = v
			} else if f := strings.Fields(line); len(f) == 3 {
				r.method, r.url = f[0], f[1]
			}
			if line == "" {
				break
			}
		}
		if s.greet != "" {
			continue
		}
		out := ""
		if s.answer != nil {
			out = s.answer(r)
		}
		switch out {
		case hangUp:
			return
		case silent:
			continue
		}
		play := r.method == "PLAY" && (out == "" || strings.HasPrefix(out, "RTSP/1.0 200"))
		if out == "" {
			out = s.usual(r)
		}
		if err := p.write([]byte(out)); err != nil {
			return
		}
		if play && s.play != nil {
			go func() {
				if err := s.play(func(ch int, b []byte) error { return s.send(p, ch, b) }); err != nil {
					c.Close()
				}
			}()
		}
	}
}

func (s script) usual(r *request) string {
	server := "Server: Kam\u0007era 9000 " + strings.Repeat("x", 200)
	switch r.method {
	case "DESCRIBE":
		if s.describe != "" {
			return fmt.Sprintf(strings.ReplaceAll(s.describe, "\n", "\r\n"), r.header["CSeq"])
		}
		return r.ok(server, "Content-Type: application/sdp", fmt.Sprintf("Content-Length: %d", len(s.sdp))) + s.sdp
	case "SETUP":
		want := r.header["Transport"]
		if _, ports, ok := strings.Cut(want, "client_port="); ok {
			if s.udp == "" {
				return r.status("461 Unsupported Transport")
			}
			var a, b int
			if _, err := fmt.Sscanf(ports, "%d-%d", &a, &b); err != nil {
				return r.status("400 Bad Request")
			}
			return r.ok(server, "Session: 1;timeout=60", "Transport: RTP/AVP;unicast;"+r.session.open(a, b))
		}
		if s.udp == "only" {
			return r.status("461 Unsupported Transport")
		}
		_, ids, _ := strings.Cut(want, "interleaved=")
		return r.ok(server, "Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved="+ids)
	case "PLAY":
		return r.ok(server, "Session: 1")
	}
	return r.ok(server)
}

// open makes the sockets of a track sent over UDP.
func (p *played) open(rtp, rtcp int) string {
	var ports [2]int
	for i, to := range []int{rtp, rtcp} {
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return ""
		}
		p.udp[p.next], p.to[p.next] = u, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: to}
		ports[i] = u.LocalAddr().(*net.UDPAddr).Port
		p.next++
	}
	return fmt.Sprintf("client_port=%d-%d;server_port=%d-%d", rtp, rtcp, ports[0], ports[1])
}

func (s script) send(p *played, ch int, b []byte) error {
	if u := p.udp[ch]; u != nil {
		if s.udp == "mute" {
			return nil
		}
		if s.spoof {
			u = p.udp[ch+1]
		}
		_, err := u.WriteTo(b, p.to[ch])
		return err
	}
	if s.udp == "best" {
		return nil
	}
	if ch < 0 {
		return p.write(b) // as it is
	}
	head := append([]byte{'$', byte(ch)}, binary.BigEndian.AppendUint16(nil, uint16(len(b)))...)
	return p.write(append(head, b...))
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
