package extranet

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"veilbox/internal/passkey"
	"veilbox/internal/totp"
)

// The operator's own account: its name, password, passkeys and authenticator app.

type meAnswer struct {
	seat
	Fresh    bool          `json:"fresh"`
	Passkeys []operatorKey `json:"passkeys"`
	TOTP     bool          `json:"totp"`
	Password bool          `json:"password"`
	Offered  bool          `json:"offered"` // the extranet has a name that passkeys can be made for
}

func (s *Server) me(ctx context.Context, name string, _ *http.Request) (any, error) {
	a, err := s.account(ctx, s.db, name)
	if err != nil {
		return nil, err
	}
	st := seatOf(ctx)
	return meAnswer{st, s.fresh(st) == nil, a.Keys, a.TOTP, a.HasPass, s.passkeysOn() == nil}, nil
}

// nameSelf gives the first account its person (S5). A name once given stays: the
// audit log and the registers rest on it.
func (s *Server) nameSelf(ctx context.Context, name string, r *http.Request) (any, error) {
	var in struct {
		Person string `json:"person"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	if err := text(in.Person, maxLogin); err != nil {
		return nil, errInput.With(err)
	}
	err := s.change(ctx, name, func(_ *sql.Tx, a *account) error {
		if a.Person != "" {
			return errExists
		}
		a.Person = strings.TrimSpace(in.Person)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ok{true}, s.note(ctx, "operator.name", operator(name), nil, "")
}

type passwordInput struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// password replaces the caller's password, or gives a first one to who has only
// passkeys. The other sessions end.
func (s *Server) password(ctx context.Context, name string, r *http.Request) (any, error) {
	var in passwordInput
	if err := input(r, &in); err != nil {
		return nil, err
	}
	st := seatOf(ctx)
	a, err := s.account(ctx, s.db, name)
	if err != nil {
		return nil, err
	}
	if a.HasPass {
		try, err := s.attempts.take(s.now(), map[string]rateOf{"proof\x00" + st.token: rateProof})
		if err != nil {
			return nil, err
		}
		if _, err := s.fits(ctx, name, in.Old); errors.Is(err, errLogin) {
			return nil, errProofWrong
		} else if err != nil {
			return nil, err
		}
		try.good()
	} else if err := s.fresh(st); err != nil {
		return nil, err
	}
	if err := checkPassword(in.New, a); err != nil {
		return nil, err
	}
	if in.New == in.Old {
		return nil, errPasswordKnown
	}
	salt, hash := s.newHash(in.New)
	err = s.change(ctx, name, func(tx *sql.Tx, now *account) error {
		if string(now.hash) != string(a.hash) {
			return errLogin // it was changed meanwhile
		}
		now.salt, now.hash, now.made = salt, hash, false
		return endSessions(ctx, tx, name, st.token)
	})
	if err != nil {
		return nil, err
	}
	return ok{true}, s.note(ctx, "operator.password", operator(name), nil, "")
}

func (s *Server) passkeyOptions(ctx context.Context, name string, r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	st := seatOf(ctx)
	if err := errors.Join(s.passkeysOn(), s.fresh(st)); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, s.db, name)
	if err != nil {
		return nil, err
	}
	q := question{kind: askKey, from: st.token, challenge: newChallenge()}
	// The user's handle names nobody: a browser shows it to no one, but keeps it.
	c := passkey.Creation{RPID: s.rpid, RPName: "Veilbox ekstranet", UserID: []byte(hashOf("operator/" + name)[:32]), User: name, UserName: a.Person, Challenge: q.challenge, Timeout: questionLife}
	if c.UserName == "" {
		c.UserName = name
	}
	for _, k := range a.Keys {
		c.Exclude = append(c.Exclude, k.key.ID)
	}
	options, err := passkey.CreationOptions(c)
	if err != nil {
		return nil, err
	}
	id := secret()
	s.questions.put(id, q, s.now())
	return ceremony{id, options}, nil
}

// addPasskey ends what passkeyOptions began. A generated password, which somebody
// else knows, is gone from then on, and the other sessions end.
func (s *Server) addPasskey(ctx context.Context, name string, r *http.Request) (any, error) {
	var in struct {
		answerInput
		Name string `json:"name"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	if err := text(in.Name, maxKeyName); err != nil {
		return nil, errInput.With(err)
	}
	st := seatOf(ctx)
	q, err := s.questions.take(in.Ceremony, askKey, st.token, s.now())
	if err != nil {
		return nil, err
	}
	m, err := passkey.ParseMade(s.rpid, q.challenge, in.Response)
	if err != nil {
		return nil, errPasskeyMade.With(err)
	}
	file := m.AAGUID == passkey.FileAAGUID || m.Key.File()
	err = s.change(ctx, name, func(tx *sql.Tx, a *account) error {
		if len(a.Keys) >= maxPasskeys {
			return errInput
		}
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM operator_passkey WHERE id = ?", m.Key.ID).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return errPasskeyMade
		}
		if a.made {
			a.salt, a.hash, a.made = []byte{}, []byte{}, false
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO operator_passkey (id, operator, public, rpid, name, file, synced, counter, made) VALUES (?,?,?,?,?,?,?,?,?)",
			m.Key.ID, name, m.Key.Public, m.Key.RPID, in.Name, file, m.Seen.BackedUp, m.Seen.Counter, ms(s.now())); err != nil {
			return err
		}
		return errors.Join(s.proved(ctx, tx, st, byPasskey), endSessions(ctx, tx, name, st.token))
	})
	if err != nil {
		return nil, err
	}
	return ok{true}, s.note(ctx, "operator.passkey", operator(name), map[string]string{"passkey": keyName(m.Key.ID), "file": fmt.Sprint(file)}, "")
}

// removePasskey takes a passkey away; a factor is left.
func (s *Server) removePasskey(ctx context.Context, name string, r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	id, err := base64.RawURLEncoding.DecodeString(r.PathValue("key"))
	if err != nil {
		return nil, errNotFound
	}
	st := seatOf(ctx)
	err = s.change(ctx, name, func(tx *sql.Tx, a *account) error {
		if _, ok := a.key(id); !ok {
			return errNotFound
		}
		if len(a.Keys) == 1 && (a.app == nil || !a.HasPass) {
			return errLastFactor
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM operator_passkey WHERE id = ?", id)
		return errors.Join(err, endSessions(ctx, tx, name, st.token))
	})
	if err != nil {
		return nil, err
	}
	return ok{true}, s.note(ctx, "operator.passkey-removed", operator(name), map[string]string{"passkey": keyName(id)}, "")
}

// An appSecret is the secret for an authenticator app, told once.
type appSecret struct{ totp.Secret }

// Picture is the QR code for a page.
func (a appSecret) Picture() template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(a.QR))
}

// newApp returns a secret; it counts once confirmApp has a code of it, and until
// then an older one stays.
func (s *Server) newApp(ctx context.Context, name string, r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	st := seatOf(ctx)
	if err := s.fresh(st); err != nil {
		return nil, err
	}
	t, secret, err := totp.New(strings.TrimSpace("Veilbox ekstranet "+s.rpid), name)
	if err != nil {
		return nil, fmt.Errorf("extranet: authenticator app: %w", err)
	}
	s.questions.put(askApp+st.token, question{kind: askApp, from: st.token, challenge: secret}, s.now())
	return appSecret{t}, nil
}

func (s *Server) confirmApp(ctx context.Context, name string, r *http.Request) (any, error) {
	var in struct {
		Code string `json:"code"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	st := seatOf(ctx)
	try, err := s.attempts.take(s.now(), map[string]rateOf{"proof\x00" + st.token: rateProof})
	if err != nil {
		return nil, err
	}
	q, err := s.questions.take(askApp+st.token, askApp, st.token, s.now())
	if err != nil {
		return nil, err
	}
	step, good := totp.Step(q.challenge, in.Code, s.o.Clock.Now(), -1)
	if !good {
		return nil, errBadCode
	}
	err = s.change(ctx, name, func(tx *sql.Tx, a *account) error {
		a.app = &app{Secret: q.challenge, Made: s.now(), Step: step}
		return errors.Join(s.proved(ctx, tx, st, byCode), endSessions(ctx, tx, name, st.token))
	})
	if err != nil {
		return nil, err
	}
	try.good()
	s.questions.drop(askApp + st.token)
	return ok{true}, s.note(ctx, "operator.app", operator(name), nil, "")
}

// removeApp takes the authenticator app away; a passkey is left.
func (s *Server) removeApp(ctx context.Context, name string, r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	st := seatOf(ctx)
	err := s.change(ctx, name, func(tx *sql.Tx, a *account) error {
		if len(a.Keys) == 0 {
			return errLastFactor
		}
		a.app = nil
		return endSessions(ctx, tx, name, st.token)
	})
	if err != nil {
		return nil, err
	}
	return ok{true}, s.note(ctx, "operator.app-removed", operator(name), nil, "")
}
