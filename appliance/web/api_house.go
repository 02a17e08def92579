package web

import (
	"net/http"
	"slices"
	"strings"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

type loginBody struct {
	Login    string `json:"login"`
	Password string `json:"password"`
}

type passwordBody struct {
	Old string `json:"old"`
	New string `json:"new"`
}

type sessionView struct {
	Person     personRef      `json:"person"`
	Roles      []account.Role `json:"roles"`
	MustChange bool           `json:"must_change"` // somebody else knows the password
}

type personRef struct {
	ID   incident.PersonID `json:"id"`
	Name string            `json:"name"`
}

type acceptBody struct {
	Version string `json:"version"`
}

type conditionsView struct {
	Version  string `json:"version"`
	Accepted bool   `json:"accepted"`
}

type codeBody struct {
	Code string `json:"code"`
}

func viewSession(s account.Session) sessionView {
	return sessionView{personRef{s.Person.ID, s.Person.Name}, slices.Concat([]account.Role{}, s.Roles), s.MustChange}
}

func (s *server) apiLogin(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[loginBody](r)
	if err != nil {
		return err
	}
	token, session, err := s.Box.Login(r.Context(), b.Login, b.Password, a.From)
	if err != nil {
		return err
	}
	setSession(w, token)
	return ok(w, viewSession(session), nil)
}

func (s *server) apiSession(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	return ok(w, viewSession(a.Session), nil)
}

func (s *server) apiLogout(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := s.Box.Logout(r.Context(), a); err != nil {
		return err
	}
	setSession(w, "")
	return noContent(w, nil)
}

func (s *server) apiPassword(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[passwordBody](r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.ChangePassword(r.Context(), a, b.Old, b.New))
}

func (s *server) apiPeople(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.People(r.Context(), a)
	return list(w, v, err)
}

func (s *server) apiAddPerson(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.NewPerson](r)
	if err != nil {
		return err
	}
	v, err := s.Box.AddPerson(r.Context(), a, b)
	return created(w, v, err)
}

func (s *server) apiChangePerson(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.PersonChange](r)
	if err != nil {
		return err
	}
	v, err := s.Box.ChangePerson(r.Context(), a, incident.PersonID(r.PathValue("id")), b)
	return ok(w, v, err)
}

func (s *server) apiResetPassword(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.ResetPassword(r.Context(), a, incident.PersonID(r.PathValue("id")))
	return ok(w, v, err)
}

func (s *server) apiConditions(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	accepted, err := s.Box.AcceptedConditions(r.Context(), a)
	return ok(w, conditionsView{casework.ConditionsVersion, accepted}, err)
}

func (s *server) apiAccept(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[acceptBody](r)
	if err != nil {
		return err
	}
	if b.Version != casework.ConditionsVersion {
		return badField("version", "Hent vilkårene igen og accepter den udgave, du har læst.",
			"Load the conditions again and accept the version that you have read.")
	}
	return noContent(w, s.Box.AcceptConditions(r.Context(), a, b.Version))
}

func (s *server) apiEnrolment(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Enrolment(r.Context(), a)
	return ok(w, v, err)
}

func (s *server) apiEnrol(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[codeBody](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Enrol(r.Context(), a, strings.TrimSpace(b.Code))
	return ok(w, v, err)
}

func (s *server) apiMembers(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Members(r.Context(), a)
	return list(w, v, err)
}

func (s *server) apiAudit(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	f, err := auditFilter(r)
	if err != nil {
		return err
	}
	v, err := s.Box.Audit(r.Context(), a, f)
	return list(w, v, err)
}

// maxAudit is the most entries of one answer; more are asked for with "after".
const (
	maxAudit      = 1000
	auditPageSize = 200
)

func auditFilter(r *http.Request) (audit.Filter, error) {
	q := r.URL.Query()
	f := audit.Filter{Act: q.Get("act"), Who: q.Get("who"), About: q.Get("about"), Limit: auditPageSize}
	var err error
	if f.From, err = instant(q, "from"); err != nil {
		return f, err
	}
	if f.To, err = instant(q, "to"); err != nil {
		return f, err
	}
	if v := q.Get("limit"); v != "" {
		if f.Limit, err = number(v, "limit", 1, maxAudit); err != nil {
			return f, err
		}
	}
	if v := q.Get("after"); v != "" {
		n, err := number(v, "after", 0, 1<<53)
		if err != nil {
			return f, err
		}
		f.After = int64(n)
	}
	return f, nil
}

func (s *server) apiVerify(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.VerifyAudit(r.Context(), a)
	return ok(w, v, err)
}

func (s *server) apiHealth(w http.ResponseWriter, r *http.Request, _ casework.Actor) error {
	v, err := s.Box.Health(r.Context())
	return list(w, v, err)
}
