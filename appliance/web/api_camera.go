package web

import (
	"fmt"
	"net/http"

	"veilbox/appliance/casework"
)

func (s *server) apiCameras(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Cameras(r.Context(), a)
	return list(w, v, err)
}

func (s *server) apiProbe(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.NewCamera](r)
	if err != nil {
		return err
	}
	v, err := s.Box.ProbeCamera(r.Context(), a, b)
	return ok(w, v, err)
}

func (s *server) apiAddCamera(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.NewCamera](r)
	if err != nil {
		return err
	}
	v, err := s.Box.AddCamera(r.Context(), a, b)
	return created(w, v, err)
}

func (s *server) apiRemoveCamera(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.RemoveCamera(r.Context(), a, cam))
}

func (s *server) apiTimeline(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	from, to, err := spanOf(r.URL.Query())
	if err != nil {
		return err
	}
	v, err := s.Box.Timeline(r.Context(), a, cam, from, to)
	return ok(w, v, err)
}

// maxPurpose bounds a purpose given in an address, in bytes.
const maxPurpose = 1000

func (s *server) apiFootage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	from, to, err := spanOf(q)
	if err != nil {
		return err
	}
	export, purpose := false, q.Get("purpose")
	switch q.Get("export") {
	case "", "0":
	case "1":
		export = true
	default:
		return badField("export", "Skriv 1 eller udelad den.", "Write 1 or leave it out.")
	}
	if len(purpose) > maxPurpose {
		return badField("purpose", "Skriv formålet kortere.", "Write a shorter purpose.")
	}
	name := ""
	if export {
		name = fmt.Sprintf("%s-%s.mp4", cam, from.Format("20060102T150405Z"))
	}
	m, err := s.Box.Footage(r.Context(), a, cam, from, to, export, purpose)
	return s.video(w, r, m, err, name)
}

func (s *server) apiStill(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	b, err := s.Box.Still(r.Context(), a, cam)
	return picture(w, r, b, err)
}

func (s *server) apiLive(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	if s.WHEP == nil {
		return errNoWHEP
	}
	if err := s.Box.Live(r.Context(), a, cam); err != nil {
		return err
	}
	s.WHEP(w, r, cam)
	return nil
}

// apiLiveEnd closes a live view. Its address is unguessable and is known only
// to who opened it; closing shows nothing and so is no act of its own.
func (s *server) apiLiveEnd(w http.ResponseWriter, r *http.Request, _ casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	if s.WHEP == nil {
		return errNoWHEP
	}
	s.WHEP(w, r, cam)
	return nil
}
