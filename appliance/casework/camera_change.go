package casework

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"veilbox/appliance/account"
	"veilbox/appliance/store"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// cameraActs keeps the acts on cameras in order. turn is held while a recorder
// is stopped and started, which waits for the recorder's own goroutine; rows is
// held for one reading and writing of the store, so that a recorder that tells
// of a certificate never waits for who waits for it.
type cameraActs struct {
	turn sync.Mutex
	rows sync.Mutex
	wake chan struct{} // look at the devices now
}

func (c *cameraActs) init() { c.wake = make(chan struct{}, 1) }

func (c *cameraActs) look() {
	select {
	case c.wake <- struct{}{}:
	default: // a look is due already
	}
}

// changeRow changes one camera's row. The caller records the act first.
func (s *Service) changeRow(ctx context.Context, id footage.CameraID, f func(*store.Camera) error) (store.Camera, error) {
	s.cams.rows.Lock()
	defer s.cams.rows.Unlock()
	c, err := s.o.Store.Camera(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return c, errNoCamera.With(err)
	}
	if err != nil {
		return c, err
	}
	if err := f(&c); err != nil {
		return c, err
	}
	return c, s.o.Store.PutCamera(ctx, c)
}

// again stops and starts the recording of c. Where it cannot be started the
// error says so and StartCameras tries it at the next start.
func (s *Service) again(c store.Camera) error {
	if err := s.o.Recorder.Remove(c.ID); err != nil {
		s.o.Log.Info("the camera was not recorded before", "camera", c.ID, "error", err)
	}
	if err := s.o.Recorder.Add(c.ID, recordedFrom(c)); err != nil {
		return fmt.Errorf("casework: start camera %s: %w", c.ID, err)
	}
	return nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// ChangeCamera changes how a camera is called and reached, and begins its
// recording again. Another address, log-in or transport is tried first.
func (s *Service) ChangeCamera(ctx context.Context, a Actor, id footage.CameraID, ch CameraChange) (CameraView, error) {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return CameraView{}, err
	}
	s.cams.turn.Lock()
	defer s.cams.turn.Unlock()
	old, err := s.o.Store.Camera(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return CameraView{}, errNoCamera.With(err)
	}
	if err != nil {
		return CameraView{}, err
	}
	c, changed, err := changed(old, ch)
	if err != nil {
		return CameraView{}, err
	}
	if len(changed) == 0 {
		return s.cameraView(old), nil
	}
	if slices.ContainsFunc(changed, func(f string) bool { return f != "name" && f != "audio" }) {
		if _, err := s.o.Probe(ctx, recordedFrom(c)); err != nil {
			return CameraView{}, err
		}
	}
	about := map[string]string{"camera": string(id), "changed": strings.Join(changed, " ")}
	if c.Audio != old.Audio {
		about["audio"] = fmt.Sprint(c.Audio)
	}
	if err := s.record(ctx, a, "camera.change", "", about); err != nil {
		return CameraView{}, err
	}
	c, err = s.changeRow(ctx, id, func(now *store.Camera) error {
		// A certificate or device that was seen meanwhile stays, unless the
		// address is another's.
		if hostOf(c.URL) == hostOf(old.URL) {
			c.Pin, c.Device, c.Was, c.Changed = now.Pin, now.Device, now.Was, now.Changed
		}
		*now = c
		return nil
	})
	if err != nil {
		return CameraView{}, err
	}
	if !slices.Equal(changed, []string{"name"}) {
		if err := s.again(c); err != nil {
			return CameraView{}, err
		}
		s.cams.look()
	}
	return s.cameraView(c), nil
}

// changed applies ch to c and names the fields that are other than before.
func changed(c store.Camera, ch CameraChange) (store.Camera, []string, error) {
	n := NewCamera{Name: c.Name, URL: c.URL, SubURL: c.SubURL, Username: c.Username, Password: c.Password, Transport: c.Transport, Audio: c.Audio}
	for to, v := range map[*string]*string{&n.Name: ch.Name, &n.URL: ch.URL, &n.SubURL: ch.SubURL, &n.Username: ch.Username, &n.Transport: ch.Transport} {
		if v != nil {
			*to = strings.TrimSpace(*v)
		}
	}
	typed := ch.Password != nil && *ch.Password != ""
	switch {
	case typed:
		n.Password = *ch.Password
	case n.Username == "":
		n.Password = ""
	}
	if ch.Audio != nil {
		n.Audio = *ch.Audio
	}
	if n.Name == "" {
		n.Name = string(c.ID)
	}
	if err := checkWords("name", n.Name, maxName); err != nil {
		return c, nil, err
	}
	src, err := sourceOf(n)
	if err != nil {
		return c, nil, err
	}
	moved := hostOf(src.URL) != hostOf(c.URL) || src.SubURL != "" && hostOf(src.SubURL) != hostOf(c.URL) && hostOf(src.SubURL) != hostOf(c.SubURL)
	if moved && !typed && c.Password != "" && string(src.Password) == c.Password {
		// The password is for the camera it was typed for, and for no other host.
		return c, nil, errPasswordAgain
	}
	out := c
	out.Name, out.URL, out.SubURL, out.Username, out.Password = n.Name, src.URL, src.SubURL, src.Username, string(src.Password)
	out.Transport, out.Audio = n.Transport, n.Audio
	if hostOf(out.URL) != hostOf(c.URL) {
		out.Pin, out.Device, out.Was = "", Device{}, Device{}
	}
	var fields []string
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"name", out.Name != c.Name}, {"url", out.URL != c.URL}, {"sub_url", out.SubURL != c.SubURL}, {"username", out.Username != c.Username},
		{"password", out.Password != c.Password}, {"transport", out.Transport != c.Transport}, {"audio", out.Audio != c.Audio},
	} {
		if f.is {
			fields = append(fields, f.name)
		}
	}
	return out, fields, nil
}

var errPasswordAgain = problem.New(400, "camera.password",
	problem.Text{DA: "Adressen fører til et andet sted end før, så kameraets adgangskode skal skrives igen.", EN: "The address leads to another place than before, so the camera's password must be typed again."},
	problem.Text{DA: "Skriv adgangskoden til det kamera, adressen nu peger på.", EN: "Type the password of the camera that the address now points to."})

// CameraPinned keeps the certificate that a camera showed first. It is called
// by the recorder. A second one is not taken: the recorder is made to compare,
// and what it finds is the alarm.
func (s *Service) CameraPinned(id footage.CameraID, pin string) {
	ctx := context.Background() // the recorder has no context to lend
	if err := s.pin(ctx, id, pin); err != nil {
		s.o.Log.Error("a camera's certificate could not be kept; the box asks again when it connects next", "camera", id, "error", err)
	}
}

func (s *Service) pin(ctx context.Context, id footage.CameraID, pin string) error {
	if len(pin) != 64 {
		return fmt.Errorf("casework: %d characters are no certificate", len(pin))
	}
	other := false
	_, err := s.changeRow(ctx, id, func(c *store.Camera) error {
		if c.Pin != "" {
			other = c.Pin != pin
			return nil
		}
		if err := s.recordAs(ctx, boxWho, "", "camera.pin", "", map[string]string{"camera": string(id), "pin": pin}); err != nil {
			return err
		}
		c.Pin = pin
		return nil
	})
	if err == nil && other {
		go func() { // the recorder that calls cannot be waited for here
			s.cams.turn.Lock()
			defer s.cams.turn.Unlock()
			c, err := s.o.Store.Camera(ctx, id)
			if err == nil {
				err = s.again(c)
			}
			if err != nil {
				s.o.Log.Error("a camera shows another certificate and could not be held against the trusted one", "camera", id, "error", err)
			}
		}()
	}
	return err
}

// TrustCamera forgets the trusted certificate: the next that the camera shows
// is trusted.
func (s *Service) TrustCamera(ctx context.Context, a Actor, id footage.CameraID) error {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return err
	}
	s.cams.turn.Lock()
	defer s.cams.turn.Unlock()
	c, err := s.o.Store.Camera(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return errNoCamera.With(err)
	}
	if err != nil {
		return err
	}
	if err := s.record(ctx, a, "camera.trust", "", map[string]string{"camera": string(id), "pin": c.Pin}); err != nil {
		return err
	}
	c, err = s.changeRow(ctx, id, func(c *store.Camera) error { c.Pin = ""; return nil })
	if err != nil {
		return err
	}
	return s.again(c)
}

// cameraView is a camera with how it is now.
func (s *Service) cameraView(c store.Camera) CameraView {
	for _, h := range s.o.Recorder.Health() {
		if h.Camera == c.ID {
			return cameraView(c, h)
		}
	}
	return cameraView(c, connecting(c.ID, s.o.Clock.Now().UTC()))
}
