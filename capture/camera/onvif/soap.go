package onvif

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"veilbox/capture/camera/auth"
)

const (
	nsDevice = "http://www.onvif.org/ver10/device/wsdl"
	nsMedia  = "http://www.onvif.org/ver10/media/wsdl"
	nsMedia2 = "http://www.onvif.org/ver20/media/wsdl"
	nsSchema = "http://www.onvif.org/ver10/schema"
	nsWSSE   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	nsWSU    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	token    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
	binary64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)

var (
	errNoAction  = errors.New("onvif: the camera does not know the question")
	errFault     = errors.New("onvif: the camera answers with a fault")
	errTwoFaces  = errors.New("onvif: the camera showed another certificate half way")
	errTooLong   = errors.New("onvif: the answer is too long")
	errNoAnswer  = errors.New("onvif: the answer is no SOAP envelope with what was asked")
	errDenied    = errors.New("onvif: the camera denies it")
	errDeadline  = errors.New("onvif: the time for the whole look is over")
	errTransport = errors.New("onvif: it is no HTTP")
)

// A session is the questions to one device.
type session struct {
	at             place
	user, password string
	lim            Limits
	http           *http.Client
	ahead          time.Duration   // of the camera's clock
	digest         *auth.Challenge // once the camera asked for HTTP digest
	pin            string
}

func newSession(p place, user, password string, lim Limits) *session {
	s := &session{at: p, user: user, password: password, lim: lim}
	dialer := &net.Dialer{Timeout: lim.Call}
	s.http = &http.Client{
		Transport: &http.Transport{
			Proxy: nil, // the camera is on the box's own network
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				return dialer.DialContext(ctx, "tcp", net.JoinHostPort(p.ip.String(), port))
			},
			// A camera signs its certificate itself: it is reported, not believed.
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: true, VerifyConnection: s.see},
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
			MaxConnsPerHost:        1,
			IdleConnTimeout:        lim.Call,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

func (s *session) see(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return errTwoFaces
	}
	sum := sha256.Sum256(cs.PeerCertificates[0].RawSubjectPublicKeyInfo)
	pin := hex.EncodeToString(sum[:])
	if s.pin != "" && s.pin != pin {
		return errTwoFaces
	}
	s.pin = pin
	return nil
}

// envelope wraps a question. With signed it carries the user's name, and proof
// of the password: Base64(SHA-1(nonce + created + password)), as the profile of
// WS-Security that ONVIF names has it.
func (s *session) envelope(body string, signed bool) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">`)
	if signed {
		nonce := make([]byte, 16)
		rand.Read(nonce) // it never fails (crypto/rand)
		created := s.lim.Clock.Now().Add(s.ahead).UTC().Format("2006-01-02T15:04:05.000Z")
		h := sha1.New()
		h.Write(nonce)
		h.Write([]byte(created + s.password))
		fmt.Fprintf(&b, `<s:Header><w:Security s:mustUnderstand="1" xmlns:w="%s" xmlns:u="%s"><w:UsernameToken><w:Username>%s</w:Username><w:Password Type="%s">%s</w:Password><w:Nonce EncodingType="%s">%s</w:Nonce><u:Created>%s</u:Created></w:UsernameToken></w:Security></s:Header>`,
			nsWSSE, nsWSU, escape(s.user), token, base64.StdEncoding.EncodeToString(h.Sum(nil)), binary64, base64.StdEncoding.EncodeToString(nonce), created)
	}
	b.WriteString(`<s:Body>` + body + `</s:Body></s:Envelope>`)
	return b.Bytes()
}

// call asks one question, whose body is <verb xmlns=space>inner</verb>, and
// returns the verbResponse. Open questions carry no name.
func (s *session) call(ctx context.Context, at *url.URL, space, verb, inner string, open bool) (*node, error) {
	body := "<" + verb + ` xmlns="` + space + `">` + inner + "</" + verb + ">"
	signed := s.user != "" && !open && s.digest == nil
	for try := 0; ; try++ {
		answer, status, header, err := s.post(ctx, at, space+"/"+verb, s.envelope(body, signed), open)
		if err != nil {
			return nil, err
		}
		if status == http.StatusUnauthorized && s.user != "" && !open && try == 0 {
			// Either the first sight of a challenge, or its nonce has aged.
			if c, ok := auth.Digest(header.Values("WWW-Authenticate")); ok && (s.digest == nil || c.Nonce != s.digest.Nonce) {
				s.digest, signed = &c, false
				continue
			}
		}
		return s.read(answer, status, verb, open)
	}
}

// read finds the response in an answer, or says why there is none.
func (s *session) read(answer []byte, status int, verb string, open bool) (*node, error) {
	denied := func(err error) error {
		if s.user == "" || open {
			return ErrLogin.With(err)
		}
		return ErrAuth.With(err)
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, denied(fmt.Errorf("%w: status %d", errDenied, status))
	case status >= 300 && status < 400:
		return nil, ErrElsewhere.With(fmt.Errorf("onvif: status %d", status))
	}
	root, err := parse(answer)
	if err != nil {
		if status != http.StatusOK || !bytes.Contains(answer, []byte("nvelope")) {
			return nil, ErrNotONVIF.With(fmt.Errorf("onvif: status %d: %w", status, err))
		}
		return nil, ErrHostile.With(err)
	}
	in := root.at("Body")
	if f := in.at("Fault"); f != nil {
		// The code nests: env:Sender with the subcode ter:NotAuthorized, and so on.
		var codes []string
		for c := f.at("Code"); c != nil; c = c.at("Subcode") {
			codes = append(codes, bounded(c.str("Value")))
		}
		if c := f.str("faultcode"); c != "" {
			codes = append(codes, bounded(c))
		}
		told := bounded(strings.Join(codes, " "))
		switch {
		case strings.Contains(told, "NotAuthorized"), strings.Contains(told, "FailedAuthentication"), strings.Contains(told, "InvalidSecurity"):
			return nil, denied(fmt.Errorf("%w: %s", errDenied, told))
		case strings.Contains(told, "ActionNotSupported"), strings.Contains(told, "ActionMismatch"), strings.Contains(told, "NoSuchService"):
			return nil, ErrNotONVIF.With(fmt.Errorf("%w: %s", errNoAction, told))
		}
		return nil, ErrNotONVIF.With(fmt.Errorf("%w: %s %s", errFault, told, bounded(f.str("Reason", "Text"))))
	}
	r := in.at(verb + "Response")
	if r == nil || status != http.StatusOK {
		return nil, ErrNotONVIF.With(fmt.Errorf("%w: %s, status %d", errNoAnswer, verb, status))
	}
	return r, nil
}

func (s *session) post(parent context.Context, at *url.URL, action string, body []byte, open bool) (_ []byte, _ int, _ http.Header, err error) {
	ctx, cancel := context.WithTimeout(parent, s.lim.Call)
	defer cancel()
	defer func() {
		if err != nil {
			err = s.classify(parent, err)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, 0, nil, err
	}
	req.Header.Set("Content-Type", `application/soap+xml; charset=utf-8; action="`+action+`"`)
	req.Header.Set("User-Agent", "veilbox")
	if s.digest != nil && !open {
		req.Header.Set("Authorization", s.digest.Answer(s.user, s.password, req.Method, req.URL.RequestURI()))
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, 0, nil, err
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, int64(s.lim.Answer)+1))
	// An answer that was not read whole is not worth its connection: closing cuts it.
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, 0, nil, err
	}
	if len(b) > s.lim.Answer {
		return nil, 0, nil, errTooLong
	}
	return b, resp.StatusCode, resp.Header, nil
}

// classify says what err, which came instead of an answer, means to a person.
func (s *session) classify(parent context.Context, err error) error {
	if cause := context.Cause(parent); cause != nil {
		if errors.Is(cause, errDeadline) {
			return ErrSlow.With(cause)
		}
		return cause
	}
	var op *net.OpError
	var timeout net.Error
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which the person knows
	}
	switch {
	case errors.Is(err, errTooLong), errors.Is(err, errTwoFaces):
		return ErrHostile.With(err)
	case errors.As(err, &op) && op.Op == "dial":
		return ErrUnreachable.With(fmt.Errorf("onvif: %w", err))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ErrSlow.With(fmt.Errorf("onvif: %w", err))
	case errors.As(err, &op):
		return ErrUnreachable.With(fmt.Errorf("onvif: %w", err))
	}
	// What is left may quote the camera's bytes.
	return ErrNotONVIF.With(fmt.Errorf("%w: %s", errTransport, bounded(err.Error())))
}
