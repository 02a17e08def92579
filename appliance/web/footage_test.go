package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/internal/problem"
)

const span = "?from=2026-11-22T12:00:00Z&to=2026-11-22T12:01:00Z"

// A video that is made for the browser says how far it is, and then is there.
func TestVideoForTheBrowserIsWaitedFor(t *testing.T) {
	for _, path := range []string{"/api/v1/cameras/kasse-1/footage.mp4" + span + "&as=h264", "/api/v1/cases/CASE1/clip.mp4?as=h264"} {
		s := newSite(t)
		s.box.making = 1
		resp, body := s.do(t, req{method: get, path: path, as: "staff", header: http.Header{"Range": {"bytes=0-0"}}})
		var p casework.Progress
		if err := json.Unmarshal([]byte(body), &p); err != nil || resp.StatusCode != http.StatusAccepted || resp.Header.Get("Retry-After") != "1" || !p.Running || p.Total != 100 {
			t.Errorf("%s: %d %q %v", path, resp.StatusCode, body, err)
		}
		resp, body = s.do(t, req{method: get, path: path, as: "staff", header: http.Header{"Range": {"bytes=10-14"}}})
		if resp.StatusCode != http.StatusPartialContent || body != "01234" || resp.Header.Get("Content-Type") != "video/mp4" {
			t.Errorf("%s: %d %q", path, resp.StatusCode, body)
		}
	}
}

func TestExportIsWaitedForOrNot(t *testing.T) {
	s := newSite(t)
	q := req{method: post, path: "/api/v1/cameras/kasse-1/exports", as: "manager", body: `{"from":"2026-11-22T12:00:00Z","to":"2026-11-22T12:01:00Z","purpose":"0700-1"}`}
	resp, body := s.do(t, q)
	var x casework.ExportView
	if err := json.Unmarshal([]byte(body), &x); err != nil || resp.StatusCode != http.StatusCreated || x.State != "ready" || resp.Header.Get("Location") != "/api/v1/exports/EXPORT1" {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
	q.header = http.Header{"Prefer": {"wait=5, respond-async"}}
	s.box.making = 2
	resp, body = s.do(t, q)
	if err := json.Unmarshal([]byte(body), &x); err != nil || resp.StatusCode != http.StatusAccepted || x.State != "hashing" || resp.Header.Get("Location") != "/api/v1/exports/EXPORT1" {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
	for path, want := range map[string][2]string{
		"/api/v1/exports/EXPORT1/clip.mp4":      {"video/mp4", "attachment; filename=kasse-1-20261122T133000Z.mp4"},
		"/api/v1/exports/EXPORT1/statement.txt": {"text/plain; charset=utf-8", "attachment; filename=erklaering-EXPORT1.txt"},
	} {
		resp, body := s.do(t, req{method: get, path: path, as: "manager", header: http.Header{"Range": {"bytes=0-3"}}})
		if resp.StatusCode != http.StatusPartialContent || len(body) != 4 || resp.Header.Get("Content-Type") != want[0] || resp.Header.Get("Content-Disposition") != want[1] || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %v", path, resp.StatusCode, body, resp.Header)
		}
	}
}

func TestPicturesAreNotKeptByTheBrowser(t *testing.T) {
	s := newSite(t)
	resp, body := s.do(t, req{method: get, path: "/api/v1/cameras/kasse-1/picture.jpg?at=2026-11-22T12:00:00.5Z&width=320", as: "staff"})
	taken, err := time.Parse(time.RFC3339Nano, resp.Header.Get("Veilbox-Taken"))
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "image/jpeg" || resp.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(body, "\xff\xd8") || !taken.Equal(time.Date(2026, 11, 22, 12, 0, 0, 5e8, time.UTC)) {
		t.Errorf("%d %v %v", resp.StatusCode, resp.Header, err)
	}
	if !s.box.called("CameraPicture 320") {
		t.Errorf("%q", s.box.calls)
	}
}

func TestAPictureOfAGapIsNone(t *testing.T) {
	s := newSite(t)
	s.box.err = casework.ErrNoPicture
	if resp, body := s.do(t, req{method: get, path: "/api/v1/cameras/kasse-1/picture.jpg?at=2026-11-22T12:00:00Z", as: "staff"}); resp.StatusCode != http.StatusNoContent || body != "" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestBadFootageRequests(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{
		"/api/v1/cameras/kasse-1/picture.jpg", "/api/v1/cameras/kasse-1/picture.jpg?at=now", "/api/v1/cameras/kasse-1/picture.jpg?at=2026-11-22T12:00:00Z&width=0",
		"/api/v1/cameras/kasse-1/picture.jpg?at=2026-11-22T12:00:00Z&width=99999", "/api/v1/cameras/kasse-1/timeline" + span + "&px=0", "/api/v1/cameras/kasse-1/timeline" + span + "&px=9999",
		"/api/v1/timeline", "/api/v1/timeline" + span + "&px=x", "/api/v1/cameras/kasse-1/footage.mp4" + span + "&as=vhs", "/api/v1/cases/CASE1/clip.mp4?as=vhs",
	} {
		if resp, body := s.do(t, req{method: get, path: path, as: "manager"}); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %.100s", path, resp.StatusCode, body)
		}
	}
	for _, b := range []string{`{"purpose":"x"}`, `{"from":"2026-11-22T12:01:00Z","to":"2026-11-22T12:00:00Z","purpose":"x"}`, `{"from":"0001-01-01T00:00:00Z","to":"2026-11-22T12:00:00Z","purpose":"x"}`} {
		if resp, _ := s.do(t, req{method: post, path: "/api/v1/cameras/kasse-1/exports", as: "manager", body: b}); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", b, resp.StatusCode)
		}
	}
	if len(s.box.calls) > 0 {
		t.Errorf("bad requests reached the box: %q", s.box.calls)
	}
}

// What needs a person now stands first, and only who may act gets the button.
func TestStartPageShowsAlarms(t *testing.T) {
	s := newSite(t)
	say := problem.Text{DA: "Kameraet er ændret.", EN: "The camera has changed."}
	s.box.checks = append(s.box.checks, casework.Check{Name: "alarm:kasse-1", Text: say, Problem: &casework.ProblemView{Cause: say, Remedy: say}},
		casework.Check{Name: casework.ClockDoubt, Text: problem.Text{DA: "Uret sprang.", EN: "It jumped."}})
	s.box.holds = []casework.HoldView{{ID: "H1", Camera: "kasse-1", What: "0700-1", Due: true, Release: true, Review: testNow}, {ID: "H2", What: "senere", Review: testNow.AddDate(0, 1, 0)}}
	for as, acts := range map[string]bool{"manager": true, "staff": false} {
		_, page := s.do(t, req{method: get, path: "/", as: as})
		if !strings.Contains(page, `data-testid="alarms"`) || !strings.Contains(page, `href="/cameras/kasse-1" data-testid="see-alarm:kasse-1"`) || !strings.Contains(page, `data-testid="clock-doubt"`) || strings.Contains(page, "health-banner") {
			t.Errorf("%s does not see the alarms", as)
		}
		if strings.Contains(page, `id="confirm-clock"`) != acts || strings.Contains(page, `data-release="H1"`) != acts || strings.Contains(page, "H2") {
			t.Errorf("%s has buttons: %v", as, !acts)
		}
	}
	s.box.cameras[0].Alarms = []casework.CameraAlarm{{Code: "pin", Since: testNow, Cause: say, Remedy: say}}
	for as, acts := range map[string]bool{"manager": true, "staff": false} {
		_, page := s.do(t, req{method: get, path: "/cameras/kasse-1", as: as})
		if !strings.Contains(page, `data-testid="alarm-pin"`) || strings.Contains(page, `data-accept="pin"`) != acts || strings.Contains(page, `data-testid="camera-edit"`) != acts {
			t.Errorf("%s at the camera's page", as)
		}
	}
}
