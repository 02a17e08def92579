package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// req is one request and what is looked at of its answer.
type req struct {
	method, path, as string
	body, kind       string
	header           http.Header
}

func (s site) do(t *testing.T, q req) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), q.method, s.URL+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range q.header {
		r.Header[k] = v
	}
	if q.as != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: q.as})
	}
	if q.body != "" && q.kind == "" {
		q.kind = "application/json"
	}
	if q.kind != "" {
		r.Header.Set("Content-Type", q.kind)
	}
	c := s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// filled is a route's path with values in it.
func filled(path string) string {
	return strings.NewReplacer("{cam}", "kasse-1", "{id}", "CASE1", "{vid}", "V1", "{doc}", "DOC1", "{picture}", "0.jpg", "{session}", "1", "{sid}", "S1", "{key}", "K1", "{file...}", "base.css", "{$}", "").Replace(path)
}

func TestOnlyWhatIsMeantIsOpen(t *testing.T) {
	s := newSite(t)
	var open []string
	for _, rt := range newTestServer(t).routes() {
		resp, body := s.do(t, req{method: rt.method, path: filled(rt.path)})
		switch {
		case rt.access == anyone:
			open = append(open, rt.method+" "+rt.path)
		case strings.HasPrefix(rt.path, "/api/"):
			if p := problem.Decode(resp.StatusCode, []byte(body)); p.Code != "session.none" || resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s %s without a session: %d %s", rt.method, rt.path, resp.StatusCode, body)
			}
		case resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/login?next="):
			t.Errorf("%s %s without a session: %d to %q", rt.method, rt.path, resp.StatusCode, resp.Header.Get("Location"))
		}
		if resp, _ := s.do(t, req{method: rt.method, path: filled(rt.path), as: "forged"}); rt.access != anyone && resp.StatusCode < 300 {
			t.Errorf("%s %s took a forged session: %d", rt.method, rt.path, resp.StatusCode)
		}
	}
	want := []string{"POST /api/v1/session", "POST /api/v1/session/passkey/options", "POST /api/v1/session/passkey", "GET /login", "POST /login", "POST /language", "GET /assets/{file...}", "GET /healthz"}
	if !slices.Equal(open, want) {
		t.Errorf("open routes are %q, want %q", open, want)
	}
	if acts := s.box.calls; slices.ContainsFunc(acts, func(a string) bool {
		return !slices.Contains([]string{"Health", "Login", "PasskeyLoginOptions", "PasskeyLogin"}, a)
	}) {
		t.Errorf("acts were done for nobody: %q", acts)
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t)
	for _, q := range []req{{method: get, path: "/login"}, {method: get, path: "/", as: "staff"}, {method: get, path: "/api/v1/cameras", as: "staff"}, {method: get, path: "/none"}} {
		resp, _ := s.do(t, q)
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", q.path, csp)
		}
		for k, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY"} {
			if got := resp.Header.Get(k); got != want {
				t.Errorf("%s: %s is %q, want %q", q.path, k, got, want)
			}
		}
	}
	resp, _ := s.do(t, req{method: get, path: "/assets/base.css"})
	if resp.Header.Get("ETag") == "" || resp.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("asset: %v", resp.Header)
	}
	again, _ := s.do(t, req{method: get, path: "/assets/base.css", header: http.Header{"If-None-Match": {resp.Header.Get("ETag")}}})
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("an asset that did not change: %d", again.StatusCode)
	}
}

func TestPagesHaveNoInlineScriptOrStyle(t *testing.T) {
	s := newSite(t)
	s.box.cases["CASE1"] = testCase(incident.Redacted)
	s.box.alerts = []casework.Alert{{ID: "D1", What: "<script>alert(1)</script>", Offence: incident.Theft, NotAfter: testNow}}
	for _, p := range []struct{ path, as string }{{"/login", ""}, {"/", "staff"}, {"/cameras/kasse-1", "staff"}, {"/cameras/kasse-1", "manager"}, {"/timeline", "staff"}, {"/cases/CASE1", "staff"}, {"/cases/CASE1", "assessor"}, {"/alerts", "staff"}, {"/alerts/D1", "staff"}, {"/admin", "manager"}, {"/people", "manager"}, {"/audit", "auditor"}, {"/rights", "manager"}, {"/account", "staff"}, {"/conditions", "staff"}} {
		for _, lang := range languages {
			resp, body := s.do(t, req{method: get, path: p.path, as: p.as, header: http.Header{"Cookie": {"lang=" + lang}}})
			if resp.StatusCode != http.StatusOK || !strings.Contains(body, `<html lang="`+lang+`">`) {
				t.Errorf("%s as %s: %d in %s", p.path, p.as, resp.StatusCode, lang)
			}
			for _, bad := range []string{"<script>", "<style", " style=", " onclick=", "javascript:", "http://", "ZgotmplZ", "<no value>"} {
				if strings.Contains(strings.ReplaceAll(body, "rtsp://", ""), bad) {
					t.Errorf("%s holds %q", p.path, bad)
				}
			}
		}
	}
}

func testCase(state incident.State) *incident.Case {
	return &incident.Case{ID: "CASE1", Version: 3, State: state, What: "Mand tager spiritus", HappenedAt: testNow.Add(-time.Hour), Clip: incident.Clip{Camera: "kasse-1"},
		Copy: &incident.Copy{Passed: true}, Evidence: incident.Evidence{Offence: incident.Theft}}
}

func TestOtherOriginsAreRefused(t *testing.T) {
	s := newSite(t)
	for _, h := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}} {
		resp, body := s.do(t, req{method: post, path: "/api/v1/cases/CASE1/withdrawal", as: "manager", body: `{"reason":"x"}`, header: h})
		if p := problem.Decode(resp.StatusCode, []byte(body)); p.Code != "request.origin" || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d %s", h, resp.StatusCode, body)
		}
	}
	if s.box.called("Withdraw") {
		t.Error("a request of another origin reached the box")
	}
}

func TestBodies(t *testing.T) {
	s := newSite(t)
	long := `{"reason":"` + strings.Repeat("a", MaxBody) + `"}`
	for name, tc := range map[string]struct {
		body, kind, code string
		status           int
	}{
		"no JSON":     {"hello", "", "request.json", 400},
		"empty":       {"", "application/json", "request.json", 400},
		"unknown key": {`{"reason":"x","force":true}`, "", "request.json", 400},
		"wrong type":  {`{"reason":7}`, "", "request.json", 400},
		"two values":  {`{"reason":"x"}{}`, "", "request.json", 400},
		"a form":      {"reason=x", "application/x-www-form-urlencoded", "request.media-type", 415},
		"no type":     {`{"reason":"x"}`, " ", "request.media-type", 415},
		"too large":   {long, "", "request.too-large", 413},
	} {
		resp, body := s.do(t, req{method: post, path: "/api/v1/cases/CASE1/withdrawal", as: "manager", body: tc.body, kind: tc.kind})
		if p := problem.Decode(resp.StatusCode, []byte(body)); p.Code != tc.code || resp.StatusCode != tc.status {
			t.Errorf("%s: %d %s, want %d %s", name, resp.StatusCode, p.Code, tc.status, tc.code)
		}
	}
	if s.box.called("Withdraw") {
		t.Error("a bad body reached the box")
	}
}

func TestMethodsAndAddresses(t *testing.T) {
	s := newSite(t)
	resp, body := s.do(t, req{method: patch, path: "/api/v1/cases/CASE1", as: "staff"})
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD, PUT, DELETE" || !strings.Contains(body, "request.method") {
		t.Errorf("%d, Allow %q: %s", resp.StatusCode, resp.Header.Get("Allow"), body)
	}
	for path, status := range map[string]int{
		"/api/v1/none": 404, "/none": 404, "/api/v1/cameras/Kasse/still.jpg": 400, "/api/v1/cases/CASE1/sheet/0.png": 404, "/api/v1/cases/CASE1/sheet/-1.jpg": 400,
		"/api/v1/cameras/kasse-1/timeline": 400, "/api/v1/cameras/kasse-1/timeline?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": 400,
		"/api/v1/cameras/kasse-1/timeline?from=yesterday&to=now": 400, "/api/v1/cameras/kasse-1/footage.mp4?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&export=yes": 400,
		"/api/v1/audit?limit=0": 400, "/api/v1/audit?limit=1001": 400, "/api/v1/audit?after=-1": 400, "/assets/none.js": 404, "/assets/../web.go": 404, "/cameras/other": 404, "/cases/NONE": 404, "/alerts/NONE": 404, "/audit?from=monday": 400,
	} {
		if resp, body := s.do(t, req{method: get, path: path, as: "manager"}); resp.StatusCode != status && resp.StatusCode != http.StatusTemporaryRedirect {
			t.Errorf("%s: %d, want %d: %.200s", path, resp.StatusCode, status, body)
		}
	}
}

func TestLogin(t *testing.T) {
	s := newSite(t)
	form := "application/x-www-form-urlencoded"
	resp, body := s.do(t, req{method: post, path: "/login", body: "login=staff&password=wrong&next=%2Faudit", kind: form})
	if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "Login eller adgangskode passer ikke.") || !strings.Contains(body, `value="/audit"`) || len(resp.Cookies()) != 0 {
		t.Errorf("wrong password: %d", resp.StatusCode)
	}
	for next, want := range map[string]string{"/alerts?x=1": "/alerts?x=1", "https://evil.example/": "/", "//evil.example": "/", "/\\evil.example": "/", "/login": "/", "alerts": "/", "": "/"} {
		resp, _ = s.do(t, req{method: post, path: "/login", body: "login=staff&password=hemmelig-kode&next=" + strings.NewReplacer("/", "%2F", ":", "%3A", "?", "%3F", "=", "%3D", "\\", "%5C").Replace(next), kind: form})
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != want {
			t.Errorf("next %q leads to %q, want %q", next, resp.Header.Get("Location"), want)
		}
	}
	c := resp.Cookies()
	if len(c) != 1 || c[0].Name != "__Host-veilbox" || !c[0].Secure || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" || c[0].Domain != "" {
		t.Fatalf("cookie %+v", c)
	}
	resp, body = s.do(t, req{method: post, path: "/api/v1/session", body: `{"login":"staff","password":"hemmelig-kode"}`})
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 || !strings.Contains(body, `"person":{"id":"mette","name":"Mette Sørensen"},"roles":["staff"]`) {
		t.Errorf("API: %d %s", resp.StatusCode, body)
	}
	resp, _ = s.do(t, req{method: remove, path: "/api/v1/session", as: "staff"})
	if resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) != 1 || resp.Cookies()[0].MaxAge >= 0 || !s.box.called("Logout") {
		t.Errorf("logout: %d %+v", resp.StatusCode, resp.Cookies())
	}
}

func TestFirstUse(t *testing.T) {
	s := newSite(t)
	s.box.accepted = map[incident.PersonID]bool{}
	fresh := s.box.sessions["staff"]
	fresh.Must = []account.Need{account.NeedPassword, account.NeedFactor}
	s.box.sessions["fresh"] = fresh
	for _, path := range []string{"/", "/cameras/kasse-1", "/cases/CASE1", "/alerts", "/admin", "/people", "/audit"} {
		if resp, _ := s.do(t, req{method: get, path: path, as: "staff"}); resp.Header.Get("Location") != "/conditions" {
			t.Errorf("%s before the conditions: %d to %q", path, resp.StatusCode, resp.Header.Get("Location"))
		}
		if resp, _ := s.do(t, req{method: get, path: path, as: "fresh"}); resp.Header.Get("Location") != "/account" {
			t.Errorf("%s before an own password: %d to %q", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if resp, _ := s.do(t, req{method: post, path: "/api/v1/conditions", as: "staff", body: `{"version":"2019-1"}`}); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("another version was accepted: %d", resp.StatusCode)
	}
	if resp, _ := s.do(t, req{method: post, path: "/api/v1/conditions", as: "staff", body: `{"version":"` + casework.ConditionsVersion + `"}`}); resp.StatusCode != http.StatusNoContent {
		t.Errorf("accept: %d", resp.StatusCode)
	}
	if resp, _ := s.do(t, req{method: get, path: "/", as: "staff"}); resp.StatusCode != http.StatusOK {
		t.Errorf("start page after it: %d", resp.StatusCode)
	}
}

func TestVideoRanges(t *testing.T) {
	s := newSite(t)
	span := "?from=2026-11-22T12:00:00Z&to=2026-11-22T12:01:00Z"
	for _, path := range []string{"/api/v1/cameras/kasse-1/footage.mp4" + span, "/api/v1/cases/CASE1/clip.mp4", "/api/v1/cases/CASE1/copy.mp4", "/api/v1/viewings/V1/copy.mp4"} {
		resp, body := s.do(t, req{method: get, path: path, as: "staff", header: http.Header{"Range": {"bytes=10-14"}}})
		if resp.StatusCode != http.StatusPartialContent || body != "01234" || resp.Header.Get("Content-Range") != "bytes 10-14/1000" || resp.Header.Get("Content-Type") != "video/mp4" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %v", path, resp.StatusCode, body, resp.Header)
		}
		if resp, body := s.do(t, req{method: get, path: path, as: "staff"}); resp.StatusCode != http.StatusOK || len(body) != 1000 || resp.Header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("%s whole: %d, %d bytes", path, resp.StatusCode, len(body))
		}
		if resp, _ := s.do(t, req{method: get, path: path, as: "staff", header: http.Header{"Range": {"bytes=1000-"}}}); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("%s beyond its end: %d", path, resp.StatusCode)
		}
	}
	resp, _ := s.do(t, req{method: get, path: "/api/v1/cameras/kasse-1/footage.mp4" + span + "&export=1&purpose=politiet", as: "manager"})
	if got := resp.Header.Get("Content-Disposition"); got != "attachment; filename=kasse-1-20261122T120000Z.mp4" || !s.box.called("Footage true politiet") {
		t.Errorf("export: %q, %q", got, s.box.calls)
	}
}

func TestProblemsReachTheReader(t *testing.T) {
	s := newSite(t)
	s.box.err = problem.New(http.StatusConflict, "camera.gone", problem.Text{DA: "Kameraet er væk.", EN: "The camera is gone."}, problem.Text{DA: "Se til stikket.", EN: "Check the plug."}).With(errors.New("secret detail"))
	resp, body := s.do(t, req{method: get, path: "/api/v1/cameras", as: "staff"})
	var wire struct{ Code, Title string }
	if err := json.Unmarshal([]byte(body), &wire); err != nil || wire.Code != "camera.gone" || resp.StatusCode != http.StatusConflict || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("API: %d %s %v", resp.StatusCode, body, err)
	}
	resp, page := s.do(t, req{method: get, path: "/cameras/kasse-1", as: "staff"})
	if resp.StatusCode != http.StatusConflict || !strings.Contains(page, "Kameraet er væk.") || !strings.Contains(page, "Se til stikket.") {
		t.Errorf("page: %d %s", resp.StatusCode, page)
	}
	_, page = s.do(t, req{method: get, path: "/cameras/kasse-1", as: "staff", header: http.Header{"Cookie": {"lang=en"}}})
	if !strings.Contains(page, "Check the plug.") {
		t.Error("the page did not speak English")
	}
	s.box.err = errors.New("secret detail")
	resp, body2 := s.do(t, req{method: get, path: "/api/v1/cameras", as: "staff"})
	if resp.StatusCode != http.StatusInternalServerError || strings.Contains(body+page+body2, "secret") {
		t.Errorf("an inner error was told: %d", resp.StatusCode)
	}
}

func TestRolesSeeTheirPages(t *testing.T) {
	s := newSite(t)
	for as, want := range map[string]string{"staff": "start timeline alerts", "manager": "start timeline alerts people admin audit", "assessor": "start timeline alerts", "auditor": "start audit"} {
		resp, body := s.do(t, req{method: get, path: "/", as: as})
		var nav []string
		for _, n := range []string{"start", "timeline", "alerts", "people", "admin", "audit"} {
			if strings.Contains(body, `data-testid="nav-`+n+`"`) {
				nav = append(nav, n)
			}
		}
		if got := strings.Join(nav, " "); resp.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s sees %q (%d), want %q", as, got, resp.StatusCode, want)
		}
	}
	if resp, _ := s.do(t, req{method: get, path: "/admin", as: "staff"}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("staff at the set-up page: %d", resp.StatusCode)
	}
	if resp, _ := s.do(t, req{method: get, path: "/audit", as: "staff"}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("staff at the log: %d", resp.StatusCode)
	}
}

func TestAuditDaysAreDanish(t *testing.T) {
	s := newSite(t)
	if resp, _ := s.do(t, req{method: get, path: "/audit?from=2026-07-01&to=2026-07-01&act=case.", as: "auditor"}); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	f := s.box.filter
	if f.From.UTC() != time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC) || f.To.UTC() != time.Date(2026, 7, 1, 22, 0, 0, 0, time.UTC) || f.Act != "case." || !f.Newest {
		t.Errorf("filter %+v", f)
	}
}

func TestLiveAsksTheBoxFirst(t *testing.T) {
	s := newSite(t)
	resp, _ := s.do(t, req{method: post, path: "/api/v1/cameras/kasse-1/whep", as: "staff", body: "v=0", kind: "application/sdp"})
	if resp.StatusCode != http.StatusCreated || !s.box.called("Live") || resp.Header.Get("Location") != "/api/v1/cameras/kasse-1/whep/1" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	s.box.err = errors.New("no")
	if resp, _ = s.do(t, req{method: post, path: "/api/v1/cameras/kasse-1/whep", as: "staff", body: "v=0", kind: "application/sdp"}); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("live without the box's leave: %d", resp.StatusCode)
	}
}

func TestHealthzNamesNothing(t *testing.T) {
	s := newSite(t)
	s.box.checks = append(s.box.checks, casework.Check{Name: "camera:kasse-1", Text: problem.Text{DA: "Væk.", EN: "Gone."}})
	resp, body := s.do(t, req{method: get, path: "/healthz"})
	if resp.StatusCode != http.StatusOK || body != `{"state":"degraded","version":"1.0.0"}`+"\n" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
