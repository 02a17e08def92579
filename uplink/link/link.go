// Package link is a box's side of the connection to the extranet: HTTP over
// TLS 1.3 with the box's certificate, one method a call of uplink/wire.
//
// Every error is a *problem.Problem: what the extranet answered, or one of those
// below where it did not answer. Those with status 503 may be tried again.
package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/uplink/wire"
)

// Problems of the connection itself.
var (
	ErrUnreachable = problem.New(http.StatusServiceUnavailable, "extranet.unreachable",
		problem.Text{DA: "Ekstranettet kan ikke nås.", EN: "The extranet cannot be reached."},
		problem.Text{DA: "Kontrollér butikkens internetforbindelse; boksen prøver selv igen.", EN: "Check the shop's internet connection; the box tries again by itself."})
	ErrClock = problem.New(http.StatusServiceUnavailable, "extranet.clock",
		problem.Text{DA: "Boksens ur og ekstranettets certifikat passer ikke sammen.", EN: "The box's clock does not agree with the extranet's certificate."},
		problem.Text{DA: "Stil boksens ur. Er det rigtigt, så bed operatøren om at se på ekstranettets ur og certifikat.", EN: "Set the box's clock. If it is right, ask the operator to look at the extranet's clock and certificate."})
	ErrStranger = problem.New(http.StatusBadGateway, "extranet.stranger",
		problem.Text{DA: "En anden maskine end ekstranettet svarer på adressen.", EN: "Another machine than the extranet answers at its address."},
		problem.Text{DA: "Der er intet sendt. Kontrollér adressen og netværket, og ring til operatøren.", EN: "Nothing was sent. Check the address and the network, and call the operator."})
	ErrRefused = problem.New(http.StatusForbidden, "extranet.refused",
		problem.Text{DA: "Ekstranettet afviser boksens certifikat.", EN: "The extranet refuses the box's certificate."},
		problem.Text{DA: "Bed operatøren om en ny tilmeldingskode, og tilmeld boksen igen.", EN: "Ask the operator for a new enrolment code, and enrol the box again."})
	ErrAnswer = problem.New(http.StatusBadGateway, "extranet.answer",
		problem.Text{DA: "Ekstranettets svar kan ikke forstås.", EN: "The extranet's answer cannot be understood."},
		problem.Text{DA: "Opdatér boksen til samme udgave som ekstranettet.", EN: "Bring the box to the same release as the extranet."})
)

// Credentials are what a box shows and whom it trusts.
type Credentials struct {
	URL         string // https://host:port
	Certificate tls.Certificate
	Roots       *x509.CertPool
}

// A Client speaks to the extranet. It is safe for concurrent use.
type Client struct {
	url  string
	http *http.Client
}

// New returns a client. With no certificate in c it can only enrol.
func New(c Credentials, clk clock.Clock) *Client {
	conf := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: c.Roots, Time: clk.Now}
	if len(c.Certificate.Certificate) > 0 {
		conf.Certificates = []tls.Certificate{c.Certificate}
	}
	return withTLS(c.URL, conf)
}

// NewPinned returns a client for the first contact, which trusts only what
// verify accepts. verify gets the chain as the server sent it.
func NewPinned(url string, clk clock.Clock, verify func(chain []*x509.Certificate) error) *Client {
	conf := &tls.Config{MinVersion: tls.VersionTLS13, Time: clk.Now,
		// The chain is checked below, against the fingerprint in the code.
		InsecureSkipVerify: true,
		VerifyConnection:   func(s tls.ConnectionState) error { return verify(s.PeerCertificates) },
	}
	return withTLS(url, conf)
}

func withTLS(url string, conf *tls.Config) *Client {
	d := &net.Dialer{Timeout: 10 * time.Second}
	return &Client{url: strings.TrimRight(url, "/"), http: &http.Client{
		Transport: &http.Transport{
			DialContext:           d.DialContext,
			TLSClientConfig:       conf,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 60 * time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   4,
			// HTTP/1.1: over HTTP/2 a refused certificate shows as a connection
			// that could not be made, which names no remedy.
			ForceAttemptHTTP2: false,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one HTTP exchange; the caller closes the body.
func (c *Client) request(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, ErrUnreachable.With(fmt.Errorf("link: %w", err))
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, explain(ctx, err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if err != nil {
			return nil, explain(ctx, err)
		}
		return nil, problem.Decode(resp.StatusCode, b)
	}
	return resp, nil
}

// do sends in as JSON, where it is not nil, and decodes the answer into out.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	h := http.Header{}
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return problem.Internal.With(fmt.Errorf("link: encode: %w", err))
		}
		body = bytes.NewReader(b)
		h.Set("Content-Type", "application/json")
	}
	resp, err := c.request(ctx, method, path, h, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := wire.Decode(resp.Body, wire.MaxDirectory, out); err != nil {
		if errors.Is(err, wire.ErrMessage) {
			return ErrAnswer.With(err)
		}
		return explain(ctx, err)
	}
	return nil
}

// explain turns an error of the transport into a Problem.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ErrUnreachable.With(context.Cause(ctx))
	}
	var p *problem.Problem
	if errors.As(err, &p) {
		return p.With(err)
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return ErrClock.With(err)
	case errors.As(err, &invalid), errors.As(err, &unknown), errors.As(err, &host):
		return ErrStranger.With(err)
	case strings.Contains(err.Error(), "remote error: tls"):
		// crypto/tls does not export the type of an alert over TCP.
		return ErrRefused.With(err)
	}
	return ErrUnreachable.With(err)
}
