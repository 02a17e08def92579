package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/internal/clock"
)

// How long an authorisation and a qualification hold where the manager changes
// nothing in the form, and how long the first may at most.
const (
	authoriseYears = 1
	authoriseMost  = 3
	qualifyYears   = 2
)

// competences are what an assessor may have (V9).
var competences = []string{"law", "security", "property-crime"}

// A personForm is what the forms of a person begin with.
type personForm struct {
	ID               string // of the fields, for tests
	Function, Need   string
	Until, Max       time.Time
	Qualification    *incident.Qualification
	QualFrom, QualTo time.Time
	Competences      []string
}

func newPersonForm(id string, now time.Time) personForm {
	now = now.In(clock.Copenhagen)
	return personForm{ID: id, Until: now.AddDate(authoriseYears, 0, 0), Max: now.AddDate(authoriseMost, 0, -1), QualFrom: now, QualTo: now.AddDate(qualifyYears, 0, 0), Competences: competences}
}

// A personRow is a person in the list.
type personRow struct {
	casework.PersonView
	Due      []string   // why the person is to be reviewed
	Accepted *time.Time // the conditions in force
	now      time.Time
}

// Over says that there is no authorisation in force.
func (p personRow) Over() bool { return !p.Authorisation.Valid(p.now) }

// RoleNames and Has are for the page.
func (p personRow) RoleNames() []string {
	var all []string
	for _, r := range p.Roles {
		all = append(all, string(r))
	}
	return all
}

func (p personRow) Has(r account.Role) bool { return slices.Contains(p.Roles, r) }

func (p personRow) hasPasskey() bool {
	return slices.ContainsFunc(p.Passkeys, func(k casework.PasskeyView) bool { return k.Retired == nil })
}

// Factor names what the person logs in with.
func (p personRow) Factor() string {
	switch {
	case p.hasPasskey() && p.TOTP:
		return "both"
	case p.hasPasskey():
		return "passkey"
	case p.TOTP:
		return "totp"
	}
	return "none"
}

// Edit is the form for the person's authorisation and qualification.
func (p personRow) Edit() personForm { return p.form("edit-" + p.Login) }

// Form is that of the yearly review.
func (p personRow) Form() personForm { return p.form("review-" + p.Login) }

func (p personRow) form(id string) personForm {
	f := newPersonForm(id, p.now)
	f.Function, f.Need, f.Qualification = p.Authorisation.Function, p.Authorisation.Need, p.Qualification
	if q := p.Qualification; q != nil {
		f.QualFrom, f.QualTo = q.From.In(clock.Copenhagen), q.To.In(clock.Copenhagen)
	}
	return f
}

type peopleData struct {
	People, Due []personRow
	Next        *time.Time // when the next authorisation ends
	Acceptances []store.Acceptance
	Missing     []string // who has not accepted the conditions in force
	Conditions  string
	Roles       []account.Role
	New         personForm
}

func (s *server) peoplePage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	people, err := s.Box.People(r.Context(), a)
	if err != nil {
		return err
	}
	review, err := s.Box.ReviewPeople(r.Context(), a)
	if err != nil {
		return err
	}
	d := peopleData{Conditions: casework.ConditionsVersion, Roles: account.Roles, New: newPersonForm("new", s.Clock.Now())}
	if d.Acceptances, err = s.Box.Acceptances(r.Context(), a); err != nil {
		return err
	}
	slices.SortStableFunc(d.Acceptances, func(x, y store.Acceptance) int { return y.At.Compare(x.At) })
	rows := map[incident.PersonID]personRow{}
	for _, p := range people {
		row := personRow{PersonView: p, now: s.Clock.Now()}
		for _, x := range d.Acceptances {
			if x.Person == p.ID && x.Version == d.Conditions {
				row.Accepted = &x.At
			}
		}
		if p.Active && row.Accepted == nil {
			d.Missing = append(d.Missing, p.Name)
		}
		if to := p.Authorisation.To; p.Active && !row.Over() && (d.Next == nil || to.Before(*d.Next)) {
			d.Next = &to
		}
		rows[p.ID] = row
		d.People = append(d.People, row)
	}
	for _, x := range review {
		if row, found := rows[x.ID]; found && len(x.Due) > 0 {
			row.Due = x.Due
			d.Due = append(d.Due, row)
		}
	}
	slices.SortStableFunc(d.People, func(x, y personRow) int {
		if x.Active != y.Active {
			if x.Active {
				return -1
			}
			return 1
		}
		return strings.Compare(x.Name, y.Name)
	})
	return s.render(w, r, http.StatusOK, "people", a, d)
}

func (s *server) apiAcceptances(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.Acceptances(r.Context(), a)
	return list(w, v, err)
}

func (s *server) apiReview(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.ReviewPeople(r.Context(), a)
	return list(w, v, err)
}

// A reviewBody is what a manager says after a review.
type reviewBody struct {
	Until *time.Time `json:"until,omitempty"` // absent: for a year
}

func (s *server) apiConfirmAuthorisation(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[reviewBody](r)
	if err != nil {
		return err
	}
	v, err := s.Box.ConfirmAuthorisation(r.Context(), a, incident.PersonID(r.PathValue("id")), b.Until)
	return ok(w, v, err)
}
