package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

//go:embed templates
var templateFiles embed.FS

type page = *template.Template

var pageNames = []string{"login", "start", "camera", "timeline", "case", "alerts", "alert", "admin", "people", "audit", "rights", "account", "conditions", "error"}

// loadPages parses each page once per language, with the layout around it.
func loadPages(texts map[string]catalogue) (map[string]map[string]page, error) {
	all := map[string]map[string]page{}
	for lang, c := range texts {
		all[lang] = map[string]page{}
		for _, name := range pageNames {
			t, err := template.New("layout.html").Funcs(funcs(lang, c)).ParseFS(templateFiles,
				"templates/layout.html", "templates/parts.html", "templates/steps.html", "templates/assess.html", "templates/running.html", "templates/marking.html", "templates/"+name+".html")
			if err != nil {
				return nil, fmt.Errorf("web: page %s: %w", name, err)
			}
			all[lang][name] = t
		}
	}
	return all, nil
}

func funcs(lang string, c catalogue) template.FuncMap {
	return template.FuncMap{
		"t":  c.get,
		"tp": func(prefix string, v any) string { return c.get(prefix + fmt.Sprint(v)) },
		"role": func(v string) string {
			if words, known := c["role."+v]; known {
				return words
			}
			return v // a clock or a service, in its own name
		},
		"say":  func(t problem.Text) string { return inLanguage(lang, t) },
		"day":  func(t time.Time) string { return dayIn(lang, t) },
		"when": func(t time.Time) string { return whenIn(lang, t) },
		"time": func(t time.Time) string { return clockIn(lang, t) },
		"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"has":  func(l []string, v string) bool { return slices.Contains(l, v) },
		"kr":   func(n *int) string { return kroner(c, n) },
		"dict": func(kv ...any) map[any]any {
			m := map[any]any{}
			for i := 0; i+1 < len(kv); i += 2 {
				m[kv[i]] = kv[i+1]
			}
			return m
		},
	}
}

// kroner writes a value with the Danish thousands' point.
func kroner(c catalogue, n *int) string {
	if n == nil {
		return c.get("value.unknown")
	}
	s := fmt.Sprint(*n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + c.get("value.thousands") + s[i:]
	}
	return s + " kr."
}

// A frame is what every page is given.
type frame struct {
	Lang    string
	Page    string // its name, for the navigation
	Path    string // where the language form comes back to
	Version string
	Now     time.Time
	Name    string // of who is logged in; empty: nobody
	Nav     []string
	Data    any
}

// navFor lists the pages that a session may open.
func navFor(session account.Session, now time.Time) []string {
	nav := []string{"start"}
	if session.Allow(account.ViewFootage, now) == nil {
		nav = append(nav, "timeline")
	}
	if session.Allow(account.ViewShared, now) == nil {
		nav = append(nav, "alerts")
	}
	if session.Allow(account.CaseFile, now) == nil && session.Allow(account.ViewCases, now) == nil {
		nav = append(nav, "rights")
	}
	if session.Allow(account.ManagePeople, now) == nil {
		nav = append(nav, "people")
	}
	if session.Allow(account.ManageCameras, now) == nil {
		nav = append(nav, "admin")
	}
	if session.Allow(account.ReadAudit, now) == nil {
		nav = append(nav, "audit")
	}
	return nav
}

func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name string, a casework.Actor, data any) error {
	lang := languageOf(r)
	f := frame{Lang: lang, Page: name, Path: r.URL.RequestURI(), Version: s.Version,
		Now: s.Clock.Now().In(clock.Copenhagen), Name: a.Session.Person.Name, Data: data}
	if r.Method != get {
		f.Path = "/"
	}
	if f.Name != "" && len(a.Session.Must) == 0 { // until then no other page is open
		f.Nav = navFor(a.Session, s.Clock.Now())
	}
	var b bytes.Buffer
	if err := s.pages[lang][name].Execute(&b, f); err != nil {
		return fmt.Errorf("web: page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Cookie")
	w.WriteHeader(status)
	// A failed write means that the reader has gone; nobody is left to tell.
	_, _ = b.WriteTo(w)
	return nil
}

// errorPage tells a problem as a page of its own.
func (s *server) errorPage(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	var a casework.Actor
	// Who is not logged in gets the page without navigation.
	if session, err := s.session(r); err == nil {
		a.Session = session
	}
	if err := s.render(w, r, p.Status, "error", a, p); err != nil {
		s.Log.Error("error page failed", "error", err)
		http.Error(w, inLanguage(languageOf(r), p.Cause), p.Status)
	}
}

// allowed tells apart what a person may not see, which a page leaves out, from
// what failed, which it must say.
func allowed[T any](v T, err error) (*T, error) {
	var p *problem.Problem
	if errors.As(err, &p) && p.Status == http.StatusForbidden {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

func badForm(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return tooLarge(tooBig.Limit).With(err)
	}
	return errMediaType.With(err)
}

func (s *server) logoutForm(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := s.Box.Logout(r.Context(), a); err != nil {
		return err
	}
	setSession(w, "")
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

func (s *server) languageForm(w http.ResponseWriter, r *http.Request, _ casework.Actor) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	lang := languages[0]
	if v := r.PostForm.Get("lang"); slices.Contains(languages, v) {
		lang = v
	}
	http.SetCookie(w, &http.Cookie{Name: "lang", Value: lang, Path: "/", MaxAge: 365 * 24 * 3600,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	next := "/login"
	if v := r.PostForm.Get("next"); !strings.HasPrefix(v, "/login") {
		next = safeNext(v)
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}
