package web

import (
	"errors"
	"net/http"
	"strings"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/internal/problem"
)

type loginData struct {
	Next, Login string
	// Code says that the password was right and a one-time code is asked. The
	// password goes back in the form, to who sent it, so that the box keeps none.
	Code       bool
	Password   string
	PasskeysAt string
	Problem    *problem.Problem
}

func (s *server) loginPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	return s.render(w, r, http.StatusOK, "login", a, loginData{Next: safeNext(r.URL.Query().Get("next")), PasskeysAt: s.passkeysAt(r)})
}

func (s *server) loginForm(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	d := loginData{Next: safeNext(r.PostForm.Get("next")), Login: strings.TrimSpace(r.PostForm.Get("login")), PasskeysAt: s.passkeysAt(r)}
	password, code := r.PostForm.Get("password"), strings.ReplaceAll(r.PostForm.Get("code"), " ", "")
	token, _, err := s.Box.Login(r.Context(), d.Login, password, code, a.From)
	if err == nil {
		setSession(w, token)
		http.Redirect(w, r, d.Next, http.StatusSeeOther)
		return nil
	}
	p := problem.Of(err)
	if p.Status >= 500 {
		s.Log.Error("login failed", "code", p.Code, "error", err)
	}
	if errors.Is(err, account.ErrCode) || errors.Is(err, account.ErrBadCode) {
		d.Code, d.Password = true, password
	}
	if errors.Is(err, account.ErrCode) { // the next step, not a mistake
		return s.render(w, r, http.StatusOK, "login", casework.Actor{}, d)
	}
	d.Problem = p
	return s.render(w, r, p.Status, "login", casework.Actor{}, d)
}
