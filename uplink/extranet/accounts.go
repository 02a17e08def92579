package extranet

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"veilbox/internal/durable"
	"veilbox/internal/known"
	"veilbox/internal/passkey"
	"veilbox/internal/sqlitedb"
)

const (
	minPassword = 14 // characters
	maxPassword = 1000
	maxLogin    = 100
	maxPasskeys = 20
	maxKeyName  = 60

	// firstLogin is the first account, and the file that its password is told in.
	firstName  = "operator"
	firstLogin = "first-login"
)

// What an account must do before it does anything else.
const (
	needName     = "name"     // it names no person (S5)
	needPassword = "password" // somebody else knows it
	needFactor   = "factor"   // it has neither a passkey nor an authenticator app
)

// An account is one operator's. It is never removed, so that the registers go on
// naming who acted; its log-in name is not given to another.
type account struct {
	Name    string        `json:"name"`   // to log in with
	Person  string        `json:"person"` // whose it is
	Created time.Time     `json:"created"`
	Ended   *time.Time    `json:"ended,omitempty"`
	EndedBy string        `json:"ended_by,omitempty"`
	TOTP    bool          `json:"totp"`
	Keys    []operatorKey `json:"passkeys"`
	HasPass bool          `json:"password"`

	salt, hash []byte
	made       bool // the password is generated
	app        *app
}

// An app is an authenticator app that was shown to work. Step is the last 30
// seconds of which a code was used.
type app struct {
	Secret []byte    `json:"secret"`
	Made   time.Time `json:"made"`
	Step   int64     `json:"step"`
}

// card is what is sealed of an account.
type card struct {
	Person string `json:"person"`
	App    *app   `json:"app,omitempty"`
}

type operatorKey struct {
	ID     string     `json:"id"` // base64url
	Name   string     `json:"name"`
	Made   time.Time  `json:"made"`
	Used   *time.Time `json:"used,omitempty"`
	File   bool       `json:"file"`
	Synced bool       `json:"synced"`

	key     passkey.Key
	counter uint32
}

func (a account) must() []string {
	need := []string{}
	if a.Person == "" {
		need = append(need, needName)
	}
	if a.HasPass && a.made {
		need = append(need, needPassword)
	}
	if a.app == nil && len(a.Keys) == 0 {
		need = append(need, needFactor)
	}
	return need
}

// querier is a database or a transaction of it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

const accountColumns = "name, salt, hash, created, made, sealed, ended, ended_by"

func (s *Server) scanAccount(scan scanner) (account, error) {
	var a account
	var created int64
	var ended sql.NullInt64
	var sealed []byte
	if err := scan(&a.Name, &a.salt, &a.hash, &created, &a.made, &sealed, &ended, &a.EndedBy); err != nil {
		return a, err
	}
	a.Created, a.Ended, a.HasPass, a.Keys = fromMS(created), timePtr(ended), len(a.hash) > 0, []operatorKey{}
	if sealed != nil {
		var c card
		if err := s.unseal("operator/"+a.Name, sealed, &c); err != nil {
			return a, err
		}
		a.Person, a.app, a.TOTP = c.Person, c.App, c.App != nil
	}
	return a, nil
}

// account returns an account that has not ended, or errNotFound.
func (s *Server) account(ctx context.Context, q querier, name string) (account, error) {
	a, err := s.scanAccount(q.QueryRowContext(ctx, "SELECT "+accountColumns+" FROM operator WHERE name = ? AND ended IS NULL", name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return a, errNotFound
	}
	if err != nil {
		return a, fmt.Errorf("extranet: %w", err)
	}
	a.Keys, err = keysOf(ctx, q, name)
	return a, err
}

func keysOf(ctx context.Context, q querier, name string) (_ []operatorKey, err error) {
	out := []operatorKey{}
	rows, err := q.QueryContext(ctx, "SELECT id, public, rpid, name, file, synced, counter, made, used FROM operator_passkey WHERE operator = ? ORDER BY made", name)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k operatorKey
		var made int64
		var used sql.NullInt64
		if err := rows.Scan(&k.key.ID, &k.key.Public, &k.key.RPID, &k.Name, &k.File, &k.Synced, &k.counter, &made, &used); err != nil {
			return nil, fmt.Errorf("extranet: %w", err)
		}
		k.ID, k.Made, k.Used = keyName(k.key.ID), fromMS(made), timePtr(used)
		out = append(out, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return out, nil
}

// keep writes a's name, password and app.
func (s *Server) keep(ctx context.Context, q querier, a account) error {
	sealed, err := s.seal("operator/"+a.Name, card{a.Person, a.app})
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, "UPDATE operator SET salt = ?, hash = ?, made = ?, sealed = ?, changed = ? WHERE name = ?", a.salt, a.hash, a.made, sealed, ms(s.now()), a.Name)
	return err
}

// change changes an account that has not ended, in one step.
func (s *Server) change(ctx context.Context, name string, f func(tx *sql.Tx, a *account) error) error {
	s.accounts.Lock()
	defer s.accounts.Unlock()
	err := sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		a, err := s.account(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := f(tx, &a); err != nil {
			return err
		}
		return s.keep(ctx, tx, a)
	})
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	if a, err := s.account(ctx, s.db, name); name == firstName && err == nil && !a.made {
		if err := durable.Remove(filepath.Join(s.o.Dir, firstLogin)); err != nil {
			return fmt.Errorf("extranet: %w", err)
		}
	}
	return nil
}

// argon2id, RFC 9106 section 4, second recommended option. The same characters may
// come as other bytes from another keyboard.
func (s *Server) derive(password string, salt []byte) []byte {
	s.deriving.Lock()
	defer s.deriving.Unlock()
	return argon2.IDKey(norm.NFKC.Bytes([]byte(password)), salt, 3, 64<<10, 4, 32)
}

func (s *Server) newHash(password string) (salt, hash []byte) {
	salt = make([]byte, 16)
	rand.Read(salt)
	return salt, s.derive(password, salt)
}

// fits returns the account that has that name and password, or errLogin, with as
// much work for a name that is not there.
func (s *Server) fits(ctx context.Context, name, password string) (account, error) {
	a, err := s.account(ctx, s.db, name)
	if err != nil && !errors.Is(err, errNotFound) {
		return a, err
	}
	salt, want := make([]byte, 16), make([]byte, 32)
	has := err == nil && a.HasPass
	if has {
		salt, want = a.salt, a.hash
	}
	if len(password) > maxPassword {
		password = ""
	}
	if got := s.derive(password, salt); subtle.ConstantTimeCompare(got, want) != 1 || !has || password == "" {
		return account{}, errLogin
	}
	return a, nil
}

// checkPassword returns the problem with a password as the choice of its operator.
func checkPassword(password string, a account) error {
	if !utf8.ValidString(password) || utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword {
		return errPassword
	}
	if known.Guess(password, a.Name, a.Person, "Veilbox", "operator", "ekstranet") {
		return errPasswordKnown
	}
	return nil
}

// firstOperator makes the first account with a generated password, which is
// written to first-login, readable by the service's user alone. It opens the
// setting up of the account and nothing else.
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
	if err := durable.WriteFile(filepath.Join(s.o.Dir, firstLogin), []byte(firstName+" "+pw+"\n"), 0o600); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	if err := s.newAccount(ctx, firstName, "", pw); err != nil {
		return err
	}
	return s.note(ctx, "operator.first", operator(firstName), nil, "")
}

func (s *Server) newAccount(ctx context.Context, name, person, password string) error {
	salt, hash := s.newHash(password)
	sealed, err := s.seal("operator/"+name, card{Person: person})
	if err != nil {
		return err
	}
	now := ms(s.now())
	_, err = s.db.ExecContext(ctx, "INSERT INTO operator (name, salt, hash, created, changed, made, sealed) VALUES (?,?,?,?,?,1,?)", name, salt, hash, now, now, sealed)
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	return nil
}

func (s *Server) listOperators(ctx context.Context, _ string, _ *http.Request) (any, error) {
	out := []account{}
	err := s.each(ctx, "SELECT "+accountColumns+" FROM operator ORDER BY ended IS NOT NULL, created", func(scan scanner) error {
		a, err := s.scanAccount(scan)
		out = append(out, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, a := range out {
		if out[i].Keys, err = keysOf(ctx, s.db, a.Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type operatorInput struct {
	Name   string `json:"name"`
	Person string `json:"person"`
}

// A madeAccount tells a generated password, once.
type madeAccount struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// addOperator makes a personal account (S5).
func (s *Server) addOperator(ctx context.Context, name string, r *http.Request) (any, error) {
	var in operatorInput
	if err := input(r, &in); err != nil {
		return nil, err
	}
	if err := errors.Join(text(in.Name, maxLogin), text(in.Person, maxLogin)); err != nil || strings.HasPrefix(in.Name, localPrefix) {
		return nil, errInput.With(err)
	}
	var n int
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM operator WHERE name = ?", in.Name).Scan(&n); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if n > 0 {
		return nil, errExists
	}
	pw := secret()
	if err := s.newAccount(ctx, in.Name, in.Person, pw); err != nil {
		return nil, err
	}
	return madeAccount{in.Name, pw}, s.note(ctx, "operator.add", operator(name), map[string]string{"name": in.Name}, "")
}

// resetOperator is how an operator comes in again who has lost the password or the
// factors: a generated password, and nothing of what there was.
func (s *Server) resetOperator(ctx context.Context, name string, r *http.Request) (any, error) {
	why, err := reason(r)
	if err != nil {
		return nil, err
	}
	who := r.PathValue("name")
	if who == name {
		return nil, errSelf // who holds an open page makes no way in from it
	}
	pw := secret()
	salt, hash := s.newHash(pw)
	err = s.change(ctx, who, func(tx *sql.Tx, a *account) error {
		a.salt, a.hash, a.made, a.app = salt, hash, true, nil
		_, err := tx.ExecContext(ctx, "DELETE FROM operator_passkey WHERE operator = ?", who)
		return errors.Join(err, endSessions(ctx, tx, who, ""))
	})
	if err != nil {
		return nil, err
	}
	return madeAccount{who, pw}, s.note(ctx, "operator.reset", operator(name), map[string]string{"name": who}, why)
}

// removeOperator ends an account. Nobody ends their own, so that one is always
// left.
func (s *Server) removeOperator(ctx context.Context, name string, r *http.Request) (any, error) {
	why, err := reason(r)
	if err != nil {
		return nil, err
	}
	who := r.PathValue("name")
	if who == name {
		return nil, errSelf
	}
	err = s.change(ctx, who, func(tx *sql.Tx, a *account) error {
		a.salt, a.hash, a.app = []byte{}, []byte{}, nil
		_, err := tx.ExecContext(ctx, "UPDATE operator SET ended = ?, ended_by = ? WHERE name = ?", ms(s.now()), name, who)
		_, err2 := tx.ExecContext(ctx, "DELETE FROM operator_passkey WHERE operator = ?", who)
		return errors.Join(err, err2, endSessions(ctx, tx, who, ""))
	})
	if err != nil {
		return nil, err
	}
	return ok{true}, s.note(ctx, "operator.remove", operator(name), map[string]string{"name": who}, why)
}

// endSessions ends name's sessions but the one.
func endSessions(ctx context.Context, q querier, name, but string) error {
	_, err := q.ExecContext(ctx, "DELETE FROM session WHERE operator = ? AND token <> ?", name, but)
	return err
}

func (a account) key(id []byte) (operatorKey, bool) {
	i := slices.IndexFunc(a.Keys, func(k operatorKey) bool { return string(k.key.ID) == string(id) })
	if i < 0 {
		return operatorKey{}, false
	}
	return a.Keys[i], true
}
