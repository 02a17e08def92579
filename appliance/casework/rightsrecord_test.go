package casework

import (
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/internal/passkey/softkey"
)

// Whose rights were changed is not enough for an auditor: the record says what
// was given and taken, what it was before, and why.
func TestTheRecordSaysWhatRights(t *testing.T) {
	b := newBox(t)
	chief, until := b.people["manager"], b.clock.Now().Add(90*24*time.Hour).UTC()
	p, err := b.AddPerson(t.Context(), chief, NewPerson{Login: "nynne", Name: "Nynne Toft", Roles: []account.Role{account.Staff}, Function: "Kasse", Need: "Markerer tyverier", Until: &until})
	if err != nil {
		t.Fatal(err)
	}
	is(t, b.recorded("person.add")[0], "Markerer tyverier", map[string]string{"login": "nynne", "name": "Nynne Toft", "roles": "staff", "function": "Kasse", "until": until.Format(time.RFC3339)})

	roles, function, need, active := []account.Role{account.Staff, account.Manager}, "Souschef", "Vikar for chefen", true
	if _, err := b.ChangePerson(t.Context(), chief, p.ID, PersonChange{Roles: &roles, Function: &function, Need: &need, Active: &active}); err != nil {
		t.Fatal(err)
	}
	is(t, b.recorded("person.change")[0], need, map[string]string{"person": string(p.ID), "name": "Nynne Toft", "roles": "staff manager", "roles-was": "staff", "function": "Souschef", "function-was": "Kasse", "active": "true"})

	if _, err := b.AddPerson(t.Context(), chief, NewPerson{Login: "otto", Name: "Otto Toft", Roles: roles, Function: "Kasse", Need: "Vikar"}); err != nil {
		t.Fatal(err)
	}
	is(t, b.recorded("person.add")[1], "Vikar", map[string]string{"until": account.DefaultAuthorisation(b.clock.Now()).UTC().Format(time.RFC3339)})

	// What the accounts refuse was asked for, and is on record as refused.
	name := "Kasse"
	_, err = b.ChangePerson(t.Context(), chief, p.ID, PersonChange{Name: &name})
	refused(t, err, "account.name")
	log := b.recorded("person.change")
	is(t, log[len(log)-1], "account.name", map[string]string{"person": string(p.ID), "name": "Nynne Toft", "new-name": "Kasse"})
	if log[len(log)-1].Act != "person.change.refused" {
		t.Errorf("%+v", log[len(log)-1])
	}
	refused(t, b.ChangePassword(t.Context(), b.people["staff"], "ikke den", "blå hest kører tog 77"), "account.reauthenticate")
	if n := len(b.recorded("password.change.refused")); n != 1 {
		t.Errorf("%d wrong passwords are on record", n)
	}

	// What is too long for the record is told as that.
	long := strings.Repeat("x", audit.MaxText+1)
	_, err = b.AddPerson(t.Context(), chief, NewPerson{Login: "x", Name: "Nynne Toft", Roles: []account.Role{account.Staff}, Need: long})
	refused(t, err, "input.words")
	_, err = b.ChangePerson(t.Context(), chief, p.ID, PersonChange{Function: &long})
	refused(t, err, "input.words")
	_, err = b.AddPerson(t.Context(), chief, NewPerson{Login: "x", Name: "Nynne Toft", Roles: slices.Repeat([]account.Role{account.Staff}, 99)})
	refused(t, err, "account.roles")
	refused(t, b.EndSession(t.Context(), chief, long), "input.words")
}

func is(t *testing.T, e audit.Entry, why string, about map[string]string) {
	t.Helper()
	if e.Why != why {
		t.Errorf("%s: why %q, want %q", e.Act, e.Why, why)
	}
	for k, v := range about {
		if e.About[k] != v {
			t.Errorf("%s: %s is %q, want %q", e.Act, k, e.About[k], v)
		}
	}
}

// Which key was added is on record under the name that its removal and its
// registration have, and a key that is refused is on record as added nowhere.
func TestTheRecordSaysWhichKey(t *testing.T) {
	b := newBox(t)
	a := b.fresh("staff")
	v := b.addKey(a, softkey.New(""))
	if e := b.recorded("passkey.add"); len(e) != 1 || e[0].About["key"] != v.KeyID || e[0].About["file"] != "true" {
		t.Errorf("%+v", e)
	}
	if _, err := b.AddPasskey(t.Context(), a, "x", "min", []byte("{}")); err == nil {
		t.Error("a key without a question was added")
	}
	if n := len(b.recorded("passkey.add")); n != 1 {
		t.Errorf("%d keys are on record", n)
	}
}

// Who comes in with a password that another knows, or knows the password alone,
// accepts nothing in the person's name.
func TestConditionsAreAcceptedByThePerson(t *testing.T) {
	b := newHouse(t)
	for need, code := range map[account.Need]string{account.NeedPassword: "password.change", account.NeedFactor: "factor.missing"} {
		a := b.people["staff"]
		a.Session.Must = []account.Need{need}
		refused(t, b.AcceptConditions(t.Context(), a, ConditionsVersion), code)
	}
	if n := len(b.recorded("conditions.accept")); n != 0 {
		t.Errorf("%d acceptances are on record", n)
	}
	a := b.people["staff"]
	_, err := b.Alerts(t.Context(), a)
	refused(t, err, errNotAccepted.Code)
	if err := b.AcceptConditions(t.Context(), a, ConditionsVersion); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Alerts(t.Context(), a); err != nil {
		t.Error(err)
	}
}

// Who reads the log leaves a trace in it: whom or what he looked for, once for
// all the pages of it.
func TestTheRecordSaysWhoReadIt(t *testing.T) {
	b := newBox(t)
	a := b.people["auditor"]
	for _, f := range []audit.Filter{{}, {After: 3}, {Who: "Anders Bech"}, {Who: "Anders Bech", After: 2, Newest: true}, {About: "case=X"}} {
		if _, err := b.Audit(t.Context(), a, f); err != nil {
			t.Fatal(err)
		}
	}
	log := b.recorded("audit.read")
	if len(log) != 3 || log[1].About["only-who"] != "Anders Bech" || log[2].About["only-about"] != "case=X" {
		t.Errorf("%+v", log)
	}
	b.clock.Advance(seenFor)
	if _, err := b.Audit(t.Context(), a, audit.Filter{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.VerifyAudit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if n := len(b.recorded("audit.read")); n != 4 || len(b.recorded("audit.verify")) != 1 {
		t.Errorf("%d looks are on record", n)
	}
	_, err := b.Audit(t.Context(), a, audit.Filter{Who: strings.Repeat("x", audit.MaxValue+1)})
	refused(t, err, "audit.filter")
	_, err = b.Audit(t.Context(), a, audit.Filter{Act: "\xff"})
	refused(t, err, "audit.filter")
}
