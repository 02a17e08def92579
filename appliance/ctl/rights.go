package ctl

import (
	"fmt"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
)

type caseHoldingsCmd struct{ caseID }

func (c *caseHoldingsCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		h, err := cl.Holdings(e.ctx, c.id())
		if err != nil {
			return err
		}
		t := table{{"KIND", "WHAT", "WHERE", "SINCE", "UNTIL"}}
		for _, i := range h.Items {
			until := i.Ends.EN
			if i.Until != nil {
				until = local(*i.Until)
			}
			t = append(t, []string{i.Kind, i.What.EN, i.Where.EN, local(i.Since), until})
		}
		for _, r := range h.Given {
			until := ""
			if r.Ended != nil {
				until = local(*r.Ended)
			}
			t = append(t, []string{"given to", r.Name, string(r.Member), "", until})
		}
		t = append(t, []string{"looks", fmt.Sprintf("%d here, %d at the extranet", len(h.Own), len(h.Accesses)), "", "", ""})
		if h.Unknown {
			e.notice("The extranet could not be asked who has looked at the shared copy: ask again later.")
		}
		return e.show(h, t)
	})
}

type caseInformCmd struct {
	caseID
	How   string `required:"" enum:"sign,letter,in-person,exempt" help:"sign, letter, in-person, or exempt (the person was not told)."`
	Words string `required:"" help:"What was said, or why the person was not told."`
	At    string `default:"now" help:"When: RFC 3339, \"2026-02-03 14:05\" in Copenhagen time, \"now\" or \"10m ago\"."`
}

func (c *caseInformCmd) Run(e *env) error {
	at, err := e.when(c.At)
	if err != nil {
		return err
	}
	return e.changing(c.id(), func(cl *client.Client, version int) (casework.CaseView, error) {
		return cl.Inform(e.ctx, c.id(), casework.NewInformed{Version: version, At: at, How: c.How, Words: c.Words})
	})
}
