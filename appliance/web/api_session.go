package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

type loginBody struct {
	Login    string `json:"login"`
	Password string `json:"password"`
	Code     string `json:"code,omitempty"` // of the authenticator app, where there is one
}

type passwordBody struct {
	Old string `json:"old"` // empty: there is none yet
	New string `json:"new"`
}

// A signedBody is what a browser answered to a ceremony.
type signedBody struct {
	Ceremony string          `json:"ceremony"`
	Name     string          `json:"name,omitempty"` // of a new passkey
	Response json.RawMessage `json:"response"`       // PublicKeyCredential.toJSON()
}

type secretBody struct {
	Password string `json:"password"`
}

type sessionView struct {
	Person personRef      `json:"person"`
	Roles  []account.Role `json:"roles"`
	// Must is what the person does before anything else: "password", "factor".
	Must       []account.Need `json:"must"`
	MustChange bool           `json:"must_change"` // somebody else knows the password
}

type personRef struct {
	ID   incident.PersonID `json:"id"`
	Name string            `json:"name"`
}

func viewSession(s account.Session) sessionView {
	return sessionView{personRef{s.Person.ID, s.Person.Name}, slices.Concat([]account.Role{}, s.Roles), append([]account.Need{}, s.Must...), slices.Contains(s.Must, account.NeedPassword)}
}

// entered begins a browser's session.
func entered(w http.ResponseWriter, token string, session account.Session, err error) error {
	if err != nil {
		return err
	}
	setSession(w, token)
	return ok(w, viewSession(session), nil)
}

func (s *server) apiLogin(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[loginBody](r)
	if err != nil {
		return err
	}
	token, session, err := s.Box.Login(r.Context(), b.Login, b.Password, strings.TrimSpace(b.Code), a.From)
	return entered(w, token, session, err)
}

func (s *server) apiPasskeyOptions(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.PasskeyLoginOptions(r.Context(), a.From)
	return ok(w, v, err)
}

func (s *server) apiPasskeyLogin(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[signedBody](r)
	if err != nil {
		return err
	}
	token, session, err := s.Box.PasskeyLogin(r.Context(), b.Ceremony, b.Response, a.From)
	return entered(w, token, session, err)
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

func (s *server) apiNewPasskey(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.NewPasskey(r.Context(), a)
	return ok(w, v, err)
}

func (s *server) apiAddPasskey(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[signedBody](r)
	if err != nil {
		return err
	}
	v, err := s.Box.AddPasskey(r.Context(), a, b.Ceremony, strings.TrimSpace(b.Name), b.Response)
	return created(w, v, err)
}

func (s *server) apiRemovePasskey(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	return noContent(w, s.Box.RemovePasskey(r.Context(), a, r.PathValue("key")))
}

func (s *server) apiApprovalKey(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.ApprovalKey(r.Context(), a, r.PathValue("key"))
	return ok(w, v, err)
}

func (s *server) apiRegisterApprovalKey(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[signedBody](r)
	if err != nil {
		return err
	}
	v, err := s.Box.RegisterApprovalKey(r.Context(), a, r.PathValue("key"), b.Ceremony, b.Response)
	return ok(w, v, err)
}

func (s *server) apiNewTOTP(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.NewTOTP(r.Context(), a)
	return ok(w, v, err)
}

func (s *server) apiConfirmTOTP(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[codeBody](r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.ConfirmTOTP(r.Context(), a, strings.TrimSpace(b.Code)))
}

func (s *server) apiRemoveTOTP(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[secretBody](r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.RemoveTOTP(r.Context(), a, b.Password))
}
