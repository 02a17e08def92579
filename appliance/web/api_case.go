package web

import (
	"errors"
	"net/http"
	"strings"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

type versionBody struct {
	Version int `json:"version"`
}

type reasonBody struct {
	Reason string `json:"reason"`
}

type purposeBody struct {
	Purpose string `json:"purpose"`
}

func caseOf(r *http.Request) incident.CaseID { return incident.CaseID(r.PathValue("id")) }

func (s *server) apiCases(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Cases(r.Context(), a)
	return list(w, v, err)
}

func (s *server) apiNewCase(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.NewCase](r)
	if err != nil {
		return err
	}
	v, err := s.Box.NewCase(r.Context(), a, b)
	return created(w, v, err)
}

func (s *server) apiCase(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Case(r.Context(), a, caseOf(r))
	return ok(w, v, err)
}

func (s *server) apiChangeCase(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.Change](r)
	if err != nil {
		return err
	}
	v, err := s.Box.ChangeCase(r.Context(), a, caseOf(r), b)
	return ok(w, v, err)
}

func (s *server) apiClip(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	as, err := asOf(r.URL.Query())
	if err != nil {
		return err
	}
	m, err := s.Box.CaseClip(r.Context(), a, caseOf(r), as)
	return s.playable(w, r, m, err, "")
}

func (s *server) apiRedact(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.SubjectChange](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Redact(r.Context(), a, caseOf(r), b)
	return ok(w, v, err)
}

func (s *server) apiProgress(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.CaseProgress(r.Context(), a, caseOf(r))
	return ok(w, v, err)
}

func (s *server) apiCancel(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	return noContent(w, s.Box.CancelRedaction(r.Context(), a, caseOf(r)))
}

// apiCopy answers copy.mp4 and copy.jpg alike: the copy is what it is.
func (s *server) apiCopy(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	name := ""
	switch r.URL.Query().Get("download") {
	case "", "0":
	case "1":
		name = "undervisning-" + r.PathValue("id")
	default:
		return badField("download", "Skriv 1 eller udelad den.", "Write 1 or leave it out.")
	}
	m, err := s.Box.CaseCopy(r.Context(), a, caseOf(r), name != "")
	return s.copy(w, r, m, err, name)
}

func (s *server) apiSheet(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Sheet(r.Context(), a, caseOf(r))
	return ok(w, v, err)
}

// apiSheetPicture answers /sheet/{n}.jpg; a pattern cannot name the ending.
func (s *server) apiSheetPicture(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	name, jpg := strings.CutSuffix(r.PathValue("picture"), ".jpg")
	if !jpg {
		return errNotFound
	}
	n, err := number(name, "n", 0, 1_000_000)
	if err != nil {
		return err
	}
	b, err := s.Box.SheetPicture(r.Context(), a, caseOf(r), n)
	return picture(w, r, b, err)
}

func (s *server) apiProof(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := s.Box.Proof(r.Context(), a, caseOf(r))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	// A failed write means that the caller has gone; nobody is left to tell.
	_, _ = w.Write(b)
	return nil
}

func (s *server) apiSubmit(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[versionBody](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Submit(r.Context(), a, caseOf(r), b.Version)
	return ok(w, v, err)
}

func (s *server) apiAssess(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.Verdict](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Assess(r.Context(), a, caseOf(r), b)
	return ok(w, v, err)
}

func (s *server) apiReport(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.PoliceReport](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Report(r.Context(), a, caseOf(r), b)
	return ok(w, v, err)
}

func (s *server) apiWithdraw(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[reasonBody](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Withdraw(r.Context(), a, caseOf(r), b.Reason)
	return ok(w, v, err)
}

func (s *server) apiAlerts(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Alerts(r.Context(), a)
	return list(w, v, err)
}

func (s *server) apiView(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[purposeBody](r)
	if err != nil {
		return err
	}
	v, err := s.Box.View(r.Context(), a, incident.DisclosureID(r.PathValue("id")), b.Purpose)
	return created(w, v, err)
}

func (s *server) apiViewing(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	m, err := s.Box.ViewingMedia(r.Context(), a, r.PathValue("vid"))
	return s.copy(w, r, m, err, "")
}

// copy serves a copy as what its bytes are: a clip or a picture.
func (s *server) copy(w http.ResponseWriter, r *http.Request, m casework.Media, err error, name string) error {
	if err != nil {
		return err
	}
	media, err := casework.Kind(m)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	if name != "" {
		name += map[string]string{incident.MediaVideo: ".mp4", incident.MediaPicture: ".jpg"}[media]
	}
	return s.serve(w, r, m, media, name)
}
