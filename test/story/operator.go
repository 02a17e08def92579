package story

import (
	"bytes"
	"context"
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
	"veilbox/internal/problem"
	"veilbox/uplink/wire"
)

// An Operator drives the extranet's operator API.
type Operator struct {
	base string
	http *http.Client
}

// NewOperator logs in with the first log-in that the extranet wrote in dir.
func NewOperator(ctx context.Context, base, dir string) (*Operator, string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "first-login"))
	if err != nil {
		return nil, "", fmt.Errorf("story: %w", err)
	}
	name, password, ok := strings.Cut(strings.TrimSpace(string(b)), " ")
	if !ok {
		return nil, "", errors.New("story: first-login is not a name and a password")
	}
	der, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, "", fmt.Errorf("story: %w", err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, "", fmt.Errorf("story: ca.crt: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, "", fmt.Errorf("story: %w", err)
	}
	o := &Operator{base: base, http: &http.Client{
		Jar: jar, Timeout: time.Minute,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}},
	}}
	err = o.call(ctx, "POST", "/api/v1/login", map[string]string{"name": name, "password": password}, nil)
	return o, password, err
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

// ConfirmAssessors confirms every registration that waits, and returns how many.
func (o *Operator) ConfirmAssessors(ctx context.Context) (n int, err error) {
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
