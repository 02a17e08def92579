package web

import (
	"net/http"

	"veilbox/appliance/account"
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

func (s *server) apiChangeCamera(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	b, err := body[casework.CameraChange](r)
	if err != nil {
		return err
	}
	v, err := s.Box.ChangeCamera(r.Context(), a, cam, b)
	return ok(w, v, err)
}

func (s *server) apiFindCameras(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.FindCameras(r.Context(), a)
	return list(w, v, err)
}

func (s *server) apiLookForStreams(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.CameraLook](r)
	if err != nil {
		return err
	}
	v, err := s.Box.LookForStreams(r.Context(), a, b)
	return ok(w, v, err)
}

func (s *server) apiTrustCamera(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.TrustCamera(r.Context(), a, cam))
}

func (s *server) apiLookAtCamera(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	v, err := s.Box.LookAtCamera(r.Context(), a, cam)
	return ok(w, v, err)
}

func (s *server) apiAcceptDevice(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.AcceptDevice(r.Context(), a, cam))
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
func (s *server) apiLiveEnd(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := a.Session.Allow(account.ViewLive, s.Clock.Now()); err != nil {
		return err
	}
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
