package camera

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// keyed returns what a camera that signs its own certificate speaks TLS with, and
// the fingerprint.
func keyed(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Long over, and for no host: neither is asked.
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cam"}, NotAfter: time.Unix(0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(spki)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, hex.EncodeToString(sum[:])
}

func TestFingerprint(t *testing.T) {
	mine, pin := keyed(t)
	another, otherPin := keyed(t)
	for name, tc := range map[string]struct {
		pin     string
		learned *Learned
		want    error
		told    string
	}{
		"first seen":             {told: pin},
		"known":                  {pin: strings.ToUpper(pin)},
		"another":                {pin: otherPin, want: ErrPin},
		"seen before":            {learned: &Learned{pin: pin}, told: pin},
		"seen another before":    {learned: &Learned{pin: otherPin}, want: ErrPin},
		"accepted since, though": {pin: pin, learned: &Learned{pin: otherPin}},
	} {
		t.Run(name, func(t *testing.T) {
			var heard atomic.Int64
			g := &guard{headers: []string{askBasic}}
			url := script{sdp: videoSDP, play: pictures, tls: mine, answer: func(r *request) string {
				heard.Add(1)
				return g.answer(r)
			}}.start(t)
			told, shown := "", strings.Builder{}
			opt := Options{Learned: tc.learned, Pinned: func(p string) { told += p }, Phase: func(p Phase) { shown.WriteString(p.String()) }}
			if tc.want == nil {
				runNasty(t, Source{URL: url, Pin: tc.pin, Username: "u", Password: "hunter2"}, opt, &collect{}, nil)
			} else if err := Run(t.Context(), Source{URL: url, Pin: tc.pin, Username: "u", Password: "hunter2"}, opt, &collect{}); !errors.Is(err, tc.want) || heard.Load() > 0 {
				t.Errorf("%v, after %d requests", err, heard.Load())
			} else if shown.String() != "connecting" {
				t.Errorf("phases: %s", shown.String())
			}
			if told != tc.told {
				t.Errorf("told %q, want %q", told, tc.told)
			}
		})
	}
	// What a camera shows is of one key, and what it learns is kept for later.
	learned := new(Learned)
	runNasty(t, Source{URL: script{sdp: videoSDP, play: pictures, tls: mine}.start(t)}, Options{Learned: learned}, &collect{}, nil)
	if err := Run(t.Context(), Source{URL: script{sdp: videoSDP, play: pictures, tls: another}.start(t)}, Options{Learned: learned}, &collect{}); !errors.Is(err, ErrPin) {
		t.Errorf("the camera was swapped: %v", err)
	}
}

func TestInsecureTLS(t *testing.T) {
	old, _ := keyed(t)
	old.MaxVersion = tls.VersionTLS11
	for name, s := range map[string]script{
		"TLS 1.1": {tls: old, sdp: videoSDP},
		"no TLS":  {sdp: videoSDP, play: pictures},
		"mute":    {greet: " "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := strings.Replace(s.start(t), "rtsp://", "rtsps://", 1)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err := Run(ctx, Source{URL: url}, Options{Limits: Limits{Connect: 500 * time.Millisecond}}, &collect{})
			if !errors.Is(err, ErrNotVideo) && !errors.Is(err, ErrUnreachable) {
				t.Error(err)
			}
		})
	}
}

// A camera may not send the box out of TLS, nor to another host.
func TestSecureRedirect(t *testing.T) {
	conf, _ := keyed(t)
	plain := script{sdp: videoSDP, play: pictures}.start(t)
	for _, to := range []string{plain, "rtsps://localhost:1/x"} {
		url := script{sdp: videoSDP, play: pictures, tls: conf, answer: answers("DESCRIBE", "302 Found", "Location: "+to)}.start(t)
		if err := Run(t.Context(), Source{URL: url}, Options{}, &collect{}); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestAddress(t *testing.T) {
	for raw, want := range map[string]string{
		"rtsp://h/x": "h:554", "rtsps://h/x": "h:322", "rtsps://h:8322/x": "h:8322", "rtsp://[fe80::1]/x": "[fe80::1]:554",
	} {
		s, err := newSession(Source{URL: raw}, Options{}, &collect{})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.address(); got != want {
			t.Errorf("%s: %s", raw, got)
		}
		if _, _, err := net.SplitHostPort(s.address()); err != nil {
			t.Error(err)
		}
	}
}
