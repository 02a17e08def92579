package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
)

// own is the account of a visitor.
func (b *realBox) own(t *testing.T, who string) casework.AccountView {
	t.Helper()
	resp, body := b.do(t, req{method: get, path: "/api/v1/session/account", as: b.tokens[who]})
	var v casework.AccountView
	if err := json.Unmarshal([]byte(body), &v); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return v
}

// What is another person's is as if it were not there, and stays.
func TestOthersObjects(t *testing.T) {
	b := newRealBox(t)
	theirs := b.own(t, "assessor")
	if len(theirs.Passkeys) != 1 || len(theirs.Sessions) != 1 {
		t.Fatalf("%+v", theirs)
	}
	key, session := theirs.Passkeys[0].ID, theirs.Sessions[0].ID
	for _, q := range []req{
		{method: remove, path: "/api/v1/session/passkeys/" + key, as: b.tokens["staff"]},
		{method: remove, path: "/api/v1/session/passkeys/" + key, as: b.tokens["manager"]},
		{method: remove, path: "/api/v1/session/others/" + session, as: b.tokens["staff"]},
		{method: remove, path: "/api/v1/session/others/" + session, as: b.tokens["manager"]},
		{method: post, path: "/api/v1/session/passkeys/" + key + "/approval/options", as: b.tokens["staff"]},
		{method: post, path: "/api/v1/session/passkeys/" + key + "/approval", body: `{"ceremony":"x","response":{}}`, as: b.tokens["staff"]},
		{method: post, path: "/api/v1/people/" + string(theirs.ID) + "/password", as: b.tokens["staff"]},
		{method: patch, path: "/api/v1/people/" + string(theirs.ID), body: `{"active":false}`, as: b.tokens["auditor"]},
		{method: post, path: "/api/v1/people/" + string(b.people["staff"]) + "/review", body: `{}`, as: b.tokens["staff"]},
	} {
		// Ending a session that is not there is done at once.
		gone := strings.Contains(q.path, "/others/")
		if resp, body := b.do(t, q); resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusForbidden && !(gone && resp.StatusCode == http.StatusNoContent) {
			t.Errorf("%s %s: %d %s", q.method, q.path, resp.StatusCode, body)
		}
	}
	if now := b.own(t, "assessor"); len(now.Passkeys) != 1 || len(now.Sessions) != 1 {
		t.Errorf("something is gone: %+v", now)
	}
	// A ceremony is answered by who began it.
	_, body := b.do(t, req{method: post, path: "/api/v1/session/passkeys/options", as: b.tokens["staff"]})
	var c account.Ceremony
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatal(err, body)
	}
	response, err := softkey.New("den korte vej hjem").Create(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := json.Marshal(signedBody{Ceremony: c.ID, Name: "Fremmed", Response: response})
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := b.do(t, req{method: post, path: "/api/v1/session/passkeys", body: string(answer), as: b.tokens["manager"]}); resp.StatusCode < 400 {
		t.Errorf("another's ceremony was answered: %s", body)
	}
	if resp, body := b.do(t, req{method: post, path: "/api/v1/session/passkeys", body: string(answer), as: b.tokens["staff"]}); resp.StatusCode != http.StatusCreated {
		t.Errorf("the own ceremony: %d %s", resp.StatusCode, body)
	}
	if resp, body := b.do(t, req{method: post, path: "/api/v1/session/passkeys", body: string(answer), as: b.tokens["staff"]}); resp.StatusCode < 400 {
		t.Errorf("a ceremony was answered twice: %s", body)
	}
}

// A manager gives nobody's rights to himself.
func TestNoRightsToOneself(t *testing.T) {
	b := newRealBox(t)
	until := testNow.AddDate(2, 0, 0).Format(time.RFC3339)
	for _, q := range []req{
		{method: patch, path: "/api/v1/people/" + string(b.people["manager"]), body: `{"function":"ejer","need":"alt","until":"` + until + `"}`},
		{method: patch, path: "/api/v1/people/" + string(b.people["manager"]), body: `{"roles":["manager","assessor"]}`},
		{method: post, path: "/api/v1/people/" + string(b.people["manager"]) + "/review", body: `{}`},
	} {
		q.as = b.tokens["manager"]
		if resp, body := b.do(t, q); resp.StatusCode < 400 {
			t.Errorf("%s %s: %d %.200s", q.method, q.body, resp.StatusCode, body)
		}
	}
}

// Leaving ends the session on the box, not in the browser alone; a reset and a
// closed account end all.
func TestSessionsEnd(t *testing.T) {
	b := newRealBox(t)
	lives := func(token string) bool {
		resp, _ := b.do(t, req{method: get, path: "/api/v1/session", as: token})
		return resp.StatusCode == http.StatusOK
	}
	if resp, _ := b.do(t, req{method: post, path: "/logout", as: b.tokens["staff"]}); resp.Header.Get("Location") != "/login" || lives(b.tokens["staff"]) {
		t.Errorf("the session outlived the log-out: %v", resp.Status)
	}
	if resp, _ := b.do(t, req{method: remove, path: "/api/v1/session", as: b.tokens["auditor"]}); resp.StatusCode != http.StatusNoContent || lives(b.tokens["auditor"]) {
		t.Errorf("the session outlived the log-out of the API: %v", resp.Status)
	}
	for who, q := range map[string]req{
		"assessor": {method: post, path: "/api/v1/people/" + string(b.people["assessor"]) + "/password"},
		"operator": {method: patch, path: "/api/v1/people/" + string(b.people["operator"]), body: `{"active":false}`},
	} {
		q.as = b.tokens["manager"]
		if resp, body := b.do(t, q); resp.StatusCode != http.StatusOK || lives(b.tokens[who]) {
			t.Errorf("%s is still in: %d %.200s", who, resp.StatusCode, body)
		}
	}
	if b.ticks.Advance(account.SessionLife); lives(b.tokens["manager"]) {
		t.Error("a session outlived its time")
	}
}

// Whatever is wrong with a log-in, the answer is the same to the letter: nobody
// learns who has an account.
func TestLoginTellsNoNames(t *testing.T) {
	b := newRealBox(t)
	if resp, body := b.do(t, req{method: patch, path: "/api/v1/people/" + string(b.people["idle-staff"]), body: `{"active":false}`, as: b.tokens["manager"]}); resp.StatusCode != http.StatusOK {
		t.Fatal(body)
	}
	answers := map[string]string{}
	for _, login := range []string{"ukendt", "staff", "idle-staff", "fresh-staff", strings.Repeat("a", 65), "", "ukendt'; --"} {
		resp, body := b.do(t, req{method: post, path: "/api/v1/session", body: `{"login":` + quoted(login) + `,"password":"ikke den rigtige"}`})
		if resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
			t.Errorf("%q: %d", login, resp.StatusCode)
		}
		answers[body] = login
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %q", answers)
	}
	if _, body := b.do(t, req{method: post, path: "/api/v1/session", body: `{"login":"staff","password":"ikke den rigtige"}`}); problem.Decode(401, []byte(body)).Code != account.ErrLogin.Code {
		t.Errorf("%s", body)
	}
	_, one := b.do(t, req{method: post, path: "/api/v1/session/passkey/options"})
	if strings.Contains(one, "allowCredentials\":[{") {
		t.Errorf("the question names passkeys: %s", one)
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// With a passkey a person comes in by its name alone; what it signed once is not
// taken twice, and nobody else's is taken for it.
func TestPasskeyLogin(t *testing.T) {
	b := newRealBox(t)
	ask := func(k *softkey.Key) string {
		t.Helper()
		_, body := b.do(t, req{method: post, path: "/api/v1/session/passkey/options"})
		var c account.Ceremony
		if err := json.Unmarshal([]byte(body), &c); err != nil {
			t.Fatal(err, body)
		}
		response, err := k.Get(c.Options)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := json.Marshal(signedBody{Ceremony: c.ID, Response: response})
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	enter := func(answer string) (*http.Response, string) {
		return b.do(t, req{method: post, path: "/api/v1/session/passkey", body: answer})
	}
	answer := ask(b.keys["assessor"])
	resp, body := enter(answer)
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 || !strings.Contains(body, string(b.people["assessor"])) || !strings.Contains(body, `"must":[]`) {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	c := resp.Cookies()[0]
	if c.Name != cookieName || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %+v", c)
	}
	if resp, body := enter(answer); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
		t.Errorf("the same answer twice: %d %s", resp.StatusCode, body)
	}
	bad := bytes.Replace([]byte(ask(b.keys["staff"])), []byte(`"signature":"`), []byte(`"signature":"AAAA`), 1)
	if resp, body := enter(string(bad)); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
		t.Errorf("a bad signature: %d %s", resp.StatusCode, body)
	}
	stranger := softkey.New("en helt anden fil")
	_, options := b.do(t, req{method: post, path: "/api/v1/session/passkeys/options", as: b.tokens["staff"]})
	var made account.Ceremony
	if err := json.Unmarshal([]byte(options), &made); err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Create(made.Options); err != nil { // made, and never given to the box
		t.Fatal(err)
	}
	if resp, body := enter(ask(stranger)); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
		t.Errorf("a passkey that the box doesn't know: %d %s", resp.StatusCode, body)
	}
}

// The log as a file: on record before its first byte, all of what was chosen.
func TestAuditExport(t *testing.T) {
	b := newRealBox(t)
	resp, body := b.do(t, req{method: get, path: "/api/v1/audit/export?format=csv&act=conditions.", as: b.tokens["auditor"]})
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(resp.Header.Get("Content-Disposition"), "veilbox-log-2026-11-22.csv") || strings.Count(body, "conditions.accept") < 5 {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	entries, err := b.log.Entries(t.Context(), audit.Filter{Act: "audit.export"})
	if err != nil || len(entries) != 1 || entries[0].Who.ID != string(b.people["auditor"]) {
		t.Errorf("on record: %+v, %v", entries, err)
	}
	resp, body = b.do(t, req{method: get, path: "/api/v1/audit/export", as: b.tokens["auditor"]})
	if resp.Header.Get("Content-Type") != "application/jsonl" || !json.Valid([]byte(strings.SplitN(body, "\n", 2)[0])) {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	for path, code := range map[string]string{"?format=xml": "request.value", "?from=now": "request.value", "?about=" + strings.Repeat("a", 1001): "audit.filter"} {
		if resp, body := b.do(t, req{method: get, path: "/api/v1/audit/export" + path, as: b.tokens["auditor"]}); resp.Header.Get("Content-Disposition") != "" || problem.Decode(resp.StatusCode, []byte(body)).Code != code {
			t.Errorf("%.30s: %d %.200s", path, resp.StatusCode, body)
		}
	}
}

// A viewing is whose it is, and a document is its own case's.
func TestOthersViewingsAndDocuments(t *testing.T) {
	b := newRealBox(t)
	_, body := b.do(t, req{method: post, path: "/api/v1/alerts/SHARED/viewings", body: `{"purpose":"vagt i dag"}`, as: b.tokens["staff"]})
	var v casework.Viewing
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.URL == "" {
		t.Fatal(err, body)
	}
	for who, status := range map[string]int{"staff": http.StatusOK, "manager": 0, "assessor": 0, "auditor": 0, "operator": 0, "idle-staff": 0, "fresh-staff": 0, "forged": 0} {
		resp, got := b.do(t, req{method: get, path: v.URL, as: b.tokens[who]})
		if status == http.StatusOK && (resp.StatusCode != status || got != string(sharedPicture)) || status == 0 && (resp.StatusCode < 400 || got == string(sharedPicture)) {
			t.Errorf("the viewing of staff as %s: %d", who, resp.StatusCode)
		}
	}
	if resp, body := b.do(t, req{method: post, path: "/api/v1/alerts/ANOTHER/viewings", body: `{"purpose":"vagt i dag"}`, as: b.tokens["staff"]}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a disclosure to others: %d %s", resp.StatusCode, body)
	}

	began := testNow.Add(-time.Minute)
	fresh := func() casework.CaseView {
		t.Helper()
		n := casework.NewCase{Camera: "kasse-1", From: began.Add(time.Second), To: began.Add(2 * time.Second), What: "Tyveri", HappenedAt: began.Add(time.Second), Offence: incident.Theft}
		text, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		resp, body := b.do(t, req{method: post, path: "/api/v1/cases", body: string(text), as: b.tokens["staff"]})
		var c casework.CaseView
		if err := json.Unmarshal([]byte(body), &c); err != nil || resp.StatusCode != http.StatusCreated {
			t.Fatal(resp.Status, body)
		}
		return c
	}
	one, two := fresh(), fresh()
	documents := func(id incident.CaseID) string { return "/api/v1/cases/" + string(id) + "/documents" }
	resp, body := b.do(t, req{method: post, path: documents(one.ID) + "?kind=" + incident.DocumentReceipt + "&name=kvittering.jpg", body: string(sharedPicture), kind: incident.MediaJPEG, as: b.tokens["staff"]})
	var c casework.CaseView
	if err := json.Unmarshal([]byte(body), &c); err != nil || resp.StatusCode != http.StatusCreated || len(c.Documents) != 1 {
		t.Fatal(resp.Status, body)
	}
	doc := "/" + string(c.Documents[0].ID)
	for who, in := range map[string]bool{"staff": true, "assessor": true, "manager": true, "auditor": false, "operator": false, "idle-staff": false, "fresh-manager": false} {
		if resp, got := b.do(t, req{method: get, path: documents(one.ID) + doc, as: b.tokens[who]}); (resp.StatusCode == http.StatusOK) != in || in && got != string(sharedPicture) {
			t.Errorf("the document as %s: %d", who, resp.StatusCode)
		} else if in && !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("a document from elsewhere opens in the page: %v", resp.Header)
		}
	}
	if resp, _ := b.do(t, req{method: get, path: documents(two.ID) + doc, as: b.tokens["staff"]}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a document of another case: %d", resp.StatusCode)
	}
	if resp, _ := b.do(t, req{method: remove, path: documents(two.ID) + doc, body: `{"version":1,"reason":"forkert"}`, as: b.tokens["staff"]}); resp.StatusCode < 400 {
		t.Errorf("a document of another case was removed: %d", resp.StatusCode)
	}
	if resp, _ := b.do(t, req{method: post, path: documents(one.ID) + "?kind=receipt&name=x.pdf", body: strings.Repeat("a", MaxDocument+1), kind: incident.MediaPDF, as: b.tokens["staff"]}); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a document of %d bytes: %d", MaxDocument+1, resp.StatusCode)
	}
}
