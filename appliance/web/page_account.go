package web

import (
	"net/http"
	"slices"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

// ownAccount is the account of who asks: the passkeys in use, and where the
// person is logged in, this browser first.
func (s *server) ownAccount(r *http.Request, a casework.Actor) (casework.AccountView, error) {
	v, err := s.Box.Account(r.Context(), a)
	if err != nil {
		return v, err
	}
	v.Passkeys = slices.DeleteFunc(v.Passkeys, func(k casework.PasskeyView) bool { return k.Retired != nil })
	slices.SortStableFunc(v.Sessions, func(x, y account.SessionInfo) int {
		if x.Current != y.Current {
			if x.Current {
				return -1
			}
			return 1
		}
		return y.Used.Compare(x.Used)
	})
	return v, nil
}

func (s *server) apiOwnAccount(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.ownAccount(r, a)
	return ok(w, v, err)
}

func (s *server) apiEndSession(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	return noContent(w, s.Box.EndSession(r.Context(), a, r.PathValue("sid")))
}

func (s *server) apiEndOthers(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	return noContent(w, s.Box.EndOthers(r.Context(), a))
}

type accountData struct {
	Mine       casework.AccountView
	Session    account.Session
	PasskeysAt string
	now        time.Time
}

// Setup says that the person must set the account up before anything else.
func (d accountData) Setup() bool { return len(d.Session.Must) > 0 }

// NeedPassword says that somebody else knows the password still.
func (d accountData) NeedPassword() bool {
	return slices.Contains(d.Session.Must, account.NeedPassword)
}

// Assessor says whether the person's passkeys may sign approvals.
func (d accountData) Assessor() bool { return d.Session.Can(account.Assess) }

// Valid says whether an authorisation is in force.
func (d accountData) Valid(x incident.Authorisation) bool { return x.Valid(d.now) }

func (s *server) accountPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	mine, err := s.ownAccount(r, a)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "account", a, accountData{mine, a.Session, s.passkeysAt(r), s.Clock.Now()})
}
