package daemon

import (
	"context"
	"net"
	"net/url"
	"slices"
	"sync"

	"veilbox/appliance/casework"
	"veilbox/capture/camera"
	"veilbox/capture/camera/onvif"
	"veilbox/internal/problem"
)

const (
	findAtOnce = 8  // cameras that are asked at the same time
	findMost   = 64 // cameras that are asked at all
)

// findCameras asks the network for cameras and each that answers for its
// streams. A camera that does not tell them is listed all the same.
func (d *Daemon) findCameras(ctx context.Context, user, password string) ([]casework.CameraFound, error) {
	o := onvif.Options{Clock: d.clock}
	if len(d.cfg.Cameras.Interfaces) > 0 {
		o.Interfaces = d.cfg.Cameras.Interfaces
	}
	found, err := onvif.Discover(ctx, o)
	if err != nil {
		return nil, err
	}
	found = found[:min(len(found), findMost)]
	out := make([]casework.CameraFound, len(found))
	gate := make(chan struct{}, findAtOnce)
	var wg sync.WaitGroup
	for i, f := range found {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			out[i] = lookAt(ctx, f, user, password, onvif.Limits{Clock: d.clock})
		})
	}
	wg.Wait()
	return out, context.Cause(ctx)
}

func lookAt(ctx context.Context, f onvif.Found, user, password string, lim onvif.Limits) casework.CameraFound {
	c := casework.CameraFound{Address: f.Address.String(), Name: f.Name}
	dev, err := onvif.Look(ctx, f.LookAt(), user, password, lim)
	c.Device = deviceOf(dev)
	c.NeedsLogin = dev.NeedsUser
	c.Warnings = slices.Clone(dev.Warnings)
	if err != nil && !dev.NeedsUser {
		p := problem.Of(err)
		c.Warnings = append(c.Warnings, p.Cause, p.Remedy)
	}
	for _, s := range dev.Streams {
		codec := s.Encoding
		if s.Codec != 0 {
			codec = s.Codec.String()
		}
		c.Streams = append(c.Streams, casework.CameraStream{Name: s.Name, Codec: codec, Width: s.Width, Height: s.Height, FPS: s.FPS, URL: s.URL})
	}
	c.URL, c.SubURL = dev.Main().URL, dev.Sub().URL
	return c
}

func deviceOf(d onvif.Device) casework.Device {
	return casework.Device{Manufacturer: d.Manufacturer, Model: d.Model, Firmware: d.Firmware, Serial: d.Serial}
}

// identify asks the camera behind a stream what it is.
func (d *Daemon) identify(ctx context.Context, src camera.Source) (casework.Device, error) {
	u, err := url.Parse(src.URL)
	if err != nil {
		// The parser's own error would repeat the address.
		return casework.Device{}, camera.ErrURL
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = "[" + host + "]"
	}
	dev, err := onvif.Look(ctx, host, src.Username, string(src.Password), onvif.Limits{Clock: d.clock})
	return deviceOf(dev), err
}
