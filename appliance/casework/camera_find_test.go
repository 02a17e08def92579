package casework

import (
	"net/netip"
	"testing"

	"veilbox/capture/camera/onvif"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

func TestFoundAs(t *testing.T) {
	at := onvif.Found{Address: netip.MustParseAddr("192.0.2.7"), XAddr: "http://192.0.2.7:8000/onvif", Name: "Front"}
	slow := problem.Text{DA: "Langsomt.", EN: "Slow."}
	told := onvif.Device{Address: "192.0.2.7:8000", Manufacturer: "Acme", Model: "C1", Firmware: "1.2", Serial: "S", Warnings: []problem.Text{slow}, Streams: []onvif.Stream{
		{Name: "main", URL: "rtsp://192.0.2.7/0", Codec: footage.H264, Encoding: "H264", Width: 1920, Height: 1080, FPS: 25},
		{Name: "sub", URL: "rtsp://192.0.2.7/1", Codec: footage.H264, Encoding: "H264", Width: 640, Height: 360},
		{Name: "other", URL: "rtsp://192.0.2.7/2", Encoding: "MPEG4", Width: 320, Height: 240},
	}}
	v := FoundAs(at, told, nil)
	if v.Address != "192.0.2.7" || v.Service != at.XAddr || v.Name != "Front" || v.Device != (Device{Manufacturer: "Acme", Model: "C1", Firmware: "1.2", Serial: "S"}) ||
		v.NeedsLogin || v.URL != "rtsp://192.0.2.7/0" || v.SubURL != "rtsp://192.0.2.7/1" || len(v.Warnings) != 1 || v.Warnings[0] != slow {
		t.Errorf("%+v", v)
	}
	if len(v.Streams) != 3 || v.Streams[0] != (CameraStream{Name: "main", Codec: "H.264", Width: 1920, Height: 1080, FPS: 25, URL: "rtsp://192.0.2.7/0"}) || v.Streams[2].Codec != "MPEG4" {
		t.Errorf("%+v", v.Streams)
	}
	at.XAddr = ""
	for name, c := range map[string]struct {
		d        onvif.Device
		err      error
		warnings int
		login    bool
	}{
		"wants a log-in":  {onvif.Device{NeedsUser: true}, onvif.ErrLogin, 0, true},
		"does not answer": {onvif.Device{}, onvif.ErrUnreachable, 1, false},
		"refuses":         {onvif.Device{Warnings: []problem.Text{slow}}, onvif.ErrAuth, 2, false},
	} {
		v := FoundAs(at, c.d, c.err)
		if v.Service != "192.0.2.7" || v.NeedsLogin != c.login || len(v.Warnings) != c.warnings || v.URL != "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := FoundAs(onvif.Found{}, told, nil); v.Address != "" || v.Service != "" {
		t.Errorf("an address that nobody gave: %+v", v)
	}
	if len(told.Warnings) != 1 {
		t.Error("the device's own warnings were changed")
	}
}
