package web

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// How long the body of a request may take to arrive: whoever sends a byte now and
// then would hold a connection, and what waits for it, for ever.
const (
	bodyTime     = 30 * time.Second
	documentTime = 5 * time.Minute // 10 MiB over a poor line
)

func bodyTimeOf(rt route) time.Duration {
	if strings.HasSuffix(rt.path, "/documents") {
		return documentTime
	}
	return bodyTime
}

// A timedBody is a body that must have arrived by a deadline, which the network
// keeps. Once it has, the deadline is gone: an answer takes as long as it takes.
type timedBody struct {
	io.ReadCloser
	timer *http.ResponseController
	late  bool // the deadline has passed
}

// bound gives r's body the size and the time that it may have.
func bound(w http.ResponseWriter, r *http.Request, most int64, within time.Duration) error {
	r.Body = http.MaxBytesReader(w, r.Body, most)
	if r.ContentLength == 0 {
		return nil // there is none, and a deadline would end the answer
	}
	t := &timedBody{ReadCloser: r.Body, timer: http.NewResponseController(w)}
	// The kernel's clock, whatever the box's own is: nothing is decided by it.
	if err := t.timer.SetReadDeadline(time.Now().Add(within)); errors.Is(err, http.ErrNotSupported) {
		return nil // there is no network under it
	} else if err != nil {
		return err
	}
	r.Body = t
	return nil
}

func (t *timedBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		if e := t.timer.SetReadDeadline(time.Time{}); e != nil {
			return n, e
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.late = true
	}
	return n, err
}

// lateBody reports whether r's body took too long.
func lateBody(r *http.Request) bool {
	t, ok := r.Body.(*timedBody)
	return ok && t.late
}
