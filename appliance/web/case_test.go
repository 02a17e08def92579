package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/casefile"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// A document comes from outside: it goes out to be saved, and nothing of it may
// run or be drawn on the box's own pages.
func TestDocumentsAreNeverShown(t *testing.T) {
	s := newSite(t)
	s.box.cases["CASE1"] = testCase(incident.Redacted)
	for _, path := range []string{"/api/v1/cases/CASE1/documents/DOC1", "/api/v1/cases/CASE1/file.pdf", "/api/v1/cases/CASE1/file.json", "/api/v1/cases/CASE1/deletion.txt"} {
		resp, body := s.do(t, req{method: get, path: path, as: "manager"})
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, body)
		}
		if d := resp.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment; filename=") {
			t.Errorf("%s: disposition %q", path, d)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || strings.Contains(csp, "script-src") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if n := resp.Header.Get("X-Content-Type-Options"); n != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", path, n)
		}
	}
}

// A case file is checked byte by byte by who gets it.
func TestACaseFileGoesOutAsItIsSpelt(t *testing.T) {
	s := newSite(t)
	resp, body := s.do(t, req{method: get, path: "/api/v1/cases/CASE1/file.json", as: "manager"})
	want, err := casefile.File{}.JSON()
	if err != nil || resp.StatusCode != http.StatusOK || body != string(want) {
		t.Errorf("%d %.200s, want %.200s", resp.StatusCode, body, want)
	}
}

// A document may be larger than any other body, and has a bound of its own.
func TestDocumentsAreBounded(t *testing.T) {
	s := newSite(t)
	s.box.cases["CASE1"] = testCase(incident.Redacted)
	q := req{method: post, path: "/api/v1/cases/CASE1/documents?kind=receipt&name=k.pdf", as: "staff", kind: "application/pdf"}
	for name, c := range map[string]struct {
		size, status int
		kind, code   string
	}{
		"more than other bodies": {5 << 20, http.StatusCreated, "application/pdf", ""},
		"the most there may be":  {10 << 20, http.StatusCreated, "image/jpeg", ""},
		"too much":               {11 << 20, http.StatusRequestEntityTooLarge, "application/pdf", "request.too-large"},
		"of another kind":        {100, http.StatusUnsupportedMediaType, "text/html", "request.document-type"},
		"of no kind":             {100, http.StatusUnsupportedMediaType, "nothing", "request.document-type"},
	} {
		q.body, q.kind = strings.Repeat("x", c.size), c.kind
		resp, body := s.do(t, q)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", name, resp.StatusCode, body, c.status)
		}
		if p := problem.Decode(resp.StatusCode, []byte(body)); c.code != "" && p.Code != c.code {
			t.Errorf("%s: %s, want %s", name, p.Code, c.code)
		}
	}
	if resp, _ := s.do(t, req{method: put, path: "/api/v1/cases/CASE1", as: "staff", body: strings.Repeat(" ", 2<<20)}); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("another body of 2 MiB: %d", resp.StatusCode)
	}
}

// What each person is shown of a case: the steps, the decision, what runs.
func TestCasePageShowsWhatIsNext(t *testing.T) {
	for name, c := range map[string]struct {
		state incident.State
		as    string
		has   []string
		not   []string
	}{
		"a draft, staff":        {incident.Draft, "staff", []string{`data-view="steps"`, `id="step-what"`, `id="step-submit"`}, []string{`id="assess"`, `id="delete-form"`}},
		"a draft, manager":      {incident.Draft, "manager", []string{`data-view="steps"`, `id="delete-form"`}, nil},
		"handed over, staff":    {incident.Submitted, "staff", []string{`data-view="running"`, `data-testid="dossier"`}, []string{`data-testid="approve"`, `id="step-what"`}},
		"handed over, assessor": {incident.Submitted, "assessor", []string{`data-view="assess"`, `data-testid="approve"`, `data-testid="original"`, `id="sign"`}, []string{`type="password"`}},
		"running":               {incident.Disclosed, "manager", []string{`data-view="running"`, `data-testid="reassess-save"`, `data-testid="narrow-save"`, `data-testid="fact-charged"`, `data-testid="withdraw"`, `file.pdf`}, []string{`id="delete-form"`}},
		"ended":                 {incident.Withdrawn, "manager", []string{`data-view="running"`, `id="delete-form"`}, []string{`data-testid="withdraw"`}},
	} {
		s := newSite(t)
		x := testCase(c.state)
		if c.state == incident.Disclosed {
			x.Disclosure = &incident.Disclosure{ID: "D1", Released: testNow, NotAfter: testNow.AddDate(0, 0, 30), ReportDue: testNow}
		}
		s.box.cases["CASE1"] = x
		_, body := s.do(t, req{method: get, path: "/cases/CASE1", as: c.as})
		for _, w := range c.has {
			if !strings.Contains(body, w) {
				t.Errorf("%s: the page lacks %s", name, w)
			}
		}
		for _, w := range c.not {
			if strings.Contains(body, w) {
				t.Errorf("%s: the page has %s", name, w)
			}
		}
	}
}

// The member that dropped out is asked to confirm that it deleted.
func TestAnEndedAlertAsksForDeletion(t *testing.T) {
	s := newSite(t)
	s.box.alerts = []casework.Alert{{ID: "D1", What: "Tyveri", Ended: new(testNow)}}
	if _, body := s.do(t, req{method: get, path: "/alerts/D1", as: "staff"}); !strings.Contains(body, `data-testid="deleted-form"`) {
		t.Error("nobody is asked to confirm the deletion")
	}
	if resp, body := s.do(t, req{method: post, path: "/api/v1/alerts/D1/deletion", as: "staff", body: `{"words":"intet"}`}); resp.StatusCode != http.StatusNoContent || !s.box.called("DeletedHere intet") {
		t.Errorf("%d %s, acts %q", resp.StatusCode, body, s.box.calls)
	}
}

// alike are texts that are the same word in both languages.
var alike = map[string]bool{
	"audit.person": true, "audit.who": true, "camera.minutes": true, "doc.kb": true, "doc.mb": true, "find.firmware": true, "js.minutes": true,
	"mark.pause": true, "mark.person": true, "nav.audit": true, "progress.cancel": true, "start.alarm": true,
}

// A text that is the same in both languages was most often forgotten, and
// English has none of the Danish letters.
func TestEnglishIsEnglish(t *testing.T) {
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Sorted(maps.Keys(texts["en"])) {
		en, da := texts["en"][key], texts["da"][key]
		if strings.ContainsAny(strings.ToLower(en), "æøå") {
			t.Errorf("%s: %q has Danish letters", key, en)
		}
		if en == da && strings.ContainsAny(en, "abcdefghijklmnopqrstuvwxyz") && len(strings.Fields(verbs.ReplaceAllString(en, ""))) > 0 && !alike[key] {
			t.Errorf("%s: %q in both languages; translate it or add it to alike", key, en)
		}
	}
}

// The start page says by when something must be done about what runs.
func TestStartPageTellsTheClocks(t *testing.T) {
	s := newSite(t)
	x := testCase(incident.Disclosed)
	x.Evidence.Report, x.Evidence.NextReassessment = nil, new(testNow.AddDate(0, 0, 14))
	x.Disclosure = &incident.Disclosure{ID: "D1", Released: testNow, NotAfter: testNow.AddDate(0, 0, 30), ReportDue: testNow.Add(9 * time.Hour)}
	s.box.cases["CASE1"] = x
	_, body := s.do(t, req{method: get, path: "/", as: "manager"})
	for _, want := range []string{"mangler – skal være her før 22. nov. 2026 kl. 23.30", "Næste vurdering 6. dec. 2026", "Slutter senest 22. dec. 2026"} {
		if !strings.Contains(body, want) {
			t.Errorf("the start page lacks %q", want)
		}
	}
}
