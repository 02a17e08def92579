package casework

import (
	"context"
	"errors"
	"sync"

	"veilbox/capture/camera"
	"veilbox/capture/camera/onvif"
)

// Bounds of a search of the network.
const (
	findMost   = 64 // cameras that are asked
	findAtOnce = 8
)

// FindByONVIF is an Options.Find: it asks the network for cameras and each of
// them what it is. A camera that does not answer that is listed all the same.
func FindByONVIF(o onvif.Options) func(ctx context.Context, user, password string) ([]CameraFound, error) {
	return func(ctx context.Context, user, password string) ([]CameraFound, error) {
		all, err := onvif.Discover(ctx, o)
		if err != nil {
			return nil, err
		}
		if len(all) > findMost {
			all = all[:findMost]
		}
		found := make([]CameraFound, len(all))
		slots := make(chan struct{}, findAtOnce)
		var wg sync.WaitGroup
		for i, f := range all {
			found[i] = CameraFound{Address: f.Address.String(), Name: f.Name, Device: Device{Model: f.Hardware}}
			if f.XAddr == "" {
				continue
			}
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				d, err := onvif.Look(ctx, f.LookAt(), user, password, onvif.Limits{})
				found[i].look(d, err)
			})
		}
		wg.Wait()
		return found, ctx.Err()
	}
}

// look adds what a camera told of itself.
func (f *CameraFound) look(d onvif.Device, err error) {
	if dev := deviceOf(d); !dev.IsZero() {
		f.Device = dev
	}
	f.NeedsLogin = d.NeedsUser || errors.Is(err, onvif.ErrLogin) || errors.Is(err, onvif.ErrAuth)
	for _, st := range d.Streams {
		codec := st.Encoding
		if st.Codec != 0 {
			codec = st.Codec.String()
		}
		f.Streams = append(f.Streams, CameraStream{Name: st.Name, Codec: codec, Width: st.Width, Height: st.Height, FPS: st.FPS, URL: st.URL})
	}
	f.URL, f.SubURL = d.Main().URL, d.Sub().URL
	f.Warnings = append(f.Warnings, d.Warnings...)
}

func deviceOf(d onvif.Device) Device {
	return Device{Manufacturer: d.Manufacturer, Model: d.Model, Firmware: d.Firmware, Serial: d.Serial}
}

// IdentifyByONVIF is an Options.Identify.
func IdentifyByONVIF(ctx context.Context, src camera.Source) (Device, error) {
	d, err := onvif.Look(ctx, hostOf(src.URL), src.Username, string(src.Password), onvif.Limits{})
	if dev := deviceOf(d); !dev.IsZero() {
		return dev, nil // it told what it is, whatever it kept to itself
	}
	return Device{}, err
}
