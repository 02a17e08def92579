package extranet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"

	"veilbox/internal/problem"
	"veilbox/uplink/wire"
)

// The operator's API, JSON or an HTML form, by the session's cookie. A form is
// answered by the page it came from.
//
//	POST /api/v1/login                      {name, password, code}
//	POST /api/v1/login/passkey/options      -> {id, options}; POST /api/v1/login/passkey {ceremony, response}
//
// One's own account, also while it is being set up:
//
//	GET  /api/v1/me
//	POST /api/v1/logout, /api/v1/password   {old, new}
//	POST /api/v1/account                    {person}, once
//	POST /api/v1/passkeys/options           -> {id, options}; POST /api/v1/passkeys {ceremony, name, response}
//	POST /api/v1/totp                       -> {secret, uri, qr}; .../confirm {code}
//	POST /api/v1/proof/options              -> {id, options}; POST /api/v1/proof {ceremony, response} or {password, code}
//
// Those marked * ask for a proof, or a log-in, within the last five minutes:
//
//	POST /api/v1/passkeys/{key}/remove *    POST /api/v1/totp/remove *
//	GET  /api/v1/operators                  POST *: {name, person} -> {name, password}
//	                                        .../{name}/remove *, .../{name}/reset * {reason}
//	GET  /api/v1/members                    POST: {id, name, town, region, country, trade, chain, active}
//	GET  /api/v1/members/log
//	POST /api/v1/members/{id}/codes         -> {code, expires}
//	GET  /api/v1/boxes                      POST .../{id}/revoke {reason}, .../{id}/alarm {reason}
//	GET  /api/v1/assessors                  POST .../{member}/{key}/confirm * {reason}, .../revoke * {reason}
//	                                        confirm also takes up a qualification that waits
//	GET  /api/v1/disclosures                POST .../{id}/end * {reason}
//	GET  /api/v1/access
//	GET  /api/v1/pentests                   POST: {held, tester, findings}
//	GET  /api/v1/changes                    POST: {kind, day, what, needed}; .../{id}/permission, .../{id}/report {day, number}
//	GET  /api/v1/audit                      POST /api/v1/audit/verify
//	POST /api/v1/clock *                    {reason}: count the clock as it is
//
// Pages: /, /login, and one a noun above. /healthz and /metrics need no log-in.

type ok struct {
	OK bool `json:"ok"`
}

type operatorCall func(ctx context.Context, name string, r *http.Request) (any, error)

// A level is what a call asks of who has logged in.
type level int

const (
	toSetUp  level = iota // nothing more: it sets up the account
	toWork                // an account that is set up
	toDecide              // and a fresh proof of who it is
)

type operatorRoute struct {
	level level
	call  operatorCall
}

// operatorRoutes are the calls of an operator who has logged in.
func (s *Server) operatorRoutes() map[string]operatorRoute {
	return map[string]operatorRoute{
		"GET /api/v1/me":                {toSetUp, s.me},
		"POST /api/v1/logout":           {toSetUp, s.logout},
		"POST /api/v1/account":          {toSetUp, s.nameSelf},
		"POST /api/v1/password":         {toSetUp, s.password},
		"POST /api/v1/passkeys/options": {toSetUp, s.passkeyOptions},
		"POST /api/v1/passkeys":         {toSetUp, s.addPasskey},
		"POST /api/v1/totp":             {toSetUp, s.newApp},
		"POST /api/v1/totp/confirm":     {toSetUp, s.confirmApp},
		"POST /api/v1/proof/options":    {toSetUp, s.proofOptions},
		"POST /api/v1/proof":            {toSetUp, s.prove},

		"POST /api/v1/passkeys/{key}/remove":   {toDecide, s.removePasskey},
		"POST /api/v1/totp/remove":             {toDecide, s.removeApp},
		"GET /api/v1/operators":                {toWork, s.listOperators},
		"POST /api/v1/operators":               {toDecide, s.addOperator},
		"POST /api/v1/operators/{name}/remove": {toDecide, s.removeOperator},
		"POST /api/v1/operators/{name}/reset":  {toDecide, s.resetOperator},

		"GET /api/v1/members":                           {toWork, s.listMembers},
		"POST /api/v1/members":                          {toWork, s.putMember},
		"GET /api/v1/members/log":                       {toWork, s.memberLog},
		"POST /api/v1/members/{id}/codes":               {toWork, s.makeCode},
		"GET /api/v1/boxes":                             {toWork, s.listBoxes},
		"POST /api/v1/boxes/{id}/revoke":                {toWork, s.revokeBox},
		"POST /api/v1/boxes/{id}/alarm":                 {toWork, s.clearAlarm},
		"GET /api/v1/assessors":                         {toWork, s.listAssessors},
		"POST /api/v1/assessors/{member}/{key}/confirm": {toDecide, s.confirmAssessor},
		"POST /api/v1/assessors/{member}/{key}/revoke":  {toDecide, s.revokeAssessor},
		"GET /api/v1/disclosures":                       {toWork, s.listDisclosures},
		"POST /api/v1/disclosures/{id}/end":             {toDecide, s.endDisclosure},
		"GET /api/v1/access":                            {toWork, s.listAccess},
		"GET /api/v1/pentests":                          {toWork, s.listPentests},
		"POST /api/v1/pentests":                         {toWork, s.addPentest},
		"GET /api/v1/changes":                           {toWork, s.listChanges},
		"POST /api/v1/changes":                          {toWork, s.addChange},
		"POST /api/v1/changes/{id}/permission":          {toWork, s.permitChange},
		"POST /api/v1/changes/{id}/report":              {toWork, s.reportChange},
		"GET /api/v1/audit":                             {toWork, s.listAudit},
		"POST /api/v1/audit/verify":                     {toWork, s.verifyAudit},
		"POST /api/v1/clock":                            {toDecide, s.acceptClock},
	}
}

// admit returns who calls, where that one may.
func (s *Server) admit(r *http.Request, l level) (seat, error) {
	st, err := s.session(r)
	switch {
	case err != nil:
		return st, err
	case l >= toWork && len(st.Must) > 0:
		return st, errSetUp
	case l >= toDecide:
		return st, s.fresh(st)
	}
	return st, nil
}

func (s *Server) operatorHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /healthz", s.health)
	m.Handle("GET /metrics", s.met.handler())
	m.HandleFunc("POST /api/v1/login", func(w http.ResponseWriter, r *http.Request) {
		a, err := s.login(w, r)
		s.reply(w, r, a, err, "/")
	})
	m.HandleFunc("POST /api/v1/login/passkey/options", func(w http.ResponseWriter, r *http.Request) {
		a, err := s.loginOptions(r)
		s.answer(w, r, a, err)
	})
	m.HandleFunc("POST /api/v1/login/passkey", func(w http.ResponseWriter, r *http.Request) {
		a, err := s.loginPasskey(w, r)
		s.answer(w, r, a, err)
	})
	for pattern, h := range s.operatorRoutes() {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			st, err := s.admit(r, h.level)
			r = r.WithContext(context.WithValue(r.Context(), seatKey{}, st))
			if err != nil {
				s.reply(w, r, nil, err, "")
				return
			}
			a, err := h.call(r.Context(), st.Name, r)
			s.reply(w, r, a, err, "")
		})
	}
	s.pages(m)
	guarded := http.NewCrossOriginProtection().Handler(m)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.met.requests.WithLabelValues("operator").Inc()
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		r.Body = http.MaxBytesReader(w, r.Body, wire.MaxMessage)
		guarded.ServeHTTP(w, r)
	})
}

func isForm(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "application/x-www-form-urlencoded"
}

// reply answers a program with JSON and a form with a page.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, a any, err error, next string) {
	if !isForm(r) {
		s.answer(w, r, a, err)
		return
	}
	if err != nil {
		s.problemPage(w, r, problem.Of(err))
		return
	}
	switch a.(type) {
	case codeAnswer, madeAccount, auditReport, appSecret:
		s.resultPage(w, r, a)
		return
	}
	if next == "" {
		next = back(r)
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// input decodes JSON, or a form whose fields are strings and yes-no answers.
func input(r *http.Request, v any) error {
	if !isForm(r) {
		if err := wire.Decode(r.Body, wire.MaxMessage, v); err != nil {
			return errInput.With(err)
		}
		return nil
	}
	if err := r.ParseForm(); err != nil {
		return errInput.With(err)
	}
	fields := map[string]any{}
	for k, vs := range r.PostForm {
		switch val := vs[len(vs)-1]; val {
		case "true":
			fields[k] = true
		case "false":
			fields[k] = false
		default:
			fields[k] = val
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return errInput.With(err)
	}
	if err := wire.DecodeBytes(b, v); err != nil {
		return errInput.With(err)
	}
	return nil
}

// none reads away a body that says nothing.
func none(r *http.Request) error {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return errInput.With(fmt.Errorf("extranet: %w", err))
	}
	return nil
}

func text(s string, limit int) error { return wire.Text("a field", s, limit, true) }

type reasonInput struct {
	Reason string `json:"reason"`
}

func reason(r *http.Request) (string, error) {
	var in reasonInput
	if err := input(r, &in); err != nil {
		return "", err
	}
	if err := text(in.Reason, wire.MaxText); err != nil {
		return "", errInput.With(err)
	}
	return in.Reason, nil
}
