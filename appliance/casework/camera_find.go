package casework

import (
	"context"
	"strings"

	"veilbox/appliance/account"
	"veilbox/capture/camera/onvif"
	"veilbox/internal/problem"
)

// maxAddress bounds the address of a camera's device service, in bytes.
const maxAddress = 300

var errNoFind = problem.New(501, "camera.find",
	problem.Text{DA: "Boksen kan ikke søge efter kameraer.", EN: "The box cannot look for cameras."},
	problem.Text{DA: "Skriv kameraets adresse selv; den står i dets vejledning.", EN: "Type the camera's address; its manual has it."})

// FindCameras asks the network which cameras there are, and each that answers
// for what it tells strangers.
func (s *Service) FindCameras(ctx context.Context, a Actor) ([]CameraFound, error) {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return nil, err
	}
	if s.o.Find == nil {
		return nil, errNoFind
	}
	found, err := s.o.Find(ctx)
	if err != nil {
		return nil, err
	}
	return found, s.known(ctx, found)
}

// LookForStreams asks the camera at one address for its streams, with the log-in
// that a person gave for it. Nobody else is asked with that.
func (s *Service) LookForStreams(ctx context.Context, a Actor, l CameraLook) (CameraFound, error) {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return CameraFound{}, err
	}
	if strings.TrimSpace(l.Address) == "" {
		return CameraFound{}, onvif.ErrAddress
	}
	for f, v := range map[string]string{"address": l.Address, "username": l.Username, "password": l.Password} {
		if err := checkWords(f, v, maxAddress); err != nil {
			return CameraFound{}, err
		}
	}
	if s.o.Look == nil {
		return CameraFound{}, errNoFind
	}
	found, err := s.o.Look(ctx, l.Address, l.Username, l.Password)
	if err != nil {
		return CameraFound{}, err
	}
	one := []CameraFound{found}
	err = s.known(ctx, one)
	return one[0], err
}

// known marks the cameras that are on this box already.
func (s *Service) known(ctx context.Context, found []CameraFound) error {
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return err
	}
	for i := range found {
		for _, c := range cams {
			if h := hostOf(c.URL); h != "" && (h == strings.ToLower(found[i].Address) || h == hostOf("rtsp://"+found[i].Address)) {
				found[i].Camera = c.ID
			}
		}
	}
	return nil
}

// FoundAs is a camera as onvif saw it: where it answered and the name that it
// gave, and what onvif.Look told of it, with the error that Look ended with.
func FoundAs(f onvif.Found, d onvif.Device, err error) CameraFound {
	v := CameraFound{Name: f.Name, Device: DeviceOf(d), NeedsLogin: d.NeedsUser, URL: d.Main().URL, SubURL: d.Sub().URL, Warnings: append([]problem.Text{}, d.Warnings...)}
	if f.Address.IsValid() {
		v.Address, v.Service = f.Address.String(), f.LookAt()
	}
	if err != nil && !d.NeedsUser {
		p := problem.Of(err)
		v.Warnings = append(v.Warnings, problem.Text{DA: p.Cause.DA + " " + p.Remedy.DA, EN: p.Cause.EN + " " + p.Remedy.EN})
	}
	for _, s := range d.Streams {
		codec := s.Encoding
		if s.Codec != 0 {
			codec = s.Codec.String()
		}
		v.Streams = append(v.Streams, CameraStream{Name: s.Name, Codec: codec, Width: s.Width, Height: s.Height, FPS: s.FPS, URL: s.URL})
	}
	return v
}

// DeviceOf is what a camera said of itself.
func DeviceOf(d onvif.Device) Device {
	return Device{Manufacturer: d.Manufacturer, Model: d.Model, Firmware: d.Firmware, Serial: d.Serial}
}
