// Package client speaks to a box's JSON API under /api/v1, for veilctl and for
// tests. Its methods are named like those of casework.Service and take and give
// the same types; times are UTC.
//
// Every error that the box answers with is a *problem.Problem (RFC 9457). A box
// that cannot be reached or whose certificate does not hold gives one too, with
// the codes "client.unreachable" and "client.certificate". A Client is safe for
// use by several goroutines.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"veilbox/internal/problem"
)

// CookieName is the cookie that holds a session's token.
const CookieName = "__Host-veilbox"

const (
	maxAnswer   = 32 << 20         // bytes of a JSON answer
	maxPicture  = 16 << 20         // bytes of a picture
	askTimeout  = 60 * time.Second // an answer that is not media
	userAgent   = "veilctl"
	dialTimeout = 10 * time.Second
)

// A Client is one box, and one person's session on it once logged in.
type Client struct {
	base *url.URL
	http *http.Client

	mu    sync.Mutex
	token string
}

// New returns a Client of the box at base, such as https://veilbox.local:8443.
func New(base string, t Trust) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil {
		return nil, fmt.Errorf("client: address of the box: %w", err)
	}
	if u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Path != "" {
		return nil, fmt.Errorf("client: %q is no address of a box: give https://HOST:PORT", u.Redacted())
	}
	return &Client{base: u, http: &http.Client{
		Transport: transport(t, u.Hostname()),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the API never redirects; a session must not follow one
		},
	}}, nil
}

// Base returns the box's address.
func (c *Client) Base() string { return c.base.String() }

// Token returns the session's token, empty when logged out.
func (c *Client) Token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// SetToken goes on with a session that was kept.
func (c *Client) SetToken(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
}

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// path joins the API's prefix and escaped elements: path("cases", id).
func path(elements ...string) string {
	var b strings.Builder
	b.WriteString("/api/v1")
	for _, e := range elements {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(e))
	}
	return b.String()
}

// do sends one request. The caller closes the body of an answer without error.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte) (*http.Response, error) {
	addr := c.base.String() + path
	if len(query) > 0 {
		addr += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, addr, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", userAgent)
	if t := c.Token(); t != "" {
		req.AddCookie(&http.Cookie{Name: CookieName, Value: t})
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("client: %s %s: %w", method, path, ctx.Err())
		}
		return nil, unreachable(c.base.Host, err)
	}
	if resp.StatusCode >= 300 {
		b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		err = errors.Join(err, resp.Body.Close())
		return nil, problem.Decode(resp.StatusCode, b).With(errors.Join(fmt.Errorf("%s %s: status %d", method, path, resp.StatusCode), err))
	}
	return resp, nil
}

// ask sends in as JSON (nil: no body) and reads the answer into out (nil: not
// wanted).
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, in, out any) error {
	_, err := c.askHeader(ctx, method, path, query, in, out)
	return err
}

func (c *Client) askHeader(ctx context.Context, method, path string, query url.Values, in, out any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	header := http.Header{"Accept": {"application/json"}}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("client: %s %s: %w", method, path, err)
		}
		header.Set("Content-Type", "application/json")
	}
	return c.send(ctx, method, path, query, header, body, out)
}

// send sends a body and reads the answer into out (nil: not wanted).
func (c *Client) send(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte, out any) (http.Header, error) {
	resp, err := c.do(ctx, method, path, query, header, body)
	if err != nil {
		return nil, err
	}
	b, err := readAll(resp, maxAnswer)
	if err != nil {
		return nil, err
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return resp.Header, nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return nil, fmt.Errorf("client: %s %s: the answer cannot be read: %w: use a veilctl of the box's own version", method, path, err)
	}
	return resp.Header, nil
}

// fetch reads a small answer that is not JSON.
func (c *Client) fetch(ctx context.Context, path string) ([]byte, error) {
	return c.fetchQuery(ctx, path, nil)
}

func (c *Client) fetchQuery(ctx context.Context, path string, query url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, path, query, nil, nil)
	if err != nil {
		return nil, err
	}
	return readAll(resp, maxPicture)
}

func readAll(resp *http.Response, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, unreachable(resp.Request.URL.Host, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("client: %s: the answer is over %d bytes", resp.Request.URL.Path, most)
	}
	return b, nil
}

func unreachable(host string, err error) error {
	if isTrust(err) {
		return problem.New(http.StatusBadGateway, "client.certificate",
			problem.Text{DA: "Boksen på " + host + " viste et certifikat, der ikke er godkendt her.", EN: "The box at " + host + " showed a certificate that is not trusted here."},
			problem.Text{DA: "Brug boksens CA-fil eller dens fingeraftryk, som boksen skriver i loggen ved første start.", EN: "Give its CA file (--ca) or its fingerprint (--fingerprint), which the box writes to its log at first start."}).With(err)
	}
	return problem.New(http.StatusBadGateway, "client.unreachable",
		problem.Text{DA: "Boksen på " + host + " svarer ikke.", EN: "The box at " + host + " does not answer."},
		problem.Text{DA: "Kontrollér adressen, og at veilboxd kører.", EN: "Check the address and that veilboxd runs there."}).With(err)
}
