package casework

import (
	"bytes"
	"context"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// A Wanted is the footage that is asked for.
type Wanted struct {
	From, To time.Time
	Export   bool   // out of the system, with a purpose
	Purpose  string //
	// Whole begins with the keyframe before From, and hides nothing: for browsers.
	Whole bool
	// As is "h264" for a browser that cannot play what the camera sends; else "".
	As string
}

// Footage opens what was recorded between two times, to look at or, with a
// purpose, to take out.
func (s *Service) Footage(ctx context.Context, a Actor, cam footage.CameraID, w Wanted) (Media, error) {
	perm, act := account.ViewFootage, "footage.view"
	if w.Export {
		perm, act = account.ExportFootage, "footage.export"
		if strings.TrimSpace(w.Purpose) == "" {
			return nil, badInput("export.purpose", "Skriv, hvad optagelsen skal bruges til, fx politiets sagsnummer.", "Write what the footage is for, such as the police case number.")
		}
	}
	if err := s.allow(a, perm); err != nil {
		return nil, err
	}
	if err := checkWords("purpose", w.Purpose, maxName); err != nil {
		return nil, err
	}
	if w.As != "" && w.As != asH264 {
		return nil, errAs
	}
	span := footage.SpanOf(w.From, w.To)
	opt := clip.Options{Audio: clip.Browser, FromKeyframe: w.Whole}
	if w.Export {
		opt = originals
	}
	m, err := clip.OpenWith(ctx, s.o.Ring, cam, span, opt)
	if err != nil {
		return nil, err
	}
	err = s.recordView(ctx, a, act, w.Purpose, map[string]string{
		"camera": string(cam), "from": w.From.UTC().Format(time.RFC3339Nano), "to": w.To.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return nil, err
	}
	if w.As == asH264 {
		return s.playable(cam, m.Span(), func(ctx context.Context) (*clip.Movie, error) { return clip.OpenWith(ctx, s.o.Ring, cam, span, opt) })
	}
	return nopCloser{m}, nil
}

const asH264 = "h264"

var errAs = badInput("footage.as", "Vælg h264, eller udelad as.", "Choose h264, or leave as out.")

// originals is how footage leaves the system: with all its sound, and nothing that some
// players hide and others show.
var originals = clip.Options{Audio: clip.All, FromKeyframe: true}

// stillWidth bounds the still picture of a camera, in pixels.
const stillWidth = 960

// Still decodes the newest keyframe of a camera in the sandbox, as a JPEG.
func (s *Service) Still(ctx context.Context, a Actor, cam footage.CameraID) ([]byte, error) {
	if err := s.Live(ctx, a, cam); err != nil {
		return nil, err
	}
	format, au, ok := s.o.Recorder.LastKeyframe(cam)
	if !ok {
		return nil, problem.New(503, "camera.nopicture",
			problem.Text{DA: "Kameraet har ikke sendt et billede endnu.", EN: "The camera has sent no picture yet."},
			problem.Text{DA: "Vent et øjeblik; forsiden viser, hvad der er galt, hvis det varer ved.", EN: "Wait a moment; the start page says what is wrong if it lasts."})
	}
	one, err := oneFrame(format, au)
	if err != nil {
		return nil, err
	}
	return s.o.Redactor.Still(ctx, bytes.NewReader(one), 0, stillWidth)
}

// Live checks and records that a person looks at a camera now.
func (s *Service) Live(ctx context.Context, a Actor, cam footage.CameraID) error {
	if err := s.allow(a, account.ViewLive); err != nil {
		return err
	}
	if _, err := s.o.Store.Camera(ctx, cam); err != nil {
		return errNoCamera.With(err)
	}
	return s.recordView(ctx, a, "camera.live", "", map[string]string{"camera": string(cam)})
}
