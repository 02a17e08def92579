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
//	POST /api/v1/login                      {name, password}
//	POST /api/v1/logout, /api/v1/password   {old, new}
//	POST /api/v1/operators                  {name} -> {name, password}; .../{name}/remove {reason}
//	GET  /api/v1/me
//	GET  /api/v1/members                    POST: {id, name, town, region, country, trade, chain, active}
//	GET  /api/v1/members/log
//	POST /api/v1/members/{id}/codes         -> {code, expires}
//	GET  /api/v1/boxes                      POST .../{id}/revoke {reason}, .../{id}/alarm {reason}
//	GET  /api/v1/assessors                  POST .../{member}/{key}/confirm {reason}, .../revoke {reason}
//	                                        confirm also takes up a qualification that waits
//	GET  /api/v1/disclosures                POST .../{id}/end {reason}
//	GET  /api/v1/access
//	GET  /api/v1/pentests                   POST: {held, tester, findings}
//	GET  /api/v1/audit                      POST /api/v1/audit/verify
//	POST /api/v1/clock                      {reason}: count the clock as it is
//
// Pages: /, /login, and one a noun above. /healthz and /metrics need no log-in.

type ok struct {
	OK bool `json:"ok"`
}

type operatorCall func(ctx context.Context, name string, r *http.Request) (any, error)

// operatorRoutes are the calls of an operator who has logged in.
func (s *Server) operatorRoutes() map[string]operatorCall {
	return map[string]operatorCall{
		"POST /api/v1/logout":    s.logout,
		"POST /api/v1/password":  s.password,
		"POST /api/v1/operators": s.addOperator,
		"GET /api/v1/me": func(_ context.Context, name string, _ *http.Request) (any, error) {
			return map[string]string{"name": name}, nil
		},
		"GET /api/v1/members":                           s.listMembers,
		"POST /api/v1/members":                          s.putMember,
		"GET /api/v1/members/log":                       s.memberLog,
		"POST /api/v1/members/{id}/codes":               s.makeCode,
		"GET /api/v1/boxes":                             s.listBoxes,
		"POST /api/v1/boxes/{id}/revoke":                s.revokeBox,
		"POST /api/v1/boxes/{id}/alarm":                 s.clearAlarm,
		"GET /api/v1/assessors":                         s.listAssessors,
		"POST /api/v1/assessors/{member}/{key}/confirm": s.confirmAssessor,
		"POST /api/v1/assessors/{member}/{key}/revoke":  s.revokeAssessor,
		"GET /api/v1/disclosures":                       s.listDisclosures,
		"POST /api/v1/disclosures/{id}/end":             s.endDisclosure,
		"GET /api/v1/access":                            s.listAccess,
		"GET /api/v1/pentests":                          s.listPentests,
		"POST /api/v1/pentests":                         s.addPentest,
		"GET /api/v1/audit":                             s.listAudit,
		"POST /api/v1/operators/{name}/remove":          s.removeOperator,
		"POST /api/v1/clock":                            s.acceptClock,
		"POST /api/v1/audit/verify":                     s.verifyAudit,
	}
}

func (s *Server) operatorHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /healthz", s.health)
	m.Handle("GET /metrics", s.met.handler())
	m.HandleFunc("POST /api/v1/login", func(w http.ResponseWriter, r *http.Request) {
		a, err := s.login(w, r)
		s.reply(w, r, a, err, "/")
	})
	for pattern, h := range s.operatorRoutes() {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			name, err := s.session(r)
			if err != nil {
				s.reply(w, r, nil, err, "")
				return
			}
			a, err := h(r.Context(), name, r)
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
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
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
	case codeAnswer, loginInput, auditReport:
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
