package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/redact/subject"
)

type caseCmd struct {
	List     caseListCmd     `cmd:"" help:"List the cases."`
	Show     caseShowCmd     `cmd:"" help:"Show one case and what is missing, by condition."`
	New      caseNewCmd      `cmd:"" help:"Make a case of a span of footage."`
	Answers  caseAnswersCmd  `cmd:"" help:"Print the form's answers as JSON, to edit and give to \"case change\"."`
	Change   caseChangeCmd   `cmd:"" help:"Change the form's answers."`
	Redact   caseRedactCmd   `cmd:"" help:"Say where the subject is and make the veiled copy."`
	Copy     caseCopyCmd     `cmd:"" help:"Save the veiled copy; prints the hash that \"case assess\" asks for."`
	Sheet    caseSheetCmd    `cmd:"" help:"Save the pictures of everything that is revealed; prints the hash that \"case assess\" asks for."`
	Submit   caseSubmitCmd   `cmd:"" help:"Put the case before the assessor."`
	Sound    caseSoundCmd    `cmd:"" help:"Keep the sound of the copy, or remove it again, as its assessor."`
	Assess   caseAssessCmd   `cmd:"" help:"Approve or refuse a disclosure, as its assessor."`
	Report   caseReportCmd   `cmd:"" help:"Document the report to the police (condition 4)."`
	Withdraw caseWithdrawCmd `cmd:"" help:"End a disclosure at once."`

	Fact     caseFactCmd     `cmd:"" help:"Record something new about a case, such as a charge; it may end the disclosure."`
	Reassess caseReassessCmd `cmd:"" help:"Look at all nine conditions again while a disclosure runs (condition 8)."`
	Narrow   caseNarrowCmd   `cmd:"" help:"Take members out of the circle while a disclosure runs (condition 6)."`
	Document caseDocumentCmd `cmd:"" help:"Documents of a case: add, list, get, remove."`
	File     caseFileCmd     `cmd:"" help:"Save the case file, for the regulator or the police."`
	Holdings caseHoldingsCmd `cmd:"" help:"List everything that is kept about a case."`
	Find     caseFindCmd     `cmd:"" help:"Find what concerns a person who was in the shop at some time, for a request for access."`
	Handout  caseHandoutCmd  `cmd:"" help:"Save the copy for the person whom it shows, with everybody else veiled."`
	Inform   caseInformCmd   `cmd:"" help:"Note that the person on the footage was told, or why not."`
	Delete   caseDeleteCmd   `cmd:"" help:"Delete everything personal of a case that has ended."`
	Gone     caseGoneCmd     `cmd:"" name:"deletion-proof" help:"Save the signed statement of what was deleted."`
}

func (e *env) withCase(f func(*client.Client) (casework.CaseView, error)) error {
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	v, err := f(cl)
	if err != nil {
		return err
	}
	return e.show(v, caseTable(v))
}

func caseTable(v casework.CaseView) table {
	t := table{{"case", string(v.ID)}, {"state", string(v.State)}, {"version", fmt.Sprint(v.Version)}, {"what", v.What},
		{"happened", local(v.HappenedAt)}, {"camera", string(v.Clip.Camera)}, {"clip", local(v.ClipFrom) + " to " + local(v.ClipTo)}}
	if v.Copy != nil {
		t = append(t, []string{"copy", v.Copy.Hash.String()})
	}
	if p := v.Progress; p != nil {
		t = append(t, []string{"redaction", fmt.Sprintf("%s, %d of %d frames", p.Stage, p.Done, p.Total)})
		if p.Problem != nil {
			t = append(t, []string{"", p.Problem.Cause.EN + " " + p.Problem.Remedy.EN})
		}
	}
	for _, m := range v.Missing {
		t = append(t, []string{"missing " + string(m.Condition), m.Text.EN + " (" + m.Source + ")"})
	}
	if d := v.Disclosure; d != nil {
		t = append(t, []string{"disclosure", string(d.ID)}, []string{"ends", local(d.NotAfter)})
		if d.Ended != nil {
			t = append(t, []string{"ended", local(*d.Ended) + ": " + d.EndReason})
		}
	}
	if s := v.Sending; s != nil {
		t = append(t, []string{"sending", fmt.Sprintf("%s, %d of %d bytes", s.State, s.Sent, s.Size)})
		if s.Problem != nil {
			t = append(t, []string{"", s.Problem.Cause.EN + " " + s.Problem.Remedy.EN})
		}
	}
	return append(t, []string{"you may", strings.Join(v.May, ", ")})
}

type caseListCmd struct{}

func (*caseListCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		all, err := cl.Cases(e.ctx)
		if err != nil {
			return err
		}
		t := table{{"CASE", "STATE", "HAPPENED", "CAMERA", "OFFENCE", "WHAT"}}
		for _, v := range all {
			t = append(t, []string{string(v.ID), string(v.State), local(v.HappenedAt), string(v.Clip.Camera), string(v.Evidence.Offence), v.What})
		}
		return e.show(all, t)
	})
}

type caseID struct {
	ID string `arg:"" help:"The case, as \"case list\" shows it."`
}

func (c caseID) id() incident.CaseID { return incident.CaseID(c.ID) }

type caseShowCmd struct{ caseID }

func (c *caseShowCmd) Run(e *env) error {
	return e.withCase(func(cl *client.Client) (casework.CaseView, error) { return cl.Case(e.ctx, c.id()) })
}

type caseNewCmd struct {
	Camera   string `required:"" help:"The camera's name in the system."`
	From     string `required:"" help:"From when: RFC 3339, \"2026-02-03 14:05:06\" in Copenhagen time, \"now\" or \"10m ago\"."`
	To       string `required:"" help:"Until when."`
	What     string `required:"" help:"What happened, in words."`
	Offence  string `required:"" help:"Kind of offence: ${enum}." enum:"theft,trick-theft,till-snatch,card-fraud,fraud,embezzlement,robbery,extortion,handling,vehicle-use,vandalism,violence,other"`
	Value    *int   `help:"Value in whole DKK." placeholder:"DKK"`
	Attempt  bool   `help:"It was an attempt."`
	Happened string `help:"When it happened (default: the start)."`
}

func (c *caseNewCmd) Run(e *env) error {
	cam, err := footage.ParseCameraID(c.Camera)
	if err != nil {
		return usage("%v", err)
	}
	n := casework.NewCase{Camera: cam, What: c.What, ValueDKK: c.Value, Offence: incident.Offence(c.Offence), Attempt: c.Attempt}
	if c.Happened == "" {
		c.Happened = c.From
	}
	for _, k := range []struct {
		to   *time.Time
		text string
	}{{&n.From, c.From}, {&n.To, c.To}, {&n.HappenedAt, c.Happened}} {
		if *k.to, err = e.when(k.text); err != nil {
			return err
		}
	}
	return e.withCase(func(cl *client.Client) (casework.CaseView, error) { return cl.NewCase(e.ctx, n) })
}

// answers is the form as a file: what casework.Change holds, without the version.
type answers struct {
	What       string            `json:"what"`
	HappenedAt time.Time         `json:"happened_at"`
	Evidence   incident.Evidence `json:"evidence"`
}

type caseAnswersCmd struct{ caseID }

func (c *caseAnswersCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		v, err := cl.Case(e.ctx, c.id())
		if err != nil {
			return err
		}
		e.json = true
		return e.show(answers{v.What, v.HappenedAt, v.Evidence}, nil)
	})
}

type caseChangeCmd struct {
	caseID
	File string `arg:"" help:"JSON as \"case answers\" prints it; keys left out keep their answer. - is standard input."`
}

func (c *caseChangeCmd) Run(e *env) error {
	b, err := e.readFile(c.File, 1<<20)
	if err != nil {
		return err
	}
	return e.withCase(func(cl *client.Client) (casework.CaseView, error) {
		v, err := cl.Case(e.ctx, c.id())
		if err != nil {
			return v, err
		}
		a := answers{v.What, v.HappenedAt, v.Evidence}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			return v, fmt.Errorf("ctl: %s: %w: start from what \"veilctl case answers %s\" prints", c.File, err, c.ID)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return v, fmt.Errorf("ctl: %s: something follows the JSON value", c.File)
		}
		return cl.ChangeCase(e.ctx, c.id(), casework.Change{Version: v.Version, What: a.What, HappenedAt: a.HappenedAt, Evidence: a.Evidence})
	})
}

type caseRedactCmd struct {
	caseID
	Subject  string   `help:"Subject file: where the subjects are (see \"veilctl redact --help\"). Left out only with --mode blur-everything." placeholder:"FILE"`
	Mode     string   `enum:"subject-only,still-scene,blur-everything" default:"subject-only" help:"What else may be seen (see \"veilctl redact --help\")."`
	Still    *float64 `help:"Make a picture of the frame nearest to this time instead of a clip." placeholder:"SECONDS"`
	Stamp    string   `help:"Burn in the time, and this place." placeholder:"PLACE"`
	ShowMore bool     `help:"Say that you mean it, where the copy shows more than one suspect and nothing else."`
	Wait     bool     `help:"Wait until the copy is there."`
}

func (c *caseRedactCmd) change() (subject.Choice, error) {
	var ch subject.Choice
	if err := ch.Mode.UnmarshalText([]byte(c.Mode)); err != nil {
		return ch, usage("--mode: %v", err)
	}
	if c.Still != nil {
		ch.Still = &subject.Still{At: *c.Still}
	}
	if (ch.Mode == subject.BlurEverything) != (c.Subject == "") {
		return ch, usage("--subject: give a subject file, or --mode blur-everything without one")
	}
	return ch, nil
}

func (c *caseRedactCmd) Run(e *env) error {
	ch, err := c.change()
	if err != nil {
		return err
	}
	var who []subject.Subject
	if c.Subject != "" {
		b, err := e.readFile(c.Subject, subject.MaxFileSize)
		if err != nil {
			return err
		}
		if who, err = subject.ParseSet(bytes.NewReader(b)); err != nil {
			return err
		}
	}
	return e.withCase(func(cl *client.Client) (casework.CaseView, error) {
		v, err := cl.Case(e.ctx, c.id())
		if err != nil {
			return v, err
		}
		if c.Stamp != "" {
			ch.Stamp = &subject.Stamp{Place: c.Stamp, Start: v.ClipFrom}
		}
		v, err = cl.Redact(e.ctx, c.id(), casework.SubjectChange{Version: v.Version, Subjects: who, Choice: ch, ShowMore: c.ShowMore})
		if err != nil || !c.Wait {
			return v, err
		}
		if err := e.await(cl, c.id()); err != nil {
			return v, err
		}
		return cl.Case(e.ctx, c.id())
	})
}

// await waits until the redaction has ended.
func (e *env) await(cl *client.Client, id incident.CaseID) error {
	last := ""
	for {
		p, err := cl.CaseProgress(e.ctx, id)
		if err != nil {
			return err
		}
		if p.Problem != nil {
			return fmt.Errorf("%s %s", p.Problem.Cause.EN, p.Problem.Remedy.EN)
		}
		if !p.Running {
			return nil
		}
		if p.Stage != last {
			e.notice("%s", p.Stage)
			last = p.Stage
		}
		if err := clock.Sleep(e.ctx, e.Clock, 500*time.Millisecond); err != nil {
			return err
		}
	}
}
