package web

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"veilbox/appliance/casework"
)

const (
	maxPixels  = 8192 // of a time line
	maxPicture = 1920 // width asked for, in pixels
)

func pixels(q url.Values) (int, error) {
	if v := q.Get("px"); v != "" {
		return number(v, "px", 1, maxPixels)
	}
	return 0, nil
}

func (s *server) apiTimeline(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	from, to, err := spanOf(q)
	if err != nil {
		return err
	}
	px, err := pixels(q)
	if err != nil {
		return err
	}
	v, err := s.Box.Timeline(r.Context(), a, cam, from, to, px)
	return ok(w, v, err)
}

func (s *server) apiTimelines(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	q := r.URL.Query()
	from, to, err := spanOf(q)
	if err != nil {
		return err
	}
	px, err := pixels(q)
	if err != nil {
		return err
	}
	v, err := s.Box.Timelines(r.Context(), a, from, to, px)
	return list(w, v, err)
}

// maxPurpose bounds a purpose given in an address, in bytes.
const maxPurpose = 1000

func asOf(q url.Values) (string, error) {
	switch v := q.Get("as"); v {
	case "", "h264":
		return v, nil
	}
	return "", badField("as", "Skriv h264 eller udelad den.", "Write h264 or leave it out.")
}

func (s *server) apiFootage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	want := casework.Wanted{Purpose: q.Get("purpose")}
	if want.From, want.To, err = spanOf(q); err != nil {
		return err
	}
	switch q.Get("export") {
	case "", "0":
	case "1":
		want.Export = true
	default:
		return badField("export", "Skriv 1 eller udelad den.", "Write 1 or leave it out.")
	}
	switch q.Get("whole") {
	case "", "0":
	case "1":
		want.Whole = true
	default:
		return badField("whole", "Skriv 1 eller udelad den.", "Write 1 or leave it out.")
	}
	if len(want.Purpose) > maxPurpose {
		return badField("purpose", "Skriv formålet kortere.", "Write a shorter purpose.")
	}
	if want.As, err = asOf(q); err != nil {
		return err
	}
	name := ""
	if want.Export {
		name = fileName(string(cam), want.From)
	}
	m, err := s.Box.Footage(r.Context(), a, cam, want)
	return s.playable(w, r, m, err, name)
}

func fileName(cam string, from time.Time) string {
	return fmt.Sprintf("%s-%s.mp4", cam, from.UTC().Format("20060102T150405Z"))
}

// playable serves a video, or says how far it is where it is being made for the
// browser: 202, to be asked for again.
func (s *server) playable(w http.ResponseWriter, r *http.Request, m casework.Media, err error, name string) error {
	var wait casework.NotReady
	if errors.As(err, &wait) {
		w.Header().Set("Retry-After", "1")
		return writeJSON(w, http.StatusAccepted, wait.Progress)
	}
	return s.video(w, r, m, err, name)
}

func (s *server) apiPicture(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	at, err := instant(q, "at")
	if err != nil {
		return err
	}
	if at.IsZero() {
		return badField("at", "Skriv tiden som 2026-02-03T04:05:06Z.", "Write the time as 2026-02-03T04:05:06Z.")
	}
	width := 0
	if v := q.Get("width"); v != "" {
		if width, err = number(v, "width", 1, maxPicture); err != nil {
			return err
		}
	}
	p, err := s.Box.CameraPicture(r.Context(), a, cam, at, width)
	if errors.Is(err, casework.ErrNoPicture) { // a gap is no mistake of who asks
		return noContent(w, nil)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Veilbox-Taken", p.At.UTC().Format(time.RFC3339Nano))
	return picture(w, r, p.JPEG, nil)
}

// asynchronous reports whether the caller would rather be answered at once and
// ask again (RFC 7240).
func asynchronous(r *http.Request) bool {
	for _, v := range r.Header.Values("Prefer") {
		for p := range strings.SplitSeq(v, ",") {
			if strings.TrimSpace(p) == "respond-async" {
				return true
			}
		}
	}
	return false
}

func (s *server) apiNewExport(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return err
	}
	b, err := body[casework.NewExport](r)
	if err != nil {
		return err
	}
	if b.From.Year() < 1970 || b.To.Year() > 2261 || !b.From.Before(b.To) {
		return badField("from, to", "Angiv begge, med from før to.", "Give both, with from before to.")
	}
	async := asynchronous(r)
	v, err := s.Box.NewExport(r.Context(), a, cam, b, !async)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/exports/"+v.ID)
	if async {
		return writeJSON(w, http.StatusAccepted, v)
	}
	return created(w, v, nil)
}

func (s *server) apiExport(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Export(r.Context(), a, r.PathValue("id"))
	return ok(w, v, err)
}

func (s *server) apiExportClip(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	m, v, err := s.Box.ExportClip(r.Context(), a, r.PathValue("id"))
	return s.video(w, r, m, err, fileName(string(v.Camera), v.From))
}

func (s *server) apiExportStatement(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	id := r.PathValue("id")
	b, err := s.Box.ExportStatement(r.Context(), a, id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "erklaering-" + id + ".txt"}))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	return nil
}

func (s *server) apiHolds(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Holds(r.Context(), a)
	return list(w, v, err)
}

func (s *server) apiExtendHold(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.HoldChange](r)
	if err != nil {
		return err
	}
	v, err := s.Box.ExtendHold(r.Context(), a, r.PathValue("id"), b)
	return ok(w, v, err)
}

func (s *server) apiReleaseHold(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[reasonBody](r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.ReleaseHold(r.Context(), a, r.PathValue("id"), b.Reason))
}

// apiClock says that the box's clock is right after a step that it doubts.
func (s *server) apiClock(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	return noContent(w, s.Box.ConfirmClock(r.Context(), a))
}
