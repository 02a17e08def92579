package casework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/store"
	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
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
	return camera.Source{URL: n.URL, SubURL: n.SubURL, Username: n.Username, Password: camera.Secret(n.Password)}.Split()
}

// StartCameras makes the recorder record what the store has. It is called once
// at start.
func (s *Service) StartCameras(ctx context.Context) error {
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for _, c := range cams {
		err := s.o.Recorder.Add(c.ID, camera.Source{URL: c.URL, SubURL: c.SubURL, Username: c.Username, Password: camera.Secret(c.Password)})
		if err != nil {
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
	views := make([]CameraView, 0, len(cams))
	for _, c := range cams {
		views = append(views, cameraView(c, health[c.ID]))
	}
	return views, nil
}

func cameraView(c store.Camera, h capture.Health) CameraView {
	v := CameraView{ID: c.ID, Name: c.Name, URL: c.URL, State: string(h.State), Since: h.Since}
	if h.Problem != nil {
		v.Problem = viewOf(h.Problem)
	}
	if h.Format.Codec != 0 {
		v.Codec, v.Width, v.Height = h.Format.Codec.String(), h.Format.Width, h.Format.Height
		v.Live = h.Format.Codec == footage.H264
	}
	return v
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
	if err := s.record(ctx, a, "camera.add", "", map[string]string{"camera": n.ID}); err != nil {
		return CameraView{}, err
	}
	c := store.Camera{ID: id, Name: n.Name, URL: src.URL, SubURL: src.SubURL, Username: src.Username, Password: string(src.Password), Added: s.o.Clock.Now().UTC()}
	if err := s.o.Store.PutCamera(ctx, c); err != nil {
		return CameraView{}, err
	}
	if err := s.o.Recorder.Add(id, src); err != nil {
		return CameraView{}, errors.Join(err, s.o.Store.DeleteCamera(ctx, id))
	}
	return cameraView(c, capture.Health{Camera: id, State: "connecting", Since: c.Added}), nil
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
	if err := s.o.Recorder.Remove(id); err != nil {
		return err
	}
	return s.o.Store.DeleteCamera(ctx, id)
}

const maxTimeline = 31 * 24 * time.Hour

// Timeline returns what is recorded of a camera between two times.
func (s *Service) Timeline(ctx context.Context, a Actor, cam footage.CameraID, from, to time.Time) (Timeline, error) {
	if err := s.allow(a, account.ViewFootage); err != nil {
		return Timeline{}, err
	}
	if !from.Before(to) || to.Sub(from) > maxTimeline {
		return Timeline{}, badInput("timeline.span", "Vælg højst 31 dage.", "Choose at most 31 days.")
	}
	span := footage.SpanOf(from, to)
	runs, err := s.o.Ring.Timeline(ctx, cam, span)
	if err != nil {
		return Timeline{}, fmt.Errorf("casework: %w", err)
	}
	t := Timeline{Camera: cam, Recorded: []TimeSpan{}, Cases: []TimelineCase{}}
	for _, r := range runs {
		t.Recorded = append(t.Recorded, TimeSpan{r.From.Time(), r.To.Time()})
	}
	cases, err := s.o.Store.Cases(ctx)
	if err != nil {
		return Timeline{}, err
	}
	for _, c := range cases {
		if c.Clip.Camera == cam && c.Clip.Span.Overlaps(span) {
			t.Cases = append(t.Cases, TimelineCase{c.ID, TimeSpan{c.Clip.Span.From.Time(), c.Clip.Span.To.Time()}})
		}
	}
	return t, nil
}

// Footage opens what was recorded between two times, to look at or, with a
// purpose, to take out.
func (s *Service) Footage(ctx context.Context, a Actor, cam footage.CameraID, from, to time.Time, export bool, purpose string) (Media, error) {
	perm, act := account.ViewFootage, "footage.view"
	if export {
		perm, act = account.ExportFootage, "footage.export"
		if strings.TrimSpace(purpose) == "" {
			return nil, badInput("export.purpose", "Skriv, hvad optagelsen skal bruges til, fx politiets sagsnummer.", "Write what the footage is for, such as the police case number.")
		}
	}
	if err := s.allow(a, perm); err != nil {
		return nil, err
	}
	if err := checkWords("purpose", purpose, maxName); err != nil {
		return nil, err
	}
	m, err := clip.Open(ctx, s.o.Ring, cam, footage.SpanOf(from, to))
	if err != nil {
		return nil, err
	}
	err = s.recordView(ctx, a, act, purpose, map[string]string{
		"camera": string(cam), "from": from.UTC().Format(time.RFC3339Nano), "to": to.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return nil, err
	}
	return nopCloser{m}, nil
}

// stillWidth bounds the still picture of a camera, in pixels.
const stillWidth = 960

// Still decodes the newest keyframe of a camera in the sandbox, as a JPEG.
func (s *Service) Still(ctx context.Context, a Actor, cam footage.CameraID) ([]byte, error) {
	if err := s.Live(ctx, a, cam); err != nil {
		return nil, err
	}
	format, au, ok := s.o.Recorder.LastKeyframe(cam)
	if !ok {
		return nil, problem.New(503, "camera.nopicture",
			problem.Text{DA: "Kameraet har ikke sendt et billede endnu.", EN: "The camera has sent no picture yet."},
			problem.Text{DA: "Vent et øjeblik; forsiden viser, hvad der er galt, hvis det varer ved.", EN: "Wait a moment; the start page says what is wrong if it lasts."})
	}
	one, err := oneFrame(format, au)
	if err != nil {
		return nil, err
	}
	return s.o.Redactor.Still(ctx, bytes.NewReader(one), 0, stillWidth)
}

// Live checks and records that a person looks at a camera now.
func (s *Service) Live(ctx context.Context, a Actor, cam footage.CameraID) error {
	if err := s.allow(a, account.ViewLive); err != nil {
		return err
	}
	if _, err := s.o.Store.Camera(ctx, cam); err != nil {
		return errNoCamera.With(err)
	}
	return s.recordView(ctx, a, "camera.live", "", map[string]string{"camera": string(cam)})
}
