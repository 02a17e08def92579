package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"veilbox/internal/problem"
)

// unsafe says whether a route may change something.
func unsafe(rt route) bool { return rt.method != get }

// answered sends one request and returns status and problem code.
func (s site) answered(t *testing.T, q req) (*http.Response, string) {
	t.Helper()
	resp, body := s.do(t, q)
	if strings.HasPrefix(q.path, "/api/") && resp.StatusCode >= 400 {
		return resp, problem.Decode(resp.StatusCode, []byte(body)).Code
	}
	return resp, body
}

// Whatever comes from another site changes nothing, on any route, with a session
// or without, and whichever way the browser says where it comes from.
func TestNoRouteTakesOtherSitesRequests(t *testing.T) {
	n := 0
	s := newSite(t)
	for _, rt := range newTestServer(t).routes() {
		if !unsafe(rt) {
			continue
		}
		for _, h := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}}, {"Origin": {"https://127.0.0.1:1"}}} {
			resp, body := s.do(t, req{method: rt.method, path: filled(rt.path), as: "manager", body: examples[rt.method+" "+rt.path], header: h})
			if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "request.origin") && !strings.Contains(body, "en anden hjemmeside") {
				t.Errorf("%s %s with %v: %d", rt.method, rt.path, h, resp.StatusCode)
			}
			if len(s.box.calls) != 0 || len(resp.Cookies()) != 0 {
				t.Errorf("%s %s with %v reached the box: %q", rt.method, rt.path, h, s.box.calls)
			}
			n++
		}
	}
	if n < 150 {
		t.Errorf("%d requests only", n)
	}
}

// No route that reads changes anything: a link from another site is harmless.
func TestReadingChangesNothing(t *testing.T) {
	changes := []string{"Logout", "ChangePassword", "AddPerson", "ChangePerson", "ResetPassword", "AcceptConditions", "AddCamera", "RemoveCamera", "ChangeCamera", "Submit", "Assess", "Withdraw", "ReleaseHold", "ExtendHold", "ConfirmClock", "RemovePasskey", "RemoveTOTP", "ConfirmTOTP", "EndOtherSessions"}
	s := newSite(t)
	for _, rt := range newTestServer(t).routes() {
		if !unsafe(rt) {
			s.do(t, req{method: get, path: filled(rt.path), as: "manager", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}})
		}
	}
	for _, c := range changes {
		if s.box.called(c) {
			t.Errorf("a GET did %s", c)
		}
	}
}

// Every answer carries the headers, whatever it is.
func TestEveryAnswerIsGuarded(t *testing.T) {
	s := newSite(t)
	var asked []req
	for _, rt := range newTestServer(t).routes() {
		for _, as := range []string{"", "manager", "forged"} {
			asked = append(asked, req{method: rt.method, path: filled(rt.path), as: as, body: examples[rt.method+" "+rt.path]})
		}
	}
	asked = append(asked, req{method: get, path: "/none"}, req{method: get, path: "/api/v1/none"}, req{method: "TRACE", path: "/"}, req{method: "CONNECT", path: "/login"},
		req{method: patch, path: "/login"}, req{method: get, path: "/assets/none.js"}, req{method: get, path: "//evil.example"},
		req{method: post, path: "/login", header: http.Header{"Origin": {"https://evil.example"}}}, req{method: get, path: "/", header: http.Header{"Host": {"evil.example"}}})
	for _, q := range asked {
		resp, _ := s.do(t, q)
		name := q.method + " " + q.path + " as " + q.as + " " + strconv.Itoa(resp.StatusCode)
		for k, want := range map[string]string{
			"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000", "Permissions-Policy": permissions,
		} {
			if got := resp.Header.Get(k); got != want && got != "sandbox; default-src 'none'" { // a file that came from elsewhere
				t.Errorf("%s: %s is %q", name, k, got)
			}
		}
		want := "no-store"
		if strings.HasPrefix(q.path, "/assets/") && resp.StatusCode == http.StatusOK {
			want = "no-cache"
		}
		if got := resp.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q", name, got)
		}
		if resp.Header.Get("Server") != "" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: says more than it must: %v", name, resp.Header)
		}
		for _, c := range resp.Cookies() {
			if !c.Secure || !c.HttpOnly || c.Domain != "" || c.Path != "/" || c.Name == cookieName && c.SameSite != http.SameSiteStrictMode {
				t.Errorf("%s: cookie %+v", name, c)
			}
		}
	}
	for _, has := range []string{"publickey-credentials-get=(self)", "publickey-credentials-create=(self)", "camera=()"} {
		if !strings.Contains(permissions, has) {
			t.Errorf("the permissions lack %s", has)
		}
	}
}

// No route takes more than its measure, said or not said beforehand.
func TestEveryBodyIsBounded(t *testing.T) {
	srv := newTestServer(t)
	s, big := newSite(t), strings.Repeat("a", MaxBody+1)
	for _, rt := range srv.routes() {
		if !unsafe(rt) || bodyLimit(rt) > MaxBody {
			continue
		}
		as, name := "manager", rt.method+" "+rt.path
		if rt.access == anyone {
			as = ""
		}
		resp, code := s.answered(t, req{method: rt.method, path: filled(rt.path), as: as, body: big})
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s takes %d bytes: %d %.100s", name, len(big), resp.StatusCode, code)
		}
		if slices.ContainsFunc(s.box.calls, func(c string) bool { return c != "Health" }) {
			t.Errorf("%s: too much reached the box: %q", name, s.box.calls)
		}
	}
	if got := bodyLimit(route{method: post, path: "/api/v1/cases/{id}/documents"}); got != MaxDocument || MaxDocument < 10<<20 || MaxDocument > 11<<20 {
		t.Errorf("a document may have %d bytes", got)
	}
}

// A name that is not the box's is refused, so that no other site's name can be
// made to lead to it.
func TestOnlyItsOwnNames(t *testing.T) {
	for host, good := range map[string]bool{
		"veilbox.local": true, "VeilBox.Local": true, "veilbox.local.": true, "veilbox.local:8443": true, "kontor": true, "localhost": true, "localhost:8443": true,
		"127.0.0.1": true, "192.168.8.2:8443": true, "[::1]:8443": true, "[fe80::1]": true,
		"evil.example": false, "veilbox.local.evil.example": false, "evilveilbox.local": false, "": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false, "2130706433": false, "0x7f.1": false, "veilbox": false,
	} {
		s := &server{Options: Options{Hosts: []string{"veilbox.local", "kontor"}}}
		r, err := http.NewRequest(get, "https://box/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		if s.knows(hostOf(r)) != good {
			t.Errorf("%q is known: %v", host, !good)
		}
	}
	site := newSite(t)
	for _, path := range []string{"/login", "/api/v1/session", "/assets/base.css", "/healthz"} {
		r, err := http.NewRequestWithContext(t.Context(), get, site.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example"
		resp, err := site.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s at another name: %d", path, resp.StatusCode)
		}
	}
}

func TestPasskeysAt(t *testing.T) {
	for host, want := range map[string]string{"veilbox.local": "", "veilbox.local:8443": "", "192.168.8.2:8443": "https://veilbox.local:8443", "192.168.8.2": "https://veilbox.local", "kontor:443": "https://veilbox.local", "[::1]:9": "https://veilbox.local:9"} {
		s := &server{Options: Options{RPID: "veilbox.local"}}
		if got := s.passkeysAt(&http.Request{Host: host}); got != want {
			t.Errorf("at %s: %q, want %q", host, got, want)
		}
	}
	if got := (&server{}).passkeysAt(&http.Request{Host: "kontor"}); got != "" {
		t.Errorf("without passkeys: %q", got)
	}
}

// Whoever asks too often waits, and nobody else does.
func TestPace(t *testing.T) {
	s := newSite(t)
	verify := func(as string) (*http.Response, string) {
		return s.answered(t, req{method: get, path: "/api/v1/audit/verify", as: as})
	}
	for range paceHeavy.burst {
		if resp, _ := verify("manager"); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	resp, code := verify("manager")
	if wait, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode != http.StatusTooManyRequests || code != "request.too-many" || err != nil || wait != 1 {
		t.Errorf("one too many: %d %s, come back in %q s", resp.StatusCode, code, resp.Header.Get("Retry-After"))
	}
	if resp, _ := verify("auditor"); resp.StatusCode != http.StatusOK {
		t.Errorf("another person waits too: %d", resp.StatusCode)
	}
	if resp, _ := s.do(t, req{method: get, path: "/api/v1/session", as: "manager"}); resp.StatusCode != http.StatusOK {
		t.Errorf("what costs nothing waits too: %d", resp.StatusCode)
	}
	s.clock.Advance(paceHeavy.every)
	if resp, _ := verify("manager"); resp.StatusCode != http.StatusOK {
		t.Errorf("after the wait: %d", resp.StatusCode)
	}
	n := 0
	for range 2 * paceEnter.burst {
		if resp, _ := s.do(t, req{method: post, path: "/login", body: "login=x&password=y", kind: "application/x-www-form-urlencoded"}); resp.StatusCode != http.StatusTooManyRequests {
			n++
		}
	}
	if n != paceEnter.burst {
		t.Errorf("%d log-ins from one address at once, want %d", n, paceEnter.burst)
	}
	// Who guesses at passwords keeps nobody at the same address from a passkey.
	if resp, code := s.answered(t, req{method: post, path: "/api/v1/session/passkey/options", kind: "application/json"}); resp.StatusCode != http.StatusOK {
		t.Errorf("a passkey meanwhile: %d %s", resp.StatusCode, code)
	}
	n = 0
	for range 2 * paceKey.burst {
		if resp, _ := s.do(t, req{method: post, path: "/api/v1/session/passkey/options"}); resp.StatusCode != http.StatusTooManyRequests {
			n++
		}
	}
	if n != paceKey.burst-1 {
		t.Errorf("%d passkey log-ins from one address at once, want %d", n, paceKey.burst-1)
	}
}

func TestHeavyRoutesAreServed(t *testing.T) {
	var names []string
	for _, rt := range newTestServer(t).routes() {
		names = append(names, rt.method+" "+rt.path)
	}
	for name := range heavy {
		if !slices.Contains(names, name) {
			t.Errorf("a limit for %s, which is not served", name)
		}
	}
}

// Very many callers take no more memory, and whoever waits still does where it
// can be told.
func TestPaceIsBounded(t *testing.T) {
	l := newLimits()
	for range paceHeavy.burst {
		l.take("greedy", testNow, []pace{paceHeavy})
	}
	for i := range 3 * maxCallers {
		l.take(strconv.Itoa(i), testNow.Add(2*paceHeavy.every), []pace{paceHeavy})
	}
	if len(l.buckets) > maxCallers {
		t.Errorf("%d buckets", len(l.buckets))
	}
}
