package ctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"veilbox/appliance/account"
	"veilbox/appliance/ctl/client"
	"veilbox/internal/durable"
	"veilbox/internal/problem"
)

// A sessionFile is what "login" keeps, mode 0600.
type sessionFile struct {
	Box         string `json:"box"`
	CA          string `json:"ca,omitempty"` // PEM, copied, so that the file it came from may go
	Fingerprint string `json:"fingerprint,omitempty"`
	Name        string `json:"name"`
	Token       string `json:"token"`
}

type loginCmd struct {
	Box          string `required:"" help:"The box's address." placeholder:"https://HOST:PORT"`
	CA           string `help:"The box's CA certificate (PEM)." placeholder:"FILE" type:"existingfile" name:"ca" xor:"trust"`
	Fingerprint  string `help:"SHA-256 of the box's certificate or of its CA's, from the box's log." placeholder:"SHA256" xor:"trust"`
	User         string `help:"Your own log-in name, for a log-in with password and code." placeholder:"NAME"`
	PasswordFile string `help:"File with the password; - is standard input. Without it you are asked." placeholder:"FILE"`
	CodeFile     string `help:"File with the code of the moment, where the box asks for one. Without it you are asked." placeholder:"FILE"`
	keyFlags
}

func (c *loginCmd) Run(e *env) error {
	if (c.User == "") == (c.Key == "") {
		return usage("give either --user, for a log-in with password and code, or --key, for one with your key file")
	}
	s := sessionFile{Box: c.Box, Fingerprint: c.Fingerprint}
	if c.CA != "" {
		b, err := os.ReadFile(c.CA)
		if err != nil {
			return fmt.Errorf("ctl: %w", err)
		}
		s.CA = string(b)
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	path, err := e.sessionPath()
	if err != nil {
		return err
	}
	who, err := c.logIn(e, cl)
	if err != nil {
		return err
	}
	s.Token, s.Name = cl.Token(), who.Person.Name
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	if err := durable.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("ctl: keep the session: %w", err)
	}
	for _, m := range who.Must {
		e.notice("%s", first[m])
	}
	return e.show(who, table{{"NAME", "ROLES"}, {who.Person.Name, fmt.Sprint(who.Roles)}})
}

// first is what a person must do before anything else.
var first = map[account.Need]string{
	account.NeedPassword: "Others know your password: it was made for you. Add a key (veilctl key add FILE) or choose your own password (veilctl password) before anything else.",
	account.NeedFactor:   "Your account has a password alone. Add a key (veilctl key add FILE), or an authenticator app (veilctl code), before anything else.",
}

// logIn logs in with the key file, or with the password and, where the box wants
// one, the code of the moment.
func (c *loginCmd) logIn(e *env, cl *client.Client) (client.Session, error) {
	key, err := c.open(e)
	if err != nil {
		return client.Session{}, err
	}
	if key != nil {
		who, err := cl.LogInPasskey(e.ctx, key)
		return who, errors.Join(err, key.keep())
	}
	password, err := e.secret(c.PasswordFile, "password")
	if err != nil {
		return client.Session{}, err
	}
	who, err := cl.Login(e.ctx, c.User, password.Reveal())
	if err == nil || problem.Of(err).Code != "login.code" {
		return who, err
	}
	code, err := e.secret(c.CodeFile, "code")
	if err != nil {
		return client.Session{}, err
	}
	return cl.LoginCode(e.ctx, c.User, password.Reveal(), code.Reveal())
}

func (s sessionFile) client() (*client.Client, error) {
	var trust client.Trust
	var err error
	switch {
	case s.CA != "":
		trust, err = client.TrustPEM([]byte(s.CA))
	case s.Fingerprint != "":
		trust, err = client.TrustFingerprint(s.Fingerprint)
	}
	if err != nil {
		return nil, err
	}
	c, err := client.New(s.Box, trust)
	if err != nil {
		return nil, err
	}
	c.SetToken(s.Token)
	return c, nil
}

func (e *env) sessionPath() (string, error) {
	if e.session != "" {
		return e.session, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("ctl: no place for the session: %w: give --session FILE", err)
	}
	return filepath.Join(dir, "veilbox", "session.json"), nil
}

// client is the box that the session file names.
func (e *env) client() (*client.Client, error) {
	path, err := e.sessionPath()
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("you are not logged in to a box: run \"veilctl login --box https://HOST:PORT --user NAME\" first")
	}
	if err != nil {
		return nil, fmt.Errorf("ctl: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("ctl: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("ctl: %s can be read by others (mode %v): remove it, log in again, and end the old session on the box", path, info.Mode().Perm())
	}
	var s sessionFile
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("ctl: %s is damaged: %w: log in again", path, err)
	}
	return s.client()
}

type logoutCmd struct{}

func (*logoutCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		path, err := e.sessionPath()
		if err != nil {
			return err
		}
		// The file goes even where the box cannot be told: the session then ends by
		// its own time.
		return errors.Join(cl.Logout(e.ctx), durable.Remove(path))
	})
}

type passwordCmd struct {
	First   bool   `help:"Say that you have no password yet: you log in with a key." xor:"old"`
	OldFile string `help:"File with the password that you have; - is standard input. Without it you are asked." placeholder:"FILE" xor:"old"`
	NewFile string `help:"File with the new password, at least 12 characters. Without it you are asked." placeholder:"FILE"`
}

func (c *passwordCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		old := ""
		if !c.First {
			s, err := e.secret(c.OldFile, "present password")
			if err != nil {
				return err
			}
			old = s.Reveal()
		}
		replacement, err := e.secret(c.NewFile, "new password")
		if err != nil {
			return err
		}
		return cl.ChangePassword(e.ctx, old, replacement.Reveal())
	})
}
