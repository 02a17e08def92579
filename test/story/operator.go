package story

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
	"veilbox/uplink/wire"
)

// An Operator drives the extranet's operator API.
type Operator struct {
	base string
	http *http.Client
	// Login is how the operator logs in.
	Login Login
}

// NewOperator logs in with the first log-in that the extranet wrote in dir, which
// opens nothing but the setting up of the account, gives it a person and makes a
// passkey; with codes also a password and an authenticator app.
func NewOperator(ctx context.Context, base, dir string, codes bool) (*Operator, error) {
	b, err := os.ReadFile(filepath.Join(dir, "first-login"))
	if err != nil {
		return nil, fmt.Errorf("story: %w", err)
	}
	name, password, ok := strings.Cut(strings.TrimSpace(string(b)), " ")
	if !ok {
		return nil, errors.New("story: first-login is not a name and a password")
	}
	der, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("story: %w", err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("story: ca.crt: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("story: %w", err)
	}
	o := &Operator{base: base, http: &http.Client{
		Jar: jar, Timeout: time.Minute,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}},
	}}
	o.Login = Login{Login: name, Name: "Otto Olsen", Passphrase: rand.Text()}
	if err := o.call(ctx, "POST", "/api/v1/login", map[string]string{"name": name, "password": password}, nil); err != nil {
		return nil, err
	}
	err = o.call(ctx, "GET", "/api/v1/assessors", nil, nil)
	if err := refused("a look at the assessors before the account is one's own", err, "operator.set-up"); err != nil {
		return nil, err
	}
	if err := o.call(ctx, "POST", "/api/v1/account", map[string]string{"person": o.Login.Name}, nil); err != nil {
		return nil, err
	}
	if codes {
		if err := o.fallBack(ctx, password); err != nil {
			return nil, err
		}
	}
	o.Login.Key = softkey.New(o.Login.Passphrase)
	if err := o.answer(ctx, "/api/v1/passkeys", o.Login.Key.Create, map[string]any{"name": "Nøglefil"}); err != nil {
		return nil, err
	}
	return o, o.answer(ctx, "/api/v1/login/passkey", o.Login.Key.Get, map[string]any{})
}

// fallBack chooses a password in place of the one that was made, and adds an
// authenticator app.
func (o *Operator) fallBack(ctx context.Context, made string) error {
	o.Login.Password = "demo-" + strings.ToLower(rand.Text()[:16])
	if err := o.call(ctx, "POST", "/api/v1/password", map[string]string{"old": made, "new": o.Login.Password}, nil); err != nil {
		return err
	}
	var t struct {
		Secret string `json:"secret"`
	}
	if err := o.call(ctx, "POST", "/api/v1/totp", struct{}{}, &t); err != nil {
		return err
	}
	o.Login.Secret = t.Secret
	code, err := o.Login.Code(time.Now())
	if err != nil {
		return fmt.Errorf("story: codes for the operator: %w", err)
	}
	return o.call(ctx, "POST", "/api/v1/totp/confirm", map[string]string{"code": code}, nil)
}

// answer has a passkey answer the question at path.
func (o *Operator) answer(ctx context.Context, path string, work func([]byte) ([]byte, error), in map[string]any) error {
	var q struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	}
	if err := o.call(ctx, "POST", path+"/options", struct{}{}, &q); err != nil {
		return err
	}
	response, err := work(q.Options)
	if err != nil {
		return fmt.Errorf("story: the operator's passkey: %w", err)
	}
	in["ceremony"], in["response"] = q.ID, json.RawMessage(response)
	return o.call(ctx, "POST", path, in, nil)
}

func (o *Operator) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("story: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, o.base+path, body)
	if err != nil {
		return fmt.Errorf("story: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := o.http.Do(req)
	if err != nil {
		return fmt.Errorf("story: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("story: %w", err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("story: %s %s: %w", method, path, problem.Decode(resp.StatusCode, b))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("story: %s %s: %w", method, path, err)
	}
	return nil
}

// A Member is a retailer as the operator registers it.
type Member struct {
	ID      incident.MemberID `json:"id"`
	Name    string            `json:"name"`
	Town    string            `json:"town"`
	Region  string            `json:"region"`
	Country string            `json:"country"`
	Trade   string            `json:"trade"`
	Chain   string            `json:"chain"`
	Active  bool              `json:"active"`
}

// AddMember registers a member and returns a one-time code for a box of it.
func (o *Operator) AddMember(ctx context.Context, m Member) (code string, err error) {
	m.Active = true
	if err := o.call(ctx, "POST", "/api/v1/members", m, nil); err != nil {
		return "", err
	}
	return o.Code(ctx, m.ID)
}

// Code returns a one-time code for a box of a member.
func (o *Operator) Code(ctx context.Context, id incident.MemberID) (string, error) {
	var a struct {
		Code string `json:"code"`
	}
	err := o.call(ctx, "POST", "/api/v1/members/"+string(id)+"/codes", map[string]string{}, &a)
	return a.Code, err
}

// An Assessor is a registration as the operator sees it.
type Assessor struct {
	Member incident.MemberID  `json:"member"`
	Key    wire.KeyID         `json:"key"`
	Name   string             `json:"name"`
	State  wire.AssessorState `json:"state"`
}

// ConfirmAssessors confirms every registration that waits, after a fresh proof of who
// the operator is, and returns how many.
func (o *Operator) ConfirmAssessors(ctx context.Context) (n int, err error) {
	if err := o.answer(ctx, "/api/v1/login/passkey", o.Login.Key.Get, map[string]any{}); err != nil {
		return 0, err
	}
	var all []Assessor
	if err := o.call(ctx, "GET", "/api/v1/assessors", nil, &all); err != nil {
		return 0, err
	}
	for _, a := range all {
		if a.State != wire.AssessorPending {
			continue
		}
		path := fmt.Sprintf("/api/v1/assessors/%s/%s/confirm", a.Member, a.Key)
		if err := o.call(ctx, "POST", path, map[string]string{"reason": "identity and diplomas seen"}, nil); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// An Access is one line of the extranet's access log.
type Access struct {
	Disclosure incident.DisclosureID `json:"disclosure"`
	Member     incident.MemberID     `json:"member"`
	Name       string                `json:"name"`
	Purpose    string                `json:"purpose"`
	At         time.Time             `json:"at"`
}

// AccessLog returns the extranet's access log.
func (o *Operator) AccessLog(ctx context.Context) ([]Access, error) {
	var a []Access
	return a, o.call(ctx, "GET", "/api/v1/access", nil, &a)
}
