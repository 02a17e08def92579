package onvif

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"veilbox/capture/camera/onvif/onviftest"
)

const id = "0f0e0d0c-1111-4222-8333-444455556666"

func FuzzMatches(f *testing.F) {
	r := onviftest.Responder{Endpoint: "urn:uuid:x", XAddrs: "http://192.168.1.64/onvif/device_service"}
	f.Add([]byte(r.ProbeMatches("urn:uuid:" + id)))
	r.Scopes, r.XAddrs = "onvif://www.onvif.org/name/%zz%00%9b onvif://www.onvif.org/", "http://[::1]:80/ http://192.168.1.64:x/"
	f.Add([]byte(r.ProbeMatches(id)))
	f.Add([]byte(laughs()))
	sender := netip.MustParseAddr("192.168.1.64")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, found := range matches(b, sender, []string{id}, false) {
			if found.Address != sender {
				t.Fatalf("%+v", found)
			}
			printable(t, found.Endpoint, found.Name, found.Hardware, found.Location)
			if found.XAddr == "" {
				continue
			}
			if u, err := url.Parse(found.XAddr); err != nil || u.Hostname() != sender.String() || u.User != nil {
				t.Fatalf("led to %q", found.XAddr)
			}
		}
	})
}

func printable(t *testing.T, all ...string) {
	t.Helper()
	for _, s := range all {
		if utf8.RuneCountInString(s) > maxText || strings.ContainsAny(s, "\x00\x1b\n\u202e") {
			t.Fatalf("%q", s)
		}
	}
}

// FuzzProfiles reads what any media answer becomes.
func FuzzProfiles(f *testing.F) {
	f.Add([]byte(onviftest.Envelope(`<trt:GetProfilesResponse><trt:Profiles token="a"><tt:Name>n</tt:Name><tt:VideoEncoderConfiguration><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>99999999999</tt:Width><tt:Height>-1</tt:Height></tt:Resolution><tt:RateControl><tt:FrameRateLimit>NaN</tt:FrameRateLimit><tt:EncodingInterval>1e300</tt:EncodingInterval><tt:BitrateLimit>Inf</tt:BitrateLimit></tt:RateControl></tt:VideoEncoderConfiguration></trt:Profiles></trt:GetProfilesResponse>`)))
	f.Add([]byte(onviftest.Envelope(`<tr2:GetProfilesResponse><tr2:Profiles token="a"><tr2:Configurations><tr2:VideoEncoder GovLength="50"><tt:Encoding>H265+</tt:Encoding><tt:SmartCodec Enabled="true"/></tr2:VideoEncoder></tr2:Configurations></tr2:Profiles></tr2:GetProfilesResponse>`)))
	f.Add([]byte(laughs()))
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := parse(b)
		if err != nil {
			return
		}
		d := Device{ClockTold: true}
		for _, kind := range []string{"GetProfilesResponse"} {
			for _, p := range root.at("Body", kind).all("Profiles") {
				s, ok := profile(p)
				if !ok {
					continue
				}
				printable(t, s.Name, s.Encoding, s.Audio)
				if s.Width < 0 || s.Width > maxSide || s.Height < 0 || s.Height > maxSide || s.FPS < 0 || s.FPS > 1000 || s.FPS != s.FPS || s.BitRate < 0 || s.GOP < 0 || s.KeyEvery() < 0 {
					t.Fatalf("%+v", s)
				}
				s.URL = "rtsp://h/" + s.Name
				d.Streams = append(d.Streams, s)
			}
		}
		d.warn()
		if sub := d.Sub(); sub.URL != "" && sub.URL == d.Main().URL {
			t.Fatalf("main and sub are one: %+v", sub)
		}
	})
}

// FuzzRead reads any answer to a question.
func FuzzRead(f *testing.F) {
	f.Add([]byte(onviftest.Envelope(`<env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>ter:NotAuthorized</env:Value></env:Subcode></env:Code></env:Fault>`)), 400)
	f.Add([]byte(onviftest.Envelope(`<tds:GetHostnameResponse/>`)), 200)
	f.Add([]byte("<html>"), 401)
	f.Fuzz(func(t *testing.T, b []byte, status int) {
		n, err := (&session{user: "u"}).read(b, status, "GetHostname", false)
		if (n == nil) == (err == nil) {
			t.Fatalf("%v %v", n, err)
		}
		if err != nil && len(err.Error()) > 2000 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
	})
}

func FuzzStream(f *testing.F) {
	for _, s := range []string{"rtsp://192.168.1.64:554/a?b=c", "rtsps://u:hemmelig@h/a?password=hemmelig&c=d", "rtsp://h/user=a_password=hemmelig", "rtsp://[::1%25eth0]:1/"} {
		f.Add(s)
	}
	p, err := locate(f.Context(), "192.168.1.64")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, _, err := p.stream(raw, "hemmelig")
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Hostname() != "192.168.1.64" || u.User != nil || strings.Contains(got, "hemmelig") || strings.ContainsAny(got, " \r\n\t") {
			t.Fatalf("%q became %q (%v)", raw, got, err)
		}
	})
}

func FuzzService(f *testing.F) {
	for _, s := range []string{"http://192.168.1.64:8000/onvif/Media", "http://10.0.0.1/x", "//x/y", "https://192.168.1.64/x", "http://192.168.1.64:0/%00"} {
		f.Add(s)
	}
	p, err := locate(f.Context(), "192.168.1.64")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		at, _ := p.service(raw)
		back, err := url.Parse(at.String())
		if err != nil || back.Hostname() != "192.168.1.64" || back.Scheme != "http" || back.User != nil || back.RawQuery != "" {
			t.Fatalf("%q became %q (%v)", raw, at, err)
		}
	})
}
