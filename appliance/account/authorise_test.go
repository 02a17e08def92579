package account

import (
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// Nobody authorises himself, but where there is nobody else.
func TestNobodyGivesHimselfRights(t *testing.T) {
	f := open(t)
	ctx, me := t.Context(), f.manager.ID
	fn, need, name, no := "butikschef", "leder butikken", "Mette Holm Jensen", false
	until := start.AddDate(0, 6, 0)
	p, err := f.Change(ctx, me, me, Change{Function: &fn, Need: &need})
	if err != nil || p.Authorisation.By != "Mette Holm" {
		t.Fatalf("the first manager: %+v %v", p.Authorisation, err)
	}
	if list, err := f.Review(ctx); err != nil || !slices.Contains(list[0].Due, DueSelfGiven) {
		t.Errorf("%+v %v", list, err)
	}
	other, _ := f.add(t, "ida", "Ida Berg", Manager)
	for what, c := range map[string]Change{
		"an authorisation":  {Function: &fn, Need: &need},
		"a longer one":      {Until: &until},
		"another role":      {Roles: &[]Role{Manager, Staff}},
		"a qualification":   {Qualification: qualification()},
		"a need":            {Need: &need},
		"a role and a name": {Name: &name, Roles: &[]Role{Manager, Assessor}, Qualification: qualification()},
	} {
		_, err := f.Change(ctx, me, me, c)
		wants(t, what, err, ErrSelf)
	}
	_, err = f.ConfirmAuthorisation(ctx, me, me, nil)
	wants(t, "a review of oneself", err, ErrSelf)
	q, err := f.ConfirmAuthorisation(ctx, other.ID, me, nil)
	if err != nil || q.Authorisation.By != "Ida Berg" || q.Reviewed == nil || q.Reviewed.By != other.ID || q.Authorisation.Function != fn {
		t.Errorf("%+v %v", q, err)
	}
	past := start.Add(-time.Hour)
	_, err = f.Change(ctx, me, me, Change{Until: &past})
	wants(t, "giving up the own", err, nil)
	_, err = f.Change(ctx, me, me, Change{Name: &name})
	wants(t, "the own name", err, nil)
	if _, err := f.Change(ctx, me, other.ID, Change{Active: &no}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Change(ctx, me, me, Change{Function: &fn, Need: &need})
	wants(t, "the only manager left", err, nil)
}

func TestSessionsEndWithRights(t *testing.T) {
	past, soon, later := start.Add(-time.Hour), start.AddDate(0, 1, 0), start.AddDate(2, 0, 0)
	name, need, no := "Bo Dam Holm", "et andet behov", false
	for _, c := range []struct {
		name string
		c    Change
		want *problem.Problem
	}{
		{"another role", Change{Roles: &[]Role{Operator}}, ErrSession},
		{"one role more", Change{Roles: &[]Role{Operator, Staff}}, ErrSession},
		{"the same roles", Change{Roles: &[]Role{Staff}}, nil},
		{"the authorisation ended", Change{Until: &past}, ErrSession},
		{"the authorisation shortened", Change{Until: &soon}, ErrSession},
		{"the authorisation prolonged", Change{Until: &later}, nil},
		{"another need", Change{Need: &need}, nil},
		{"closed", Change{Active: &no}, ErrSession},
		{"another name", Change{Name: &name}, nil},
	} {
		f := open(t)
		p, password := f.add(t, "bo", "Bo Dam", Staff)
		token, _ := f.in(t, "bo", password)
		if _, err := f.Change(t.Context(), f.manager.ID, p.ID, c.c); err != nil {
			t.Fatal(c.name, err)
		}
		_, err := f.Authenticate(t.Context(), token)
		wants(t, c.name, err, c.want)
	}
}

func due(t *testing.T, f fixture, id incident.PersonID) string {
	t.Helper()
	list, err := f.Review(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range list {
		if i > 0 && len(x.Due) > 0 && len(list[i-1].Due) == 0 {
			t.Error("who is due is not first")
		}
		if x.Person.ID == id {
			return strings.Join(x.Due, " ")
		}
	}
	return "not there"
}

func TestReview(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	bo, password := f.add(t, "bo", "Bo Dam", Staff)
	eva, _ := f.add(t, "eva", "Eva Friis", Assessor)
	rita, _ := f.add(t, "rita", "Rita Skov", Auditor)
	_, s := f.in(t, "bo", password)
	f.app(t, s)
	check := func(what string, id incident.PersonID, want string) {
		t.Helper()
		if got := due(t, f, id); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	check("bo, new", bo.ID, "")
	check("eva, not set up", eva.ID, DueSetUp)
	f.clock.Advance(89 * 24 * time.Hour)
	check("bo after 89 days", bo.ID, "")
	f.clock.Advance(24 * time.Hour)
	check("bo after 90 days", bo.ID, DueIdle)
	until := f.clock.Now().AddDate(1, 0, 0)
	if _, err := f.ConfirmAuthorisation(ctx, f.manager.ID, rita.ID, nil); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(start.AddDate(0, 0, 336).Sub(f.clock.Now()))
	check("bo a month before the end", bo.ID, DueEnds+" "+DueIdle)
	q, err := f.ConfirmAuthorisation(ctx, f.manager.ID, bo.ID, &until)
	if err != nil || !q.Authorisation.To.Equal(until) || q.Authorisation.Function != "funktion" || q.Authorisation.Need != "behov" {
		t.Fatalf("%+v %v", q.Authorisation, err)
	}
	check("bo, gone through", bo.ID, DueIdle)
	f.clock.Advance(start.AddDate(1, 0, 1).Sub(f.clock.Now()))
	check("eva after a year", eva.ID, DueReview+" "+DueEnded+" "+DueIdle+" "+DueSetUp)
	check("bo after a year", bo.ID, DueIdle)
	f.clock.Advance(start.AddDate(1, 3, 15).Sub(f.clock.Now()))
	check("rita, gone through more than a year ago", rita.ID, DueReview+" "+DueIdle+" "+DueSetUp)
	f.clock.Advance(start.AddDate(2, 0, -29).Sub(f.clock.Now()))
	if got := due(t, f, eva.ID); !strings.Contains(got, DueQualified) {
		t.Errorf("eva's qualification ends: %q", got)
	}
	no := false
	if _, err := f.Change(ctx, f.manager.ID, eva.ID, Change{Active: &no}); err != nil {
		t.Fatal(err)
	}
	check("a closed account", eva.ID, "not there")
	_, err = f.ConfirmAuthorisation(ctx, f.manager.ID, eva.ID, nil)
	wants(t, "a closed account is gone through", err, ErrNoAccount)
	_, err = f.ConfirmAuthorisation(ctx, bo.ID, eva.ID, nil)
	wants(t, "by staff", err, ErrPermission)
	far := f.clock.Now().AddDate(9, 0, 0)
	_, err = f.ConfirmAuthorisation(ctx, f.manager.ID, bo.ID, &far)
	wants(t, "for nine years", err, ErrAuthorisationText)
}

func TestQualification(t *testing.T) {
	f := open(t)
	for name, c := range map[string]struct {
		spoil func(*incident.Qualification)
		want  *problem.Problem
	}{
		"good":              {func(*incident.Qualification) {}, nil},
		"no education":      {func(q *incident.Qualification) { q.Education = "  " }, ErrQualification},
		"one letter":        {func(q *incident.Qualification) { q.Experience = "x" }, ErrQualification},
		"a novel":           {func(q *incident.Qualification) { q.Experience = strings.Repeat("x", 2001) }, ErrQualification},
		"control":           {func(q *incident.Qualification) { q.Experience = "ti\x00år" }, ErrQualification},
		"not UTF-8":         {func(q *incident.Qualification) { q.Experience = "ti\xffår" }, ErrQualification},
		"two lines":         {func(q *incident.Qualification) { q.Experience = "ti år\nog mere" }, nil},
		"no competence":     {func(q *incident.Qualification) { q.Competences = nil }, ErrQualification},
		"an odd competence": {func(q *incident.Qualification) { q.Competences = []string{"cooking"} }, ErrQualification},
		"one twice":         {func(q *incident.Qualification) { q.Competences = []string{"law", "law"} }, ErrQualification},
		"no beginning":      {func(q *incident.Qualification) { q.From = time.Time{} }, ErrQualification},
		"ends first":        {func(q *incident.Qualification) { q.To = q.From }, ErrQualification},
		"for a lifetime":    {func(q *incident.Qualification) { q.To = q.From.AddDate(11, 0, 0) }, ErrQualification},
	} {
		q := qualification()
		c.spoil(q)
		_, _, err := f.Create(t.Context(), f.manager.ID, NewPerson{Login: "x." + strings.ReplaceAll(strings.ReplaceAll(name, " ", ""), "-", ""), Name: "Eva Friis", Roles: []Role{Assessor}, Qualification: q})
		wants(t, name, err, c.want)
	}
}

func TestOwnSessions(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	_, password := f.add(t, "eva", "Eva Friis", Assessor)
	first, s := f.in(t, "eva", password)
	second, other := f.in(t, "eva", password)
	_, stranger := f.in(t, "mette", f.secret)
	list, err := f.Sessions(ctx, s)
	if err != nil || len(list) != 2 || !list[0].Current || list[1].Current || list[0].How != ByPassword || list[0].From != "10.0.0.1:4000" || list[1].ID != other.ID() {
		t.Fatalf("%+v %v", list, err)
	}
	wants(t, "another's", f.EndOther(ctx, s, stranger.ID()), nil)
	if mine, err := f.Sessions(ctx, stranger); err != nil || len(mine) != 1 {
		t.Errorf("somebody ended another's session: %+v %v", mine, err)
	}
	wants(t, "one", f.EndOther(ctx, s, other.ID()), nil)
	_, err = f.Authenticate(ctx, second)
	wants(t, "ended", err, ErrSession)
	third, _ := f.in(t, "eva", password)
	wants(t, "all others", f.EndOthers(ctx, s), nil)
	_, err = f.Authenticate(ctx, third)
	wants(t, "ended with the others", err, ErrSession)
	_, err = f.Authenticate(ctx, first)
	wants(t, "the own", err, nil)
	f.clock.Advance(AssessorIdle)
	if list, err := f.Sessions(ctx, s); err != nil || len(list) != 0 {
		t.Errorf("what has run out is listed: %+v %v", list, err)
	}
}
