package ctl

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// afterAPI is what happens to a case after its disclosure, and the audit log.
func afterAPI(handle func(pattern, text string), mux *http.ServeMux, sent map[string]string) {
	kase := `{"id":"CASE1","version":5,"state":"disclosed","what":"w","documents":[{"id":"DOC1","kind":"receipt","name":"kvittering.pdf","media":"application/pdf","size":12,"added":"2026-02-03T11:00:00Z","by":"p1","by_name":"Mette Holm"}]}`
	for _, p := range []string{"POST /api/v1/cases/CASE1/facts", "POST /api/v1/cases/CASE1/reassessments", "POST /api/v1/cases/CASE1/narrowings", "POST /api/v1/cases/CASE1/informed"} {
		handle(p, kase)
	}
	handle("POST /api/v1/rights/find", `{"cases":[{"id":"CASE1","state":"disclosed","what":"w","camera":"till-1","clip_from":"2026-02-03T11:00:00Z","clip_to":"2026-02-03T11:05:00Z"}],"recorded":[{"camera":"door-1","span":{"from":"2026-02-03T10:00:00Z","to":"2026-02-03T11:05:00Z"}}],"more":2}`)
	handle("POST /api/v1/cases/CASE1/handout", "an MP4")
	handle("POST /api/v1/alerts/D1/deletion", `{}`)
	handle("DELETE /api/v1/cases/CASE1", `{}`)
	handle("DELETE /api/v1/cases/CASE1/documents/DOC1", `{}`)
	handle("GET /api/v1/cases/CASE1/documents/DOC1", "%PDF-1.4 test")
	handle("GET /api/v1/cases/CASE1/file.json", `{"case":"CASE1"}`)
	handle("GET /api/v1/cases/CASE1/deletion.txt", "deleted\n")
	handle("GET /api/v1/cases/CASE1/holdings", `{"case":"CASE1","items":[{"kind":"clip","what":{"en":"The recording"},"where":{"en":"On the box"},"since":"2026-02-03T11:00:00Z","ends":{"en":"with the case"}}],"recipients":[{"member":"M2","name":"Brugsen"}],"own":[{},{}],"unknown":true}`)
	query := func(pattern, text string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			sent[pattern] = r.URL.Query().Encode() + " " + string(b)
			answer(w, text)
		})
	}
	query("POST /api/v1/cases/CASE1/documents", kase)
	query("GET /api/v1/cases/CASE1/file.pdf", "%PDF-1.4 case")
	query("GET /api/v1/audit/export", "{\"seq\":1}\n{\"seq\":2}\n")
}

func TestAfterTheDisclosure(t *testing.T) {
	s, sent := loggedIn(t)
	s.ok("case", "fact", "CASE1", "charged", "--words", "sigtet", "--at", "2026-02-03 12:00")
	s.ok("case", "reassess", "CASE1", "--reasons", "alt holder", "--next", "2026-02-10", "--drop", "M1", "--drop", "M2")
	s.ok("case", "narrow", "CASE1", "--drop", "M1", "--reason", "langt væk")
	s.ok("case", "inform", "CASE1", "--how", "letter", "--words", "brev sendt", "--at", "2026-02-03 12:00")
	code, out, errs := s.run("", "case", "find", "--from", "2026-02-03 12:00", "--to", "2026-02-03 12:05", "--camera", "till-1", "--why", "anmodning 7")
	if code != 0 || !strings.Contains(out, "door-1") || !strings.Contains(out, "CASE1") || !strings.Contains(errs, "2 more") {
		t.Errorf("find: %d %s %s", code, out, errs)
	}
	s.ok("alert", "deleted", "D1", "--words", "filen på kontorets pc")
	s.ok("case", "handout", "CASE1", "--to", "Bo Dam, pas", "--understood", "-o", filepath.Join(s.dir, "out.mp4"))
	if code, _, _ := s.run("", "case", "handout", "CASE1", "--to", "Bo Dam, pas", "-o", filepath.Join(s.dir, "out.mp4")); code != 2 {
		t.Errorf("a handout without the warning: %d", code)
	}
	s.ok("case", "delete", "CASE1", "--reason", "slut")
	s.ok("case", "document", "remove", "CASE1", "DOC1", "--reason", "forkert")
	out = s.ok("case", "document", "add", "CASE1", s.file("kvittering.pdf", "%PDF-1.4"), "--kind", "receipt")
	if !strings.Contains(out, "DOC1") || !strings.Contains(out, "kvittering.pdf") {
		t.Errorf("documents: %s", out)
	}
	for pattern, want := range map[string]string{
		"POST /api/v1/cases/CASE1/facts":            `{"version":4,"what":"charged","at":"2026-02-03T11:00:00Z","words":"sigtet"}`,
		"POST /api/v1/cases/CASE1/reassessments":    `{"version":4,"reasons":"alt holder","next":"2026-02-09T23:00:00Z","drop":["M1","M2"]}`,
		"POST /api/v1/cases/CASE1/narrowings":       `{"version":4,"drop":["M1"],"reason":"langt væk"}`,
		"POST /api/v1/cases/CASE1/informed":         `{"version":4,"at":"2026-02-03T11:00:00Z","how":"letter","words":"brev sendt"}`,
		"DELETE /api/v1/cases/CASE1":                `{"reason":"slut"}`,
		"POST /api/v1/alerts/D1/deletion":           `{"words":"filen på kontorets pc"}`,
		"POST /api/v1/cases/CASE1/handout":          `{"to":"Bo Dam, pas","understood":true}`,
		"POST /api/v1/rights/find":                  `{"from":"2026-02-03T11:00:00Z","to":"2026-02-03T11:05:00Z","camera":"till-1","why":"anmodning 7"}`,
		"DELETE /api/v1/cases/CASE1/documents/DOC1": `{"reason":"forkert"}`,
		"POST /api/v1/cases/CASE1/documents":        "kind=receipt&name=kvittering.pdf %PDF-1.4",
	} {
		if sent[pattern] != want {
			t.Errorf("%s: sent %s, want %s", pattern, sent[pattern], want)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"case", "file", "CASE1", "-o", "f.pdf", "--language", "en"}, "%PDF-1.4 case"},
		{[]string{"case", "file", "CASE1", "-o", "f.json"}, `{"case":"CASE1"}`},
		{[]string{"case", "document", "get", "CASE1", "DOC1", "-o", "d.pdf"}, "%PDF-1.4 test"},
		{[]string{"case", "deletion-proof", "CASE1", "-o", "gone.txt"}, "deleted\n"},
		{[]string{"audit", "export", "-o", "a.jsonl", "--act", "case.", "--who", "p1", "--about", "case=CASE1", "--from", "2026-02-03 12:00"}, "{\"seq\":1}\n{\"seq\":2}\n"},
	} {
		for i, a := range c.args {
			if a == "-o" {
				c.args[i+1] = filepath.Join(s.dir, "out-"+c.args[i+1])
				s.ok(c.args...)
				if b, err := os.ReadFile(c.args[i+1]); err != nil || string(b) != c.want {
					t.Errorf("%v: %q %v", c.args, b, err)
				}
				if info, err := os.Stat(c.args[i+1]); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%v: mode %v", c.args, info.Mode())
				}
			}
		}
	}
	if got, want := sent["GET /api/v1/cases/CASE1/file.pdf"], "lang=en "; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	if got, want := sent["GET /api/v1/audit/export"], "about=case%3DCASE1&act=case.&format=jsonl&from=2026-02-03T11%3A00%3A00Z&who=p1 "; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	code, out, errs = s.run("", "case", "holdings", "CASE1")
	if code != 0 || !strings.Contains(out, "The recording") || !strings.Contains(out, "Brugsen") || !strings.Contains(out, "2 here") || !strings.Contains(errs, "could not be asked") {
		t.Errorf("holdings: %d %s %s", code, out, errs)
	}
}
