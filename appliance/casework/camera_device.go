package casework

import (
	"context"
	"errors"
	"fmt"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/store"
	"veilbox/capture"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// How often the box asks each camera what it is, and for how long it waits.
const (
	lookEvery = 6 * time.Hour
	lookFor   = 15 * time.Second
)

func (s *Service) runDevices(ctx context.Context) {
	if s.o.Identify == nil {
		return
	}
	for {
		s.LookAtCameras(ctx)
		sleep, stop := context.WithCancel(ctx)
		go func() {
			select {
			case <-s.cams.wake:
				stop()
			case <-sleep.Done():
			}
		}()
		// The end of the sleep is told by ctx; a wake ends it early.
		_ = clock.Sleep(sleep, s.o.Clock, lookEvery)
		stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// LookAtCameras asks every camera what it is. One that has changed is an alarm.
func (s *Service) LookAtCameras(ctx context.Context) {
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		s.o.Log.Error("the cameras could not be looked at; the box tries again", "error", err)
		return
	}
	for _, c := range cams {
		if _, err := s.lookAt(ctx, c); err != nil && ctx.Err() == nil {
			// Many cameras say nothing about themselves; that is no fault.
			s.o.Log.Info("the camera does not say what it is", "camera", c.ID, "error", err)
		}
	}
}

// LookAtCamera asks one camera what it is, now.
func (s *Service) LookAtCamera(ctx context.Context, a Actor, id footage.CameraID) (CameraView, error) {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return CameraView{}, err
	}
	c, err := s.o.Store.Camera(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return CameraView{}, errNoCamera.With(err)
	}
	if err != nil {
		return CameraView{}, err
	}
	if s.o.Identify == nil {
		return CameraView{}, errNoDevice
	}
	if c, err = s.lookAt(ctx, c); err != nil {
		return CameraView{}, errNoDevice.With(err)
	}
	return s.cameraView(c), nil
}

var errNoDevice = problem.New(502, "camera.silent",
	problem.Text{DA: "Kameraet fortæller ikke, hvilken model og firmware det har.", EN: "The camera does not tell its model and firmware."},
	problem.Text{DA: "Slå ONVIF til i kameraet, hvis det kan. Optagelsen er ikke berørt.", EN: "Switch ONVIF on in the camera if it can. The recording is not affected."})

func (s *Service) lookAt(ctx context.Context, c store.Camera) (store.Camera, error) {
	look, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	d, err := s.o.Identify(look, recordedFrom(c))
	if err != nil && d.IsZero() {
		return c, err // else it told what it is, and kept something else to itself
	}
	for _, v := range []string{d.Manufacturer, d.Model, d.Firmware, d.Serial} {
		if err := checkWords("device", v, maxName); err != nil {
			return c, err
		}
	}
	if d.IsZero() || d == c.Device {
		return c, nil
	}
	return s.changeRow(ctx, c.ID, func(now *store.Camera) error {
		if hostOf(now.URL) != hostOf(c.URL) {
			return nil // it was another camera that answered
		}
		d := filled(d, now.Device)
		if d == now.Device {
			return nil
		}
		act := "camera.device"
		if different(now.Device, d) {
			act = "camera.changed"
			if now.Was.IsZero() {
				now.Was, now.Changed = now.Device, s.o.Clock.Now().UTC()
			}
			if d == now.Was { // changed back by itself, and seen to be
				now.Was = Device{}
			}
		}
		about := map[string]string{"camera": string(now.ID), "manufacturer": d.Manufacturer, "model": d.Model, "firmware": d.Firmware, "serial": d.Serial}
		if err := s.recordAs(ctx, boxWho, "", act, "", about); err != nil {
			return err
		}
		now.Device = d
		return nil
	})
}

// filled keeps what a camera said before and left out this time.
func filled(d, before Device) Device {
	for _, f := range [][2]*string{{&d.Manufacturer, &before.Manufacturer}, {&d.Model, &before.Model}, {&d.Firmware, &before.Firmware}, {&d.Serial, &before.Serial}} {
		if *f[0] == "" {
			*f[0] = *f[1]
		}
	}
	return d
}

// different reports whether something that was known is now otherwise.
func different(was, is Device) bool {
	for _, f := range [][2]string{{was.Manufacturer, is.Manufacturer}, {was.Model, is.Model}, {was.Firmware, is.Firmware}, {was.Serial, is.Serial}} {
		if f[0] != "" && f[0] != f[1] {
			return true
		}
	}
	return false
}

// AcceptDevice says that a camera's new model or firmware is meant.
func (s *Service) AcceptDevice(ctx context.Context, a Actor, id footage.CameraID) error {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return err
	}
	_, err := s.changeRow(ctx, id, func(c *store.Camera) error {
		err := s.record(ctx, a, "camera.accept", "", map[string]string{"camera": string(id), "model": c.Device.Model, "firmware": c.Device.Firmware})
		c.Was, c.Changed = Device{}, time.Time{}
		return err
	})
	return err
}

// pinProblem is the code of a camera whose certificate is not the trusted one.
const pinProblem = "camera.pin"

// alarmsOf lists what has changed about a camera and nobody has accepted.
func alarmsOf(c store.Camera, h capture.Health) []CameraAlarm {
	var all []CameraAlarm
	if h.Problem != nil && h.Problem.Code == pinProblem {
		all = append(all, CameraAlarm{Code: "pin", Since: h.Since, Cause: h.Problem.Cause, Remedy: h.Problem.Remedy})
	}
	if !c.Was.IsZero() {
		was, is := describe(c.Was), describe(c.Device)
		all = append(all, CameraAlarm{Code: "device", Since: c.Changed,
			Cause: problem.Text{DA: fmt.Sprintf("Kameraet siger, at det er ændret. Før: %s. Nu: %s.", was, is), EN: fmt.Sprintf("The camera says that it has changed. Before: %s. Now: %s.", was, is)},
			Remedy: problem.Text{DA: "Har I selv opdateret eller skiftet kameraet, så godkend ændringen. Har I ikke, så tag kameraet af nettet, og ring til installatøren.",
				EN: "If you have updated or replaced the camera yourselves, accept the change. If not, take the camera off the network and call the installer."}})
	}
	return all
}

func describe(d Device) string {
	s := ""
	for _, v := range []string{d.Manufacturer, d.Model, d.Firmware, d.Serial} {
		if v == "" {
			continue
		}
		if s != "" {
			s += ", "
		}
		s += v
	}
	return s
}

func connecting(id footage.CameraID, since time.Time) capture.Health {
	return capture.Health{Camera: id, State: capture.Connecting, Since: since}
}
