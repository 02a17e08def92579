package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

type startData struct {
	Cameras *[]casework.CameraView // nil: not this person's
	Cases   *[]casework.CaseView
	Alerts  *[]casework.Alert
	Checks  []casework.Check // that fail
	// Alarms are changes of a camera that nobody has accepted.
	Alarms []casework.Check
	// Doubt is what the box says of its clock where it doubts it.
	Doubt *casework.Check
	// Due is the held footage that somebody must look at again.
	Due     []casework.HoldView
	Review  time.Time // suggested for what is kept longer
	Keeps   bool      // may say that the clock is right and let footage go
	Manager bool
	// Reads says that this person's work is the log, and Health is how all is,
	// for whoever has no cases to see.
	Reads  bool
	Health []casework.Check
	// Tags says that this person may make cases.
	Tags bool
	// NoAuthorisation says why there may be nothing to see (V7).
	NoAuthorisation bool
}

func (s *server) startPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	var d startData
	var err error
	if a.Session.Can(account.ViewLive) { // who may not see live pictures has no use for the tiles
		if d.Cameras, err = allowed(s.Box.Cameras(r.Context(), a)); err != nil {
			return err
		}
	}
	if d.Cases, err = allowed(s.Box.Cases(r.Context(), a)); err != nil {
		return err
	}
	if d.Cases != nil {
		open := slices.DeleteFunc(slices.Clone(*d.Cases), func(c casework.CaseView) bool {
			return c.State.Over()
		})
		slices.SortFunc(open, func(x, y casework.CaseView) int { return y.Changed.Compare(x.Changed) })
		d.Cases = &open
	}
	if d.Alerts, err = allowed(s.Box.Alerts(r.Context(), a)); err != nil {
		// An extranet that is away must not take the cameras off the page.
		p := problem.Of(err)
		d.Checks = append(d.Checks, casework.Check{Name: "extranet", Text: p.Cause,
			Problem: &casework.ProblemView{Code: p.Code, Cause: p.Cause, Remedy: p.Remedy}})
	}
	if d.Alerts != nil {
		fresh := slices.DeleteFunc(slices.Clone(*d.Alerts), func(x casework.Alert) bool { return x.Ended != nil || x.Seen })
		d.Alerts = &fresh
	}
	checks, err := s.Box.Health(r.Context())
	if err != nil {
		return err
	}
	if !a.Session.Can(account.ViewCases) {
		d.Reads, d.Health = a.Session.Can(account.ReadAudit), checks
	}
	alarmed := map[string]bool{} // the alarm says what the camera's own line would
	for _, c := range checks {
		if cam, ok := strings.CutPrefix(c.Name, "alarm:"); ok {
			alarmed["camera:"+cam] = true
		}
	}
	for _, c := range checks {
		switch {
		case c.OK, alarmed[c.Name]:
		case strings.HasPrefix(c.Name, "alarm:"):
			d.Alarms = append(d.Alarms, c)
		case c.Name == casework.ClockDoubt:
			d.Doubt = &c
		default:
			d.Checks = append(d.Checks, c)
		}
	}
	if d.Keeps = a.Session.Allow(account.KeepFootage, s.Clock.Now()) == nil; d.Keeps {
		holds, err := s.Box.Holds(r.Context(), a)
		if err != nil {
			return err
		}
		d.Due = slices.DeleteFunc(slices.Clone(holds), func(h casework.HoldView) bool { return !h.Due })
	}
	d.Review = s.Clock.Now().Add(keepFor).In(clock.Copenhagen)
	d.NoAuthorisation = a.Session.Can(account.ViewCases) && !a.Session.Person.Authorisation.Valid(s.Clock.Now())
	d.Manager = a.Session.Allow(account.ManageCameras, s.Clock.Now()) == nil
	d.Tags = a.Session.Allow(account.Tag, s.Clock.Now()) == nil
	return s.render(w, r, http.StatusOK, "start", a, d)
}

type cameraData struct {
	Camera    casework.CameraView
	Offences  []incident.Offence
	Elsewhere []incident.Offence // that this permission doesn't cover
	Ranges    []int              // of the time line, in minutes
	Quick     []int              // the last minutes that are picked with one press
	// MayTag, MayExport and MayManage say which buttons are this person's.
	MayTag, MayExport, MayManage bool
	Review                       time.Time // suggested for what is kept for the police
}

// VeiledJSON is what is always veiled, for the script that draws it.
func (d cameraData) VeiledJSON() (string, error) {
	b, err := json.Marshal(append([]subject.Rect{}, d.Camera.Veiled...))
	return string(b), err
}

// keepFor is how long the page suggests to keep what the police have got.
const keepFor = 90 * 24 * time.Hour

// covered and uncovered are the offences in the order of the form.
var (
	covered = []incident.Offence{incident.Theft, incident.TrickTheft, incident.TillSnatch, incident.CardFraud,
		incident.Fraud, incident.Embezzlement, incident.Robbery, incident.Extortion, incident.VehicleUse}
	uncovered = []incident.Offence{incident.Handling, incident.Vandalism, incident.Violence, incident.OtherOffence}
)

func (s *server) cameraPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	cam, err := cameraOf(r)
	if err != nil {
		return errNotFound.With(err)
	}
	all, err := s.Box.Cameras(r.Context(), a)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(c casework.CameraView) bool { return c.ID == footage.CameraID(cam) })
	if i < 0 {
		return errNotFound
	}
	return s.render(w, r, http.StatusOK, "camera", a, cameraData{Camera: all[i], Offences: covered, Elsewhere: uncovered, Ranges: ranges, Quick: quick,
		MayTag: a.Session.Can(account.Tag), MayExport: a.Session.Can(account.ExportFootage), MayManage: a.Session.Allow(account.ManageCameras, s.Clock.Now()) == nil,
		Review: s.Clock.Now().Add(keepFor).In(clock.Copenhagen)})
}

// ranges and overviews are what time lines show, in minutes.
var (
	quick     = []int{1, 2, 5}
	ranges    = []int{10, 60, 360, 1440, 10080}
	overviews = []int{360, 1440, 10080, 43200}
)

type timelineData struct{ Ranges []int }

func (s *server) timelinePage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := a.Session.Allow(account.ViewFootage, s.Clock.Now()); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "timeline", a, timelineData{overviews})
}

type alertsData struct{ Running, Ended []casework.Alert }

func (s *server) alertsPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	all, err := s.Box.Alerts(r.Context(), a)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(x, y casework.Alert) int { return y.Made.Compare(x.Made) })
	var d alertsData
	for _, x := range all {
		if x.Ended == nil {
			d.Running = append(d.Running, x)
		} else {
			d.Ended = append(d.Ended, x)
		}
	}
	return s.render(w, r, http.StatusOK, "alerts", a, d)
}

func (s *server) alertPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	all, err := s.Box.Alerts(r.Context(), a)
	if err != nil {
		return err
	}
	id := incident.DisclosureID(r.PathValue("id"))
	i := slices.IndexFunc(all, func(x casework.Alert) bool { return x.ID == id })
	if i < 0 {
		return errNotFound
	}
	return s.render(w, r, http.StatusOK, "alert", a, all[i])
}

type adminData struct {
	Cameras   *[]casework.CameraView
	Enrolment *casework.Enrolment
	Checks    []casework.Check
}

func (s *server) adminPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := a.Session.Allow(account.ManageCameras, s.Clock.Now()); err != nil {
		return err
	}
	var d adminData
	var err error
	if d.Cameras, err = allowed(s.Box.Cameras(r.Context(), a)); err != nil {
		return err
	}
	if d.Enrolment, err = allowed(s.Box.Enrolment(r.Context(), a)); err != nil {
		return err
	}
	if d.Checks, err = s.Box.Health(r.Context()); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "admin", a, d)
}

func (s *server) conditionsPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	accepted, err := s.Box.AcceptedConditions(r.Context(), a)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "conditions", a, conditionsData{conditionsView{casework.ConditionsVersion, accepted}})
}

type conditionsData struct{ conditionsView }

// Rules are the points of the conditions, in their order.
func (conditionsData) Rules() []string {
	return []string{"r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"}
}
