package casework

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/internal/problem"
)

// Login begins a session by password, and by a code where the account has an
// authenticator app. A code that is asked for is no failure and not on record.
func (s *Service) Login(ctx context.Context, login, password, code, from string) (string, account.Session, error) {
	token, session, err := s.o.Accounts.LogIn(ctx, login, password, code, from)
	return s.entered(ctx, token, session, from, err)
}

// PasskeyLoginOptions begins a log-in by passkey.
func (s *Service) PasskeyLoginOptions(ctx context.Context, from string) (account.Ceremony, error) {
	return s.o.Accounts.PasskeyLoginOptions(ctx, from)
}

// PasskeyLogin begins a session by the answer to PasskeyLoginOptions.
func (s *Service) PasskeyLogin(ctx context.Context, ceremony string, response json.RawMessage, from string) (string, account.Session, error) {
	token, session, err := s.o.Accounts.LogInPasskey(ctx, ceremony, response, from)
	return s.entered(ctx, token, session, from, err)
}

// entered records a log-in, or the failure of one.
func (s *Service) entered(ctx context.Context, token string, session account.Session, from string, err error) (string, account.Session, error) {
	if errors.Is(err, account.ErrCode) {
		return "", session, err
	}
	if err != nil {
		// By whom only where the password was right, or the passkey is somebody's.
		// Never the name that was typed: people type passwords into that field.
		by := audit.Who{ID: "unknown", Name: "unknown"}
		if id := session.Person.ID; id != "" {
			if p, err := s.o.Accounts.Person(ctx, id); err == nil {
				by = audit.Who{ID: string(p.ID), Name: p.Name}
			}
		}
		return "", session, errors.Join(err, s.recordAs(ctx, by, from, "login.refused", problem.Of(err).Code, nil))
	}
	a := Actor{Session: session, From: from}
	if err := s.record(ctx, a, "login", "", map[string]string{"how": string(session.How)}); err != nil {
		return "", session, errors.Join(err, s.o.Accounts.End(ctx, session))
	}
	return token, session, nil
}

// Logout ends a session.
func (s *Service) Logout(ctx context.Context, a Actor) error {
	if err := s.record(ctx, a, "logout", "", nil); err != nil {
		return err
	}
	return s.o.Accounts.End(ctx, a.Session)
}

// Authenticate returns the session of a token.
func (s *Service) Authenticate(ctx context.Context, token string) (account.Session, error) {
	return s.o.Accounts.Authenticate(ctx, token)
}

// ChangePassword replaces the person's own password.
func (s *Service) ChangePassword(ctx context.Context, a Actor, old, new string) error {
	if err := s.record(ctx, a, "password.change", "", nil); err != nil {
		return err
	}
	return s.refused(ctx, a, "password.change", nil, s.o.Accounts.ChangePassword(ctx, a.Session, old, new))
}

// SetPassword is ChangePassword for who has none yet.
func (s *Service) SetPassword(ctx context.Context, a Actor, new string) error {
	return s.ChangePassword(ctx, a, "", new)
}

// NewPasskey begins to add a passkey to the person's own account.
func (s *Service) NewPasskey(ctx context.Context, a Actor) (account.Ceremony, error) {
	return s.o.Accounts.NewPasskey(ctx, a.Session)
}

// AddPasskey ends what NewPasskey began.
func (s *Service) AddPasskey(ctx context.Context, a Actor, ceremony, name string, response json.RawMessage) (PasskeyView, error) {
	k, err := s.o.Accounts.AddPasskey(ctx, a.Session, ceremony, name, response, func(k account.Passkey) error {
		// The name is the person's own word: it goes into the account, not the log.
		return s.record(ctx, a, "passkey.add", "", map[string]string{"key": s.o.Uplink.KeyID(k.Key), "file": strconv.FormatBool(k.File)})
	})
	if err != nil {
		return PasskeyView{}, err
	}
	return s.passkeyView(k), nil
}

// RemovePasskey takes a passkey from the person's own account.
func (s *Service) RemovePasskey(ctx context.Context, a Actor, id string) error {
	k, err := s.ownPasskey(ctx, a, id)
	if err != nil {
		return err
	}
	about := map[string]string{"key": s.o.Uplink.KeyID(k.Key)}
	if err := s.record(ctx, a, "passkey.remove", "", about); err != nil {
		return err
	}
	return s.refused(ctx, a, "passkey.remove", about, s.o.Accounts.RemovePasskey(ctx, a.Session, id))
}

func (s *Service) ownPasskey(ctx context.Context, a Actor, id string) (account.Passkey, error) {
	p, err := s.o.Accounts.Person(ctx, a.Session.Person.ID)
	if err != nil {
		return account.Passkey{}, err
	}
	keys := p.InUse()
	i := slices.IndexFunc(keys, func(k account.Passkey) bool { return k.ID == id })
	if i < 0 {
		return account.Passkey{}, account.ErrNoPasskey
	}
	return keys[i], nil
}

// NewTOTP begins to add an authenticator app to the person's own account.
func (s *Service) NewTOTP(ctx context.Context, a Actor) (account.TOTP, error) {
	return s.o.Accounts.NewTOTP(ctx, a.Session)
}

// ConfirmTOTP ends what NewTOTP began.
func (s *Service) ConfirmTOTP(ctx context.Context, a Actor, code string) error {
	if err := s.record(ctx, a, "totp.set", "", nil); err != nil {
		return err
	}
	return s.refused(ctx, a, "totp.set", nil, s.o.Accounts.ConfirmTOTP(ctx, a.Session, code))
}

// RemoveTOTP takes the authenticator app from the person's own account.
func (s *Service) RemoveTOTP(ctx context.Context, a Actor, password string) error {
	if err := s.record(ctx, a, "totp.remove", "", nil); err != nil {
		return err
	}
	return s.refused(ctx, a, "totp.remove", nil, s.o.Accounts.RemoveTOTP(ctx, a.Session, password))
}

// Sessions returns the person's own sessions.
func (s *Service) Sessions(ctx context.Context, a Actor) ([]account.SessionInfo, error) {
	return s.o.Accounts.Sessions(ctx, a.Session)
}

// EndSession ends one of the person's own sessions.
func (s *Service) EndSession(ctx context.Context, a Actor, id string) error {
	if err := checkWords("sid", id, maxName); err != nil {
		return err
	}
	if err := s.record(ctx, a, "session.end", "", map[string]string{"session": id}); err != nil {
		return err
	}
	return s.o.Accounts.EndOther(ctx, a.Session, id)
}

// EndOthers ends all of the person's own sessions but this one.
func (s *Service) EndOthers(ctx context.Context, a Actor) error {
	if err := s.record(ctx, a, "session.end-others", "", nil); err != nil {
		return err
	}
	return s.o.Accounts.EndOthers(ctx, a.Session)
}

// Account is the person's own account as that person sees it.
func (s *Service) Account(ctx context.Context, a Actor) (AccountView, error) {
	p, err := s.o.Accounts.Person(ctx, a.Session.Person.ID)
	if err != nil {
		return AccountView{}, err
	}
	sessions, err := s.o.Accounts.Sessions(ctx, a.Session)
	if err != nil {
		return AccountView{}, err
	}
	accepted, err := s.AcceptedConditions(ctx, a)
	if err != nil {
		return AccountView{}, err
	}
	return AccountView{
		PersonView: s.personView(ctx, p), HasPassword: p.Password, Sessions: sessions,
		How: a.Session.How, Accepted: accepted, Conditions: ConditionsVersion,
	}, nil
}
