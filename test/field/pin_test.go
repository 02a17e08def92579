package field

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"veilbox/appliance/ctl/client"
	"veilbox/capture/camera/simulate"
)

// An impostor answers where a camera was, with a certificate of its own, and
// counts what it is told.
type impostor struct {
	asked, told atomic.Int64 // connections, and bytes of what came inside TLS
	close       func()
}

func impersonate(t *testing.T, addr string) *impostor {
	t.Helper()
	k := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "camera"}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(9, 0, 0)}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, c, c, k.Public(), k))
	ln := must[net.Listener](t)(net.Listen("tcp", addr))
	ln = tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: k}}})
	i := &impostor{}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				i.asked.Add(1)
				// What the box says inside TLS; its refusal is an error here.
				n, _ := io.Copy(io.Discard, io.LimitReader(c, 1<<20))
				i.told.Add(n)
			})
		}
	})
	i.close = sync.OnceFunc(func() { _ = ln.Close(); all.Wait() }) // nothing is left to lose
	t.Cleanup(i.close)
	return i
}

// see returns what a page shows to the person who is logged in.
func (b *box) see(path string) string {
	b.t.Helper()
	req := must[*http.Request](b.t)(http.NewRequestWithContext(b.t.Context(), "GET", "https://"+b.addr+path, nil))
	req.AddCookie(&http.Cookie{Name: client.CookieName, Value: b.call.Token()})
	r := must[*http.Response](b.t)(page.Do(req))
	text := must[[]byte](b.t)(io.ReadAll(r.Body))
	if err := r.Body.Close(); err != nil || r.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: status %d, %v", path, r.StatusCode, err)
	}
	return string(text)
}

// A camera shows another certificate: it is told nothing, not even the password,
// and staff are told, until a person accepts it. Others are not disturbed.
func TestAnotherCertificate(t *testing.T) {
	t.Parallel()
	file := clip(t)
	secure, stop := simulated(t, simulate.Options{Files: []string{file}, TLS: true})
	beside, _ := simulated(t, simulate.Options{Files: []string{file}})
	b := newBox(t, t.TempDir())
	b.add("kasse-1", secure)
	b.add("lager", beside)
	b.more("lager", 2*time.Second)
	b.more("kasse-1", time.Second)
	undisturbed := time.Now()
	pin := secure.Pin()
	if v := b.camera("kasse-1"); v.Pin != pin || len(v.Alarms) > 0 {
		t.Fatalf("the certificate %q was not kept: %+v", pin, v)
	}
	addr := secure.Addr()
	stop()
	other := impersonate(t, addr)
	alarmed := func() {
		t.Helper()
		v := b.ill("kasse-1", 20*time.Second, "camera.pin")
		if len(v.Alarms) != 1 || v.Alarms[0].Code != "pin" || v.Pin != pin || v.State == "recording" {
			t.Errorf("the API tells %+v, want the alarm and the trusted certificate %q", v, pin)
		}
	}
	alarmed()
	if !strings.Contains(b.see("/cameras/kasse-1"), `data-testid="alarm-pin"`) {
		t.Error("the camera's page shows no alarm")
	}
	if start := b.see("/"); !strings.Contains(start, `data-testid="alarms"`) || !strings.Contains(start, `class="button" href="/cameras/kasse-1"`) {
		t.Error("the start page shows no alarm, or does not lead to the camera")
	}
	// A box that is started anew trusts the impostor no more.
	b.kill()
	asked := other.asked.Load()
	b.start()
	b.up(10 * time.Second)
	within(t, 15*time.Second, "a try after the start", func() bool { return other.asked.Load() > asked })
	alarmed()
	other.close()
	if n := other.told.Load(); n > 0 {
		t.Errorf("the impostor was told %d bytes", n)
	}

	replaced, _ := simulated(t, simulate.Options{Files: []string{file}, TLS: true, Listen: addr})
	was := b.recorded("kasse-1")
	alarmed()
	b.ctl("camera", "trust", "kasse-1")
	b.more("kasse-1", 2*time.Second)
	v := b.camera("kasse-1")
	if v.Pin != replaced.Pin() || len(v.Alarms) > 0 || v.Problem != nil {
		t.Errorf("after the certificate was accepted: %+v, want %q", v, replaced.Pin())
	}
	if was > 20*time.Second {
		t.Errorf("%v were recorded before a person accepted the certificate", was)
	}
	// The start costs less than the second that the time line shows, or one gap.
	runs := b.runs("lager")
	if n := len(runs); n > 2 || n == 2 && runs[1].From.Sub(runs[0].To) > 8*time.Second || runs[0].From.After(undisturbed) || time.Since(runs[n-1].To) > 6*time.Second {
		t.Errorf("the camera beside it was recorded %v, want the gap of the one start alone", runs)
	}
}
