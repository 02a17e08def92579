package casework

import (
	"context"
	"fmt"
	"unicode"
	"unicode/utf8"

	"veilbox/capture"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// Health returns the lines of the health page: the daemon's own and one a
// camera. It names no person.
func (s *Service) Health(ctx context.Context) ([]Check, error) {
	checks := s.o.Checks(ctx)
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return checks, fmt.Errorf("casework: %w", err)
	}
	if c, ok, err := s.doubt(ctx); err != nil {
		return checks, fmt.Errorf("casework: %w", err)
	} else if ok {
		checks = append(checks, c)
	}
	states := map[string]Check{}
	health := map[footage.CameraID]capture.Health{}
	for _, h := range s.o.Recorder.Health() {
		health[h.Camera] = h
		c := Check{Name: "camera:" + string(h.Camera), OK: h.Problem == nil, Text: problem.Text{DA: "kameraet optages.", EN: "the camera is recorded."}}
		if h.Problem != nil {
			c.Text, c.Problem = h.Problem.Cause, viewOf(h.Problem)
		}
		states[string(h.Camera)] = c
	}
	for _, cam := range cams {
		for _, a := range alarmsOf(cam, health[cam.ID]) {
			checks = append(checks, Check{Name: "alarm:" + string(cam.ID), Text: problem.Text{DA: cam.Name + ": " + lower(a.Cause.DA), EN: cam.Name + ": " + lower(a.Cause.EN)},
				Problem: &ProblemView{Code: "alarm." + a.Code, Cause: a.Cause, Remedy: a.Remedy}})
		}
		if c, ok := states[string(cam.ID)]; ok {
			c.Text = problem.Text{DA: cam.Name + ": " + lower(c.Text.DA), EN: cam.Name + ": " + lower(c.Text.EN)}
			checks = append(checks, c)
		}
	}
	return checks, nil
}

// lower begins a sentence small, after a colon.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
