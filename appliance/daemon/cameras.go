package daemon

import (
	"context"
	"net"
	"net/url"
	"sync"

	"veilbox/appliance/casework"
	"veilbox/capture/camera"
	"veilbox/capture/camera/onvif"
)

const (
	findAtOnce = 8  // cameras that are asked at the same time
	findMost   = 64 // cameras that are asked at all
)

// findCameras asks the network for cameras, and each that answers for what it
// tells strangers. A camera that tells nothing is listed all the same.
func (d *Daemon) findCameras(ctx context.Context) ([]casework.CameraFound, error) {
	addrs, err := d.cfg.Cameras.Asked()
	if err != nil {
		return nil, err
	}
	o := onvif.Options{Clock: d.clock, Addrs: addrs}
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
			dev, err := onvif.Look(ctx, f.LookAt(), "", "", onvif.Limits{Clock: d.clock})
			out[i] = casework.FoundAs(f, dev, err)
		})
	}
	wg.Wait()
	return out, context.Cause(ctx)
}

// lookAt asks the camera at an address that a person chose.
func (d *Daemon) lookAt(ctx context.Context, address, user, password string) (casework.CameraFound, error) {
	dev, err := onvif.Look(ctx, address, user, password, onvif.Limits{Clock: d.clock})
	if err != nil && !(dev.NeedsUser && user == "") {
		return casework.CameraFound{}, err
	}
	v := casework.FoundAs(onvif.Found{}, dev, err)
	v.Address, v.Service = dev.Address, address
	return v, nil
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
	return casework.DeviceOf(dev), err
}
