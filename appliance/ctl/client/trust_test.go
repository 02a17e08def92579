package client

import (
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/pki"
	"veilbox/internal/problem"
)

// A box's own authority can be pinned or given as a file; its certificate must
// then hold for the address that was asked for.
func TestABoxsOwnAuthorityIsTrustedForItsOwnNames(t *testing.T) {
	for _, k := range []struct {
		host string // in the certificate
		good bool
	}{{"127.0.0.1", true}, {"192.0.2.1", false}, {"veilbox.local", false}} {
		dir := t.TempDir()
		a, err := pki.Open(dir, keys.New(), "Veilbox", []string{k.host}, clock.System{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "[]") })
		// Refused handshakes are what is tested; they need no log.
		srv := &http.Server{Handler: handler, TLSConfig: a.Config(), ErrorLog: log.New(io.Discard, "", 0)}
		go func() { _ = srv.ServeTLS(l, "", "") }() // ends with Close
		defer srv.Close()
		pin, err := TrustFingerprint(a.Fingerprint())
		if err != nil {
			t.Fatal(err)
		}
		file, err := TrustFile(filepath.Join(dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		for how, trust := range map[string]Trust{"fingerprint": pin, "file": file} {
			c, err := New("https://"+l.Addr().String(), trust)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Cameras(t.Context())
			if k.good && err != nil {
				t.Errorf("%s, certificate for %s: %v", how, k.host, err)
			}
			if !k.good && problem.Of(err).Code != "client.certificate" {
				t.Errorf("%s, certificate for %s: %v", how, k.host, err)
			}
			c.Close()
		}
	}
}
