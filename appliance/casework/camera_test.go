package casework

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/store"
	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/internal/problem"
)

func (b *box) camera() store.Camera {
	b.t.Helper()
	c, err := b.opt.Store.Camera(b.t.Context(), till)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *box) last(act string) audit.Entry {
	b.t.Helper()
	all, err := b.opt.Audit.Entries(b.t.Context(), audit.Filter{Act: act})
	if err != nil || len(all) == 0 {
		b.t.Fatalf("%s is not on record: %v", act, err)
	}
	return all[len(all)-1]
}

func TestChangeCamera(t *testing.T) {
	words := func(s string) *string { return &s }
	yes := true
	for name, tc := range map[string]struct {
		change  CameraChange
		fields  string // on record; "" nothing happens
		probes  bool
		starts  int // of the recorder
		code    string
		changed func(store.Camera) bool
	}{
		"nothing":                      {change: CameraChange{Name: words("Kassen"), Password: words("")}},
		"name":                         {change: CameraChange{Name: words("Kasse ved døren")}, fields: "name", changed: func(c store.Camera) bool { return c.Name == "Kasse ved døren" && c.Pin == certificate }},
		"no name is its own":           {change: CameraChange{Name: words(" ")}, fields: "name", changed: func(c store.Camera) bool { return c.Name == string(till) }},
		"sound":                        {change: CameraChange{Audio: &yes}, fields: "audio", starts: 1, changed: func(c store.Camera) bool { return c.Audio }},
		"transport":                    {change: CameraChange{Transport: words("udp")}, fields: "transport", probes: true, starts: 1, changed: func(c store.Camera) bool { return c.Transport == "udp" }},
		"no transport":                 {change: CameraChange{Transport: words("carrier pigeon")}, code: "camera.transport"},
		"path":                         {change: CameraChange{URL: words("rtsp://192.0.2.7/other")}, fields: "url", probes: true, starts: 1, changed: func(c store.Camera) bool { return c.Password == "kamera-hemmelighed" && c.Pin == certificate }},
		"another host":                 {change: CameraChange{URL: words("rtsp://192.0.2.66/main")}, code: "camera.password"},
		"another host's sub":           {change: CameraChange{SubURL: words("rtsp://192.0.2.66/sub")}, code: "camera.password"},
		"another host, typed":          {change: CameraChange{URL: words("rtsp://192.0.2.66/main"), Password: words("ny")}, fields: "url password", probes: true, starts: 1, changed: func(c store.Camera) bool { return c.Password == "ny" && c.Pin == "" && c.Device.IsZero() }},
		"no log-in":                    {change: CameraChange{Username: words("")}, fields: "username password", probes: true, starts: 1, changed: func(c store.Camera) bool { return c.Username == "" && c.Password == "" }},
		"password alone":               {change: CameraChange{Password: words("ny")}, fields: "password", probes: true, starts: 1, changed: func(c store.Camera) bool { return c.Password == "ny" }},
		"no address of a camera's":     {change: CameraChange{URL: words("http://192.0.2.7/")}, code: "camera.url"},
		"an address with the password": {change: CameraChange{URL: words("rtsp://u:hemmelig2@192.0.2.7/main"), Username: words(""), Password: words("")}, fields: "password", probes: true, starts: 1, changed: func(c store.Camera) bool { return !strings.Contains(c.URL, "hemmelig2") && c.Password == "hemmelig2" }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.pinned()
			probes := 0
			b.o.Probe = func(context.Context, camera.Source) (camera.Description, error) {
				probes++
				return camera.Description{}, nil
			}
			before := b.camera()
			v, err := b.ChangeCamera(t.Context(), b.people["manager"], till, tc.change)
			_, starts := b.rec.last()
			if tc.code != "" {
				refused(t, err, tc.code)
				if !reflect.DeepEqual(b.camera(), before) || starts != 0 || probes != 0 {
					t.Error("a refused change has changed something")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.ID != till || (probes > 0) != tc.probes || starts != tc.starts {
				t.Errorf("%+v, %d probes, %d starts", v, probes, starts)
			}
			if tc.fields == "" {
				if !reflect.DeepEqual(b.camera(), before) || b.count("camera.change") != 0 {
					t.Error("something has changed")
				}
				return
			}
			if e := b.last("camera.change"); e.About["changed"] != tc.fields || strings.Contains(strings.Join([]string{e.Why, e.About["changed"]}, " "), "hemmelig") {
				t.Errorf("on record: %+v", e)
			}
			if !tc.changed(b.camera()) {
				t.Errorf("the camera is %#v", struct{ X any }{b.camera().URL})
			}
		})
	}
}

func TestAChangeThatTheCameraRefusesIsNone(t *testing.T) {
	b := newBox(t)
	b.o.Probe = func(context.Context, camera.Source) (camera.Description, error) {
		return camera.Description{}, camera.ErrAuth
	}
	pw := "forkert"
	before := b.camera()
	_, err := b.ChangeCamera(t.Context(), b.people["manager"], till, CameraChange{Password: &pw})
	refused(t, err, camera.ErrAuth.Code)
	if !reflect.DeepEqual(b.camera(), before) || b.count("camera.change") != 0 {
		t.Error("it was kept all the same")
	}
	_, err = b.ChangeCamera(t.Context(), b.people["manager"], "gone-1", CameraChange{Password: &pw})
	refused(t, err, "camera.missing")
}

func TestTheFirstCertificateIsTrustedAndNoOther(t *testing.T) {
	b := newBox(t)
	b.pinned()
	if e := b.last("camera.pin"); e.About["pin"] != certificate || e.Who.ID != "box" {
		t.Errorf("on record: %+v", e)
	}
	b.CameraPinned(till, certificate) // the same again
	b.CameraPinned(till, "short")
	b.CameraPinned("gone-1", certificate)
	other := strings.Repeat("cd", 32)
	b.CameraPinned(till, other)
	// The recorder is made to hold what it sees against the trusted one.
	b.until(func() bool { src, n := b.rec.last(); return n == 1 && src.Pin == certificate }, func() string { return "the recorder was not started again" })
	if b.camera().Pin != certificate || b.count("camera.pin") != 1 {
		t.Errorf("another certificate took its place: %s", b.camera().Pin)
	}
	b.rec.well = []capture.Health{{Camera: till, State: capture.Failed, Since: start, Problem: problem.New(502, "camera.pin", problem.Text{DA: "Andet certifikat.", EN: "Another certificate."}, problem.Text{DA: "Se efter.", EN: "Look."})}}
	views, err := b.Cameras(t.Context(), b.people["manager"])
	if err != nil || len(views) != 1 || len(views[0].Alarms) != 1 || views[0].Alarms[0].Code != "pin" || views[0].Pin != certificate {
		t.Errorf("%+v, %v", views, err)
	}
	checks, err := b.Health(t.Context())
	if err != nil || !slices.ContainsFunc(checks, func(c Check) bool { return c.Name == "alarm:till-1" && !c.OK }) {
		t.Errorf("the health page has no alarm: %+v, %v", checks, err)
	}
	if err := b.TrustCamera(t.Context(), b.people["manager"], till); err != nil {
		t.Fatal(err)
	}
	if src, n := b.rec.last(); src.Pin != "" || n != 2 {
		t.Errorf("the recorder still holds to %q (%d)", src.Pin, n)
	}
	b.CameraPinned(till, other)
	if e := b.last("camera.trust"); b.camera().Pin != other || e.Who.Name != names["manager"] || e.About["pin"] != certificate {
		t.Errorf("%s, %+v", b.camera().Pin, e)
	}
	refused(t, b.TrustCamera(t.Context(), b.people["manager"], "gone-1"), "camera.missing")
}

func TestWhoMayNotChangeSeesNoLogin(t *testing.T) {
	b := newBox(t)
	b.pinned()
	for who, sees := range map[string]bool{"staff": false, "manager": true, "operator": true} {
		views, err := b.Cameras(t.Context(), b.people[who])
		if err != nil || (views[0].Username != "") != sees || (views[0].Pin != "") != sees {
			t.Errorf("%s: %+v, %v", who, views, err)
		}
	}
}

func TestAChangedCameraIsAnAlarm(t *testing.T) {
	b := newBox(t)
	first := Device{Manufacturer: "Acme", Model: "D1", Firmware: "1.0", Serial: "7"}
	look := func(d Device) CameraView {
		t.Helper()
		b.device = d
		b.LookAtCameras(t.Context())
		v, err := b.LookAtCamera(t.Context(), b.people["manager"], till)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := look(first); len(v.Alarms) != 0 || *v.Device != first || b.count("camera.device") != 1 {
		t.Errorf("the first look: %+v", v)
	}
	if v := look(Device{Manufacturer: "Acme", Model: "D1"}); len(v.Alarms) != 0 || *v.Device != first {
		t.Errorf("a camera that says less: %+v", v)
	}
	updated := first
	updated.Firmware = "2.0"
	if v := look(updated); len(v.Alarms) != 1 || v.Alarms[0].Code != "device" || !strings.Contains(v.Alarms[0].Cause.DA, "1.0") || !strings.Contains(v.Alarms[0].Cause.EN, "2.0") {
		t.Errorf("new firmware: %+v", v)
	}
	if e := b.last("camera.changed"); e.About["firmware"] != "2.0" || b.count("camera.changed") != 1 {
		t.Errorf("on record: %+v, %d times", e, b.count("camera.changed"))
	}
	third := updated
	third.Firmware = "3.0"
	if v := look(third); len(v.Alarms) != 1 || !strings.Contains(v.Alarms[0].Cause.DA, "1.0") {
		t.Errorf("what it was before the first change is forgotten: %+v", v)
	}
	if err := b.AcceptDevice(t.Context(), b.people["manager"], till); err != nil {
		t.Fatal(err)
	}
	if v := look(third); len(v.Alarms) != 0 || b.last("camera.accept").Who.Name != names["manager"] {
		t.Errorf("after it was accepted: %+v", v)
	}
	b.device = Device{Firmware: strings.Repeat("x", maxName+1)}
	_, err := b.LookAtCamera(t.Context(), b.people["manager"], till)
	refused(t, err, "camera.silent")
	b.o.Identify = func(context.Context, camera.Source) (Device, error) { return Device{}, errors.New("no ONVIF") }
	_, err = b.LookAtCamera(t.Context(), b.people["manager"], till)
	refused(t, err, "camera.silent")
	if b.camera().Device != third {
		t.Errorf("what it was is lost: %+v", b.camera().Device)
	}
}

func TestDevicesAreLookedAtByThemselves(t *testing.T) {
	b := newBox(t)
	b.device = Device{Model: "D1"}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.runDevices(ctx) }()
	b.until(func() bool { return b.camera().Device.Model == "D1" }, func() string { return "nobody looked at the start" })
	b.cams.look() // a new camera does not wait for hours
	b.until(func() bool { return len(b.cams.wake) == 0 }, func() string { return "nobody looked when asked" })
	stop()
	<-done
}

func TestFindCameras(t *testing.T) {
	b := newBox(t)
	b.found = []CameraFound{{Address: "192.0.2.7"}, {Address: "192.0.2.7:8000"}, {Address: "192.0.2.8"}, {Address: ""}}
	a := b.people["operator"]
	all, err := b.FindCameras(t.Context(), a)
	if err != nil || len(all) != 4 || all[0].Camera != till || all[1].Camera != till || all[2].Camera != "" || all[3].Camera != "" {
		t.Errorf("%+v, %v", all, err)
	}
	for _, l := range []CameraLook{{Address: "192.0.2.7", Username: strings.Repeat("x", 2000)}, {Address: strings.Repeat("x", 2000)}} {
		_, err = b.LookForStreams(t.Context(), a, l)
		refused(t, err, "input.words")
	}
	_, err = b.LookForStreams(t.Context(), a, CameraLook{Address: " ", Username: "u"})
	refused(t, err, "onvif.address")
	one, err := b.LookForStreams(t.Context(), a, CameraLook{Address: "192.0.2.7", Username: "u", Password: "p"})
	if err != nil || one.Camera != till || one.Address != "192.0.2.7" || !slices.Equal(b.looked, []string{"192.0.2.7 u p"}) {
		t.Errorf("%+v, %v, %q", one, err, b.looked)
	}
	b.o.Find, b.o.Look = nil, nil
	_, err = b.FindCameras(t.Context(), a)
	refused(t, err, "camera.find")
	_, err = b.LookForStreams(t.Context(), a, CameraLook{Address: "192.0.2.7"})
	refused(t, err, "camera.find")
}

func TestCountersSpeakPlainly(t *testing.T) {
	b := newBox(t)
	b.rec.well = []capture.Health{{Camera: till, State: capture.Recording, Counters: capture.Counters{LostPackets: 12, DroppedGOPs: 3}, LastPart: start.Add(-time.Second)}}
	views, err := b.Cameras(t.Context(), b.people["staff"])
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range views[0].Counts {
		got = append(got, c.Code)
		if c.Text.DA == "" || c.Text.EN == "" || c.Remedy.DA == "" || c.Remedy.EN == "" || c.Count == 0 {
			t.Errorf("%+v says nothing", c)
		}
	}
	if !slices.Equal(got, []string{"dropped", "lost"}) || !views[0].LastPart.Equal(start.Add(-time.Second)) || views[0].LastKeyframe != nil {
		t.Errorf("%q %+v", got, views[0])
	}
}

// Each counter of what goes wrong is told; those of what goes well are not.
func TestEveryCounterOfTroubleIsTold(t *testing.T) {
	well := []string{"Sessions", "Units", "Bytes", "Parts", "PartBytes", "AudioUnits"}
	kind := reflect.TypeFor[capture.Counters]()
	for i := range kind.NumField() {
		var c capture.Counters
		reflect.ValueOf(&c).Elem().Field(i).SetUint(1)
		name := kind.Field(i).Name
		if told := len(countsOf(c)) == 1; told == slices.Contains(well, name) {
			t.Errorf("%s is told: %v", name, told)
		}
	}
}
