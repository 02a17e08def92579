// Package problem is the error that a person can act on: what is wrong and what
// to do, in Danish and English. Over HTTP it is a problem detail (RFC 9457).
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// A Text is one sentence in the two languages of the pages.
type Text struct {
	DA string `json:"da"`
	EN string `json:"en"`
}

// A Problem names a cause and its remedy.
type Problem struct {
	// Code is stable and for programs, such as "camera.auth".
	Code string
	// Status is the HTTP status.
	Status int
	Cause  Text
	Remedy Text
	// Err is what lies behind, for the log; it is not sent.
	Err error
}

// New returns a Problem.
func New(status int, code string, cause, remedy Text) *Problem {
	return &Problem{Code: code, Status: status, Cause: cause, Remedy: remedy}
}

// With returns a copy of p that wraps err.
func (p *Problem) With(err error) *Problem {
	c := *p
	c.Err = err
	return &c
}

func (p *Problem) Error() string {
	s := p.Cause.EN + " " + p.Remedy.EN
	if p.Err != nil {
		s = fmt.Sprintf("%s (%v)", s, p.Err)
	}
	return s
}

// Unwrap returns what lies behind; a nil Problem, such as that of something
// that is well, wraps nothing.
func (p *Problem) Unwrap() error {
	if p == nil {
		return nil
	}
	return p.Err
}

// Is makes errors.Is(err, p) hold for every Problem with p's code.
func (p *Problem) Is(target error) bool {
	t, ok := target.(*Problem)
	return ok && p != nil && t != nil && t.Code == p.Code
}

// Internal is what a caller sees of an error that has no text of its own.
var Internal = New(http.StatusInternalServerError, "internal",
	Text{"Der skete en fejl i boksen.", "Something went wrong in this machine."},
	Text{"Prøv igen. Sker det igen, så kontakt driften; loggen har detaljerne.", "Try again. If it happens again, call the operator; the log has the details."})

// DiskFull is what a caller sees where there was no room to write.
var DiskFull = New(http.StatusInsufficientStorage, "disk.full",
	Text{"Der er ikke plads på disken.", "There is no room on the disk."},
	Text{"Frigør plads på disken, eller sænk ring.quota i indstillingerne, og prøv igen.", "Free space on the disk, or lower ring.quota in the settings, and try again."})

// DiskFailed is what a caller sees where the disk did not take what was written,
// or did not give what was read, for another reason than want of room.
var DiskFailed = New(http.StatusServiceUnavailable, "disk.failing",
	Text{"Disken svarer med en fejl, eller der kan ikke skrives på den.", "The disk answers with an error, or cannot be written to."},
	Text{"Kontrollér disken og dens tilslutning, og at den ikke er skrivebeskyttet. Bliver fejlen ved, skal disken skiftes.", "Check the disk and its connection, and that it is not read-only. If the error stays, replace the disk."})

// Of returns the Problem in err's chain, or Internal wrapping err.
func Of(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return Internal.With(err)
}

type wire struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Code     string `json:"code"`
	Cause    Text   `json:"cause"`
	Remedy   Text   `json:"remedy"`
	Instance string `json:"instance,omitempty"`
}

// Write sends err as application/problem+json.
func Write(w http.ResponseWriter, err error) {
	p := Of(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	// A failed write means that the caller has gone; nobody is left to tell.
	_ = json.NewEncoder(w).Encode(wire{Type: "about:blank", Title: p.Cause.EN, Status: p.Status, Code: p.Code, Cause: p.Cause, Remedy: p.Remedy})
}

// Decode turns the body of a problem response back into a Problem. A body that
// is none gives a Problem that names the status alone.
func Decode(status int, body []byte) *Problem {
	var m wire
	if err := json.Unmarshal(body, &m); err != nil || m.Code == "" {
		t := http.StatusText(status)
		return New(status, "http", Text{"Uventet svar: " + t + ".", "Unexpected answer: " + t + "."},
			Text{"Kontrollér adressen.", "Check the address."})
	}
	return &Problem{Code: m.Code, Status: status, Cause: m.Cause, Remedy: m.Remedy}
}
