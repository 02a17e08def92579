package extranet_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"veilbox/internal/problem"
	"veilbox/uplink/extranet"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

// A caller speaks to the extranet with a certificate, or none.
type caller struct {
	url  string
	http *http.Client
}

func (s shops) caller(b *uplinktest.Box) caller {
	conf := &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, Time: s.Clock.Now}
	if b != nil {
		conf.Certificates = []tls.Certificate{b.Credentials().Certificate}
	}
	return caller{"https://" + s.Config.BoxListen, &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}}
}

// do returns the status, the problem's code ("ok" where there is none) and the
// whole answer.
func (c caller) do(t *testing.T, pattern, id string, body []byte, header map[string]string) (int, string, string) {
	t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	req, err := http.NewRequest(method, c.url+strings.Replace(path, "{id}", url.PathEscape(id), 1), bytes.NewReader(body))
	must(t, err)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	code := "ok"
	if resp.StatusCode >= 300 {
		code = problem.Decode(resp.StatusCode, b).Code
	}
	return resp.StatusCode, code, fmt.Sprint(resp.Header) + string(b)
}

// A row says what a call answers to those whom it must refuse. The codes of a
// disclosure, in order: to a member outside the circle, to a recipient, after the
// end to the sender, and to a recipient; "" where the call names no disclosure.
type row struct {
	body                                      any
	outside, recipient, endedOwn, endedOthers string
	limit                                     int64 // bytes of the body; 0: it has none
}

func boxRows(s shops, p *uplinktest.Parcel) map[string]row {
	now := s.Clock.Now().UTC()
	who := func(m map[string]any) map[string]any {
		m["version"], m["person"], m["name"] = 1, "p1", "Bo"
		return m
	}
	const msg = int64(wire.MaxMessage)
	return map[string]row{
		"POST /v1/renew":       {body: wire.RenewRequest{Version: 1}, limit: msg},
		"GET /v1/members":      {},
		"POST /v1/assessors":   {body: s.Request(s.a, uplinktest.NewAssessor("p1")), limit: msg},
		"POST /v1/disclosures": {body: s.parcel(10).Submit(), limit: wire.MaxSubmit},
		"GET /v1/disclosures":  {},
		"POST /v1/heads":       {body: wire.HeadRequest{Version: 1}, limit: msg},
		"POST /v1/heartbeat":   {body: wire.HeartbeatRequest{Version: 1, Program: "1", At: now}, limit: msg},

		"POST /v1/disclosures/{id}/complete": {body: struct{}{}, outside: "missing", recipient: "missing", endedOwn: "disclosure.ended", endedOthers: "missing"},
		"POST /v1/disclosures/{id}/viewings": {body: uplinktest.Viewer(), limit: msg, outside: "missing", recipient: "ok", endedOwn: "missing", endedOthers: "disclosure.ended"},
		"POST /v1/disclosures/{id}/withdraw": {body: who(map[string]any{"reason": "x"}), limit: msg, outside: "missing", recipient: "missing", endedOwn: "ok", endedOthers: "missing"},
		"POST /v1/disclosures/{id}/report":   {body: who(map[string]any{"number": uplinktest.Hash("1"), "at": now}), limit: msg, outside: "missing", recipient: "missing", endedOwn: "disclosure.ended", endedOthers: "missing"},
		"POST /v1/disclosures/{id}/reassess": {body: who(map[string]any{"reason": "x", "at": now, "drop": []string{"b"}}), limit: msg, outside: "missing", recipient: "missing", endedOwn: "disclosure.ended", endedOthers: "missing"},
		"POST /v1/disclosures/{id}/deleted":  {body: who(map[string]any{"words": "x"}), limit: msg, outside: "missing", recipient: "disclosure.running", endedOwn: "missing", endedOthers: "ok"},
		"GET /v1/disclosures/{id}/accesses":  {outside: "missing", recipient: "missing", endedOwn: "ok", endedOthers: "missing"},

		"POST /v1/enrol":                   {body: wire.EnrolRequest{Version: 1}, limit: msg},
		"GET /v1/disclosures/{id}/content": {outside: "viewing.expired", recipient: "viewing.expired", endedOwn: "viewing.expired", endedOthers: "viewing.expired"},
		"HEAD /v1/uploads/{id}":            {outside: "http", recipient: "http", endedOwn: "http", endedOthers: "http"},
		"PATCH /v1/uploads/{id}":           {body: struct{}{}, outside: "missing", recipient: "missing", endedOwn: "disclosure.ended", endedOthers: "missing"},
	}
}

// secrets are what nobody may learn who is refused.
func secrets(p *uplinktest.Parcel) []string {
	m := p.Manifest
	return []string{string(m.Case), m.Copy.String(), m.Assessor.Name, m.Circle.Place, "Butik a", "Butik b", "Eva Lund", string(m.Box)}
}

func TestEveryBoxRouteRefuses(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p, over := s.parcel(100), s.parcel(100)
	s.Send(s.a, p)
	s.Send(s.a, over)
	if _, err := s.view(t, s.b, over); err != nil {
		t.Fatal(err)
	}
	must(t, s.a.Link.Withdraw(t.Context(), over.Manifest.Disclosure, wire.WithdrawRequest{Version: 1, Reason: "slut", Person: "bo", Name: "Bo"}))
	rows := boxRows(s, p)
	patterns := slices.Concat(extranet.BoxRoutes(), extranet.BoxStreams())
	for _, pattern := range patterns {
		if _, ok := rows[pattern]; !ok {
			t.Errorf("%s has no row: say whom it refuses", pattern)
		}
	}
	if len(rows) != len(patterns) {
		t.Errorf("%d rows for %d routes", len(rows), len(patterns))
	}
	revoked := s.Box("c")
	must(t, s.Op("POST", "/api/v1/boxes/"+string(revoked.Identity.Box)+"/revoke", map[string]string{"reason": "stjålet"}, nil))
	id := string(p.Manifest.Disclosure)
	for pattern, row := range rows {
		body, err := json.Marshal(row.body)
		must(t, err)
		if row.body == nil {
			body = nil
		}
		header := map[string]string{"Content-Type": "application/json"}
		head := strings.HasPrefix(pattern, "HEAD ") // whose answer has no body
		if strings.HasPrefix(pattern, "PATCH ") {
			header = map[string]string{"Content-Type": "application/offset+octet-stream", "Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
		}
		refuse := func(who string, c caller, id, want string, status int) {
			t.Helper()
			got, code, answer := c.do(t, pattern, id, body, header)
			if head {
				code, want = "http", "http"
			}
			if code != want || want != "ok" && status != 0 && got != status {
				t.Errorf("%s, %s: %d %s, want %d %s", pattern, who, got, code, status, want)
			}
			if want == "ok" {
				return
			}
			for _, x := range secrets(p) {
				if strings.Contains(answer, x) {
					t.Errorf("%s, %s: the refusal says %q: %s", pattern, who, x, answer)
				}
			}
		}
		if pattern == "POST /v1/enrol" {
			refuse("without a code", s.caller(nil), "", "message", 400)
			continue
		}
		refuse("without a certificate", s.caller(nil), id, "box.certificate", 401)
		refuse("a revoked box", s.caller(revoked), id, "box.revoked", 403)
		if row.outside == "" {
			continue
		}
		refuse("outside the circle", s.caller(s.c), id, row.outside, 0)
		refuse("a recipient", s.caller(s.b), id, row.recipient, 0)
		refuse("the sender, ended", s.caller(s.a), string(over.Manifest.Disclosure), row.endedOwn, 0)
		refuse("a recipient, ended", s.caller(s.b), string(over.Manifest.Disclosure), row.endedOthers, 0)
		refuse("outside, ended", s.caller(s.c), string(over.Manifest.Disclosure), row.outside, 0)
		none := "missing"
		if pattern == "GET /v1/disclosures/{id}/content" {
			none = "viewing.expired"
		}
		refuse("no such thing", s.caller(s.a), wire.NewID(), none, 0)
		refuse("no name", s.caller(s.a), "..%2f..%2fca", "missing", 404)
	}
	// With a token the content is no further open.
	v, err := s.view(t, s.b, p)
	must(t, err)
	token := map[string]string{wire.ViewingHeader: v.Token}
	for who, tt := range map[string]struct {
		c          caller
		id, header string
		want       string
	}{
		"another's token":        {s.caller(s.c), id, v.Token, "missing"},
		"the sender":             {s.caller(s.a), id, v.Token, "missing"},
		"the token of another":   {s.caller(s.b), string(over.Manifest.Disclosure), v.Token, "disclosure.ended"},
		"a guess":                {s.caller(s.b), id, "AAAAAAAAAAAAAAAAAAAAAAAAAA", "viewing.expired"},
		"a token that is a file": {s.caller(s.b), id, strings.Repeat("A", 101), "viewing.expired"},
	} {
		token[wire.ViewingHeader] = tt.header
		if _, code, _ := tt.c.do(t, "GET /v1/disclosures/{id}/content", tt.id, nil, token); code != tt.want {
			t.Errorf("content, %s: %s, want %s", who, code, tt.want)
		}
	}
	// What all of these were asked of is as it was.
	if it := s.item(t, s.b, p); it.State != wire.StateAvailable || it.Viewings != 2 {
		t.Errorf("the disclosure is now %+v", it)
	}
	if n := len(s.item(t, s.a, p).Dropped); n != 0 {
		t.Errorf("%d members have dropped out", n)
	}
}

// Each call takes so many bytes and no more, and what is none of its messages is
// refused before anything is done.
func TestEveryBoxRouteIsBounded(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(100)
	s.Send(s.a, p)
	for pattern, row := range boxRows(s, p) {
		if row.limit == 0 {
			continue
		}
		for name, body := range map[string][]byte{
			"too long":     []byte(`{"version":1,"name":"` + strings.Repeat("x", int(row.limit)) + `"}`),
			"no JSON":      []byte("version=1"),
			"unknown keys": []byte(`{"version":1,"admin":true}`),
			"nothing":      nil,
			"not UTF-8":    []byte("{\"name\":\"\xff\"}"),
		} {
			if _, code, _ := s.caller(s.a).do(t, pattern, string(p.Manifest.Disclosure), body, nil); code != "message" {
				t.Errorf("%s, %s: %s", pattern, name, code)
			}
		}
	}
	// A chunk of an upload is bounded too.
	q := s.parcel(3 << 20)
	r, err := s.a.Link.Submit(t.Context(), q.Submit())
	must(t, err)
	if _, err := s.a.Link.UploadChunk(t.Context(), r.Upload, 0, q.Content); err == nil {
		t.Error("a chunk of 3 MiB was taken")
	}
}

// A box that floods the extranet is slowed, and the others are not.
func TestAFloodIsSlowed(t *testing.T) {
	s := three(t, uplinktest.Noon)
	c := s.caller(s.a)
	slowed := false
	for range 2000 {
		if _, code, _ := c.do(t, "POST /v1/heartbeat", "", []byte("{}"), nil); code == "busy" {
			slowed = true
			break
		}
	}
	if !slowed {
		t.Error("2000 calls in a row are answered")
	}
	if _, err := s.b.Link.Members(t.Context()); err != nil {
		t.Errorf("another box: %v", err)
	}
}

// operatorMoves are bodies with which the operator's calls would do something.
func operatorMoves(s shops, p *uplinktest.Parcel) map[string]any {
	why := map[string]string{"reason": "x"}
	return map[string]any{
		"POST /api/v1/logout": struct{}{}, "POST /api/v1/password": map[string]string{"old": "x", "new": "en ny lang adgangskode"},
		"POST /api/v1/account": map[string]string{"person": "Mallory"}, "POST /api/v1/passkeys/options": struct{}{}, "POST /api/v1/passkeys": map[string]any{"ceremony": "x", "name": "x", "response": struct{}{}},
		"POST /api/v1/passkeys/{key}/remove": struct{}{}, "POST /api/v1/totp": struct{}{}, "POST /api/v1/totp/confirm": map[string]string{"code": "000000"}, "POST /api/v1/totp/remove": struct{}{},
		"POST /api/v1/proof/options": struct{}{}, "POST /api/v1/proof": map[string]string{"password": "x", "code": "000000"}, "GET /api/v1/operators": nil, "POST /api/v1/operators/{name}/reset": why,
		"GET /api/v1/changes": nil, "POST /api/v1/changes": map[string]any{"kind": "end", "day": "2026-03-01", "what": "x", "needed": false},
		"POST /api/v1/changes/{id}/permission": map[string]string{"day": "2026-03-01", "number": "x"}, "POST /api/v1/changes/{id}/report": map[string]string{"day": "2026-03-01", "number": "x"},
		"POST /api/v1/operators": map[string]string{"name": "mallory", "person": "Mallory"}, "GET /api/v1/me": nil, "GET /api/v1/members": nil,
		"POST /api/v1/members":            map[string]any{"id": "m", "name": "M", "town": "t", "region": "r", "country": "DK", "trade": "x", "chain": "", "active": true},
		"GET /api/v1/members/log":         nil,
		"POST /api/v1/members/{id}/codes": struct{}{}, "GET /api/v1/boxes": nil, "POST /api/v1/boxes/{id}/revoke": why, "POST /api/v1/boxes/{id}/alarm": why,
		"GET /api/v1/assessors": nil, "POST /api/v1/assessors/{member}/{key}/confirm": why, "POST /api/v1/assessors/{member}/{key}/revoke": why,
		"GET /api/v1/disclosures": nil, "POST /api/v1/disclosures/{id}/end": why, "GET /api/v1/access": nil, "GET /api/v1/pentests": nil,
		"POST /api/v1/pentests": map[string]string{"held": "2026-03-01", "tester": "x", "findings": "x"}, "GET /api/v1/audit": nil,
		"POST /api/v1/operators/{name}/remove": why, "POST /api/v1/clock": why, "POST /api/v1/audit/verify": struct{}{},
	}
}

// No operator's call and no page answers who has not logged in: a certificate of a
// box is no log-in, nor is another site's form.
func TestEveryOperatorRouteRefuses(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(100)
	s.Send(s.a, p)
	waiting := s.Assessor(s.a, "pia", false)
	moves := operatorMoves(s, p)
	routes := extranet.OperatorRoutes()
	if len(moves) != len(routes) {
		t.Errorf("%d rows for %d routes", len(moves), len(routes))
	}
	fill := strings.NewReplacer("/members/{id}", "/members/a", "/boxes/{id}", "/boxes/"+string(s.a.Identity.Box), "/disclosures/{id}", "/disclosures/"+string(p.Manifest.Disclosure),
		"{member}", "a", "{key}", string(waiting.ID()), "{name}", "operator", "/changes/{id}", "/changes/1")
	before := s.acts(t, "member.put")
	for who, b := range map[string]*uplinktest.Box{"nobody": nil, "a box": s.a} {
		c := s.caller(b)
		c.url = "https://" + s.Config.OperatorListen
		for _, pattern := range routes {
			in, ok := moves[pattern]
			if !ok {
				t.Errorf("%s has no row", pattern)
				continue
			}
			body, err := json.Marshal(in)
			must(t, err)
			form := url.Values{"reason": {"x"}}.Encode()
			for kind, try := range map[string]struct {
				body   string
				header map[string]string
				status int
			}{
				"JSON":                 {string(body), map[string]string{"Content-Type": "application/json"}, 401},
				"a form":               {form, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 401},
				"a made-up session":    {string(body), map[string]string{"Content-Type": "application/json", "Cookie": "__Host-veil-operator=AAAAAAAAAAAAAAAAAAAAAAAAAA"}, 401},
				"an old, long session": {string(body), map[string]string{"Content-Type": "application/json", "Cookie": "__Host-veil-operator=" + strings.Repeat("A", 4000)}, 401},
				"another site's form":  {form, map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}, 403},
			} {
				if kind == "another site's form" && strings.HasPrefix(pattern, "GET ") {
					continue // reads nothing that the other site could see
				}
				status, _, answer := c.do(t, fill.Replace(pattern), "", []byte(try.body), try.header)
				if status != try.status {
					t.Errorf("%s, %s by %s: %d", pattern, kind, who, status)
				}
				for _, x := range secrets(p) {
					if strings.Contains(answer, x) {
						t.Errorf("%s, %s by %s: the refusal says %q", pattern, kind, who, x)
					}
				}
			}
		}
		c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, page := range extranet.OperatorPages() {
			status, _, answer := c.do(t, "GET /"+page, "", nil, nil)
			if status != http.StatusSeeOther || !strings.Contains(answer, "/login") {
				t.Errorf("the page %s to %s: %d", page, who, status)
			}
		}
	}
	if s.acts(t, "member.put") != before || s.listed(t, waiting).State != wire.AssessorPending || s.item(t, s.b, p).State != wire.StateAvailable {
		t.Error("something was done")
	}
	// Logged in, a body is bounded.
	if err := s.Op("POST", "/api/v1/members", map[string]string{"name": strings.Repeat("x", wire.MaxMessage)}, nil); err == nil {
		t.Error("a body of 64 KiB was taken")
	}
}
