package extranet

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/page.html"))

var nav = []string{"members", "boxes", "assessors", "disclosures", "access", "pentests", "audit", "account"}

// words are the pages' texts, Danish and English.
var words = map[string][2]string{
	"menu": {"Menu", "Menu"}, "login": {"Log ind", "Log in"}, "logout": {"Log ud", "Log out"}, "password": {"Adgangskode", "Password"},
	"members": {"Medlemmer", "Members"}, "boxes": {"Bokse", "Boxes"}, "assessors": {"Vurderere", "Assessors"}, "disclosures": {"Delinger", "Disclosures"},
	"access": {"Adgangslog", "Access log"}, "pentests": {"Penetrationstest", "Penetration tests"}, "audit": {"Revisionslog", "Audit log"}, "account": {"Konto", "Account"},
	"name": {"Navn", "Name"}, "town": {"By", "Town"}, "region": {"Region", "Region"}, "country": {"Land", "Country"}, "trade": {"Branche", "Trade"}, "chain": {"Kæde", "Chain"},
	"joined": {"Tilsluttet", "Joined"}, "state": {"Status", "State"}, "active": {"Aktiv", "Active"}, "left": {"Ikke længere tilsluttet", "No longer connected"},
	"makecode": {"Lav tilmeldingskode", "Make an enrolment code"}, "addmember": {"Tilføj eller ret et medlem", "Add or change a member"}, "save": {"Gem", "Save"},
	"history": {"Løbende liste", "Running list"}, "member": {"Medlem", "Member"}, "beat": {"Sidst set", "Last seen"}, "version": {"Version", "Version"},
	"auditlog": {"Revisionslog (poster)", "Audit log (entries)"}, "until": {"Certifikat til", "Certificate until"}, "alarm": {"Loggen hænger ikke sammen", "The log does not hold together"},
	"revoked": {"Spærret", "Revoked"}, "revoke": {"Spær", "Revoke"}, "reason": {"Begrundelse", "Reason"}, "seen": {"Undersøgt", "Looked into"},
	"qualification": {"Kvalifikation", "Qualification"}, "pending": {"Afventer", "Waiting"}, "confirmed": {"Bekræftet", "Confirmed"}, "replaced": {"Afløst", "Replaced"}, "confirm": {"Bekræft", "Confirm"},
	"late":    {"Boksen har ikke vist sin log i et døgn", "The box has not shown its log for a day"},
	"passkey": {"Adgangsnøgle", "Passkey"}, "oldkey": {"Ældre nøgle, godkender ikke mere", "Older key, approves no more"}, "keyfile": {"Nøglen er en fil på en computer", "The key is a file on a computer"},
	"expired": {"Kvalifikationen gælder ikke nu", "The qualification does not hold now"}, "next": {"Afventer bekræftelse", "Waits for confirmation"},
	"compare": {"Ring til personen på et nummer, I kender, og sammenlign nøglens navn med det, personen selv ser, før den bekræftes.", "Call the person on a number that you know, and compare the key's name with what the person sees, before it is confirmed."},
	"told":    {"adgang ophørt", "access ended"}, "deleted": {"slettet", "deleted"}, "notdeleted": {"sletning ikke bekræftet", "deletion not recorded"}, "people": {"Personer med adgang", "People with access"}, "accepted": {"har accepteret vilkår", "have accepted conditions"},
	"circle": {"Kreds", "Circle"}, "ends": {"Slutter", "Ends"}, "report": {"Politianmeldt", "Police report"}, "due": {"frist", "due"}, "viewings": {"Visninger", "Viewings"},
	"uploading": {"Sendes", "Uploading"}, "available": {"Tilgængelig", "Available"}, "ended": {"Afsluttet", "Ended"}, "purging": {"Video endnu ikke slettet", "Video not deleted yet"}, "endit": {"Afslut", "End"},
	"time": {"Tid", "Time"}, "purpose": {"Formål", "Purpose"}, "pentestlate": {"Der skal holdes en penetrationstest nu (to om året).", "A penetration test is due now (two a year)."},
	"pentestdue": {"Næste test senest", "Next test by"}, "held": {"Holdt", "Held"}, "tester": {"Udført af", "Done by"}, "findings": {"Fund", "Findings"}, "verify": {"Kontrollér loggen", "Verify the log"},
	"oldpassword": {"Nuværende adgangskode", "Present password"}, "newpassword": {"Ny adgangskode (14 tegn eller flere)", "New password (14 characters or more)"}, "addoperator": {"Ny operatør", "New operator"},
	"back": {"Tilbage", "Back"}, "problem": {"Det gik ikke", "That did not work"}, "result": {"Udført", "Done"},
	"code": {"Tilmeldingskode. Den vises kun nu og virker én gang, til:", "Enrolment code. It is shown only now and works once, until:"}, "valid": {"Gyldig til", "Valid until"},
	"first": {"Første adgangskode. Den vises kun nu:", "First password. It is shown only now:"}, "entries": {"Poster", "Entries"}, "holds": {"Loggen er, som den blev skrevet.", "The log is as it was written."},
	"broken": {"Loggen er ændret.", "The log has been changed."}, "key": {"Kontrolnøgle", "Verifier key"},
}

type page struct {
	Lang, Title, Name, Back string
	Nav                     []string
	Data                    any
}

// T returns a text in the page's language.
func (p page) T(key string) string {
	w, ok := words[key]
	switch {
	case !ok:
		return key
	case p.Lang == "en":
		return w[1]
	}
	return w[0]
}

// Groups shows a fingerprint in groups of four.
func (p page) Groups(id string) string {
	var b strings.Builder
	for i, r := range id {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// When shows an instant as people here read it.
func (p page) When(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	if p.Lang == "en" {
		return t.In(clock.Copenhagen).Format("2 Jan 2006 15:04")
	}
	return t.In(clock.Copenhagen).Format("02.01.2006 15.04")
}

// WhenP is When of an instant that may be missing.
func (p page) WhenP(t *time.Time) string {
	if t == nil {
		return "–"
	}
	return p.When(*t)
}

func language(r *http.Request) string {
	switch r.URL.Query().Get("lang") {
	case "en":
		return "en"
	case "da":
		return "da"
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch tag, _, _ := strings.Cut(strings.ToLower(tag), "-"); tag {
		case "da", "nb", "nn", "no":
			return "da"
		case "en":
			return "en"
		}
	}
	return "da"
}

// back is the page that a form came from: a path of our own, or the first page.
func back(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "/api/") {
		return "/"
	}
	return u.RequestURI()
}

func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name, who string, data any) {
	p := page{Lang: language(r), Title: name, Name: who, Nav: nav, Data: data, Back: back(r)}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, p); err != nil {
		s.o.Log.Error("render a page", "page", name, "err", err)
		http.Error(w, problem.Internal.Cause.EN, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// Who has gone cannot be told.
	_, _ = w.Write(b.Bytes())
}

func (s *Server) problemPage(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	if p.Status >= 500 {
		s.o.Log.Error("page failed", "path", r.URL.Path, "err", p)
	}
	t := struct{ Cause, Remedy string }{p.Cause.DA, p.Remedy.DA}
	if language(r) == "en" {
		t = struct{ Cause, Remedy string }{p.Cause.EN, p.Remedy.EN}
	}
	s.render(w, r, p.Status, "problem", "", t)
}

type labelled struct{ Label, Value string }

// resultPage shows what is shown only once.
func (s *Server) resultPage(w http.ResponseWriter, r *http.Request, a any) {
	p := page{Lang: language(r)}
	var d []labelled
	switch a := a.(type) {
	case codeAnswer:
		d = []labelled{{p.T("code") + " " + p.When(a.Expires), a.Code}}
	case loginInput:
		d = []labelled{{p.T("name"), a.Name}, {p.T("first"), a.Password}}
	case auditReport:
		t := p.T("holds")
		if !a.OK {
			t = p.T("broken") + " " + a.Bad
		}
		d = []labelled{{p.T("verify"), t}, {p.T("key"), a.VerifierKey}}
	}
	s.render(w, r, http.StatusOK, "result", "", d)
}

func (s *Server) pages(m *http.ServeMux) {
	m.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "pages/style.css")
	})
	m.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { s.render(w, r, http.StatusOK, "login", "", nil) })
	for name, h := range map[string]operatorCall{
		"members": func(ctx context.Context, who string, r *http.Request) (any, error) {
			members, err := s.listMembers(ctx, who, r)
			if err != nil {
				return nil, err
			}
			log, err := s.memberLog(ctx, who, r)
			return struct{ Members, Log any }{members, log}, err
		},
		"boxes": s.listBoxes, "assessors": s.listAssessors, "disclosures": s.listDisclosures, "access": s.listAccess,
		"pentests": s.listPentests, "audit": s.listAudit,
		"account": func(context.Context, string, *http.Request) (any, error) { return nil, nil },
	} {
		m.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			who, err := s.session(r)
			if err != nil {
				http.Redirect(w, r, "/login", http.StatusSeeOther)
				return
			}
			d, err := h(r.Context(), who, r)
			if err != nil {
				s.problemPage(w, r, problem.Of(err))
				return
			}
			s.render(w, r, http.StatusOK, name, who, d)
		})
	}
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/disclosures", http.StatusSeeOther) })
}
