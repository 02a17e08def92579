package onvif

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"veilbox/capture/camera/onvif/onviftest"
)

func send(w http.ResponseWriter, body string) {
	_, _ = io.WriteString(w, body) // a client that has gone is what some of these tests want
}

// laughs is XML of entities that would grow to gigabytes.
func laughs() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a0 "ha">`)
	for i := range 20 {
		fmt.Fprintf(&b, `<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	b.WriteString("]>" + strings.Replace(onviftest.Envelope("<tds:GetDeviceInformationResponse><tds:Model>&a20;</tds:Model></tds:GetDeviceInformationResponse>"), `<?xml version="1.0" encoding="UTF-8"?>`, "", 1))
	return b.String()
}

func TestHostileAnswersAreRefusedInTimeAndBounded(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the box was led to %s", r.Host)
	}))
	defer elsewhere.Close()
	flood := func(w http.ResponseWriter, unit string) {
		for {
			if _, err := io.WriteString(w, unit); err != nil {
				return
			}
		}
	}
	const info = "GetDeviceInformation"
	for _, c := range []struct {
		name   string
		verb   string
		answer func(w http.ResponseWriter)
		want   error
	}{
		{"endless bytes", info, func(w http.ResponseWriter) { flood(w, strings.Repeat("<a>", 1000)) }, ErrHostile},
		{"endless at once", "GetSystemDateAndTime", func(w http.ResponseWriter) { flood(w, strings.Repeat(" ", 4096)) }, ErrHostile},
		{"endless headers", info, func(w http.ResponseWriter) {
			for i := range 10_000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), "x")
			}
		}, ErrNotONVIF},
		{"deep", info, func(w http.ResponseWriter) {
			send(w, onviftest.Envelope(strings.Repeat("<a>", 10_000)+strings.Repeat("</a>", 10_000)))
		}, ErrHostile},
		{"wide", info, func(w http.ResponseWriter) { send(w, onviftest.Envelope(strings.Repeat("<a/>", maxElements))) }, ErrHostile},
		{"attributes", info, func(w http.ResponseWriter) {
			var b strings.Builder
			for i := range 10_000 {
				fmt.Fprintf(&b, " a%d=''", i)
			}
			send(w, onviftest.Envelope("<a"+b.String()+"/>"))
		}, ErrHostile},
		{"billion laughs", info, func(w http.ResponseWriter) { send(w, laughs()) }, ErrHostile},
		{"external entity", info, func(w http.ResponseWriter) {
			send(w, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Envelope><Body>&x;</Body></Envelope>`)
		}, ErrHostile},
		{"unfinished", info, func(w http.ResponseWriter) { send(w, onviftest.Envelope("")[:300]) }, ErrHostile},
		{"no SOAP", info, func(w http.ResponseWriter) { send(w, "<html><body>hello</body></html>") }, ErrNotONVIF},
		{"page", "GetSystemDateAndTime", func(w http.ResponseWriter) { send(w, "<html><br>hello") }, ErrNotONVIF},
		{"nothing", info, func(w http.ResponseWriter) {}, ErrNotONVIF},
		{"not found", "GetSystemDateAndTime", func(w http.ResponseWriter) { w.WriteHeader(404) }, ErrNotONVIF},
		{"another answer", info, func(w http.ResponseWriter) { send(w, onviftest.Envelope("<tds:GetHostnameResponse/>")) }, ErrNotONVIF},
		{"redirect", info, func(w http.ResponseWriter) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(307)
		}, ErrElsewhere},
		{"gzip", info, func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			send(w, "\x1f\x8b\x08\x00\x00\x00\x00\x00")
		}, ErrNotONVIF},
		{"silent", info, func(w http.ResponseWriter) { time.Sleep(800 * time.Millisecond) }, ErrSlow},
		{"drip", info, func(w http.ResponseWriter) {
			for range 10 {
				send(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(100 * time.Millisecond)
			}
		}, ErrSlow},
		{"cut", info, func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }, ErrNotONVIF},
		{"no media", "GetServices", func(w http.ResponseWriter) {
			send(w, onviftest.Envelope("<tds:GetServicesResponse/>"))
		}, nil}, // GetCapabilities names it
		{"media elsewhere", "GetServices", func(w http.ResponseWriter) {
			send(w, onviftest.Envelope(`<tds:GetServicesResponse><tds:Service><tds:Namespace>`+nsMedia+`</tds:Namespace><tds:XAddr>`+strings.Replace(elsewhere.URL, "127.0.0.1", "127.0.0.2", 1)+`/onvif/Media</tds:XAddr></tds:Service></tds:GetServicesResponse>`))
		}, nil}, // asked where it was asked
		{"media in a file", "GetServices", func(w http.ResponseWriter) {
			send(w, onviftest.Envelope(`<tds:GetServicesResponse><tds:Service><tds:Namespace>`+nsMedia+`</tds:Namespace><tds:XAddr>file:///etc/passwd</tds:XAddr></tds:Service></tds:GetServicesResponse>`))
		}, nil},
		{"no profiles", "GetProfiles", func(w http.ResponseWriter) { send(w, onviftest.Envelope("<trt:GetProfilesResponse/>")) }, ErrNoVideo},
		{"no streams", "GetStreamUri", func(w http.ResponseWriter) {
			send(w, onviftest.Envelope("<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>http://127.0.0.1/</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>"))
		}, ErrNoVideo},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &onviftest.Device{Profiles: onviftest.Two(), Answer: func(w http.ResponseWriter, verb string) bool {
				if verb != c.verb {
					return false
				}
				c.answer(w)
				return true
			}}
			addr := d.Serve(t, "127.0.0.1:0")
			start := time.Now()
			_, err := Look(t.Context(), addr, "", "", quick)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if took := time.Since(start); took > quick.Total+time.Second {
				t.Errorf("took %v", took)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// Each answer is in time, and there is no end of them.
func TestTheWholeLookIsBounded(t *testing.T) {
	var quickly atomic.Bool
	d := &onviftest.Device{Answer: func(w http.ResponseWriter, verb string) bool {
		if verb == "GetStreamUri" && !quickly.Load() {
			time.Sleep(200 * time.Millisecond)
		}
		return false
	}}
	for i := range 400 {
		p := onviftest.Two()[0]
		p.Token = fmt.Sprintf("p%d", i)
		d.Profiles = append(d.Profiles, p)
	}
	addr := d.Serve(t, "127.0.0.1:0")
	start := time.Now()
	if _, err := Look(t.Context(), addr, "", "", Limits{Call: time.Second, Total: time.Second}); !errors.Is(err, ErrSlow) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	quickly.Store(true)
	got, err := Look(t.Context(), addr, "", "", Limits{})
	if err != nil || len(got.Streams) != 16 {
		t.Errorf("%d streams, %v", len(got.Streams), err)
	}
}

func TestAnAnswerCostsLittleMemory(t *testing.T) {
	// The worst that fits: elements up to their bound, long texts.
	body := []byte(onviftest.Envelope(strings.Repeat("<abcdefg>hijklmnop</abcdefg>", maxElements-10)))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	root, err := parse(body)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 8<<20 {
		t.Errorf("%d bytes are held for an answer of %d", held, len(body))
	}
	runtime.KeepAlive(root)
}

// What is no HTTP at all must end too.
func TestWhatIsNoHTTP(t *testing.T) {
	for name, talk := range map[string]func(c net.Conn){
		"ssh": func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-dropbear\r\n") },
		"mute": func(c net.Conn) {
			_, _ = io.Copy(io.Discard, c)
		},
		"zeroes": func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		},
		"header drip": func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "H"); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		},
		"1xx for ever": func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n"); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }() // a second close below is of no use
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer func() { _ = c.Close() }() // whichever side was first
						talk(c)
					}()
				}
			}()
			start := time.Now()
			_, err = Look(t.Context(), l.Addr().String(), user, password, quick)
			if !errors.Is(err, ErrNotONVIF) && !errors.Is(err, ErrSlow) && !errors.Is(err, ErrHostile) && !errors.Is(err, ErrUnreachable) {
				t.Error(err)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A camera that shows one certificate and then another is not one camera.
func TestTwoFaces(t *testing.T) {
	face := func() tls.Certificate {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	faces, n := []tls.Certificate{face(), face()}, 0
	s := httptest.NewUnstartedServer(&onviftest.Device{Profiles: onviftest.Two()})
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		n++
		return &tls.Config{Certificates: faces[n%2 : n%2+1]}, nil
	}}
	s.Config.SetKeepAlivesEnabled(false)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // that the box hangs up is what is tested
	s.StartTLS()
	defer s.Close()
	if _, err := Look(t.Context(), s.URL, "", "", quick); !errors.Is(err, ErrHostile) || n != 2 {
		t.Errorf("%v after %d connections", err, n)
	}
}
