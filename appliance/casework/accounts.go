package casework

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
)

// People returns the accounts.
func (s *Service) People(ctx context.Context, a Actor) ([]PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return nil, err
	}
	all, err := s.o.Accounts.People(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]PersonView, 0, len(all))
	for _, p := range all {
		views = append(views, s.personView(ctx, p))
	}
	return views, nil
}

func (s *Service) personView(ctx context.Context, p account.Person) PersonView {
	p = s.confirmKeys(ctx, p)
	v := PersonView{
		ID: p.ID, Login: p.Login, Name: p.Name, Active: p.Active, Roles: p.Roles,
		Authorisation: p.Authorisation, Qualification: p.Qualification,
		TOTP: p.TOTP, Must: slices.Concat([]account.Need{}, p.Must()), LastLogin: p.LastLogin, Reviewed: p.Reviewed,
		Passkeys: []PasskeyView{},
	}
	for _, k := range p.Passkeys {
		v.Passkeys = append(v.Passkeys, s.passkeyView(k))
	}
	if keys := p.Approving(); len(keys) > 0 {
		v.KeyID, v.Confirmed = s.o.Uplink.KeyID(keys[0].Key), true
	} else if i := slices.IndexFunc(p.InUse(), func(k account.Passkey) bool { return k.Registered != nil }); i >= 0 {
		v.KeyID = s.o.Uplink.KeyID(p.InUse()[i].Key)
	}
	return v
}

func (s *Service) passkeyView(k account.Passkey) PasskeyView {
	return PasskeyView{
		ID: k.ID, Name: k.Name, Made: k.Made, Used: k.Used, Synced: k.Synced, File: k.File,
		KeyID: s.o.Uplink.KeyID(k.Key), Registered: k.Registered, Confirmed: k.Confirmed, Retired: k.Retired,
	}
}

// ReviewPeople is the yearly list: every active person, those that are due first.
func (s *Service) ReviewPeople(ctx context.Context, a Actor) ([]ReviewView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return nil, err
	}
	all, err := s.o.Accounts.Review(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]ReviewView, 0, len(all))
	for _, i := range all {
		views = append(views, ReviewView{PersonView: s.personView(ctx, i.Person), Since: i.Since, Due: slices.Concat([]string{}, i.Due)})
	}
	return views, nil
}

// ConfirmAuthorisation records that a manager went through a person's rights and
// that they are still needed, until until or for a year.
func (s *Service) ConfirmAuthorisation(ctx context.Context, a Actor, id incident.PersonID, until *time.Time) (PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return PersonView{}, err
	}
	about, err := s.recordPerson(ctx, a, "person.review", id, until)
	if err != nil {
		return PersonView{}, err
	}
	p, err := s.o.Accounts.ConfirmAuthorisation(ctx, a.Session.Person.ID, id, until)
	if err != nil {
		return PersonView{}, s.refused(ctx, a, "person.review", about, err)
	}
	return s.personView(ctx, p), nil
}

// Acceptances is who has accepted which version of the conditions (S8), the
// oldest first, for those who read the log.
func (s *Service) Acceptances(ctx context.Context, a Actor) ([]store.Acceptance, error) {
	if err := s.allow(a, account.ReadAudit); err != nil {
		return nil, err
	}
	all, err := s.o.Store.Acceptances(ctx)
	return slices.Concat([]store.Acceptance{}, all), err
}

// AddPerson makes a personal account; its generated password is in the answer
// and nowhere else.
func (s *Service) AddPerson(ctx context.Context, a Actor, n NewPerson) (PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return PersonView{}, err
	}
	if err := errors.Join(checkWords("login", n.Login, maxName), checkWords("name", n.Name, maxName), checkRights(n.Roles, n.Function, n.Need)); err != nil {
		return PersonView{}, err
	}
	about, until := map[string]string{"login": n.Login, "name": n.Name}, n.Until
	if until == nil && n.Function != "" {
		year := account.DefaultAuthorisation(s.o.Clock.Now())
		until = &year
	}
	rights(about, &n.Roles, &n.Function, until, n.Qualification)
	if err := s.record(ctx, a, "person.add", n.Need, about); err != nil {
		return PersonView{}, err
	}
	p, password, err := s.o.Accounts.Create(ctx, a.Session.Person.ID, account.NewPerson{
		Login: n.Login, Name: n.Name, Roles: n.Roles, Function: n.Function, Need: n.Need, Until: n.Until, Qualification: n.Qualification,
	})
	if err != nil {
		return PersonView{}, s.refused(ctx, a, "person.add", about, err)
	}
	v := s.personView(ctx, p)
	v.Password = password
	return v, nil
}

// checkRights bounds what goes on record of a person's rights.
func checkRights(roles []account.Role, function, need string) error {
	if len(roles) > len(account.Roles) {
		return account.ErrRoles
	}
	for _, r := range roles {
		if err := checkWords("roles", string(r), maxName); err != nil {
			return err
		}
	}
	return errors.Join(checkWords("function", function, audit.MaxValue), checkWords("need", need, audit.MaxText))
}

// rights tells the record what rights are given; nil: they stay.
func rights(about map[string]string, roles *[]account.Role, function *string, until *time.Time, q *incident.Qualification) {
	if roles != nil {
		var list []string
		for _, r := range *roles {
			list = append(list, string(r))
		}
		about["roles"] = strings.Join(list, " ")
	}
	if function != nil && *function != "" {
		about["function"] = *function
	}
	if until != nil {
		about["until"] = until.UTC().Format(time.RFC3339)
	}
	if q != nil {
		about["qualified"] = q.From.UTC().Format(time.DateOnly) + " " + q.To.UTC().Format(time.DateOnly)
	}
}

// ChangePerson changes an account. What is given and taken is on record, and what
// it was before.
func (s *Service) ChangePerson(ctx context.Context, a Actor, id incident.PersonID, c PersonChange) (PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return PersonView{}, err
	}
	function, need, roles := cmp.Or(c.Function, new(string)), cmp.Or(c.Need, new(string)), cmp.Or(c.Roles, &[]account.Role{})
	if err := errors.Join(checkRights(*roles, *function, *need), checkWords("name", *cmp.Or(c.Name, new(string)), maxName)); err != nil {
		return PersonView{}, err
	}
	old, err := s.o.Accounts.Person(ctx, id)
	if err != nil {
		return PersonView{}, err
	}
	about := map[string]string{}
	rights(about, c.Roles, c.Function, c.Until, c.Qualification)
	was := map[string]string{}
	rights(was, &old.Roles, &old.Authorisation.Function, &old.Authorisation.To, old.Qualification)
	for k := range about {
		if was[k] != "" {
			about[k+"-was"] = was[k]
		}
	}
	about["person"], about["name"] = string(old.ID), old.Name
	if c.Name != nil {
		about["new-name"] = *c.Name
	}
	if c.Active != nil {
		about["active"] = strconv.FormatBool(*c.Active)
	}
	if err := s.record(ctx, a, "person.change", *need, about); err != nil {
		return PersonView{}, err
	}
	p, err := s.o.Accounts.Change(ctx, a.Session.Person.ID, id, account.Change{
		Name: c.Name, Roles: c.Roles, Function: c.Function, Need: c.Need, Until: c.Until, Qualification: c.Qualification, Active: c.Active,
	})
	if err != nil {
		return PersonView{}, s.refused(ctx, a, "person.change", about, err)
	}
	return s.personView(ctx, p), nil
}

// ResetPassword gives an account a new generated password and takes its passkeys
// and its authenticator app: the way back for who has lost them.
func (s *Service) ResetPassword(ctx context.Context, a Actor, id incident.PersonID) (PersonView, error) {
	if err := s.allow(a, account.ManagePeople); err != nil {
		return PersonView{}, err
	}
	about, err := s.recordPerson(ctx, a, "person.password", id, nil)
	if err != nil {
		return PersonView{}, err
	}
	p, password, err := s.o.Accounts.ResetPassword(ctx, a.Session.Person.ID, id)
	if err != nil {
		return PersonView{}, s.refused(ctx, a, "person.password", about, err)
	}
	v := s.personView(ctx, p)
	v.Password = password
	return v, nil
}

// recordPerson records an act on an account that there is.
func (s *Service) recordPerson(ctx context.Context, a Actor, act string, id incident.PersonID, until *time.Time) (map[string]string, error) {
	p, err := s.o.Accounts.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	about := map[string]string{"person": string(p.ID), "name": p.Name}
	rights(about, nil, nil, until, nil)
	return about, s.record(ctx, a, act, "", about)
}
