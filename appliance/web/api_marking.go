package web

import (
	"math"
	"net/http"
	"strconv"

	"veilbox/appliance/casework"
	"veilbox/redact/subject"
)

func (s *server) apiOpenMarking(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.OpenMarking(r.Context(), a, caseOf(r))
	return ok(w, v, err)
}

func (s *server) apiMarking(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Marking(r.Context(), a, caseOf(r))
	return ok(w, v, err)
}

func (s *server) apiFollow(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.Followed](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Follow(r.Context(), a, caseOf(r), b.Subjects)
	return ok(w, v, err)
}

func (s *server) apiCloseMarking(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	return noContent(w, s.Box.CloseMarking(r.Context(), a, caseOf(r)))
}

// seconds reads a time of a clip from the query.
func seconds(r *http.Request, name string) (float64, error) {
	v, err := strconv.ParseFloat(r.URL.Query().Get(name), 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > subject.MaxAt {
		return 0, badField(name, "Skriv sekunder fra klippets start, fx 2.5.", "Write seconds from the start of the clip, such as 2.5.")
	}
	return v, nil
}

func (s *server) apiPeopleAt(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	at, err := seconds(r, "at")
	if err != nil {
		return err
	}
	v, err := s.Box.PeopleAt(r.Context(), a, caseOf(r), at)
	return list(w, v, err)
}

func (s *server) apiShapes(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	from, err := seconds(r, "from")
	if err != nil {
		return err
	}
	to, err := seconds(r, "to")
	if err != nil {
		return err
	}
	v, err := s.Box.Shapes(r.Context(), a, caseOf(r), from, to)
	return ok(w, v, err)
}

func (s *server) apiPreview(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := s.Box.Preview(r.Context(), a, caseOf(r))
	return picture(w, r, b, err)
}

func (s *server) apiSound(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.SoundChange](r)
	if err != nil {
		return err
	}
	v, err := s.Box.KeepSound(r.Context(), a, caseOf(r), b)
	return ok(w, v, err)
}

func (s *server) apiVeiled(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	b, err := body[casework.VeiledChange](r)
	if err != nil {
		return err
	}
	v, err := s.Box.SetVeiled(r.Context(), a, cam, b)
	return ok(w, v, err)
}
