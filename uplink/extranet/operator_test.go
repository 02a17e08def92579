package extranet_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/uplink/extranet"
	"veilbox/uplink/uplinktest"
)

func TestBadStart(t *testing.T) {
	ctx := t.Context()
	start := func(f func(o *extranet.Options)) error {
		o := extranet.Options{Config: extranet.Defaults(), Clock: clock.NewFake(uplinktest.Noon), Log: uplinktest.Log(t)}
		o.Dir, o.BoxListen, o.OperatorListen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
		f(&o)
		s, err := extranet.New(ctx, o)
		if err == nil {
			must(t, s.Close())
		}
		return err
	}
	must(t, start(func(*extranet.Options) {}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	wantCode(t, start(func(o *extranet.Options) { o.BoxListen = l.Addr().String() }), "extranet.port")
	wantCode(t, start(func(o *extranet.Options) { o.Clock = clock.NewFake(time.Date(1970, 1, 1, 1, 0, 0, 0, time.UTC)) }), "extranet.clock-unset")
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	wantCode(t, start(func(o *extranet.Options) { o.Dir = filepath.Join(file, "sub") }), "extranet.dir")
	for _, f := range []func(o *extranet.Options){
		func(o *extranet.Options) { o.URL = "http://x" },
		func(o *extranet.Options) { o.KeepAccess = time.Hour },
		func(o *extranet.Options) { o.PentestEvery = 365 * 24 * time.Hour },
	} {
		if start(f) == nil {
			t.Error("a configuration outside the conditions was accepted")
		}
	}
}

func TestHTTPOfOperator(t *testing.T) {
	s := three(t, uplinktest.Noon)
	s.Send(s.a, s.parcel(10))
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Time: s.Clock.Now}}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string) (*http.Response, string) {
		t.Helper()
		resp, err := c.Get("https://" + s.Config.OperatorListen + path)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp, string(b)
	}
	for _, path := range []string{"/api/v1/members", "/api/v1/access", "/api/v1/disclosures", "/api/v1/audit"} {
		if r, _ := get(path); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a log-in: %s", path, r.Status)
		}
	}
	if r, _ := get("/members"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("/members without a log-in: %s", r.Status)
	}
	if r, body := get("/healthz"); r.StatusCode != http.StatusOK {
		t.Errorf("health: %s %s", r.Status, body)
	}
	if _, body := get("/metrics"); !strings.Contains(body, "veil_extranet_disclosures_available 1") {
		t.Error("metrics lack the available disclosure")
	}
	r, body := get("/login?lang=en")
	if !strings.Contains(body, "Log in") || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("the log-in page")
	}
	wantCode(t, s.Op("POST", "/api/v1/members", map[string]any{"id": "UPPER"}, nil), "operator.input")
	var pen struct {
		Late bool `json:"late"`
	}
	must(t, s.Op("GET", "/api/v1/pentests", nil, &pen))
	if !pen.Late {
		t.Error("with no penetration test held, one is due")
	}
	must(t, s.Op("POST", "/api/v1/pentests", map[string]string{"held": "2026-03-01", "tester": "Nordsec", "findings": "ingen"}, nil))
	must(t, s.Op("GET", "/api/v1/pentests", nil, &pen))
	if pen.Late {
		t.Error("nine days after a penetration test, none is due")
	}

	// A page of another site cannot act for the operator.
	req, err := http.NewRequest("POST", "https://"+s.Config.OperatorListen+"/api/v1/login", strings.NewReader("name=a&password=b"))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://evil.example")
	resp, err := c.Do(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("cross-origin log-in: %s", resp.Status)
	}
}

func TestPagesRender(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(10)
	s.Send(s.a, p)
	if _, err := s.view(t, s.b, p); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/members", "/boxes", "/assessors", "/disclosures", "/access", "/pentests", "/changes", "/audit", "/operators", "/account"} {
		if body := s.Page(path); !strings.Contains(body, "</html>") || !strings.Contains(body, "<nav") {
			t.Errorf("%s: %.200s", path, body)
		}
	}
}

// Who is not on the list of addresses gets no answer (S4).
func TestAllowList(t *testing.T) {
	s := three(t, uplinktest.Noon)
	s.Stop()
	s.Config.AllowBoxes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	s.Start()
	_, err := s.a.Link.Members(t.Context())
	wantCode(t, err, "extranet.unreachable")
	must(t, s.Op("GET", "/api/v1/me", nil, nil))
}
