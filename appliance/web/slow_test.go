package web

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// slowSite serves with little patience for bodies.
func slowSite(t *testing.T, http2 bool) *httptest.Server {
	t.Helper()
	s, err := newServer(testOptions(newFakeBox(clock.NewFake(testNow))))
	if err != nil {
		t.Fatal(err)
	}
	s.bodyTime = func(route) time.Duration { return 200 * time.Millisecond }
	srv := httptest.NewUnstartedServer(s.handler())
	srv.EnableHTTP2 = http2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// A body that does not arrive holds nothing: not where it is read, and not where
// the request is refused before it.
func TestSlowBodies(t *testing.T) {
	srv := slowSite(t, false)
	for name, cookie := range map[string]string{"read": "manager", "refused before": "forged"} {
		c, err := tls.Dial("tcp", srv.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		fmt.Fprintf(c, "POST /api/v1/session/password HTTP/1.1\r\nHost: localhost\r\nCookie: %s=%s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", cookieName, cookie)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(name, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(name, err)
		}
		if p := problem.Decode(resp.StatusCode, b); cookie == "manager" && (p.Status != http.StatusRequestTimeout || p.Code != "request.slow") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, b)
		}
		// The connection ends, as what follows on it is no request.
		if _, err := io.Copy(io.Discard, c); err != nil {
			if n, ok := err.(net.Error); ok && n.Timeout() {
				t.Errorf("%s: the connection is held", name)
			}
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%s: it took %v", name, d)
		}
	}
}

// The time is the body's and not the answer's: one that has arrived, or was never
// sent, ends nothing.
func TestSlowAnswers(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		s, err := newServer(testOptions(newFakeBox(clock.NewFake(testNow))))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := bound(w, r, MaxBody, 100*time.Millisecond); err != nil {
				s.fail(w, r, err)
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				s.fail(w, r, err)
				return
			}
			select {
			case <-r.Context().Done():
				ended <- r.Context().Err()
			case <-time.After(400 * time.Millisecond):
				ended <- nil
			}
		}))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		for _, body := range []string{"", "{}"} {
			resp, err := srv.Client().Post(srv.URL, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if err := <-ended; err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("HTTP/2 %v, body %q: %v, %s", http2, body, err, resp.Status)
			}
		}
	}
}

func TestSlowBodiesOverHTTP2(t *testing.T) {
	srv := slowSite(t, true)
	held, release := io.Pipe()
	defer release.Close()
	r, err := http.NewRequestWithContext(t.Context(), post, srv.URL+"/api/v1/session/password", held)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.AddCookie(&http.Cookie{Name: cookieName, Value: "manager"})
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%s %s", resp.Proto, resp.Status)
	}
}

func TestTimeOfBodies(t *testing.T) {
	for path, want := range map[string]time.Duration{"/api/v1/cases/{id}/documents": documentTime, "/api/v1/session": bodyTime} {
		if got := bodyTimeOf(route{path: path}); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
