package onvif

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"veilbox/capture/camera/onvif/onviftest"
	"veilbox/capture/footage"
)

const (
	user     = "admin"
	password = "g&m<klog>\"kode"
)

// quick keeps tests of what does not come short.
var quick = Limits{Call: 500 * time.Millisecond, Total: 3 * time.Second}

func TestLookTellsWhatTheDeviceIs(t *testing.T) {
	for name, d := range map[string]*onviftest.Device{
		"open":    {Profiles: onviftest.Two()},
		"token":   {User: user, Password: password, Profiles: onviftest.Two()},
		"old":     {User: user, Password: password, Profiles: onviftest.Two(), Old: true},
		"md5":     {User: user, Password: password, Profiles: onviftest.Two(), Auth: onviftest.DigestMD5, NoClock: true},
		"sha-256": {User: user, Password: password, Profiles: onviftest.Two(), Auth: onviftest.DigestSHA256, Media2: true},
		"media2":  {User: user, Password: password, Profiles: onviftest.Two(), Media2: true},
		"tls":     {User: user, Password: password, Profiles: onviftest.Two(), TLS: true},
	} {
		t.Run(name, func(t *testing.T) {
			addr := d.Serve(t, "127.0.0.1:0")
			ask := addr
			if d.TLS {
				ask = "https://" + addr
			}
			got, err := Look(t.Context(), ask, user, password, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Address != addr || got.Manufacturer != "Veilbox" || got.Model != "Scripted 1" || got.Firmware != "1.2.3 build 7" || got.Serial != "SN-0042" || got.Hardware != "hw1" {
				t.Errorf("device %+v", got)
			}
			m, s := got.Main(), got.Sub()
			audio := "AAC"
			if d.Media2 {
				audio = "MP4A-LATM"
			}
			want := Stream{Name: "MainStream", URL: "rtsp://127.0.0.1:554/p0", Codec: footage.H264, Encoding: "H264", Width: 1920, Height: 1080, FPS: 25, BitRate: 4096000, GOP: 50, Audio: audio}
			if m != want {
				t.Errorf("main %+v\nwant %+v", m, want)
			}
			if s.URL != "rtsp://127.0.0.1:554/p1" || s.Width != 640 || m.KeyEvery() != 2*time.Second {
				t.Errorf("sub %+v, keyframe every %v", s, m.KeyEvery())
			}
			if len(got.Warnings) > 0 {
				t.Errorf("warnings %v", got.Warnings)
			}
			if told := !d.NoClock; got.ClockTold != told || told && (got.Ahead > 2*time.Second || got.Ahead < -2*time.Second) {
				t.Errorf("clock told %v, ahead %v", got.ClockTold, got.Ahead)
			}
			pin := ""
			if d.TLS {
				sum := sha256.Sum256(d.Server().Certificate().RawSubjectPublicKeyInfo)
				pin = hex.EncodeToString(sum[:])
			}
			if got.Pin != pin {
				t.Errorf("pin %q, want %q", got.Pin, pin)
			}
		})
	}
}

// A camera that starts in 1970 refuses a log-in by the box's clock.
func TestLookGoesByTheCamerasClock(t *testing.T) {
	start := time.Now()
	d := &onviftest.Device{User: user, Password: password, Profiles: onviftest.Two(),
		Now: func() time.Time { return time.Unix(600, 0).Add(time.Since(start)) }}
	got, err := Look(t.Context(), d.Serve(t, "127.0.0.1:0"), user, password, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Ahead > -50*365*24*time.Hour || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0].DA, "døgn forkert") || !strings.Contains(got.Warnings[0].EN, "clock is wrong") {
		t.Errorf("ahead %v, warnings %v", got.Ahead, got.Warnings)
	}
}

func TestLookWithTheWrongPasswordTriesOnce(t *testing.T) {
	for _, auth := range []onviftest.Auth{onviftest.Token, onviftest.DigestMD5, onviftest.Basic} {
		d := &onviftest.Device{User: user, Password: password, Auth: auth, Profiles: onviftest.Two()}
		addr := d.Serve(t, "127.0.0.1:0")
		got, err := Look(t.Context(), addr, user, "forkert-kode", quick)
		if !errors.Is(err, ErrAuth) || strings.Contains(err.Error(), "forkert-kode") || got.NeedsUser {
			t.Errorf("auth %v: %v, %+v", auth, err, got)
		}
		most := 2 // the clock, and one question
		if auth == onviftest.DigestMD5 {
			most = 3 // the challenge comes first
		}
		if n := len(d.Asked()); n > most {
			t.Errorf("auth %v: asked %v", auth, d.Asked())
		}
		got, err = Look(t.Context(), addr, "", "", quick)
		if !errors.Is(err, ErrLogin) || !got.NeedsUser || !got.ClockTold {
			t.Errorf("auth %v, nobody: %v, %+v", auth, err, got)
		}
	}
}

func TestLookSuggestsAndWarns(t *testing.T) {
	two := onviftest.Two()
	with := func(change func(main, sub *onviftest.Profile)) []onviftest.Profile {
		p := append([]onviftest.Profile(nil), two...)
		change(&p[0], &p[1])
		return p
	}
	for _, c := range []struct {
		name      string
		dev       *onviftest.Device
		main, sub string
		warn      string // in English, "" for none
	}{
		{"h265 with sub", &onviftest.Device{Media2: true, Profiles: with(func(m, s *onviftest.Profile) { m.Encoding = "H265" })}, "p0", "p1", ""},
		{"h265 alone", &onviftest.Device{Media2: true, Profiles: with(func(m, s *onviftest.Profile) { m.Encoding, s.Encoding = "H265", "H265" })}, "p0", "", "no sub stream in H.264"},
		{"plus by name", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) { m.Encoding = "H.264+" })}, "p0", "p1", "smart codec"},
		{"plus by element", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) {
			m.Extra = "<tt:Extension><x:SmartCodec xmlns:x='urn:x'><x:Enabled>true</x:Enabled></x:SmartCodec></tt:Extension>"
		})}, "p0", "p1", "smart codec"},
		{"plus switched off", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) { m.Extra = "<tt:SmartCodec>false</tt:SmartCodec>" })}, "p0", "p1", ""},
		{"long gop", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) { m.GOP = 250 })}, "p0", "p1", "10.0 seconds apart"},
		{"slow", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) { m.FPS, m.GOP = 5, 5 })}, "p0", "p1", "only 5.0 pictures"},
		{"tiny sub", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) { s.Width, s.Height = 176, 144 })}, "p0", "", ""},
		{"sub first", &onviftest.Device{Profiles: []onviftest.Profile{two[1], two[0]}}, "p0", "p1", ""},
		{"mjpeg beside", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) { m.Encoding = "JPEG" })}, "p1", "", ""},
		{"mjpeg alone", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) { m.Encoding, s.Encoding = "JPEG", "MPEG4" })}, "p0", "", ""},
		{"nat", &onviftest.Device{Says: "10.9.8.7", Profiles: two}, "p0", "p1", "does not know its own address"},
		{"no address of streams", &onviftest.Device{Profiles: with(func(m, s *onviftest.Profile) { m.URI = "rtsp://10.9.8.7/p0" })}, "p0", "p1", "does not know its own address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Look(t.Context(), c.dev.Serve(t, "127.0.0.1:0"), "", "", quick)
			if err != nil {
				t.Fatal(err)
			}
			path := func(u string) string { return u[strings.LastIndex(u, "/")+1:] }
			if m, s := got.Main().URL, got.Sub().URL; path(m) != c.main || path(s) != c.sub || !strings.HasPrefix(m, "rtsp://127.0.0.1") {
				t.Errorf("main %q, sub %q", m, s)
			}
			var all []string
			for _, w := range got.Warnings {
				all = append(all, w.EN)
				if w.DA == "" || w.DA == w.EN {
					t.Errorf("warning without Danish: %+v", w)
				}
			}
			if told := strings.Join(all, " "); (told == "") != (c.warn == "") || !strings.Contains(told, c.warn) || len(all) > 1 {
				t.Errorf("warnings %q, want %q", told, c.warn)
			}
		})
	}
}

func TestLookTakesRTSPSWhereOffered(t *testing.T) {
	d := &onviftest.Device{Media2: true, Secure: true, Profiles: onviftest.Two()}
	got, err := Look(t.Context(), d.Serve(t, "127.0.0.1:0"), "", "", Limits{})
	if err != nil || got.Main().URL != "rtsps://127.0.0.1:322/p0" {
		t.Errorf("%v, main %q", err, got.Main().URL)
	}
}

// Some offer rtsps, or media2, and then cannot do it.
func TestLookFallsBack(t *testing.T) {
	fault := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusInternalServerError)
		send(w, onviftest.Envelope("<env:Fault><env:Code><env:Value>env:Receiver</env:Value></env:Code></env:Fault>"))
	}
	for verb, want := range map[string]string{
		"GetStreamUri":           "rtsp://localhost:554/p0", // of rtsps, once
		"GetProfiles":            "rtsp://localhost:554/p0", // of media2, once
		"GetServiceCapabilities": "rtsp://localhost:554/p0",
		"GetServices":            "rtsp://localhost:554/p0",
		"GetSystemDateAndTime":   "rtsps://localhost:322/p0",
	} {
		n := 0
		d := &onviftest.Device{Media2: true, Secure: true, Profiles: onviftest.Two()[:1], Answer: func(w http.ResponseWriter, v string) bool {
			if v != verb || n > 0 {
				return false
			}
			n++
			fault(w)
			return true
		}}
		_, port, err := net.SplitHostPort(d.Serve(t, "127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Look(t.Context(), net.JoinHostPort("localhost", port), "", "", quick)
		if err != nil || got.Main().URL != want || n != 1 || len(got.Warnings) > 0 {
			t.Errorf("%s fails: %q, %v, %v", verb, got.Main().URL, got.Warnings, err)
		}
	}
}

func TestStreamURLs(t *testing.T) {
	p, err := locate(t.Context(), "http://192.168.1.64:8000/onvif/device_service")
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		"rtsp://192.168.1.64/a":                           "rtsp://192.168.1.64/a",
		"rtsp://192.168.1.64:10554/a?ch=1&sub=0":          "rtsp://192.168.1.64:10554/a?ch=1&sub=0",
		"rtsp://u:p@192.168.1.64/a":                       "rtsp://192.168.1.64/a",
		"rtsp://10.0.0.1:555/a":                           "rtsp://192.168.1.64:555/a",
		"rtsp://[::1]:555/a":                              "rtsp://192.168.1.64:555/a",
		"rtsps://cam.example/a#x":                         "rtsps://192.168.1.64/a",
		"rtsp://h/a?username=u&PASSWORD=p&channel=1":      "rtsp://192.168.1.64/a?channel=1",
		" rtsp://h/a ":                                    "rtsp://192.168.1.64/a",
		"rtsp://h/user=admin_password=tlJwpbo6_channel=1": "",
		"rtsp://h/x/hemmelig/y":                           "",
		"http://192.168.1.64/a":                           "",
		"file:///etc/passwd":                              "",
		"rtsp://h:99999/a":                                "",
		"rtsp:///a":                                       "",
		"rtsp:a":                                          "",
		"":                                                "",
		"rtsp://h/" + strings.Repeat("a", maxURL):         "",
		"rtsp://h/a\x00b":                                 "",
		"rtsp://h/a%00?b=\x7f":                            "",
		"rtsp://h/æ":                                      "rtsp://192.168.1.64/%C3%A6",
		"rtsp://h/a?b=æ":                                  "",
		"rtsp://169.254.1.1@192.168.1.64:554/cam/realmonitor":   "rtsp://192.168.1.64:554/cam/realmonitor",
		"rtsp://192.168.1.64:554/axis-media/media.amp?camera=1": "rtsp://192.168.1.64:554/axis-media/media.amp?camera=1",
	} {
		got, _, err := p.stream(raw, "hemmelig")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", raw, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hemmelig") {
			t.Errorf("%q: the error has the password", raw)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"192.168.1.64":              "http://192.168.1.64/onvif/device_service",
		"192.168.1.64:8000":         "http://192.168.1.64:8000/onvif/device_service",
		"https://192.168.1.64/":     "https://192.168.1.64/onvif/device_service",
		"http://192.168.1.64/x/y":   "http://192.168.1.64/x/y",
		"fe80::1":                   "http://[fe80::1]/onvif/device_service",
		"":                          "",
		"rtsp://192.168.1.64/":      "",
		"http://u:p@192.168.1.64/":  "",
		"http://192.168.1.64/?a=b":  "",
		"192.168.1.64:0":            "",
		"192.168.1.64:70000":        "",
		"192.168.1.64 /x":           "",
		"http://":                   "",
		strings.Repeat("a", maxURL): "",
	} {
		p, err := locate(t.Context(), address)
		if want == "" {
			if !errors.Is(err, ErrAddress) && !errors.Is(err, ErrUnreachable) {
				t.Errorf("%q: %v", address, err)
			}
			continue
		}
		if err != nil || p.base.String() != want {
			t.Errorf("%q: %v, %v", address, p.base, err)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Look(t.Context(), addr, "", "", quick); !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	why := fmt.Errorf("the page was closed")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Look(ctx, addr, "", "", quick); !errors.Is(err, why) {
		t.Error(err)
	}
}
