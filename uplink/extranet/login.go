package extranet

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"veilbox/internal/passkey"
	"veilbox/internal/sqlitedb"
	"veilbox/internal/totp"
)

const (
	sessionIdle = 30 * time.Minute
	sessionLife = 10 * time.Hour
	cookieName  = "__Host-veil-operator"
	// proofLife is how long a proof of who sits there is good for the acts that
	// others trust in.
	proofLife = 5 * time.Minute
)

// How a session was begun.
const (
	byPassword = "password" // opens the setting up of the account alone
	byCode     = "code"     // password and code
	byPasskey  = "passkey"
)

// A seat is who is logged in, and how.
type seat struct {
	Name   string    `json:"name"`
	Person string    `json:"person"`
	How    string    `json:"how"`
	Must   []string  `json:"must"`  // to be done before anything else
	Until  time.Time `json:"until"` // till when the proof is fresh

	token string // hashed
}

type seatKey struct{}

// seatOf returns whose call ctx is.
func seatOf(ctx context.Context) seat {
	st, _ := ctx.Value(seatKey{}).(seat) // where it is nobody's, the zero seat may do nothing
	return st
}

func (s *Server) fresh(st seat) error {
	if !s.now().Before(st.Until) {
		return errProof
	}
	return nil
}

// session returns who is logged in.
func (s *Server) session(r *http.Request) (seat, error) {
	c, err := r.Cookie(cookieName)
	if err != nil || len(c.Value) > 100 {
		return seat{}, errLogin
	}
	now := s.now()
	st := seat{token: hashOf(c.Value)}
	var proved int64
	err = s.db.QueryRowContext(r.Context(), "UPDATE session SET used = ? WHERE token = ? AND used >= ? AND created >= ? RETURNING operator, how, proved",
		ms(now), st.token, ms(now.Add(-sessionIdle)), ms(now.Add(-sessionLife))).Scan(&st.Name, &st.How, &proved)
	if errors.Is(err, sql.ErrNoRows) {
		return seat{}, errLogin
	}
	if err != nil {
		return seat{}, fmt.Errorf("extranet: %w", err)
	}
	a, err := s.account(r.Context(), s.db, st.Name)
	if errors.Is(err, errNotFound) {
		return seat{}, errLogin
	}
	if err != nil {
		return seat{}, err
	}
	st.Person, st.Must, st.Until = a.Person, a.must(), fromMS(proved).Add(proofLife)
	if st.How == byPassword && !slices.Contains(st.Must, needFactor) {
		st.Must = append(st.Must, needFactor) // a session of the password alone stays shut
	}
	return st, nil
}

// begin begins a session.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, a account, how string) (any, error) {
	ctx, token, now, at := r.Context(), secret(), ms(s.now()), place(r.RemoteAddr)
	err := sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE used < ? OR created < ?", now-sessionIdle.Milliseconds(), now-sessionLife.Milliseconds()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM operator_place WHERE at < ?", now-knownFor.Milliseconds()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO session (token, operator, created, used, how, proved) VALUES (?,?,?,?,?,?)", hashOf(token), a.Name, now, now, how, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO operator_place (operator, place, at) VALUES (?,?,?) ON CONFLICT (operator, place) DO UPDATE SET at = excluded.at", a.Name, hashOf(at), now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if err := s.note(ctx, "operator.login", operator(a.Name), map[string]string{"from": at, "how": how}, ""); err != nil {
		return nil, err
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife.Seconds())})
	return map[string]any{"name": a.Name, "must": a.must()}, nil
}

type loginInput struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Code     string `json:"code"`
}

// login takes a password and a code. The password alone is enough until the
// account has a second factor, for setting one up.
func (s *Server) login(w http.ResponseWriter, r *http.Request) (any, error) {
	var in loginInput
	if err := input(r, &in); err != nil {
		return nil, err
	}
	if len(in.Password) > maxPassword || len(in.Name) > maxLogin {
		return nil, errLogin
	}
	a, how, err := s.password2(r.Context(), in, place(r.RemoteAddr), nil)
	if err != nil {
		return nil, s.failed(r.Context(), place(r.RemoteAddr), err)
	}
	return s.begin(w, r, a, how)
}

// failed records a log-in that was refused.
func (s *Server) failed(ctx context.Context, at string, err error) error {
	if !errors.Is(err, errLogin) && !errors.Is(err, errBadCode) && !errors.Is(err, errPasskey) {
		return err
	}
	return errors.Join(err, s.note(ctx, "operator.login-failed", operator("unknown"), map[string]string{"from": at}, ""))
}

// password2 checks a password and what belongs beside it. counted is the attempt
// that was counted elsewhere, or nil.
func (s *Server) password2(ctx context.Context, in loginInput, at string, counted *attempt) (a account, how string, err error) {
	try := counted
	if try == nil {
		if try, err = s.attemptPassword(ctx, in.Name, at); err != nil {
			return a, "", err
		}
	}
	if a, err = s.fits(ctx, in.Name, in.Password); err != nil {
		return a, "", err
	}
	try.good() // the password was right
	switch {
	case a.app != nil && in.Code == "":
		return a, "", errCode
	case a.app != nil:
		codes, err := s.attemptCode(ctx, in.Name, at)
		if err != nil {
			return a, "", err
		}
		if err := s.useCode(ctx, a, in.Code); err != nil {
			return a, "", err
		}
		codes.good()
		return a, byCode, nil
	case len(a.Keys) > 0:
		return a, "", errUsePasskey
	}
	return a, byPassword, nil
}

// useCode takes a code, once.
func (s *Server) useCode(ctx context.Context, was account, code string) error {
	return s.change(ctx, was.Name, func(_ *sql.Tx, a *account) error {
		if a.app == nil || string(a.hash) != string(was.hash) {
			return errLogin // it was changed meanwhile
		}
		step, ok := totp.Step(a.app.Secret, code, s.o.Clock.Now(), a.app.Step)
		if !ok {
			return errBadCode
		}
		a.app.Step = step
		return nil
	})
}

type answerInput struct {
	Ceremony string          `json:"ceremony"`
	Response json.RawMessage `json:"response"`
}

func (s *Server) loginOptions(r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	return s.ask(askLogin, place(r.RemoteAddr))
}

func (s *Server) loginPasskey(w http.ResponseWriter, r *http.Request) (any, error) {
	var in answerInput
	if err := input(r, &in); err != nil {
		return nil, err
	}
	at := place(r.RemoteAddr)
	try, err := s.attemptPasskey(r.Context(), at)
	if err != nil {
		return nil, err
	}
	a, err := s.signed(r.Context(), in, askLogin, "", "")
	if err != nil && len(try.taken) == 0 {
		return nil, err // it was not counted, so it must not be able to fill the log
	}
	if err != nil {
		return nil, s.failed(r.Context(), at, err)
	}
	try.good()
	return s.begin(w, r, a, byPasskey)
}

// signed checks the answer to a question and returns whose passkey gave it: name's,
// or where it is empty anybody's.
func (s *Server) signed(ctx context.Context, in answerInput, kind, from, name string) (account, error) {
	q, err := s.questions.take(in.Ceremony, kind, from, s.now())
	if err != nil {
		return account{}, err
	}
	x, err := passkey.ParseAssertion(in.Response)
	if err != nil {
		return account{}, errPasskey.With(err)
	}
	var owner string
	err = s.db.QueryRowContext(ctx, "SELECT operator FROM operator_passkey WHERE id = ?", x.Credential).Scan(&owner)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && name != "" && owner != name:
		return account{}, errPasskey
	case err != nil:
		return account{}, fmt.Errorf("extranet: %w", err)
	}
	var out account
	err = s.change(ctx, owner, func(tx *sql.Tx, a *account) error {
		k, ok := a.key(x.Credential)
		if !ok {
			return errPasskey
		}
		seen, err := passkey.Verify(k.key, q.challenge, x)
		if err != nil {
			return errPasskey.With(err)
		}
		if (seen.Counter != 0 || k.counter != 0) && seen.Counter <= k.counter {
			return errPasskeyCopied
		}
		out = *a
		_, err = tx.ExecContext(ctx, "UPDATE operator_passkey SET counter = ?, synced = ?, used = ? WHERE id = ?", seen.Counter, seen.BackedUp, ms(s.now()), k.key.ID)
		return err
	})
	return out, err
}

func (s *Server) proofOptions(ctx context.Context, name string, r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, s.db, name)
	if err != nil {
		return nil, err
	}
	var allow [][]byte
	for _, k := range a.Keys {
		allow = append(allow, k.key.ID)
	}
	if len(allow) == 0 {
		return nil, errNoPasskey
	}
	return s.ask(askProof, seatOf(ctx).token, allow...)
}

type proofInput struct {
	answerInput
	Password string `json:"password"`
	Code     string `json:"code"`
}

// prove takes a fresh proof that it is still the same person: a passkey, or a
// password and a code.
func (s *Server) prove(ctx context.Context, name string, r *http.Request) (any, error) {
	var in proofInput
	if err := input(r, &in); err != nil {
		return nil, err
	}
	st := seatOf(ctx)
	try, err := s.attempts.take(s.now(), map[string]rateOf{"proof\x00" + st.token: rateProof})
	if err != nil {
		return nil, err
	}
	how := byPasskey
	if in.Ceremony != "" {
		_, err = s.signed(ctx, in.answerInput, askProof, st.token, name)
	} else {
		if len(in.Password) > maxPassword {
			return nil, errProofWrong
		}
		_, how, err = s.password2(ctx, loginInput{name, in.Password, in.Code}, place(r.RemoteAddr), try)
	}
	if errors.Is(err, errLogin) {
		err = errProofWrong // the session goes on
	}
	if err != nil {
		return nil, errors.Join(err, s.note(ctx, "operator.proof-failed", operator(name), nil, ""))
	}
	try.good()
	if err := s.proved(ctx, s.db, st, how); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, "operator.proof", operator(name), map[string]string{"how": how}, "")
}

// proved notes that the person of st has shown who it is.
func (s *Server) proved(ctx context.Context, q querier, st seat, how string) error {
	_, err := q.ExecContext(ctx, "UPDATE session SET proved = ?, how = ? WHERE token = ? AND operator = ?", ms(s.now()), how, st.token, st.Name)
	return err
}

func (s *Server) logout(ctx context.Context, name string, r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	if _, err := s.db.ExecContext(ctx, "DELETE FROM session WHERE token = ?", seatOf(ctx).token); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, "operator.logout", operator(name), nil, "")
}

func keyName(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }
