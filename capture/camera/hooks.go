package camera

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"veilbox/capture/camera/auth"
)

const maxGuesses = 3 // answers to one request's challenges

// keepalives are the requests that show a camera that the session is wanted, in
// the order they are tried when one is refused. The first is the library's own
// choice: GET_PARAMETER where the camera offers it, else OPTIONS.
var keepalives = [...]base.Method{base.Options, base.GetParameter, base.SetParameter}

func (s *session) hasPassword() bool { return s.src.Username != "" || s.src.Password != "" }

func (a *attempt) reset() {
	*a = attempt{keepalive: -1}
	a.budget.Store(-1)
}

// ask makes a request until it is not met by a challenge that can be answered.
func (s *session) ask(do func() error) error {
	s.asking = true
	defer func() { s.asking = false }()
	for try := 1; ; try++ {
		before := s.challenge
		s.challenged = false
		err := do()
		var status liberrors.ErrClientBadStatusCode
		if !errors.As(err, &status) || status.Code != base.StatusUnauthorized {
			return err
		}
		// A second refusal of the same password is final, unless the camera says
		// that only the nonce was old.
		again := !s.authorized || s.challenge != nil && before != nil && (s.challenge.Stale || try == 1 && s.challenge.Nonce != before.Nonce)
		if !s.challenged || !s.hasPassword() || !again || try >= maxGuesses {
			return err
		}
		s.unanswered = true
	}
}

// request looks at a request before the library sends it.
func (s *session) request(r *base.Request) {
	if s.playing.Load() && r.Method != base.Teardown && s.keepalive >= 0 {
		r.Method = keepalives[s.keepalive]
	}
	s.last, s.lastHeader = r.Method, r.Header
	s.authorized = false
	if s.challenge == nil || !s.hasPassword() || r.URL == nil {
		return
	}
	r.Header["Authorization"] = base.HeaderValue{
		s.challenge.Answer(s.src.Username, string(s.src.Password), string(r.Method), r.URL.CloneWithoutCredentials().String()),
	}
	s.authorized, s.unanswered = true, true
}

// response looks at an answer before the library does, and mends what the
// library would stumble over.
func (s *session) response(r *base.Response) {
	if s.charge(messageCost) {
		return
	}
	s.unanswered = false
	if r.StatusCode == base.StatusUnauthorized {
		s.challenge401(r.Header["WWW-Authenticate"])
	}
	s.refused = s.authorized && r.StatusCode == base.StatusUnauthorized && (s.challenge == nil || !s.challenge.Stale)
	cleanHeaders(r)
	if s.playing.Load() {
		s.kept(r)
		return
	}
	if v := r.Header["Server"]; len(v) > 0 {
		s.server = bounded(v[0], maxText)
	}
	s.numbered(r)
	switch s.last {
	case base.Options:
		if r.StatusCode != base.StatusOK && r.StatusCode != base.StatusUnauthorized {
			// A camera that does not know the question may know all the others.
			r.StatusCode = base.StatusOK
			delete(r.Header, "Public")
		}
		// Lists over several lines are one list.
		if v := r.Header["Public"]; len(v) > 1 {
			r.Header["Public"] = base.HeaderValue{strings.Join(v, ",")}
		}
	case base.Describe:
		s.describedBy(r)
	case base.Setup:
		if v := r.Header["Transport"]; r.StatusCode == base.StatusOK && len(v) > 0 {
			asked := ""
			if a := s.lastHeader["Transport"]; len(a) > 0 {
				asked = a[0]
			}
			r.Header["Transport"] = base.HeaderValue{cleanTransport(v[0], asked)}
		}
	}
}

// numbered mends the answers of a camera that numbers them in its own way.
func (s *session) numbered(r *base.Response) {
	want, got := s.lastHeader["CSeq"], r.Header["CSeq"]
	if s.last == base.Options && len(want) == 1 && len(got) == 1 && strings.TrimSpace(got[0]) != want[0] {
		s.badCSeq = true
	}
	if s.badCSeq {
		delete(r.Header, "CSeq")
	}
}

func cleanHeaders(r *base.Response) {
	v := r.Header["Session"]
	if len(v) == 0 {
		return
	}
	if id := cleanSession(v[0]); id != "" {
		r.Header["Session"] = base.HeaderValue{id}
	} else {
		delete(r.Header, "Session")
	}
}

// challenge401 takes the strongest challenge of an answer.
func (s *session) challenge401(headers []string) {
	c, ok := auth.Best(headers)
	if !ok {
		return
	}
	s.challenge, s.challenged = &c, true
	s.basicOnly = c.Scheme == auth.Basic && !s.tls()
}

// kept looks at an answer that comes while the camera sends: to the request that
// keeps the session alive, which is made in another way next time if the camera
// does not know it.
func (s *session) kept(r *base.Response) {
	switch r.StatusCode {
	case base.StatusNotImplemented, base.StatusMethodNotAllowed, base.StatusNotFound, base.StatusBadRequest,
		base.StatusMethodNotValidInThisState, base.StatusParameterNotUnderstood, base.StatusOptionNotSupported,
		base.StatusInternalServerError:
		s.opt.Stats.Keepalives.Add(1)
		s.keepalive = 0 // where all are refused, the one that costs least
		for i := len(keepalives) - 1; i >= 0; i-- {
			if s.vain[i] = s.vain[i] || keepalives[i] == s.last; !s.vain[i] {
				s.keepalive = i
			}
		}
	}
}

// describedBy takes what the camera says of its tracks, or where else to ask.
func (s *session) describedBy(r *base.Response) {
	if r.StatusCode >= 300 && r.StatusCode < 400 {
		if v := r.Header["Location"]; len(v) == 1 {
			s.redirect = v[0]
		}
		// The library would go there itself.
		r.StatusCode = base.StatusGone
		return
	}
	if r.StatusCode != base.StatusOK {
		return
	}
	if v := r.Header["Content-Base"]; len(v) > 0 {
		if v := cleanControl(v[0]); absolute(v) || strings.HasPrefix(v, "/") {
			r.Header["Content-Base"] = base.HeaderValue{v}
		} else {
			delete(r.Header, "Content-Base") // the address of the request does
		}
	}
	v := r.Header["Content-Type"]
	if len(r.Body) == 0 || len(v) == 0 || !strings.HasPrefix(strings.ToLower(strings.TrimSpace(v[0])), "application/sdp") {
		return
	}
	r.Header["Content-Type"] = base.HeaderValue{"application/sdp"}
	r.Body, s.desc = cleanSDP(r.Body)
	if s.desc.video == nil {
		s.fail(ErrNoTrack.With(s.desc.why))
	}
}

// asked looks at a request that the camera makes. The library answers OPTIONS
// and gives up at all others, so they are shown to it as that.
func (s *session) asked(r *base.Request) {
	s.opt.Stats.Requests.Add(1)
	if s.charge(messageCost) {
		return
	}
	s.serverAsked = r.Method
	if r.Method == base.Teardown {
		s.fail(ErrLost.With(fmt.Errorf("camera: it asks to end the session")))
	}
	r.Method = base.Options
	if v := r.Header["CSeq"]; len(v) > 0 {
		r.Header["CSeq"] = base.HeaderValue{bounded(v[0], maxText)}
	}
}

// reply says what the library's answer to a request of the camera should.
func (s *session) reply(r *base.Response) {
	switch s.serverAsked {
	case base.Options, base.GetParameter, base.SetParameter, base.Teardown:
		return
	}
	r.StatusCode = base.StatusNotImplemented
}
