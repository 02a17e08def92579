package extranet

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/time/rate"

	"veilbox/internal/durable"
	"veilbox/internal/sqlitedb"
)

const (
	sessionIdle = 30 * time.Minute
	sessionLife = 10 * time.Hour
	cookieName  = "__Host-veil-operator"
	minPassword = 14
)

// argon2id, RFC 9106 section 4, second recommended option.
func derive(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, 3, 64<<10, 4, 32)
}

// A limits lets each caller make a few calls at once, and then only so many.
type limits struct {
	every rate.Limit
	burst int

	mu sync.Mutex
	by map[string]*rate.Limiter
}

func (l *limits) allow(who string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil || len(l.by) > 10_000 {
		l.by = map[string]*rate.Limiter{}
	}
	if l.by[who] == nil {
		l.by[who] = rate.NewLimiter(l.every, l.burst)
	}
	return l.by[who].AllowN(now, 1)
}

// firstOperator makes the first account with a generated password, which is
// written to first-login, readable by the service's user alone.
func (s *Server) firstOperator(ctx context.Context) error {
	var n int
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM operator").Scan(&n); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	if n > 0 {
		return nil
	}
	pw := secret()
	// The file first: a password that nobody was told locks everyone out.
	if err := durable.WriteFile(filepath.Join(s.o.Dir, "first-login"), []byte("operator "+pw+"\n"), 0o600); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	if err := s.setPassword(ctx, "operator", pw); err != nil {
		return err
	}
	return s.note(ctx, "operator.first", operator("operator"), nil, "")
}

func (s *Server) setPassword(ctx context.Context, name, pw string) error {
	salt := make([]byte, 16)
	rand.Read(salt)
	s.deriving.Lock()
	h := derive(pw, salt)
	s.deriving.Unlock()
	now := ms(s.now())
	err := sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO operator (name, salt, hash, created, changed) VALUES (?,?,?,?,?)
			ON CONFLICT (name) DO UPDATE SET salt = excluded.salt, hash = excluded.hash, changed = excluded.changed`, name, salt, h, now, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM session WHERE operator = ?", name)
		return err
	})
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	return nil
}

func (s *Server) passwordFits(ctx context.Context, name, pw string) (bool, error) {
	var salt, want []byte
	err := s.db.QueryRowContext(ctx, "SELECT salt, hash FROM operator WHERE name = ?", name).Scan(&salt, &want)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("extranet: %w", err)
	}
	if !known {
		// As much work for a name that is not there.
		salt, want = make([]byte, 16), make([]byte, 32)
	}
	s.deriving.Lock()
	defer s.deriving.Unlock()
	return subtle.ConstantTimeCompare(derive(pw, salt), want) == 1 && known, nil
}

type loginInput struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) (any, error) {
	var in loginInput
	if err := input(r, &in); err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if !s.logins.allow(host, time.Now()) { // against guessing, so real time
		return nil, errBusy
	}
	if len(in.Password) > 1000 || len(in.Name) > 100 {
		return nil, errLogin
	}
	ok, err := s.passwordFits(r.Context(), in.Name, in.Password)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.Join(errLogin, s.note(r.Context(), "operator.login-failed", operator("unknown"), nil, ""))
	}
	token, now := secret(), ms(s.now())
	if _, err := s.db.ExecContext(r.Context(), "INSERT INTO session (token, operator, created, used) VALUES (?,?,?,?)", hashOf(token), in.Name, now, now); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if err := s.note(r.Context(), "operator.login", operator(in.Name), map[string]string{"from": host}, ""); err != nil {
		return nil, err
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife.Seconds())})
	return map[string]string{"name": in.Name}, nil
}

// session returns who is logged in.
func (s *Server) session(r *http.Request) (string, error) {
	c, err := r.Cookie(cookieName)
	if err != nil || len(c.Value) > 100 {
		return "", errLogin
	}
	now := s.now()
	var name string
	err = s.db.QueryRowContext(r.Context(), "UPDATE session SET used = ? WHERE token = ? AND used >= ? AND created >= ? RETURNING operator",
		ms(now), hashOf(c.Value), ms(now.Add(-sessionIdle)), ms(now.Add(-sessionLife))).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errLogin
	}
	if err != nil {
		return "", fmt.Errorf("extranet: %w", err)
	}
	return name, nil
}

func (s *Server) logout(ctx context.Context, name string, r *http.Request) (any, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil, errLogin
	}
	if _, err := s.db.ExecContext(ctx, "DELETE FROM session WHERE token = ?", hashOf(c.Value)); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{}, s.note(ctx, "operator.logout", operator(name), nil, "")
}

type passwordInput struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// password replaces the caller's password; the generated one's file goes with it.
func (s *Server) password(ctx context.Context, name string, r *http.Request) (any, error) {
	var in passwordInput
	if err := input(r, &in); err != nil {
		return nil, err
	}
	fits, err := s.passwordFits(ctx, name, in.Old)
	if err != nil {
		return nil, err
	}
	if !fits {
		return nil, errLogin
	}
	if len([]rune(in.New)) < minPassword || len(in.New) > 1000 {
		return nil, errPassword
	}
	if err := s.setPassword(ctx, name, in.New); err != nil {
		return nil, err
	}
	if name == "operator" {
		if err := durable.Remove(filepath.Join(s.o.Dir, "first-login")); err != nil {
			return nil, fmt.Errorf("extranet: %w", err)
		}
	}
	return ok{}, s.note(ctx, "operator.password", operator(name), nil, "")
}

// addOperator makes a personal account (S5) and returns its first password once.
func (s *Server) addOperator(ctx context.Context, name string, r *http.Request) (any, error) {
	var in loginInput
	if err := input(r, &in); err != nil {
		return nil, err
	}
	if in.Password != "" || text(in.Name, 100) != nil {
		return nil, errInput
	}
	var n int
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM operator WHERE name = ?", in.Name).Scan(&n); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if n > 0 {
		return nil, errExists
	}
	pw := secret()
	if err := s.setPassword(ctx, in.Name, pw); err != nil {
		return nil, err
	}
	return loginInput{in.Name, pw}, s.note(ctx, "operator.add", operator(name), map[string]string{"name": in.Name}, "")
}

// removeOperator closes an account. Nobody removes their own, so that one is
// always left.
func (s *Server) removeOperator(ctx context.Context, name string, r *http.Request) (any, error) {
	why, err := reason(r)
	if err != nil {
		return nil, err
	}
	who := r.PathValue("name")
	if who == name {
		return nil, errInput
	}
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE operator = ?", who); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "DELETE FROM operator WHERE name = ?", who)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errNotFound, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, "operator.remove", operator(name), map[string]string{"name": who}, why)
}
