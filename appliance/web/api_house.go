package web

import (
	"net/http"
	"strings"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

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

func (s *server) apiHealth(w http.ResponseWriter, r *http.Request, _ casework.Actor) error {
	v, err := s.Box.Health(r.Context())
	return list(w, v, err)
}
