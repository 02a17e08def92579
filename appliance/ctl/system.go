package ctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
)

type peopleCmd struct {
	List   peopleListCmd   `cmd:"" help:"List the accounts."`
	Add    peopleAddCmd    `cmd:"" help:"Make a personal account; prints its password, once."`
	Change peopleChangeCmd `cmd:"" help:"Change an account: name, roles, authorisation, whether it is active."`
	Reset  peopleResetCmd  `cmd:"" help:"Give an account a new password; prints it, once."`
	Review peopleReviewCmd `cmd:"" help:"The yearly review: list everybody's rights, those that are due first."`
	Keep   peopleKeepCmd   `cmd:"" help:"Record that a person's rights were gone through and are still needed."`
}

type peopleListCmd struct{}

func (*peopleListCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		all, err := cl.People(e.ctx)
		if err != nil {
			return err
		}
		return e.show(all, peopleTable(all...))
	})
}

func peopleTable(all ...casework.PersonView) table {
	t := table{{"ID", "LOG-IN", "NAME", "ROLES", "AUTHORISED UNTIL"}}
	for _, p := range all {
		var roles []string
		for _, r := range p.Roles {
			roles = append(roles, string(r))
		}
		t = append(t, []string{string(p.ID), p.Login, p.Name, strings.Join(roles, ", "), local(p.Authorisation.To)})
	}
	return t
}

type peopleAddCmd struct {
	Login       string   `required:"" help:"Log-in name."`
	Name        string   `required:"" help:"The person's own name; accounts are personal."`
	Role        []string `required:"" help:"Roles: ${enum}." enum:"staff,manager,assessor,auditor,operator"`
	Function    string   `required:"" help:"The person's function in the shop."`
	Need        string   `required:"" help:"Why that function needs access (condition 7)."`
	Until       string   `help:"When the authorisation ends (default: a year from now)."`
	Education   string   `help:"Assessor: education (condition 9)."`
	Experience  string   `help:"Assessor: experience with cases of property crime."`
	Competences []string `help:"Assessor: ${enum}." enum:"law,security,property-crime" name:"competence"`
}

func (c *peopleAddCmd) Run(e *env) error {
	n := casework.NewPerson{Login: c.Login, Name: c.Name, Function: c.Function, Need: c.Need}
	for _, r := range c.Role {
		n.Roles = append(n.Roles, account.Role(r))
	}
	now := e.Clock.Now().UTC()
	until := now.AddDate(1, 0, 0)
	if c.Until != "" {
		t, err := e.when(c.Until)
		if err != nil {
			return err
		}
		until = t
		n.Until = &until
	}
	if c.Education != "" || c.Experience != "" || len(c.Competences) > 0 {
		n.Qualification = &incident.Qualification{Education: c.Education, Experience: c.Experience, Competences: c.Competences,
			From: now.Truncate(time.Second), To: until.Truncate(time.Second)}
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	v, err := cl.AddPerson(e.ctx, n)
	if err != nil {
		return err
	}
	return e.show(v, table{{"ID", "LOG-IN", "NAME", "PASSWORD"}, {string(v.ID), v.Login, v.Name, v.Password}})
}

type peopleChangeCmd struct {
	ID       string   `arg:"" help:"The account, as \"people list\" shows it."`
	Name     string   `help:"The person's own first and last name."`
	Role     []string `help:"All of its roles: ${enum}." enum:"staff,manager,assessor,auditor,operator"`
	Function string   `help:"The person's function in the shop."`
	Need     string   `help:"Why that function needs access (condition 7)."`
	Until    string   `help:"When the authorisation ends; \"now\" ends it."`
	Active   *bool    `help:"Whether the person can log in." negatable:""`
}

func (c *peopleChangeCmd) Run(e *env) error {
	var ch casework.PersonChange
	given := func(v string) *string {
		if v == "" {
			return nil
		}
		return &v
	}
	ch.Name, ch.Function, ch.Need, ch.Active = given(c.Name), given(c.Function), given(c.Need), c.Active
	if len(c.Role) > 0 {
		var roles []account.Role
		for _, r := range c.Role {
			roles = append(roles, account.Role(r))
		}
		ch.Roles = &roles
	}
	if c.Until != "" {
		t, err := e.when(c.Until)
		if err != nil {
			return err
		}
		ch.Until = &t
	}
	if ch == (casework.PersonChange{}) {
		return usage("nothing to change: give at least one of --name, --role, --function, --need, --until, --active")
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	v, err := cl.ChangePerson(e.ctx, incident.PersonID(c.ID), ch)
	if err != nil {
		return err
	}
	return e.show(v, peopleTable(v))
}

type peopleResetCmd struct {
	ID string `arg:"" help:"The account, as \"people list\" shows it."`
}

func (c *peopleResetCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		v, err := cl.ResetPassword(e.ctx, incident.PersonID(c.ID))
		if err != nil {
			return err
		}
		return e.show(v, table{{"ID", "LOG-IN", "NAME", "PASSWORD"}, {string(v.ID), v.Login, v.Name, v.Password}})
	})
}

type peopleReviewCmd struct{}

func (*peopleReviewCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		all, err := cl.ReviewPeople(e.ctx)
		if err != nil {
			return err
		}
		t := table{{"ID", "NAME", "AUTHORISED UNTIL", "LOOKED AT", "DUE"}}
		for _, p := range all {
			t = append(t, []string{string(p.ID), p.Name, local(p.Authorisation.To), local(p.Since), strings.Join(p.Due, ", ")})
		}
		return e.show(all, t)
	})
}

type peopleKeepCmd struct {
	ID    string `arg:"" help:"The person, as \"people review\" shows it."`
	Until string `help:"Until when: RFC 3339 or \"2026-02-03\" (default: a year)."`
}

func (c *peopleKeepCmd) Run(e *env) error {
	var until *time.Time
	if c.Until != "" {
		t, err := e.when(c.Until)
		if err != nil {
			return err
		}
		until = &t
	}
	return e.withBox(func(cl *client.Client) error {
		v, err := cl.ConfirmAuthorisation(e.ctx, incident.PersonID(c.ID), until)
		if err != nil {
			return err
		}
		return e.show(v, peopleTable(v))
	})
}

type enrolCmd struct {
	Code string `arg:"" help:"The one-time code from the extranet's operator; - is standard input."`
}

func (c *enrolCmd) Run(e *env) error {
	code := c.Code
	if code == "-" {
		s, err := e.secret("-", "code")
		if err != nil {
			return err
		}
		code = s.Reveal()
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	v, err := cl.Enrol(e.ctx, code)
	if err != nil {
		return err
	}
	return e.show(v, table{{"MEMBER", "NAME", "BOX", "EXTRANET"}, {string(v.Member), v.Name, v.Box, v.URL}})
}

type memberCmd struct {
	List memberListCmd `cmd:"" help:"List the connected members (system condition S1)."`
}

type memberListCmd struct{}

func (*memberListCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		all, err := cl.Members(e.ctx)
		if err != nil {
			return err
		}
		t := table{{"MEMBER", "NAME", "TOWN", "REGION", "TRADE", "CHAIN"}}
		for _, m := range all {
			t = append(t, []string{string(m.ID), m.Name, m.Town, m.Region, m.Trade, m.Chain})
		}
		return e.show(all, t)
	})
}

type healthCmd struct{}

var errUnwell = errors.New("a check of the box fails: each line above that says FAIL names the remedy")

func (*healthCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		all, err := cl.Health(e.ctx)
		if err != nil {
			return err
		}
		well := true
		t := table{{"CHECK", "", ""}}
		for _, c := range all {
			state, text := "ok", c.Text.EN
			if !c.OK {
				state, well = "FAIL", false
				if c.Problem != nil {
					text = c.Problem.Cause.EN + " " + c.Problem.Remedy.EN
				}
			}
			t = append(t, []string{c.Name, state, text})
		}
		if err := e.show(all, t); err != nil {
			return err
		}
		if !well {
			return errUnwell
		}
		return nil
	})
}

func compact(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("ctl: %w", err)
	}
	return string(b), nil
}
