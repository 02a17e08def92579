package camera

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		in   Source
		want Source
		bad  bool
	}{
		{in: Source{URL: "rtsp://10.0.0.9/main"}, want: Source{URL: "rtsp://10.0.0.9/main"}},
		{in: Source{URL: "rtsp://u:p%40%3a@cam.local:8554/a?b=c"}, want: Source{URL: "rtsp://cam.local:8554/a?b=c", Username: "u", Password: "p@:"}},
		{in: Source{URL: "rtsp://u:p@h/x", Username: "v", Password: "q"}, want: Source{URL: "rtsp://h/x", Username: "v", Password: "q"}},
		{in: Source{URL: "rtsp://[fe80::1]:554/x", SubURL: "rtsp://u:p@h/y"}, want: Source{URL: "rtsp://[fe80::1]:554/x", SubURL: "rtsp://h/y", Username: "u", Password: "p"}},
		{in: Source{}, bad: true},
		{in: Source{URL: "http://h/x"}, bad: true},
		{in: Source{URL: "rtsps://h/x", Pin: strings.Repeat("Ab:", 31) + "ab"}, want: Source{URL: "rtsps://h/x", Pin: strings.Repeat("ab", 32)}},
		{in: Source{URL: "rtsps://h/x", Pin: "abcd"}, bad: true},
		{in: Source{URL: "rtsp://h/x", Transport: "sctp"}, bad: true},
		{in: Source{URL: "rtsp:///x"}, bad: true},
		{in: Source{URL: "rtsp:h"}, bad: true},
		{in: Source{URL: "rtsp://h:0/"}, bad: true},
		{in: Source{URL: "rtsp://h:99999/"}, bad: true},
		{in: Source{URL: "rtsp://h:/"}, bad: true},
		{in: Source{URL: "rtsp://h/#a"}, bad: true},
		{in: Source{URL: "rtsp://h/a b"}, bad: true},
		{in: Source{URL: "rtsp://h/\r\nX: y"}, bad: true},
		{in: Source{URL: "rtsp://h/x", SubURL: "ftp://h/x"}, bad: true},
		{in: Source{URL: "rtsp://h/" + strings.Repeat("x", maxURL)}, bad: true},
	} {
		got, err := tc.in.Split()
		if tc.bad != errors.Is(err, ErrURL) || got != tc.want {
			t.Errorf("%q: %+v (%q), %v", tc.in.URL, got, string(got.Password), err)
		}
	}
	_, err := Source{URL: "rtsp://u:hunter2@h:bad/"}.Split()
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestSecret(t *testing.T) {
	s := Source{URL: "rtsp://h/", Password: "hunter2"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "source", s, "password", s.Password)
	js, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s.Password, s.Password, s.Password, s.Password) + log.String() + string(js)
	if strings.Contains(all, "hunter2") || strings.Contains(all, "68756e74657232") || !strings.Contains(all, "***") {
		t.Error(all)
	}
}

type collect struct {
	formats []footage.Format
	units   []footage.AccessUnit
	after   func(c *collect)
}

func (c *collect) Format(f footage.Format) { c.formats = append(c.formats, f) }
func (c *collect) AccessUnit(au footage.AccessUnit) {
	var n [][]byte
	for _, u := range au.NALUs {
		n = append(n, bytes.Clone(u))
	}
	au.NALUs = n
	c.units = append(c.units, au)
	if c.after != nil {
		c.after(c)
	}
}

// until runs a session until n pictures have come.
func until(t *testing.T, url string, n int, opt Options) *collect {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := &collect{after: func(c *collect) {
		if len(c.units) == n {
			cancel()
		}
	}}
	if err := Run(ctx, Source{URL: url}, opt, c); !errors.Is(err, context.Canceled) {
		t.Fatalf("Run: %v", err)
	}
	return c
}

func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestTroubles(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	quick := Limits{Connect: time.Second, Stall: 2 * time.Second, FirstKeyframe: time.Second}
	busy := func(send func(int, []byte) error) error {
		s := sender{send: send}
		for i := uint32(0); ; i += 3000 {
			if err := s.unit(i, slice); err != nil {
				return err
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	status := func(s string) string { return "RTSP/1.0 " + s + "\nCSeq: %s\n\n" }
	for name, tc := range map[string]struct {
		url  string
		s    script
		want *problem.Problem
	}{
		"scheme":          {url: "http://127.0.0.1/", want: ErrURL},
		"closed port":     {url: "rtsp://" + closedPort(t) + "/x", want: ErrUnreachable},
		"web server":      {url: strings.Replace(web.URL, "http", "rtsp", 1) + "/x", want: ErrNotVideo},
		"banner":          {s: script{greet: "SSH-2.0-OpenSSH_9.2\r\n"}, want: ErrNotVideo},
		"binary":          {s: script{greet: "\x00\x01\xff$$$$"}, want: ErrNotVideo},
		"silent":          {s: script{greet: " "}, want: ErrNotVideo},
		"not found":       {s: script{describe: status("404 Not Found")}, want: ErrNotFound},
		"unauthorized":    {s: script{describe: status("401 Unauthorized")}, want: ErrAuth},
		"forbidden":       {s: script{describe: status("403 Forbidden")}, want: ErrAuth},
		"busy":            {s: script{describe: status("453 Not Enough Bandwidth")}, want: ErrRefused},
		"redirect away":   {s: script{describe: "RTSP/1.0 302 Moved\nCSeq: %s\nLocation: rtsp://192.0.2.1/x\n\n"}, want: ErrRefused},
		"no description":  {s: script{describe: "RTSP/1.0 200 OK\nCSeq: %s\nContent-Type: text/html\nContent-Length: 1\n\nx"}, want: ErrNotVideo},
		"garbage for SDP": {s: script{sdp: "\x00\x01\x02"}, want: ErrNoTrack},
		"only sound":      {s: script{sdp: "v=0\r\ns=x\r\nm=audio 0 RTP/AVP 0\r\n"}, want: ErrNoTrack},
		"VP9":             {s: script{sdp: "v=0\r\ns=x\r\nm=video 0 RTP/AVP 98\r\na=rtpmap:98 VP9/90000\r\n"}, want: ErrNoTrack},
		"huge SDP":        {s: script{sdp: videoSDP + strings.Repeat("a=x\r\n", maxSDP/5)}, want: ErrNoTrack},
		"endless answer":  {s: script{describe: "RTSP/1.0 200 OK\nCSeq: %s\nContent-Length: 99999999\n\n"}, want: ErrNotVideo},
		"stall":           {s: script{sdp: videoSDP, play: func(func(int, []byte) error) error { return nil }}, want: ErrStall},
		"no keyframe":     {s: script{sdp: videoSDP, play: busy}, want: ErrNoKeyframe},
		"cut":             {s: script{sdp: videoSDP, play: func(func(int, []byte) error) error { return errors.New("cut") }}, want: ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := tc.url
			if url == "" {
				url = tc.s.start(t)
			}
			lim := quick
			if name == "stall" {
				lim.FirstKeyframe = time.Minute
			}
			err := Run(t.Context(), Source{URL: url, Username: "u", Password: "hunter2"}, Options{Limits: lim}, &collect{})
			if !errors.Is(err, tc.want) {
				t.Fatalf("%v\nwant %s", err, tc.want.Code)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestUnknownHost(t *testing.T) {
	err := classify(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}, false)
	if !errors.Is(err, ErrURL) {
		t.Error(err)
	}
}

// What a camera says may be shown on a terminal.
func TestErrorsAreBounded(t *testing.T) {
	for _, evil := range []string{"\x1b[2J", "\u202e", "\r\n", strings.Repeat("x", 5000)} {
		url := script{describe: "RTSP/1.0 200 OK\nCSeq: %s\nContent-Type: " + evil + "\nContent-Length: 1\n\nx"}.start(t)
		err := Run(t.Context(), Source{URL: url}, Options{}, &collect{})
		if err == nil || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\x1b\r\n\u202e") {
			t.Errorf("%q", err)
		}
	}
}

// Sound and metadata tracks that make no sense, a back channel and parameter
// sets that are no base64 must not cost the picture.
func TestOddTracks(t *testing.T) {
	sdp := "v=0\r\no=odd\r\ns=\r\nt=0 0\r\na=group:FEC 1 2\r\na=key-mgmt:mikey AA\r\n" +
		"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/0\r\na=fmtp:97 config=zz\r\na=mid:1\r\n" +
		"m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n" +
		strings.TrimPrefix(videoSDP, "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n") +
		"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=!!,??\r\na=framerate:x\r\n"
	url := script{sdp: sdp, play: func(send func(int, []byte) error) error {
		s := sender{send: send}
		return errors.Join(s.unit(0, sps320, pps264), s.unit(3000, slice), s.unit(6000, []byte{9, 0x10}, sps320, pps264, idr), s.unit(9000, slice))
	}}.start(t)
	c := until(t, url, 2, Options{})
	if len(c.formats) != 1 || c.formats[0].Width != 320 || c.formats[0].Height != 240 {
		t.Fatalf("formats: %+v", c.formats)
	}
	if u := c.units[0]; !u.Key || len(u.NALUs) != 1 || !bytes.Equal(u.NALUs[0], idr) {
		t.Errorf("first unit: %+v", u)
	}
	if u := c.units[1]; u.Key || u.DTS-c.units[0].DTS != 3000 {
		t.Errorf("second unit: %+v", u)
	}
}

func TestChangedFormat(t *testing.T) {
	url := script{sdp: videoSDP, play: func(send func(int, []byte) error) error {
		s := sender{send: send}
		return errors.Join(
			s.unit(0, sps320, pps264, idr), s.unit(3000, slice),
			s.unit(6000, sps320, pps264, idr),                // the same: no news
			s.unit(9000, []byte{0x67, 1, 2, 3}, pps264, idr), // no sense: left out
			s.unit(12000, sps160, pps264, idr), s.unit(15000, slice))
	}}.start(t)
	var stats Stats
	var order []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &tape{f: func(s string) {
		if order = append(order, s); len(order) == 7 {
			cancel()
		}
	}}
	if err := Run(ctx, Source{URL: url}, Options{Stats: &stats}, h); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got, want := strings.Join(order, " "), "320x240 key unit key 160x128 key unit"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if stats.Malformed.Load() == 0 || stats.Dropped.Load() != 1 {
		t.Errorf("malformed %d, dropped %d", stats.Malformed.Load(), stats.Dropped.Load())
	}
}

type tape struct{ f func(string) }

func (p *tape) Format(f footage.Format) { p.f(fmt.Sprintf("%dx%d", f.Width, f.Height)) }
func (p *tape) AccessUnit(au footage.AccessUnit) {
	if au.Key {
		p.f("key")
	} else {
		p.f("unit")
	}
}

func TestProbeScripted(t *testing.T) {
	url := script{sdp: videoSDP, play: func(send func(int, []byte) error) error {
		s := sender{send: send}
		for i := uint32(0); i < 60; i++ {
			n := [][]byte{slice}
			if i%20 == 0 {
				n = [][]byte{sps320, pps264, idr}
			}
			if err := s.unit(i*4500, n...); err != nil {
				return err
			}
		}
		return nil
	}}.start(t)
	d, err := Probe(t.Context(), Source{URL: url}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Codec != footage.H264 || d.Width != 320 || d.Height != 240 || d.GOP != time.Second || d.FPS < 19.9 || d.FPS > 20.1 {
		t.Errorf("%+v", d)
	}
	if len(d.Server) != maxText || strings.ContainsRune(d.Server, 7) || !strings.HasPrefix(d.Server, "Kam?era 9000 x") {
		t.Errorf("server: %q", d.Server)
	}
	if len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0].EN, "320 x 240") {
		t.Errorf("warnings: %+v", d.Warnings)
	}
}
