package ctl

import (
	"fmt"
	"os"
	"path/filepath"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/internal/durable"
)

type caseCopyCmd struct {
	caseID
	Output string `required:"" short:"o" help:"The file to write." placeholder:"FILE" type:"path"`
}

func (c *caseCopyCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		m, err := cl.CaseCopy(e.ctx, c.id())
		if err != nil {
			return err
		}
		return e.save(m, c.Output)
	})
}

type caseSheetCmd struct {
	caseID
	Output string `required:"" short:"o" help:"The folder to write the pictures to; made where it is missing." placeholder:"DIR" type:"path"`
}

func (c *caseSheetCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		s, err := cl.Sheet(e.ctx, c.id())
		if err != nil {
			return err
		}
		if err := os.MkdirAll(c.Output, 0o700); err != nil {
			return fmt.Errorf("ctl: %w", err)
		}
		for i := range s.Pictures {
			b, err := cl.SheetPicture(e.ctx, c.id(), i)
			if err != nil {
				return err
			}
			if err := durable.WriteFile(filepath.Join(c.Output, fmt.Sprintf("%04d.jpg", i)), b, 0o600); err != nil {
				return err
			}
		}
		e.notice("%s", outside)
		return e.show(s, table{{"SHEET", "PICTURES", "FLAGGED", "SHOWN", "OF"},
			{s.Hash.String(), fmt.Sprint(len(s.Pictures)), fmt.Sprint(len(s.Flagged)), fmt.Sprintf("%.1f s", s.Shown), fmt.Sprintf("%.1f s", s.Duration)}})
	})
}

type caseSubmitCmd struct{ caseID }

func (c *caseSubmitCmd) Run(e *env) error {
	return e.changing(c.id(), func(cl *client.Client, version int) (casework.CaseView, error) {
		return cl.Submit(e.ctx, c.id(), version)
	})
}

type caseReportCmd struct {
	caseID
	Number string `required:"" help:"The receipt's or journal's number."`
	At     string `default:"now" help:"When the report was sent: RFC 3339, \"2026-02-03 14:05\" in Copenhagen time, \"now\" or \"10m ago\"."`
}

func (c *caseReportCmd) Run(e *env) error {
	at, err := e.when(c.At)
	if err != nil {
		return err
	}
	return e.changing(c.id(), func(cl *client.Client, version int) (casework.CaseView, error) {
		return cl.Report(e.ctx, c.id(), casework.PoliceReport{Version: version, Number: c.Number, At: at})
	})
}

type caseWithdrawCmd struct {
	caseID
	Reason string `required:"" help:"Why; everyone who had access sees it."`
}

func (c *caseWithdrawCmd) Run(e *env) error {
	return e.withCase(func(cl *client.Client) (casework.CaseView, error) { return cl.Withdraw(e.ctx, c.id(), c.Reason) })
}

type alertCmd struct {
	List    alertListCmd    `cmd:"" help:"List the alerts."`
	View    alertViewCmd    `cmd:"" help:"Save an alert's veiled copy. The viewing is logged, by name, here and at the extranet."`
	Deleted alertDeletedCmd `cmd:"" help:"Record that this shop has deleted what it took of an alert."`
}

type alertListCmd struct{}

func (*alertListCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		all, err := cl.Alerts(e.ctx)
		if err != nil {
			return err
		}
		t := table{{"ALERT", "FROM", "OFFENCE", "WHEN", "UNTIL", "ENDED", "WHAT"}}
		for _, a := range all {
			ended := ""
			if a.Ended != nil {
				ended = local(*a.Ended) + " " + a.Why.DA
			}
			t = append(t, []string{string(a.ID), a.Sender, string(a.Offence), local(a.When), local(a.NotAfter), ended, a.What})
		}
		return e.show(all, t)
	})
}

type alertViewCmd struct {
	ID      string `arg:"" help:"The alert, as \"alert list\" shows it."`
	Output  string `required:"" short:"o" help:"The file to write." placeholder:"FILE" type:"path"`
	Purpose string `required:"" help:"What you look at it for; kept in both logs."`
}

func (c *alertViewCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		v, err := cl.View(e.ctx, incident.DisclosureID(c.ID), c.Purpose)
		if err != nil {
			return err
		}
		m, err := cl.ViewingMedia(e.ctx, v.ID)
		if err != nil {
			return err
		}
		return e.save(m, c.Output)
	})
}

type caseSoundCmd struct {
	caseID
	Keep   string `help:"Keep the sound, for this reason. It is not veiled." xor:"sound" required:"" placeholder:"REASON"`
	Remove bool   `help:"Remove it again." xor:"sound" required:""`
}

func (c *caseSoundCmd) Run(e *env) error {
	return e.changing(c.id(), func(cl *client.Client, version int) (casework.CaseView, error) {
		return cl.KeepSound(e.ctx, c.id(), casework.SoundChange{Version: version, Keep: !c.Remove, Reason: c.Keep})
	})
}
