package camera

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pion/rtp"
)

// rewrite changes the usual answers.
func rewrite(from, to string) func(*request) string {
	var s script
	return func(r *request) string {
		s.udp = "only"
		if strings.Contains(r.header["Transport"], "interleaved") {
			s.udp = ""
		} else if r.method == "SETUP" && !strings.Contains(from, "port") && !strings.Contains(from, "unicast") {
			return ""
		}
		if r.method == "DESCRIBE" || (strings.Contains(from, "port") || strings.Contains(from, "unicast")) && s.udp == "" && r.method == "SETUP" {
			return ""
		}
		return strings.ReplaceAll(s.usual(r), from, to)
	}
}

func own(r *request) string {
	r.header["CSeq"] = fmt.Sprint(1000 + r.n)
	return ""
}

func base0(line string) func(*request) string {
	return func(r *request) string {
		if r.method != "DESCRIBE" {
			return ""
		}
		return r.ok(line, "Content-Type: Application/SDP; charset=utf-8", fmt.Sprintf("Content-Length: %d", len(videoSDP))) + videoSDP
	}
}

func sound(status string) func(*request) string {
	return func(r *request) string {
		if r.method != "SETUP" || !strings.Contains(r.url, "track2") {
			return ""
		}
		if status == hangUp {
			return hangUp
		}
		return r.status(status)
	}
}

// soundStops refuses to play where the sound was asked for.
func soundStops(r *request) string {
	if strings.Contains(r.url, "track2") {
		r.session.next = 1
	}
	if r.method == "PLAY" && r.session.next == 1 {
		return r.status("500 Internal Server Error")
	}
	return ""
}

func moved(times int) func(*request) string {
	return func(r *request) string {
		n := strings.Count(r.url, "again")
		if r.method != "DESCRIBE" || n >= times {
			return ""
		}
		return r.status("301 Moved Permanently", "Location: "+r.url+"/again")
	}
}

func dribble(r *request) string {
	if r.method != "DESCRIBE" {
		return ""
	}
	for range 600 {
		if r.session.write([]byte("R")) != nil {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	return hangUp
}

// first sends enough for a session to play, and returns what sends more.
func first(send func(int, []byte) error) (*sender, error) {
	s := &sender{send: send}
	return s, errors.Join(s.unit(0, sps320, pps264, idr), s.unit(3000, slice))
}

// raw makes bytes stand outside of any frame: the channel is all that a frame of
// no length has, so they follow it.
func raw(send func(int, []byte) error, b []byte) error {
	return send(-1, b)
}

func dribbles(send func(int, []byte) error) error {
	if _, err := first(send); err != nil {
		return err
	}
	if err := raw(send, []byte{'$', 0, 0xff, 0xff}); err != nil {
		return err
	}
	for {
		if err := raw(send, []byte{0}); err != nil {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

// torn sends pictures that all miss their end.
func torn(send func(int, []byte) error) error {
	s, err := first(send)
	for i := uint32(2); err == nil; i++ {
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: 7, SequenceNumber: s.seq, Timestamp: i * 3000}, Payload: []byte{0x7c, 0x85, 1, 2, 3}}
		s.seq++
		var b []byte
		if b, err = p.Marshal(); err == nil {
			err = send(0, b)
		}
		<-time.After(20 * time.Millisecond)
	}
	return err
}

func changing(send func(int, []byte) error) error {
	s := sender{send: send}
	for i := uint32(0); ; i++ {
		set := sps320
		if i%2 == 1 {
			set = sps160
		}
		if err := s.unit(i*3000, set, pps264, idr); err != nil {
			return err
		}
		<-time.After(5 * time.Millisecond)
	}
}

func flood(send func(int, []byte) error) error {
	s, err := first(send)
	for i := uint32(2); err == nil; i++ {
		err = s.unit(i*3000, append([]byte{0x41}, make([]byte, 1300)...))
	}
	return err
}

func drizzle(send func(int, []byte) error) error {
	s, err := first(send)
	for i := uint32(2); err == nil; i++ {
		err = s.unit(i*3000, []byte{0x41})
	}
	return err
}

func mutter(send func(int, []byte) error) error {
	_, err := first(send)
	for err == nil {
		err = raw(send, []byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: x\r\n\r\n"))
	}
	return err
}

func pester(send func(int, []byte) error) error {
	_, err := first(send)
	for err == nil {
		err = raw(send, []byte("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"))
	}
	return err
}

func ends(send func(int, []byte) error) error {
	_, err := first(send)
	return errors.Join(err, raw(send, []byte("TEARDOWN rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\n\r\n")))
}

// between sends pictures with something before each.
func between(what func(i int) error, send func(int, []byte) error) error {
	i := 0
	return pictures(func(ch int, b []byte) error {
		i++
		return errors.Join(what(i), send(ch, b))
	})
}

func chatty(send func(int, []byte) error) error {
	methods := []string{"OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "REDIRECT", "PLAY", "RECORD"}
	return between(func(i int) error {
		return raw(send, fmt.Appendf(nil, "%s rtsp://h/x RTSP/1.0\r\nCSeq: %d\r\n\r\n", methods[i%len(methods)], i))
	}, send)
}

func foreign(send func(int, []byte) error) error {
	return between(func(i int) error {
		return send(2+i%250, make([]byte, i%1500))
	}, send)
}

func bombs(send func(int, []byte) error) error {
	return between(func(i int) error {
		b := make([]byte, 4+i*7%1600)
		for j := range b {
			b[j] = byte(i*31 + j*j)
		}
		b[0], b[1] = 0x81|byte(i&31), byte(200+i%8)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1)+uint16(i%3))
		return send(1, b)
	}, send)
}

// noise sends sound that makes no sense, of the wrong type and none at all.
func noise(send func(int, []byte) error) error {
	return between(func(i int) error {
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: uint8(8 + i%2), SSRC: 9, SequenceNumber: uint16(i * i), Timestamp: uint32(i * 0x10000001)}}
		if i%3 == 0 {
			p.Payload = make([]byte, 9<<10)
		}
		b, err := p.Marshal()
		return errors.Join(err, send(2, b))
	}, send)
}

// swell sends one picture that never ends, in slices.
func swell(send func(int, []byte) error) error {
	s, err := first(send)
	for err == nil {
		s.seq++
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: 7, SequenceNumber: s.seq - 1, Timestamp: 9000}, Payload: append([]byte{0x41}, make([]byte, 60000)...)}
		var b []byte
		if b, err = p.Marshal(); err == nil {
			err = send(0, b)
		}
	}
	return err
}

// shards sends one NAL unit that never ends, byte by byte.
func shards(send func(int, []byte) error) error {
	s, err := first(send)
	for i := 0; err == nil; i++ {
		s.seq++
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: 7, SequenceNumber: s.seq - 1, Timestamp: 9000}, Payload: []byte{0x7c, 0x05, 9}}
		if i == 0 {
			p.Payload[1] = 0x85
		}
		var b []byte
		if b, err = p.Marshal(); err == nil {
			err = send(0, b)
		}
	}
	return err
}

// sets sends parameter sets at their limit and nothing else.
func sets(send func(int, []byte) error) error {
	s, err := first(send)
	for i := byte(0); err == nil; i++ {
		err = s.unit(uint32(i)*3000, append(append([]byte{0x67}, sps320[1:]...), make([]byte, 4000)...), append([]byte{0x68, i}, make([]byte, 4000)...))
	}
	return err
}
