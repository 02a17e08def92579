package web

import (
	"bytes"
	"net/http"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

// What comes before and after a disclosure, beside the form: the circle's
// numbers, what the box knows, facts, reassessments, narrowings, deletion, and
// what the person on the footage may ask for.

type wordsBody struct {
	Words string `json:"words"`
}

func (s *server) apiCircle(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[circleBody](r)
	if err != nil {
		return err
	}
	v, err := s.Box.CircleCount(r.Context(), a, incident.Circle{Area: b.Area, Place: b.Place, Trades: b.Trades, Chains: b.Chains, Members: b.Members})
	return ok(w, v, err)
}

// A circleBody is who is asked for, without the reasons.
type circleBody struct {
	Area    string              `json:"area"` // "town", "region" or "country"
	Place   string              `json:"place,omitempty"`
	Trades  []string            `json:"trades,omitempty"`
	Chains  []string            `json:"chains,omitempty"`
	Members []incident.MemberID `json:"members,omitempty"` // absent: all that the rest names
}

func (s *server) apiSuggest(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Suggest(r.Context(), a, caseOf(r))
	return ok(w, v, err)
}

func (s *server) apiPrepareApproval(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.Verdict](r)
	if err != nil {
		return err
	}
	v, err := s.Box.PrepareApproval(r.Context(), a, caseOf(r), b)
	return ok(w, v, err)
}

func (s *server) apiFact(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.NewFact](r)
	if err != nil {
		return err
	}
	v, err := s.Box.SetFact(r.Context(), a, caseOf(r), b)
	return created(w, v, err)
}

func (s *server) apiReassess(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.Reassess](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Reassess(r.Context(), a, caseOf(r), b)
	return created(w, v, err)
}

func (s *server) apiNarrow(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.Narrow](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Narrow(r.Context(), a, caseOf(r), b)
	return created(w, v, err)
}

func (s *server) apiDeleteCase(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[reasonBody](r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.DeleteCase(r.Context(), a, caseOf(r), b.Reason))
}

func (s *server) apiDeletionProof(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := s.Box.DeletionProof(r.Context(), a, caseOf(r))
	return handOut(w, "text/plain; charset=utf-8", "sletning-"+r.PathValue("id")+".txt", b, err)
}

func (s *server) apiCaseFile(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.CaseFile(r.Context(), a, caseOf(r))
	if err != nil {
		return err
	}
	b, err := v.JSON() // its one spelling, which "veilctl verify" takes
	return handOut(w, "application/json", "sag-"+r.PathValue("id")+".json", b, err)
}

func (s *server) apiCaseFilePDF(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	lang := r.URL.Query().Get("lang")
	if lang == "" {
		lang = languageOf(r)
	}
	var b bytes.Buffer // whole before the first byte goes out, so that a failure can be told
	err := s.Box.CaseFilePDF(r.Context(), a, caseOf(r), lang, &b)
	return handOut(w, incident.MediaPDF, "sag-"+r.PathValue("id")+".pdf", b.Bytes(), err)
}

func (s *server) apiHoldings(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Holdings(r.Context(), a, caseOf(r))
	return ok(w, v, err)
}

func (s *server) apiInform(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.NewInformed](r)
	if err != nil {
		return err
	}
	v, err := s.Box.Inform(r.Context(), a, caseOf(r), b)
	return created(w, v, err)
}

// apiHandout gives out the copy to the person that it shows. It is a POST, for it
// is an act with a reason and not a look.
func (s *server) apiHandout(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.Handout](r)
	if err != nil {
		return err
	}
	m, err := s.Box.SubjectCopy(r.Context(), a, caseOf(r), b)
	return s.copy(w, r, m, err, "indsigt-"+r.PathValue("id"))
}

func (s *server) apiFindCases(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.FindQuery](r)
	if err != nil {
		return err
	}
	v, err := s.Box.FindCases(r.Context(), a, b)
	return ok(w, v, err)
}

func (s *server) apiDeletedHere(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[wordsBody](r)
	if err != nil {
		return err
	}
	return noContent(w, s.Box.DeletedHere(r.Context(), a, incident.DisclosureID(r.PathValue("id")), b.Words))
}
