package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"veilbox/appliance/casework"
	"veilbox/capture/footage"
)

const cookieName = "__Host-veilbox"

func sessionToken(r *http.Request) string {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return "" // the only error is that there is none
	}
	return c.Value
}

// setSession gives the browser its session; an empty token takes it away.
func setSession(w http.ResponseWriter, token string) {
	c := &http.Cookie{Name: cookieName, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// contentPolicy allows our own files and nothing else; blob: carries the still
// pictures, which are fetched so that a failure can be told.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// permissions lets the box's own pages use passkeys, and no page anything else.
const permissions = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=(), " +
	"publickey-credentials-get=(self), publickey-credentials-create=(self)"

func (s *server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", permissions)
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// bodyLimit is the most that a request of a route may carry.
func bodyLimit(rt route) int64 {
	if strings.HasSuffix(rt.path, "/documents") {
		return MaxDocument
	}
	return MaxBody
}

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// nextOf is where to go after the login: back to a page that was read.
func nextOf(r *http.Request) string {
	if r.Method != http.MethodGet {
		return "%2F"
	}
	return url.QueryEscape(r.URL.RequestURI())
}

// safeNext returns a path on this box, never another site's address.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n") || strings.HasPrefix(u.Path, "/login") {
		return "/"
	}
	return u.RequestURI()
}

// body reads a JSON body whole. Unknown keys are refused, so that a misspelt
// one never loses an answer.
func body[T any](r *http.Request) (T, error) {
	var v T
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return v, errMediaType
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&v)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return v, nil
		}
		if err == nil {
			err = errors.New("something follows the JSON value")
		}
	}
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return v, tooLarge(tooBig.Limit).With(err)
	}
	return v, badJSON(err)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("web: encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A failed write means that the caller has gone; nobody is left to tell.
	_, _ = w.Write(append(b, '\n'))
	return nil
}

func ok(w http.ResponseWriter, v any, err error) error {
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, v)
}

func created(w http.ResponseWriter, v any, err error) error {
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, v)
}

// list answers a list, which is [] and never null.
func list[T any](w http.ResponseWriter, v []T, err error) error {
	if v == nil {
		v = []T{}
	}
	return ok(w, v, err)
}

func noContent(w http.ResponseWriter, err error) error {
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// watched remembers why reading a video failed, which ServeContent doesn't tell.
type watched struct {
	casework.Media
	err error
}

func (m *watched) Read(p []byte) (int, error) {
	n, err := m.Media.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// A late holds the status of an answer back until its first byte, so that a
// video that cannot be read from where it was asked for is told as a problem.
type late struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (l *late) WriteHeader(status int) { l.status = status }

func (l *late) Write(p []byte) (int, error) {
	l.begin()
	return l.ResponseWriter.Write(p)
}

func (l *late) begin() {
	if !l.begun && l.status != 0 {
		l.ResponseWriter.WriteHeader(l.status)
	}
	l.begun = true
}

// video serves m with byte ranges and closes it. name is that of the saved
// file; empty: it is for playing.
func (s *server) video(w http.ResponseWriter, r *http.Request, m casework.Media, err error, name string) error {
	if err != nil {
		return err
	}
	return s.serve(w, r, m, "video/mp4", name)
}

// serve is video for any kind of media.
func (s *server) serve(w http.ResponseWriter, r *http.Request, m casework.Media, kind, name string) error {
	media := &watched{Media: m}
	w.Header().Set("Content-Type", kind)
	if name != "" {
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}
	answer := &late{ResponseWriter: w}
	http.ServeContent(answer, r, "", time.Time{}, media)
	if media.err != nil && r.Context().Err() == nil {
		s.Log.Error("video cut short while it was served", "route", r.Pattern, "error", media.err)
	}
	if err := media.Close(); err != nil {
		s.Log.Warn("video did not close", "route", r.Pattern, "error", err)
	}
	if media.err != nil && !answer.begun {
		for _, h := range []string{"Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Content-Disposition"} {
			w.Header().Del(h)
		}
		return media.err
	}
	answer.begin()
	return nil
}

func picture(w http.ResponseWriter, r *http.Request, jpeg []byte, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/jpeg")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(jpeg))
	return nil
}

func cameraOf(r *http.Request) (footage.CameraID, error) {
	cam, err := footage.ParseCameraID(r.PathValue("cam"))
	if err != nil {
		return "", badField("cam", "Brug kameraets navn i systemet, fx kasse-1.", "Use the camera's name in the system, such as till-1.").With(err)
	}
	return cam, nil
}

// instant reads an RFC 3339 time from the query; absent it is the zero time.
func instant(q url.Values, name string) (time.Time, error) {
	v := q.Get(name)
	if v == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil || t.Year() < 1970 || t.Year() > 2261 {
		return time.Time{}, badField(name, "Skriv tiden som 2026-02-03T04:05:06Z.", "Write the time as 2026-02-03T04:05:06Z.").With(err)
	}
	return t.UTC(), nil
}

func spanOf(q url.Values) (from, to time.Time, err error) {
	if from, err = instant(q, "from"); err != nil {
		return
	}
	if to, err = instant(q, "to"); err != nil {
		return
	}
	if from.IsZero() || !from.Before(to) {
		err = badField("from, to", "Angiv begge, med from før to.", "Give both, with from before to.")
	}
	return
}

func number(v, name string, low, high int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, badField(name, fmt.Sprintf("Skriv et helt tal fra %d til %d.", low, high), fmt.Sprintf("Write a whole number from %d to %d.", low, high))
	}
	return n, nil
}
