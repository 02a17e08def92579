package ctl

import (
	"encoding/json"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veilbox/capture/camera/onvif/onviftest"
	"veilbox/capture/camera/simulate"
	"veilbox/internal/clock"
	"veilbox/internal/footagetest"
)

// cameraAPI is what a box says of cameras.
func cameraAPI(handle func(pattern, text string)) {
	handle("POST /api/v1/cameras/find", `[
		{"address":"192.168.7.20","name":"Front","manufacturer":"Acme","model":"C1\u001b[2J","firmware":"1.2","streams":[{"name":"main","codec":"H.265","width":2560,"height":1440,"fps":20,"url":"rtsp://192.168.7.20/0"},{"codec":"H.264","width":640,"height":360,"url":"rtsp://192.168.7.20/1"}],"url":"rtsp://192.168.7.20/0","sub_url":"rtsp://192.168.7.20/1","needs_login":false,"warnings":[{"da":"Langt.","en":"Keyframes are 10.0 seconds apart."}],"camera":"till-1"},
		{"address":"192.168.7.21","service":"http://192.168.7.21:8000/onvif","name":"Back","needs_login":true}]`)
	handle("POST /api/v1/cameras/look", `{"address":"192.168.7.21","url":"rtsp://192.168.7.21/0","needs_login":false}`)
	handle("PATCH /api/v1/cameras/till-1", `{"id":"till-1","name":"Kasse 1","url":"rtsp://h/","state":"recording","since":"2026-02-03T11:00:00Z","alarms":[{"code":"pin","since":"2026-02-03T11:00:00Z","cause":{"en":"Another certificate."},"remedy":{"en":"Look at the camera."}}]}`)
	handle("DELETE /api/v1/cameras/till-1/pin", ``)
	handle("DELETE /api/v1/cameras/till-1/device", ``)
}

func TestCameraFindOverTheBoxGolden(t *testing.T) {
	s, sent := loggedIn(t)
	login := []string{"--user", "admin", "--password-file", s.file("cam", "hemmelig\n")}
	if code, _, errs := s.run("", append([]string{"camera", "find"}, login...)...); code != exitUsage || !strings.Contains(errs, "every device that answers") {
		t.Errorf("a log-in for everybody: %d %s", code, errs)
	}
	code, out, errs := s.run("", "camera", "find")
	if code != 0 || !strings.Contains(errs, "192.168.7.20: Keyframes are 10.0 seconds apart.") || strings.Contains(out+errs, "\x1b") {
		t.Errorf("%d %s", code, errs)
	}
	golden(t, "find.txt", out)
	if got := sent["POST /api/v1/cameras/find"]; got != "" {
		t.Errorf("sent %s", got)
	}
	if out := s.ok(append([]string{"camera", "find", "http://192.168.7.21:8000/onvif"}, login...)...); !strings.Contains(out, "rtsp://192.168.7.21/0") {
		t.Errorf("one camera: %s", out)
	}
	if got, want := sent["POST /api/v1/cameras/look"], `{"address":"http://192.168.7.21:8000/onvif","username":"admin","password":"hemmelig"}`; got != want {
		t.Errorf("sent %s", got)
	}
	var all []struct {
		SubURL     string `json:"sub_url"`
		NeedsLogin bool   `json:"needs_login"`
	}
	if err := json.Unmarshal([]byte(s.ok("--json", "camera", "find")), &all); err != nil || len(all) != 2 || all[0].SubURL == "" || !all[1].NeedsLogin {
		t.Errorf("json: %+v %v", all, err)
	}
}

func TestCameraChangeAndTrust(t *testing.T) {
	s, sent := loggedIn(t)
	code, out, errs := s.run("", "camera", "change", "till-1", "--sub-url", "", "--transport", "auto", "--audio", "--user", "u", "--password-file", s.file("cam", "hemmelig\n"))
	if code != 0 || !strings.Contains(out, "Another certificate. Look at the camera.") || !strings.Contains(errs, "GDPR") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if got, want := sent["PATCH /api/v1/cameras/till-1"], `{"sub_url":"","username":"u","password":"hemmelig","transport":"","audio":true}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	s.ok("camera", "trust", "till-1")
	s.ok("camera", "trust", "till-1", "--device")
	for _, k := range []string{"DELETE /api/v1/cameras/till-1/pin", "DELETE /api/v1/cameras/till-1/device"} {
		if _, ok := sent[k]; !ok {
			t.Errorf("%s was not asked", k)
		}
	}
	s.ok("camera", "add", "till-1", "rtsps://h/main", "--transport", "udp", "--audio")
	if got, want := sent["POST /api/v1/cameras"], `{"id":"till-1","name":"till-1","url":"rtsps://h/main","transport":"udp","audio":true}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

// A bare host is looked at by ONVIF, and the stream that it names is probed.
func TestCameraProbeByONVIF(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatalf("%v: run \"make setup\"", err)
	}
	const password = "hemmelig-nok"
	cam, err := simulate.New(t.Context(), simulate.Options{Files: []string{footagetest.Synthetic(t, footagetest.Options{})}, AsFound: true,
		Username: "admin", Password: password, Clock: clock.System{}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cam.Run(t.Context()) }()
	t.Cleanup(func() { <-done })
	d := &onviftest.Device{User: "admin", Password: password, Profiles: []onviftest.Profile{
		{Token: "p0", Name: "main", Encoding: "H264", Width: 320, Height: 240, FPS: 10, GOP: 10, URI: cam.URL()}}}
	addr := d.Serve(t, "127.0.0.1:0")
	s := newShell(t)
	s.clock = clock.System{}
	pw := s.file("pw", password)
	code, out, errs := s.run("", "camera", "probe", addr, "--user", "admin", "--password-file", pw)
	if code != 0 || strings.Contains(out+errs, password) {
		t.Fatalf("%d %s", code, errs)
	}
	out = strings.Join(strings.Fields(out), " ")
	for _, want := range []string{"address " + cam.URL(), "camera Veilbox Scripted 1", "firmware 1.2.3 build 7", "codec H.264", "size 320x240", "keyframe every 1.0 s", "transport TCP, not encrypted", "sound none", "warning The picture is only 320 x 240"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if code, _, errs := s.run("", "camera", "probe", addr); code != 1 || !strings.Contains(errs, "wants a user name") {
		t.Errorf("nobody: %d %s", code, errs)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := s.run("", "camera", "probe", gone, "--timeout", "5s"); code != 1 || !strings.Contains(errs, "does not answer by ONVIF") {
		t.Errorf("gone: %d %s", code, errs)
	}
	if code, _, errs := s.run("", "camera", "find", "--here", "--interface", "no-such-"+filepath.Base(s.dir)[:2]); code != 1 || !strings.Contains(errs, "cannot search the network") {
		t.Errorf("no interface: %d %s", code, errs)
	}
}
