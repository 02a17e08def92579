package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
)

// The log-in with a code needs no script: two pages, each a form, and no secret
// in an address.
func TestLoginByFormAlone(t *testing.T) {
	s := newSite(t)
	send := func(fields ...string) (*http.Response, string) {
		v := url.Values{}
		for i := 0; i < len(fields); i += 2 {
			v.Set(fields[i], fields[i+1])
		}
		return s.do(t, req{method: post, path: "/login", body: v.Encode(), kind: "application/x-www-form-urlencoded"})
	}
	resp, page := send("login", "coded", "password", "hemmelig-kode", "next", "/alerts")
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 0 || !strings.Contains(page, `data-testid="code-form"`) || !strings.Contains(page, `value="hemmelig-kode"`) || !strings.Contains(page, `value="/alerts"`) || strings.Contains(page, `role="alert"`) {
		t.Errorf("the second page: %d %s", resp.StatusCode, page)
	}
	if resp.Header.Get("Cache-Control") != "no-store" || strings.Contains(page, `method="get"`) {
		t.Error("a browser may keep the page with the password, or send it in an address")
	}
	resp, page = send("login", "coded", "password", "hemmelig-kode", "next", "/alerts", "code", "000 000")
	if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(page, `data-testid="code-form"`) || !strings.Contains(page, "Koden passer ikke") || len(resp.Cookies()) != 0 {
		t.Errorf("a wrong code: %d", resp.StatusCode)
	}
	resp, _ = send("login", "coded", "password", "hemmelig-kode", "next", "/alerts", "code", "123 456")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/alerts" || len(resp.Cookies()) != 1 {
		t.Errorf("the right code: %d", resp.StatusCode)
	}
	_, page = send("login", `"><script>`, "password", "x")
	if strings.Contains(page, "<script>") || strings.Contains(page, `value="x"`) {
		t.Error("what was typed comes back as markup, or a wrong password comes back at all")
	}
}

// What the page says of passkeys depends on the name that it was opened by.
func TestLoginSaysWherePasskeysWork(t *testing.T) {
	s := newSite(t)
	_, byNumber := s.do(t, req{method: get, path: "/login"})
	if !strings.Contains(byNumber, `href="https://veilbox.local:`) || strings.Contains(byNumber, `id="passkey-button"`) {
		t.Error("by number the page offers passkeys, or doesn't say where they are")
	}
	r, err := http.NewRequestWithContext(t.Context(), get, s.URL+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "veilbox.local"
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 1<<16)
	n := 0
	for n < len(buf) {
		k, err := resp.Body.Read(buf[n:])
		if n += k; err != nil {
			break
		}
	}
	if page := string(buf[:n]); !strings.Contains(page, `id="passkey-button"`) || !strings.Contains(page, `autocomplete="username webauthn"`) || strings.Contains(page, "passkeys-at") {
		t.Errorf("by its name: %s", page)
	}
}

// Before the account is set up the box answers nothing but what sets it up.
func TestSetUpComesFirst(t *testing.T) {
	s := newSite(t)
	fresh := s.box.sessions["manager"]
	fresh.Must = []account.Need{account.NeedPassword, account.NeedFactor}
	s.box.sessions["fresh"] = fresh
	factor := fresh
	factor.Must = []account.Need{account.NeedFactor}
	s.box.sessions["factor"] = factor
	s.box.own = casework.AccountView{HasPassword: true}
	for as, want := range map[string][]string{"fresh": {`id="passkey-form"`, `id="password-form"`}, "factor": {`id="totp-form"`, `id="passkey-form"`}} {
		_, page := s.do(t, req{method: get, path: "/account", as: as})
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: the page lacks %s", as, w)
			}
		}
		if strings.Contains(page, `data-testid="nav-start"`) || !strings.Contains(page, `data-testid="logout"`) {
			t.Errorf("%s: the page leads elsewhere, or not out", as)
		}
	}
	resp, body := s.do(t, req{method: get, path: "/api/v1/session", as: "fresh"})
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"must":["password","factor"],"must_change":true`) {
		t.Errorf("%s", body)
	}
	for _, rt := range newTestServer(t).apiRoutes() {
		if rt.access != signedIn {
			continue
		}
		if _, code := s.answered(t, req{method: rt.method, path: filled(rt.path), as: "fresh", body: examples[rt.method+" "+rt.path]}); code != errSetUp.Code {
			t.Errorf("%s %s before the set-up: %s", rt.method, rt.path, code)
		}
	}
	if acts := slices.DeleteFunc(slices.Clone(s.box.calls), func(a string) bool { return a == "Account" }); len(acts) != 0 {
		t.Errorf("acts were done: %q", acts)
	}
}

// The conditions' words belong to their version: who changes the words must
// change the version, so that everybody is asked again (S8).
func TestConditionsAreVersioned(t *testing.T) {
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, lang := range languages {
		for _, rule := range (conditionsData{}).Rules() {
			fmt.Fprintf(h, "%s %s %s\n", lang, rule, texts[lang]["conditions."+rule])
		}
	}
	words := map[string]string{"2026-1": "e26833ca8c2b8868"}
	if got := hex.EncodeToString(h.Sum(nil)[:8]); words[casework.ConditionsVersion] != got {
		t.Errorf("the words of version %s are %s, and were %s: give the changed words a version of their own", casework.ConditionsVersion, got, words[casework.ConditionsVersion])
	}
}

func TestAuditPages(t *testing.T) {
	s := newSite(t)
	for i := range auditPageSize {
		s.box.entries = append(s.box.entries, audit.Entry{Seq: int64(900 - i), At: testNow, Act: "case.create", Who: audit.Who{Name: "Mette"}, About: map[string]string{"case": "CASE1"}})
	}
	_, page := s.do(t, req{method: get, path: "/audit?act=case.&who=Mette&from=2026-11-01", as: "auditor"})
	for _, want := range []string{`href="/audit?act=case.&amp;before=701&amp;from=2026-11-01&amp;who=Mette"`, `format=csv&amp;from=2026-10-31T23%3A00%3A00Z&amp;who=Mette`, `<option value="case." selected>`, `href="/api/v1/cases/CASE1/file.pdf"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, "audit-newest") {
		t.Error("the first page leads to itself")
	}
	_, page = s.do(t, req{method: get, path: "/audit?act=box.seen&before=701", as: "auditor"})
	if f := s.box.filter; f.After != 701 || !f.Newest || f.Limit != auditPageSize {
		t.Errorf("filter %+v", f)
	}
	for _, want := range []string{"audit-newest", `<option value="box.seen" selected>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the second page lacks %s", want)
		}
	}
	if resp, _ := s.do(t, req{method: get, path: "/audit?before=-1", as: "auditor"}); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("before nothing: %d", resp.StatusCode)
	}
}

// What a page asks by itself ends the session of an assessor who has gone, on the
// real box.
func TestAPageAloneKeepsNobodyLoggedIn(t *testing.T) {
	b := newRealBox(t)
	ask := func(h http.Header) int {
		resp, _ := b.do(t, req{method: get, path: "/api/v1/session", as: b.tokens["assessor"], header: h})
		return resp.StatusCode
	}
	alone := http.Header{unattended: {"1"}}
	for range 29 {
		b.ticks.Advance(time.Minute)
		if got := ask(alone); got != http.StatusOK {
			t.Fatal(got)
		}
	}
	if got := ask(nil); got != http.StatusOK {
		t.Fatal(got)
	}
	b.ticks.Advance(29 * time.Minute)
	if got := ask(alone); got != http.StatusOK {
		t.Errorf("29 minutes after an act: %d", got)
	}
	b.ticks.Advance(time.Minute)
	if got := ask(alone); got != http.StatusUnauthorized {
		t.Errorf("half an hour after an act: %d", got)
	}
}
