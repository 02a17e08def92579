// Package web is the box's face: the pages for staff, assessor and shop admin,
// and the JSON API under /api/v1 that the pages and veilctl use.
//
// It decides nothing. Every request is answered by a Box, which checks
// permissions, writes the audit entry before it acts or hands out a byte, and
// returns *problem.Problem errors; this package turns HTTP into those calls and
// their results into JSON (RFC 3339 times in UTC, RFC 9457 problems), pages and
// byte ranges (RFC 9110 §14). The API is described in openapi.json, which a
// test holds against the routes and the Go types.
//
// A session is the cookie __Host-veilbox (Secure, HttpOnly, SameSite=Strict).
// Requests from other origins that could change anything are refused, bodies
// are limited to MaxBody bytes (a document to MaxDocument), callers to so many
// requests a second, and every answer carries a content security policy without
// inline script or style. Names that are not the box's own are refused. Nothing but assets may be kept by a
// browser: video and pages go out with Cache-Control: no-store.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/place"
	"veilbox/internal/problem"
	"veilbox/internal/sqlitedb"
)

// The most a request may carry, in bytes: MaxDocument where it brings a document
// of a case, with room for the form around it.
const (
	MaxBody     = 1 << 20
	MaxDocument = 10<<20 + 64<<10
)

// Options is what the pages stand on. Box, Log and Clock are needed.
type Options struct {
	Box Box
	// WHEP answers a live view (POST to open, DELETE on the session's address
	// to close) once the Box has allowed it. Nil: pages show still pictures.
	WHEP    func(w http.ResponseWriter, r *http.Request, cam footage.CameraID)
	Log     *slog.Logger
	Clock   clock.Clock
	Version string // of the program, shown at the foot of each page
	// Hosts are the names that the box answers to, beside localhost and
	// addresses; RPID is that of them for which passkeys are made. Empty: there
	// are no passkeys.
	Hosts []string
	RPID  string
}

type server struct {
	Options
	texts  map[string]catalogue
	pages  map[string]map[string]page // language, name
	files  map[string]asset
	limits *limits

	bodyTime func(route) time.Duration
}

// New returns the handler of all pages and of the API. It fails only where the
// embedded files are broken.
func New(o Options) (http.Handler, error) {
	s, err := newServer(o)
	if err != nil {
		return nil, err
	}
	return s.handler(), nil
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.routes() {
		mux.Handle(rt.method+" "+rt.path, s.guard(rt))
	}
	mux.HandleFunc(other, func(w http.ResponseWriter, r *http.Request) { s.noRoute(w, r, mux) })

	cop := http.NewCrossOriginProtection()
	cop.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, errCrossOrigin)
	}))
	return s.headers(s.hosts(cop.Handler(mux)))
}

func newServer(o Options) (*server, error) {
	if o.Box == nil || o.Log == nil || o.Clock == nil {
		return nil, errors.New("web: Options needs Box, Log and Clock")
	}
	s := &server{Options: o, limits: newLimits(), bodyTime: bodyTimeOf}
	var err error
	if s.texts, err = loadTexts(); err != nil {
		return nil, err
	}
	if s.pages, err = loadPages(s.texts); err != nil {
		return nil, err
	}
	if s.files, err = loadAssets(); err != nil {
		return nil, err
	}
	return s, nil
}

// access says who may come to a route.
type access int

const (
	signedIn  access = iota // anyone with a session whose account is set up; the Box decides the rest
	ownOnly                 // the own account, which is set up here
	anyone                  // no session needed
	firstPage               // a page open to a session that has not yet accepted the conditions
	fullPage                // a page; the conditions must have been accepted
)

type route struct {
	method, path string
	access       access
	serve        func(http.ResponseWriter, *http.Request, casework.Actor) error
}

// guard finds out who asks before a route is served.
func (s *server) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor := casework.Actor{From: remote(r)}
		most, all := bodyLimit(rt), paces(rt)
		if err := bound(w, r, most, s.bodyTime(rt)); err != nil {
			s.fail(w, r, err)
			return
		}
		if r.ContentLength > most {
			s.fail(w, r, tooLarge(most))
			return
		}
		// By address first: finding out who asks costs a look into the database.
		if wait := s.limits.take(place.Of(actor.From), s.Clock.Now(), all[:min(len(all), 1)]); wait > 0 {
			s.fail(w, r, slow(w, wait))
			return
		}
		who := place.Of(actor.From)
		if rt.access != anyone {
			session, err := s.session(r)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			actor.Session, who = session, "person "+string(session.Person.ID)
		}
		if len(all) > 1 {
			if wait := s.limits.take(who, s.Clock.Now(), all[1:]); wait > 0 {
				s.fail(w, r, slow(w, wait))
				return
			}
		}
		if rt.access == signedIn && len(actor.Session.Must) > 0 {
			s.fail(w, r, errSetUp)
			return
		}
		if rt.access == fullPage {
			if len(actor.Session.Must) > 0 {
				http.Redirect(w, r, "/account", http.StatusSeeOther)
				return
			}
			ok, err := s.Box.AcceptedConditions(r.Context(), actor)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			if !ok {
				http.Redirect(w, r, "/conditions", http.StatusSeeOther)
				return
			}
		}
		if err := rt.serve(w, r, actor); err != nil {
			s.fail(w, r, err)
		}
	})
}

// unattended is the header by which a page says that it asks by itself. Whoever
// sends it without need is logged out the sooner.
const unattended = "Veilbox-Unattended"

func (s *server) session(r *http.Request) (account.Session, error) {
	token := sessionToken(r)
	if token == "" {
		return account.Session{}, errNoSession
	}
	ctx := r.Context()
	if r.Header.Get(unattended) != "" {
		ctx = account.Unattended(ctx)
	}
	return s.Box.Authenticate(ctx, token)
}

func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// fail answers err: the API with a problem detail, a page with cause and remedy
// in the reader's language or, without a session, with the login page.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := sqlitedb.ProblemOf(err)
	if lateBody(r) {
		p = errSlowBody.With(err)
	}
	if p.Status >= 500 && !errors.Is(err, context.Canceled) {
		s.Log.Error("request failed", "method", r.Method, "route", r.Pattern, "code", p.Code, "error", err)
	} else if p.Status < 500 && r.Method != http.MethodGet {
		// The code stands for cause and remedy, whose words may hold what a person wrote.
		s.Log.Info("request refused", "method", methodOf(r), "route", r.Pattern, "code", p.Code)
	}
	if isAPI(r) {
		problem.Write(w, p)
		return
	}
	if p.Status == http.StatusUnauthorized {
		http.Redirect(w, r, "/login?next="+nextOf(r), http.StatusSeeOther)
		return
	}
	s.errorPage(w, r, p)
}

// methodOf is the method for the log: one that is none may say anything.
func methodOf(r *http.Request) string {
	if slices.Contains([]string{get, http.MethodHead, post, put, patch, remove}, r.Method) {
		return r.Method
	}
	return "other"
}

// other is the pattern of what no route serves.
const other = "/"

// noRoute says that an address does not exist, or which methods it has.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	var methods []string
	for _, m := range []string{get, http.MethodHead, post, put, patch, remove} {
		try := r.Clone(r.Context())
		try.Method = m
		if _, pattern := mux.Handler(try); pattern != other && pattern != "" {
			methods = append(methods, m)
		}
	}
	if len(methods) == 0 {
		s.fail(w, r, errNotFound)
		return
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	s.fail(w, r, errMethod)
}
