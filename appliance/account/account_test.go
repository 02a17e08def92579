package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
)

const rpid = "veilbox.local"

var start = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// cheap are parameters that make tests quick.
var cheap = Params{MemoryKiB: 8, Time: 1, Threads: 1}

type fixture struct {
	*Accounts
	clock   *clock.Fake
	store   *store.Store
	manager Person
	secret  string // the manager's password
}

func open(t *testing.T) fixture {
	t.Helper()
	c := clock.NewFake(start)
	s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "box.db"), Key: keys.New(), Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a, err := New(Options{Store: s, Clock: c, Params: cheap, FirstLogin: "mette", FirstName: "Mette Holm", RPID: rpid, RPName: "Butikken i Ry"})
	if err != nil {
		t.Fatal(err)
	}
	login, password, created, err := a.EnsureFirst(t.Context())
	if err != nil || !created || login != "mette" {
		t.Fatal(login, created, err)
	}
	all, err := a.People(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return fixture{a, c, s, all[0], password}
}

func qualification() *incident.Qualification {
	return &incident.Qualification{Education: "jurist", Experience: "ti år", Competences: []string{"law"}, From: start.Add(-time.Hour), To: start.AddDate(2, 0, 0)}
}

func (f fixture) add(t *testing.T, login, name string, roles ...Role) (Person, string) {
	t.Helper()
	n := NewPerson{Login: login, Name: name, Roles: roles, Function: "funktion", Need: "behov"}
	if slices.Contains(roles, Assessor) {
		n.Qualification = qualification()
	}
	p, password, err := f.Create(t.Context(), f.manager.ID, n)
	if err != nil {
		t.Fatal(err)
	}
	return p, password
}

func (f fixture) in(t *testing.T, login, password string) (string, Session) {
	t.Helper()
	token, s, err := f.LogIn(t.Context(), login, password, "", "10.0.0.1:4000")
	if err != nil {
		t.Fatal(err)
	}
	return token, s
}

func wants(t *testing.T, what string, err error, want *problem.Problem) {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %s", what, err, want.Code)
	}
}

func TestMatrix(t *testing.T) {
	const (
		staff = 1 << iota
		manager
		assessor
		auditor
		operator
	)
	bits := map[Role]int{Staff: staff, Manager: manager, Assessor: assessor, Auditor: auditor, Operator: operator}
	want := map[Permission]int{
		ViewLive: staff | manager, ViewFootage: staff | manager | assessor, ExportFootage: manager, KeepFootage: manager,
		ViewCases: staff | manager | assessor, ViewShared: staff | manager | assessor,
		Tag: staff | manager, Submit: staff | manager, Assess: assessor, Withdraw: manager | assessor,
		ManagePeople: manager, ManageCameras: manager | operator, ReadAudit: manager | auditor,
		ViewHealth: staff | manager | assessor | auditor | operator, DeleteCase: manager, CaseFile: manager | assessor | auditor,
		Narrow: manager | assessor, RecordFact: staff | manager | assessor,
	}
	if len(want) != len(Permissions) || len(bits) != len(Roles) {
		t.Fatal("the matrix does not cover all roles and permissions")
	}
	in := func(a incident.Authorisation, r Role) Session {
		return Session{Roles: []Role{r}, Person: incident.Person{Authorisation: a}}
	}
	valid := incident.Authorisation{By: "b", Function: "f", Need: "n", From: start, To: start.Add(time.Hour)}
	for _, p := range Permissions {
		for _, r := range Roles {
			may := want[p]&bits[r] != 0
			if Can(r, p) != may {
				t.Errorf("%s may %s: %v", r, p, !may)
			}
			var with, without *problem.Problem
			if !may {
				with, without = ErrPermission, ErrPermission
			} else if NeedsAuthorisation(p) {
				without = ErrAuthorisation
			}
			wants(t, fmt.Sprint(r, " ", p), in(valid, r).Allow(p, start), with)
			wants(t, fmt.Sprint(r, " ", p, ", authorisation over"), in(valid, r).Allow(p, start.Add(time.Hour)), without)
		}
	}
	if Can("nobody", ViewHealth) || Can(Staff, "fly") || Can("", "") {
		t.Error("what is not in the table may be done")
	}
	for _, r := range []Role{Auditor, Operator} {
		for _, p := range Permissions {
			if NeedsAuthorisation(p) && Can(r, p) {
				t.Errorf("%s sees footage by %s", r, p)
			}
		}
	}
}

func TestFirst(t *testing.T) {
	f := open(t)
	if !f.manager.Has(Manager) || !f.manager.MustChange || !f.manager.Active {
		t.Errorf("%+v", f.manager)
	}
	if _, _, created, err := f.EnsureFirst(t.Context()); err != nil || created {
		t.Error("made twice", err)
	}
	f.in(t, "METTE ", f.secret)
}

func TestFirstIsRenewedOnlyWhileNobodyCanHaveUsedIt(t *testing.T) {
	f := open(t)
	login, password, renewed, err := f.RenewFirst(t.Context())
	if err != nil || !renewed || login != "mette" || password == f.secret {
		t.Fatal(login, renewed, err)
	}
	if _, _, err := f.LogIn(t.Context(), "mette", f.secret, "", "192.0.2.1"); err == nil {
		t.Error("the old password still opens the account")
	}
	_, s, err := f.LogIn(t.Context(), "mette", password, "", "192.0.2.2")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ChangePassword(t.Context(), s, password, "et helt andet kodeord 7"); err != nil {
		t.Fatal(err)
	}
	if _, _, renewed, err := f.RenewFirst(t.Context()); err != nil || renewed {
		t.Error("renewed after it was changed", err)
	}
}

func TestFirstWithoutAName(t *testing.T) {
	c := clock.NewFake(start)
	s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "box.db"), Key: keys.New(), Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := New(Options{Store: s, Clock: c, Params: cheap})
	if err != nil {
		t.Fatal(err)
	}
	login, password, _, err := a.EnsureFirst(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, in, err := a.LogIn(t.Context(), login, password, "", "")
	if err != nil {
		t.Fatal(err)
	}
	id := in.Person.ID
	fn, need, name := "butikschef", "leder butikken", "Mette Holm"
	_, _, err = a.Create(t.Context(), id, NewPerson{Login: "bo", Name: "Bo Dam", Roles: []Role{Staff}, Function: "f", Need: "n"})
	wants(t, "authorised by nobody", err, ErrName)
	_, err = a.Change(t.Context(), id, id, Change{Function: &fn, Need: &need})
	wants(t, "authorised as nobody", err, ErrName)
	p, err := a.Change(t.Context(), id, id, Change{Name: &name, Function: &fn, Need: &need})
	wants(t, "named and authorised", err, nil)
	if p.Authorisation.By != name || !p.Authorisation.Valid(start) {
		t.Errorf("%+v", p.Authorisation)
	}
}

func TestCreate(t *testing.T) {
	f := open(t)
	for _, c := range []struct {
		name string
		n    NewPerson
		want *problem.Problem
	}{
		{"one name", NewPerson{Login: "a1", Name: "Bo", Roles: []Role{Staff}}, ErrName},
		{"no name", NewPerson{Login: "a1", Roles: []Role{Staff}}, ErrName},
		{"a till", NewPerson{Login: "a1", Name: "Kasse 1", Roles: []Role{Staff}}, ErrName},
		{"a function", NewPerson{Login: "a1", Name: "Butik Personale", Roles: []Role{Staff}}, ErrName},
		{"markup", NewPerson{Login: "a1", Name: "<b>Bo</b> Dam", Roles: []Role{Staff}}, ErrName},
		{"no roles", NewPerson{Login: "a1", Name: "Bo Dam"}, ErrRoles},
		{"an odd role", NewPerson{Login: "a1", Name: "Bo Dam", Roles: []Role{"king"}}, ErrRoles},
		{"a role twice", NewPerson{Login: "a1", Name: "Bo Dam", Roles: []Role{Staff, Staff}}, ErrRoles},
		{"an auditor who manages", NewPerson{Login: "a1", Name: "Bo Dam", Roles: []Role{Auditor, Manager}}, ErrRoles},
		{"an auditor who approves", NewPerson{Login: "a1", Name: "Bo Dam", Roles: []Role{Auditor, Assessor}, Qualification: qualification()}, ErrRoles},
		{"an auditor who tags", NewPerson{Login: "a1", Name: "Bo Dam", Roles: []Role{Auditor, Staff}}, ErrRoles},
		{"a short log-in", NewPerson{Login: "a", Name: "Bo Dam", Roles: []Role{Staff}}, ErrLoginName},
		{"an odd log-in", NewPerson{Login: "a b", Name: "Bo Dam", Roles: []Role{Staff}}, ErrLoginName},
		{"a log-in in use", NewPerson{Login: "Mette", Name: "Bo Dam", Roles: []Role{Staff}}, ErrLoginTaken},
		{"an unqualified assessor", NewPerson{Login: "a1", Name: "Bo Dam", Roles: []Role{Assessor}}, ErrQualification},
		{"half an authorisation", NewPerson{Login: "a1", Name: "Bo Dam", Roles: []Role{Staff}, Function: "f"}, ErrAuthorisationText},
		{"Danish letters", NewPerson{Login: "åse.sørensen", Name: "Åse  Sørensen-Bæk", Roles: []Role{Staff}}, nil},
	} {
		_, _, err := f.Create(t.Context(), f.manager.ID, c.n)
		wants(t, c.name, err, c.want)
	}
	p, password := f.add(t, "bo", "Bo Dam", Staff)
	if p.Authorisation.By != "Mette Holm" || !p.Authorisation.To.Equal(start.AddDate(1, 0, 0)) || !p.Active {
		t.Errorf("%+v", p)
	}
	_, _, err := f.Create(t.Context(), p.ID, NewPerson{Login: "x1", Name: "Ida Berg", Roles: []Role{Manager}})
	wants(t, "staff makes an account", err, ErrPermission)
	_, _, err = f.ResetPassword(t.Context(), p.ID, f.manager.ID)
	wants(t, "staff resets the manager's password", err, ErrPermission)
	_, err = f.Change(t.Context(), p.ID, p.ID, Change{Roles: &[]Role{Manager}})
	wants(t, "staff makes himself manager", err, ErrPermission)
	b, err := json.Marshal(p)
	if err != nil || strings.Contains(string(b), "hash") || strings.Contains(string(b), "salt") || strings.Contains(string(b), password) {
		t.Errorf("an account shows its secret: %s", b)
	}
}

func TestAuthorisationEndsByItself(t *testing.T) {
	f := open(t)
	p, password := f.add(t, "bo", "Bo Dam", Staff)
	token, s := f.in(t, "bo", password)
	wants(t, "at once", s.Allow(ViewFootage, start), nil)
	past := start.Add(-time.Hour)
	if _, err := f.Change(t.Context(), f.manager.ID, p.ID, Change{Until: &past}); err != nil {
		t.Fatal(err)
	}
	_, err := f.Authenticate(t.Context(), token)
	wants(t, "ended by the manager, same session", err, ErrSession)
	token, s = f.in(t, "bo", password)
	wants(t, "ended by the manager", s.Allow(ViewFootage, start), ErrAuthorisation)
	far := start.AddDate(9, 0, 0)
	_, err = f.Change(t.Context(), f.manager.ID, p.ID, Change{Until: &far})
	wants(t, "for nine years", err, ErrAuthorisationText)
	soon := start.Add(2 * time.Hour)
	q, err := f.Change(t.Context(), f.manager.ID, p.ID, Change{Until: &soon})
	if err != nil || !q.Authorisation.From.Equal(start) || !q.Authorisation.To.Equal(soon) || q.Authorisation.Need != "behov" {
		t.Fatalf("%+v %v", q.Authorisation, err)
	}
	now := f.clock.Advance(2 * time.Hour)
	if s, err = f.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	wants(t, "ended by itself", s.Allow(Tag, now), ErrAuthorisation)
	wants(t, "what needs none", s.Allow(ViewHealth, now), nil)
}

func TestLastManager(t *testing.T) {
	f := open(t)
	no, yes := false, true
	_, err := f.Change(t.Context(), f.manager.ID, f.manager.ID, Change{Active: &no})
	wants(t, "the last manager closes the own account", err, ErrLastManager)
	_, err = f.Change(t.Context(), f.manager.ID, f.manager.ID, Change{Roles: &[]Role{Staff}})
	wants(t, "the last manager steps down", err, ErrLastManager)
	other, password := f.add(t, "ida", "Ida Berg", Manager)
	token, _ := f.in(t, "ida", password)
	_, err = f.Change(t.Context(), f.manager.ID, other.ID, Change{Active: &no})
	wants(t, "one of two", err, nil)
	_, err = f.Authenticate(t.Context(), token)
	wants(t, "a closed account's session", err, ErrSession)
	_, _, err = f.LogIn(t.Context(), "ida", password, "", "")
	wants(t, "a closed account's log-in", err, ErrLogin)
	_, err = f.Change(t.Context(), other.ID, f.manager.ID, Change{Active: &yes})
	wants(t, "a closed manager acts", err, ErrPermission)
}
