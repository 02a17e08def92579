package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/store"
	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

var errNoCamera = problem.New(404, "camera.missing",
	problem.Text{DA: "Kameraet findes ikke på denne boks.", EN: "This camera is not on this box."},
	problem.Text{DA: "Vælg et kamera på forsiden.", EN: "Choose a camera on the start page."})

// sourceOf bounds and builds what the camera package needs.
func sourceOf(n NewCamera) (camera.Source, error) {
	for f, v := range map[string]string{"url": n.URL, "sub_url": n.SubURL, "username": n.Username, "password": n.Password} {
		if err := checkWords(f, v, 1000); err != nil {
			return camera.Source{}, err
		}
	}
	switch n.Transport {
	case "", "tcp", "udp":
	default:
		return camera.Source{}, badInput("camera.transport", "Overførslen skal være tom, tcp eller udp.", "The transport must be empty, tcp or udp.")
	}
	return camera.Source{URL: n.URL, SubURL: n.SubURL, Username: n.Username, Password: camera.Secret(n.Password),
		Transport: camera.Transport(n.Transport), Audio: n.Audio}.Split()
}

// recordedFrom is how a stored camera is reached.
func recordedFrom(c store.Camera) camera.Source {
	return camera.Source{URL: c.URL, SubURL: c.SubURL, Username: c.Username, Password: camera.Secret(c.Password),
		Transport: camera.Transport(c.Transport), Pin: c.Pin, Audio: c.Audio}
}

// StartCameras makes the recorder record what the store has. It is called once
// at start.
func (s *Service) StartCameras(ctx context.Context) error {
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for _, c := range cams {
		if err := s.o.Recorder.Add(c.ID, recordedFrom(c)); err != nil {
			return fmt.Errorf("casework: start camera %s: %w", c.ID, err)
		}
	}
	return nil
}

// Cameras returns the cameras and how they are.
func (s *Service) Cameras(ctx context.Context, a Actor) ([]CameraView, error) {
	if err := s.allow(a, account.ViewHealth); err != nil {
		return nil, err
	}
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return nil, err
	}
	health := map[footage.CameraID]capture.Health{}
	for _, h := range s.o.Recorder.Health() {
		health[h.Camera] = h
	}
	manages := s.allow(a, account.ManageCameras) == nil
	views := make([]CameraView, 0, len(cams))
	for _, c := range cams {
		v := cameraView(c, health[c.ID])
		if !manages {
			v.SubURL, v.Username, v.Pin = "", "", ""
		}
		views = append(views, v)
	}
	return views, nil
}

func cameraView(c store.Camera, h capture.Health) CameraView {
	v := CameraView{ID: c.ID, Name: c.Name, URL: c.URL, SubURL: c.SubURL, Username: c.Username, Pin: c.Pin, Transport: c.Transport,
		Audio: c.Audio, State: string(h.State), Since: h.Since, Viewers: h.Viewers,
		Alarms: alarmsOf(c, h), Counts: countsOf(h.Counters), LastPart: given(h.LastPart), LastKeyframe: given(h.LastKeyframe),
		Veiled: slices.Concat([]subject.Rect{}, c.Veiled)}
	if !c.Device.IsZero() {
		v.Device = &c.Device
	}
	if h.Problem != nil {
		v.Problem = viewOf(h.Problem)
	}
	if h.Format.Codec != 0 {
		v.Codec, v.Width, v.Height = h.Format.Codec.String(), h.Format.Width, h.Format.Height
		v.Live = true // as it is, by its sub stream, or made anew: the live server chooses
	}
	return v
}

// given returns nil for a time that has not come yet.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// ProbeCamera looks at a camera without adding it.
func (s *Service) ProbeCamera(ctx context.Context, a Actor, n NewCamera) (CameraDescription, error) {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return CameraDescription{}, err
	}
	src, err := sourceOf(n)
	if err != nil {
		return CameraDescription{}, err
	}
	d, err := s.o.Probe(ctx, src)
	if err != nil {
		return CameraDescription{}, err
	}
	return CameraDescription{Codec: d.Codec.String(), Width: d.Width, Height: d.Height, FPS: d.FPS, Server: d.Server, Warnings: d.Warnings}, nil
}

// AddCamera probes a camera and begins to record it.
func (s *Service) AddCamera(ctx context.Context, a Actor, n NewCamera) (CameraView, error) {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return CameraView{}, err
	}
	id, err := footage.ParseCameraID(n.ID)
	if err != nil {
		return CameraView{}, badInput("camera.id", "Kameraets korte navn skal være 1 til 31 af a-z, 0-9 og -, fx kasse-1.", "The camera's short name must be 1 to 31 of a-z, 0-9 and -, such as till-1.")
	}
	if n.Name = strings.TrimSpace(n.Name); n.Name == "" {
		n.Name = n.ID
	}
	if err := checkWords("name", n.Name, maxName); err != nil {
		return CameraView{}, err
	}
	if _, err := s.o.Store.Camera(ctx, id); err == nil {
		return CameraView{}, badInput("camera.taken", "Der er allerede et kamera med det navn.", "There is a camera of that name already.")
	} else if !errors.Is(err, store.ErrNotFound) {
		return CameraView{}, err
	}
	src, err := sourceOf(n)
	if err != nil {
		return CameraView{}, err
	}
	if _, err := s.o.Probe(ctx, src); err != nil {
		return CameraView{}, err
	}
	if err := s.record(ctx, a, "camera.add", "", map[string]string{"camera": n.ID, "audio": strconv.FormatBool(n.Audio)}); err != nil {
		return CameraView{}, err
	}
	c := store.Camera{ID: id, Name: n.Name, URL: src.URL, SubURL: src.SubURL, Username: src.Username, Password: string(src.Password),
		Transport: n.Transport, Audio: n.Audio, Added: s.o.Clock.Now().UTC()}
	s.cams.turn.Lock()
	defer s.cams.turn.Unlock()
	if err := s.o.Store.PutCamera(ctx, c); err != nil {
		return CameraView{}, err
	}
	if err := s.o.Recorder.Add(id, src); err != nil {
		return CameraView{}, errors.Join(err, s.o.Store.DeleteCamera(ctx, id))
	}
	s.cams.look()
	return cameraView(c, connecting(id, c.Added)), nil
}

// RemoveCamera ends the recording of a camera; what is recorded stays until it
// expires.
func (s *Service) RemoveCamera(ctx context.Context, a Actor, id footage.CameraID) error {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return err
	}
	if _, err := s.o.Store.Camera(ctx, id); err != nil {
		return errNoCamera.With(err)
	}
	if err := s.record(ctx, a, "camera.remove", "", map[string]string{"camera": string(id)}); err != nil {
		return err
	}
	s.cams.turn.Lock()
	defer s.cams.turn.Unlock()
	if err := s.o.Recorder.Remove(id); err != nil {
		return err
	}
	return s.o.Store.DeleteCamera(ctx, id)
}
