package web

import (
	"errors"
	"net/http"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
)

type rightsData struct {
	Cameras []casework.CameraView // that the search may be held to
	Footage bool                  // the person may look at what is recorded
}

// Steps number what is told about the answer.
func (rightsData) Steps() []int { return []int{1, 2, 3, 4, 5} }

// mayFind says whether a person answers the requests of data subjects.
func (s *server) mayFind(session account.Session) error {
	now := s.Clock.Now()
	return errors.Join(session.Allow(account.CaseFile, now), session.Allow(account.ViewCases, now))
}

// rightsPage is for whoever answers a person's request for access (GDPR
// art. 15): what to answer and when (art. 12), and what the box has.
func (s *server) rightsPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := s.mayFind(a.Session); err != nil {
		return err
	}
	var d rightsData
	cams, err := allowed(s.Box.Cameras(r.Context(), a))
	if err != nil {
		return err
	}
	if cams != nil {
		d.Cameras = *cams
	}
	d.Footage = a.Session.Allow(account.ViewFootage, s.Clock.Now()) == nil
	return s.render(w, r, http.StatusOK, "rights", a, d)
}
