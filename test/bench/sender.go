package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The sender is cameras at their cheapest: RTSP (RFC 2326) over TCP with the
// packets interleaved, a clip packetised once and looped, one write a packet
// and a picture's packets at once, as a camera sends them. Every connection is
// a camera of its own: the path's number says where in the GOP and in the
// picture's time it stands, so that no two are in step. It runs as a process
// of its own, so that what it uses is in no figure.

const (
	rate      = 25
	frameTick = 90000 / rate
	payload   = 1400 // bytes of an RTP packet's payload at most
)

// A picture is the payloads of one access unit's packets.
type picture [][]byte

// packetise cuts an H.264 byte stream with access unit delimiters into pictures
// and those into RTP payloads: RFC 6184, single NAL units and FU-A.
func packetise(b []byte) (pics []picture, sps, pps []byte, err error) {
	for nalu := range nalus(b) {
		switch nalu[0] & 0x1f {
		case 9:
			pics = append(pics, nil)
			continue
		case 7:
			sps = nalu
		case 8:
			pps = nalu
		}
		if len(pics) == 0 {
			return nil, nil, nil, errors.New("the clip does not begin with an access unit delimiter")
		}
		p := &pics[len(pics)-1]
		if len(nalu) <= payload {
			*p = append(*p, nalu)
			continue
		}
		head, typ, rest, first := nalu[0]&0xe0|28, nalu[0]&0x1f, nalu[1:], byte(0x80)
		for len(rest) > 0 {
			n := min(len(rest), payload-2)
			fu := typ | first
			if n == len(rest) {
				fu |= 0x40
			}
			*p = append(*p, append([]byte{head, fu}, rest[:n]...))
			rest, first = rest[n:], 0
		}
	}
	if len(pics) == 0 || sps == nil || pps == nil {
		return nil, nil, nil, errors.New("the clip has no pictures or no parameter sets")
	}
	return pics, sps, pps, nil
}

// nalus yields the NAL units of a byte stream (H.264 Annex B).
func nalus(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		code := []byte{0, 0, 1}
		i := bytes.Index(b, code)
		for i >= 0 {
			b = b[i+len(code):]
			if i = bytes.Index(b, code); i < 0 {
				yield(b)
				return
			}
			if n := bytes.TrimRight(b[:i], "\x00"); len(n) > 0 && !yield(n) {
				return
			}
		}
	}
}

type sender struct {
	pics     []picture
	sps, pps []byte
	cameras  int

	mu   sync.Mutex
	told io.Writer // gets a line for each picture of the path /told: its number and the time in microseconds
}

// send serves until its standard input ends. The first line that it prints is
// its address.
func send(clip string, cameras int) error {
	b, err := os.ReadFile(clip)
	if err != nil {
		return err
	}
	s := &sender{cameras: cameras, told: os.Stdout}
	if s.pics, s.sps, s.pps, err = packetise(b); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				// A reader that leaves is no failure of the sender.
				_ = s.serve(c)
				_ = c.Close()
			}()
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, l.Close())
}

// serve answers one connection and, from PLAY on, sends to it.
func (s *sender) serve(c net.Conn) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var wmu sync.Mutex
	in := textproto.NewReader(bufio.NewReaderSize(c, 2048))
	playing := false
	for {
		if b, err := in.R.Peek(1); err == nil && b[0] == '$' { // a receiver report
			h := make([]byte, 4)
			if _, err := io.ReadFull(in.R, h); err != nil {
				return err
			}
			if _, err := in.R.Discard(int(binary.BigEndian.Uint16(h[2:]))); err != nil {
				return err
			}
			continue
		}
		line, err := in.ReadLine()
		if err != nil {
			return err
		}
		head, err := in.ReadMIMEHeader()
		if err != nil {
			return err
		}
		f := strings.Fields(line)
		if len(f) != 3 {
			return errors.New("not a request")
		}
		more, body := "", ""
		switch f[0] {
		case "OPTIONS":
			more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n"
		case "DESCRIBE":
			body = fmt.Sprintf("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=bench\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=control:track0\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1; profile-level-id=%X; sprop-parameter-sets=%s,%s\r\n",
				s.sps[1:4], base64.StdEncoding.EncodeToString(s.sps), base64.StdEncoding.EncodeToString(s.pps))
			more = fmt.Sprintf("Content-Type: application/sdp\r\nContent-Base: %s/\r\nContent-Length: %d\r\n", strings.TrimRight(f[1], "/"), len(body))
		case "SETUP":
			more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
		}
		wmu.Lock()
		_, err = fmt.Fprintf(c, "RTSP/1.0 200 OK\r\nCSeq: %s\r\nSession: 1;timeout=60\r\n%s\r\n%s", head.Get("CSeq"), more, body)
		wmu.Unlock()
		switch {
		case err != nil:
			return err
		case f[0] == "TEARDOWN":
			return nil
		case f[0] == "PLAY" && !playing:
			playing = true
			number, told := 0, strings.Contains(f[1], "/told")
			if i := strings.Index(f[1], "/cam"); i >= 0 {
				if number, err = strconv.Atoi(strings.TrimRight(f[1][i+4:], "/")); err != nil {
					return err
				}
			}
			go func() {
				defer c.Close()
				_ = s.play(ctx, c, &wmu, number, told) // it ends with the connection
			}()
		}
	}
}

// play sends the clip's pictures at their pace.
func (s *sender) play(ctx context.Context, c net.Conn, wmu *sync.Mutex, number int, told bool) error {
	share := func(d time.Duration) time.Duration { return d * time.Duration(number) / time.Duration(s.cameras) }
	frame := time.Second / rate
	// Each has its own place in the second of a GOP and between two pictures.
	begun := time.Now().Truncate(frame).Add(frame + share(frame))
	first := int(share(time.Second) / frame)
	seq, ssrc := uint16(number*1000), 0x10000000+uint32(number)
	b := make([]byte, 4+12+payload)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := 0; ; i++ {
		timer.Reset(time.Until(begun.Add(time.Duration(i) * frame)))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		n := (first + i) % len(s.pics)
		if told {
			s.mu.Lock()
			_, err := fmt.Fprintf(s.told, "%d %d\n", n, time.Now().UnixMicro())
			s.mu.Unlock()
			if err != nil {
				return err
			}
		}
		wmu.Lock()
		for k, p := range s.pics[n] {
			mark := byte(0)
			if k == len(s.pics[n])-1 {
				mark = 0x80
			}
			b = append(b[:0], '$', 0)
			b = binary.BigEndian.AppendUint16(b, uint16(12+len(p)))
			b = append(b, 0x80, mark|96)
			b = binary.BigEndian.AppendUint16(b, seq)
			b = binary.BigEndian.AppendUint32(b, uint32(i)*frameTick)
			b = binary.BigEndian.AppendUint32(b, ssrc)
			b = append(b, p...)
			seq++
			if _, err := c.Write(b); err != nil {
				wmu.Unlock()
				return err
			}
		}
		wmu.Unlock()
	}
}
