package extranet

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/page.html"))

var nav = []string{"members", "boxes", "assessors", "disclosures", "access", "pentests", "changes", "audit", "operators", "account"}

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
	"compare": {"Ring til personen på et nummer, I kender fra et andet sted end herfra, og lad personen læse nøglens navn højt fra sin egen side. Se også bevis for kvalifikationen. Passer det ikke, så bekræft ikke.", "Call the person on a number that you know from elsewhere than here, and have the person read the key's name aloud from their own page. See proof of the qualification too. If it does not fit, do not confirm."},
	"told":    {"adgang ophørt", "access ended"}, "deleted": {"slettet", "deleted"}, "notdeleted": {"sletning ikke bekræftet", "deletion not recorded"}, "people": {"Personer med adgang", "People with access"}, "accepted": {"har accepteret vilkår", "have accepted conditions"},
	"circle": {"Kreds", "Circle"}, "ends": {"Slutter", "Ends"}, "report": {"Politianmeldt", "Police report"}, "due": {"frist", "due"}, "viewings": {"Visninger", "Viewings"},
	"uploading": {"Sendes", "Uploading"}, "available": {"Tilgængelig", "Available"}, "ended": {"Afsluttet", "Ended"}, "purging": {"Video endnu ikke slettet", "Video not deleted yet"}, "endit": {"Afslut", "End"},
	"time": {"Tid", "Time"}, "purpose": {"Formål", "Purpose"}, "pentestlate": {"Der skal holdes en penetrationstest nu (to om året).", "A penetration test is due now (two a year)."},
	"pentestdue": {"Næste test senest", "Next test by"}, "held": {"Holdt", "Held"}, "tester": {"Udført af", "Done by"}, "findings": {"Fund", "Findings"}, "verify": {"Kontrollér loggen", "Verify the log"},
	"oldpassword": {"Nuværende adgangskode", "Present password"}, "newpassword": {"Ny adgangskode (14 tegn eller flere)", "New password (14 characters or more)"}, "addoperator": {"Ny operatør", "New operator"},
	"operators": {"Operatører", "Operators"}, "login-name": {"Navn til log ind", "Log-in name"}, "person": {"Personens navn", "The person's name"}, "code6": {"Kode fra kodeapp", "Code from the app"},
	"usepasskey": {"Brug adgangsnøgle", "Use a passkey"}, "or": {"eller adgangskode og kode", "or password and code"}, "provetitle": {"Vis, at det er dig", "Show that it is you"},
	"provewhy":    {"Det, du gør her, stoler butikkerne på. Vis først, at det er dig; det gælder i fem minutter.", "Shops trust in what you do here. Show first that it is you; it holds for five minutes."},
	"provebutton": {"Bekræft", "Confirm"}, "proved": {"Du har vist, at det er dig; det gælder til", "You have shown that it is you; it holds until"},
	"setup":     {"Kontoen skal sættes op, før den kan bruges.", "The account must be set up before it can be used."},
	"setupname": {"Kontoen er personlig: skriv dit navn.", "The account is personal: write your name."}, "setupfactor": {"Lav en adgangsnøgle, eller vælg din egen adgangskode og tilføj en kodeapp.", "Make a passkey, or choose a password of your own and add an authenticator app."},
	"setuppassword": {"Vælg din egen adgangskode; den nuværende har andre set.", "Choose a password of your own; others have seen the present one."},
	"makepasskey":   {"Lav en adgangsnøgle", "Make a passkey"}, "keyname": {"Hvad nøglen skal hedde, fx ”Bærbar”", "What to call it, say ‘Laptop’"}, "mykeys": {"Mine adgangsnøgler", "My passkeys"}, "remove": {"Fjern", "Remove"},
	"used": {"Sidst brugt", "Last used"}, "made": {"Lavet", "Made"}, "synced": {"deles mellem enheder", "shared between devices"}, "app": {"Kodeapp", "Authenticator app"}, "addapp": {"Tilføj en kodeapp", "Add an authenticator app"}, "replaceapp": {"Skift kodeapp", "Replace the authenticator app"},
	"scan": {"Skan billedet med kodeappen, eller skriv nøglen i den. Skriv så den kode, den viser.", "Scan the picture with the app, or type the secret into it. Then write the code that it shows."}, "qr": {"QR-kode til kodeappen", "QR code for the app"}, "secret": {"Nøgle", "Secret"},
	"none": {"Ingen", "None"}, "act": {"Handling", "Action"}, "ended-account": {"Afsluttet", "Ended"}, "endaccount": {"Afslut konto", "End the account"}, "reset": {"Ny første adgangskode", "New first password"}, "factors": {"Logger ind med", "Logs in with"}, "choosepassword": {"Vælg adgangskode", "Choose a password"},
	"nopasskeys": {"Ekstranettet har intet værtsnavn, så adgangsnøgler kan ikke laves her.", "The extranet has no host name, so no passkeys can be made here."}, "noscript": {"Adgangsnøgler kræver JavaScript; adgangskode og kode gør ikke.", "Passkeys need JavaScript; a password and a code do not."},
	"failed":  {"Adgangsnøglen blev ikke brugt. Prøv igen, eller brug adgangskode og kode.", "The passkey was not used. Try again, or use password and code."},
	"changes": {"Væsentlige ændringer", "Essential changes"}, "changeswhy": {"En væsentlig ændring af systemet kræver en ny tilladelse, før den tages i brug, og ophør meddeles Datatilsynet straks (S10).", "An essential change of the system needs a new permission before it takes effect, and the end of operation is reported to the agency at once (S10)."},
	"changesopen": {"Noget er ikke meddelt Datatilsynet eller mangler en tilladelse.", "Something has not been reported to the agency, or lacks a permission."}, "change": {"Væsentlig ændring", "Essential change"}, "end": {"Driften ophører", "End of operation"}, "kind": {"Art", "Kind"}, "day": {"Dato", "Date"}, "takeseffect": {"Gælder fra", "Takes effect"}, "what": {"Hvad", "What"},
	"needed": {"Kræver ny tilladelse", "Needs a new permission"}, "yes": {"Ja", "Yes"}, "no": {"Nej", "No"}, "permission": {"Tilladelse", "Permission"}, "reported": {"Meddelt", "Reported"}, "unreported": {"Ikke meddelt", "Not reported"}, "missing": {"Mangler", "Missing"}, "unlawful": {"I brug uden tilladelse", "In effect without permission"},
	"number": {"Datatilsynets journalnummer", "The agency's number"}, "addchange": {"Skriv en ændring ind", "Record a change"},
	"aloud": {"Nøglens navn, læst op i grupper", "The key's name, read in groups"}, "whole": {"Hele navnet skal passe, ikke kun begyndelsen.", "The whole name must fit, not only its beginning."},
	"back": {"Tilbage", "Back"}, "problem": {"Det gik ikke", "That did not work"}, "result": {"Udført", "Done"},
	"code": {"Tilmeldingskode. Den vises kun nu og virker én gang, til:", "Enrolment code. It is shown only now and works once, until:"}, "valid": {"Gyldig til", "Valid until"},
	"first": {"Første adgangskode. Den vises kun nu:", "First password. It is shown only now:"}, "entries": {"Poster", "Entries"}, "holds": {"Loggen er, som den blev skrevet.", "The log is as it was written."},
	"broken": {"Loggen er ændret.", "The log has been changed."}, "key": {"Kontrolnøgle", "Verifier key"},
}

type page struct {
	Lang, Title, Back string
	Nav               []string
	Seat              seat
	Fresh             bool // the proof of who it is
	Passkeys          bool // they can be made and used here
	Data              any
	Next              string // the page after a proof; empty: this one
	Do                string // where a passkey's answer goes
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

// For is p with a passkey's answer going to path.
func (p page) For(path string) page {
	p.Do = path
	return p
}

// Needs reports whether the account must still do what.
func (p page) Needs(what string) bool { return slices.Contains(p.Seat.Must, what) }

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

// back is the page that a form came from, or that it names: a path of our own, or
// the first page.
func back(r *http.Request) string {
	if next := r.URL.Query().Get("next"); slices.Contains(nav, strings.TrimPrefix(next, "/")) {
		return "/" + strings.TrimPrefix(next, "/")
	}
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "/api/") {
		return "/"
	}
	return u.RequestURI()
}

// pageOf is the name of the page at path, where it is one.
func pageOf(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	if slices.Contains(nav, name) {
		return name
	}
	return ""
}

func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, who seat, data any) {
	p := page{Lang: language(r), Title: name, Seat: who, Nav: nav, Data: data, Back: back(r), Fresh: s.fresh(who) == nil, Passkeys: s.passkeysOn() == nil}
	if name == "problem" {
		p.Next = pageOf(p.Back)
	}
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
	type told struct {
		Cause, Remedy string
		Prove         bool              // by a proof here and now
		Again         string            // where the form that waits for it goes
		Fields        map[string]string // and what was in it
	}
	t := told{Cause: p.Cause.DA, Remedy: p.Remedy.DA, Prove: p.Code == errProof.Code}
	if t.Prove && isForm(r) && r.ParseForm() == nil {
		t.Again, t.Fields = r.URL.Path, map[string]string{}
		for k, v := range r.PostForm {
			t.Fields[k] = v[len(v)-1]
		}
	}
	if language(r) == "en" {
		t.Cause, t.Remedy = p.Cause.EN, p.Remedy.EN
	}
	s.render(w, r, p.Status, "problem", seatOf(r.Context()), t)
}

type labelled struct{ Label, Value string }

// resultPage shows what is shown only once.
func (s *Server) resultPage(w http.ResponseWriter, r *http.Request, a any) {
	p := page{Lang: language(r)}
	var d []labelled
	switch a := a.(type) {
	case codeAnswer:
		d = []labelled{{p.T("code") + " " + p.When(a.Expires), a.Code}}
	case appSecret:
		s.render(w, r, http.StatusOK, "app", seatOf(r.Context()), a)
		return
	case madeAccount:
		d = []labelled{{p.T("login-name"), a.Name}, {p.T("first"), a.Password}}
	case auditReport:
		t := p.T("holds")
		if !a.OK {
			t = p.T("broken") + " " + a.Bad
		}
		d = []labelled{{p.T("verify"), t}, {p.T("key"), a.VerifierKey}}
	}
	s.render(w, r, http.StatusOK, "result", seatOf(r.Context()), d)
}

func (s *Server) pages(m *http.ServeMux) {
	for _, name := range []string{"style.css", "passkey.js"} {
		m.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "pages/"+name)
		})
	}
	m.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, r, http.StatusOK, "login", seat{}, s.passkeysOn() == nil)
	})
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
		"pentests": s.listPentests, "changes": s.listChanges, "audit": s.listAudit, "operators": s.listOperators, "account": s.me,
	} {
		m.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			l := toWork
			if name == "account" {
				l = toSetUp
			}
			st, err := s.admit(r, l)
			switch {
			case errors.Is(err, errSetUp):
				http.Redirect(w, r, "/account", http.StatusSeeOther)
				return
			case err != nil:
				http.Redirect(w, r, "/login", http.StatusSeeOther)
				return
			}
			ctx := context.WithValue(r.Context(), seatKey{}, st)
			d, err := h(ctx, st.Name, r)
			if err != nil {
				s.problemPage(w, r, problem.Of(err))
				return
			}
			s.render(w, r, http.StatusOK, name, st, d)
		})
	}
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/disclosures", http.StatusSeeOther) })
}
