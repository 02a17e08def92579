package ctl

import (
	"fmt"
	"io"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/durable"
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

type caseFindCmd struct {
	From   string `required:"" help:"From when the person was there: RFC 3339, \"2026-02-03 14:05\" in Copenhagen time, \"now\" or \"10m ago\"."`
	To     string `required:"" help:"Until when."`
	Camera string `help:"Only this camera." placeholder:"ID"`
	Words  string `help:"Only cases that have these words."`
	Why    string `required:"" help:"What the search is for, such as the request's number; kept in the log."`
}

func (c *caseFindCmd) Run(e *env) error {
	q := casework.FindQuery{Camera: footage.CameraID(c.Camera), Words: c.Words, Why: c.Why}
	var err error
	if q.From, err = e.when(c.From); err != nil {
		return err
	}
	if q.To, err = e.when(c.To); err != nil {
		return err
	}
	return e.withBox(func(cl *client.Client) error {
		r, err := cl.FindCases(e.ctx, q)
		if err != nil {
			return err
		}
		t := table{{"KIND", "ID", "STATE", "CAMERA", "FROM", "TO", "WHAT"}}
		for _, f := range r.Cases {
			t = append(t, []string{"case", string(f.ID), string(f.State), string(f.Camera), local(f.ClipFrom), local(f.ClipTo), f.What})
		}
		for _, f := range r.Recorded {
			t = append(t, []string{"recording", "", "", string(f.Camera), local(f.Span.From), local(f.Span.To), ""})
		}
		if r.More > 0 {
			e.notice("%d more recordings are not listed: ask for less time.", r.More)
		}
		return e.show(r, t)
	})
}

type caseHandoutCmd struct {
	caseID
	Person     string `required:"" name:"to" help:"To whom, and how you know that it is the person shown."`
	Understood bool   `required:"" help:"Say that you know: whoever takes footage out of the system answers for it under the ordinary rules."`
	Output     string `required:"" short:"o" help:"The file to write." placeholder:"FILE" type:"path"`
}

func (c *caseHandoutCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		n := &counter{}
		err := durable.WriteFunc(c.Output, 0o600, func(w io.Writer) error {
			n.Writer = w
			return cl.HandOut(e.ctx, c.id(), casework.Handout{To: c.Person, Understood: c.Understood}, n)
		})
		if err != nil {
			return err
		}
		e.notice("%s", outside)
		return e.show(map[string]any{"file": c.Output, "bytes": n.bytes}, table{{"FILE", "BYTES"}, {c.Output, fmt.Sprint(n.bytes)}})
	})
}

type alertDeletedCmd struct {
	ID    string `arg:"" help:"The alert, as \"alert list\" shows it."`
	Words string `required:"" help:"What was deleted, and where."`
}

func (c *alertDeletedCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		return cl.DeletedHere(e.ctx, incident.DisclosureID(c.ID), c.Words)
	})
}
