package ctl

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/uplink/wire"
)

type caseAssessCmd struct {
	caseID
	Approve    bool   `help:"Approve the disclosure; your key signs it." xor:"decision" required:""`
	Refuse     bool   `help:"Refuse it. A refusal needs no signature." xor:"decision" required:""`
	Reasons    string `required:"" help:"Why, in words; kept with the case."`
	Copy       string `required:"" help:"Hash of the copy that you have played, from \"case copy\"." placeholder:"HASH"`
	Sheet      string `required:"" help:"Hash of the sheet that you have looked through, from \"case sheet\"." placeholder:"HASH"`
	SawFlagged int    `help:"How many flagged stretches you have looked at, from \"case sheet\"; an approval needs all." placeholder:"N"`
	Guideline  string `help:"The written guideline that a clear case follows."`
	Yes        bool   `help:"Sign without being asked. Standard error still says what is signed."`
	keyFlags
}

func (c *caseAssessCmd) Run(e *env) error {
	v := casework.Verdict{Decision: incident.Refuse, Reasons: c.Reasons, Guideline: c.Guideline, SawFlagged: c.SawFlagged}
	if c.Approve {
		v.Decision = incident.Approve
	}
	if err := v.Copy.UnmarshalText([]byte(c.Copy)); err != nil {
		return usage("--copy: %v", err)
	}
	if err := v.Sheet.UnmarshalText([]byte(c.Sheet)); err != nil {
		return usage("--sheet: %v", err)
	}
	if c.Approve == (c.Key == "") {
		return usage("--key: an approval is signed by your key file, and a refusal by none")
	}
	key, err := c.open(e)
	if err != nil {
		return err
	}
	return e.withCase(func(cl *client.Client) (casework.CaseView, error) {
		now, err := cl.Case(e.ctx, c.id())
		if err != nil {
			return now, err
		}
		v.Version = now.Version
		if !c.Approve {
			return cl.Assess(e.ctx, c.id(), v)
		}
		a, err := cl.PrepareApproval(e.ctx, c.id(), v)
		if err != nil {
			return now, err
		}
		shown, err := signing(a, c.id(), v)
		if err != nil {
			return now, err
		}
		if err := e.agree(shown, c.Yes); err != nil {
			return now, err
		}
		after, err := cl.Sign(e.ctx, c.id(), v, a, key)
		return after, errors.Join(err, key.keep())
	})
}

// labelOpinion goes before an opinion where it is hashed, as appliance/casework
// does it; an approval's hash is the wire's.
const labelOpinion = "veilbox opinion 1\x00"

// errOther is a box that shows one thing and has another one signed.
func errOther(what string) error {
	return fmt.Errorf("ctl: nothing was signed: %s: do not approve on this box; tell the operator", what)
}

// signing checks that the key is asked to sign the statement that the box shows,
// and that the statement is of what the person has looked at. It returns the
// statement for reading: a box that was taken over must not get a signature by
// showing something else.
func signing(a casework.ApprovalView, id incident.CaseID, v casework.Verdict) (table, error) {
	var options struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(a.Ceremony.Options, &options); err != nil {
		return nil, fmt.Errorf("ctl: what is to be signed cannot be read: %w: use a veilctl of the box's own version", err)
	}
	hash := wire.ChallengeOf([]byte(a.Statement))
	var s wire.Statement
	var o struct {
		Case       incident.CaseID     `json:"case"`
		Circle     incident.Circle     `json:"circle"`
		Assessment incident.Assessment `json:"assessment"`
	}
	into := any(&s)
	if a.Opinion {
		sum := sha256.Sum256([]byte(labelOpinion + a.Statement))
		hash, into = sum[:], &o
	}
	if options.Challenge != base64.RawURLEncoding.EncodeToString(hash) {
		return nil, errOther("the box shows one statement and asks for a signature of another")
	}
	if err := json.Unmarshal([]byte(a.Statement), into); err != nil {
		return nil, fmt.Errorf("ctl: what is to be signed cannot be read: %w: use a veilctl of the box's own version", err)
	}
	if a.Opinion {
		s.Case, s.Copy, s.Sheet = o.Case, o.Assessment.Copy, o.Assessment.SawSheet
		s.Circle = wire.Circle{Area: o.Circle.Area, Place: o.Circle.Place, Trades: o.Circle.Trades, Chains: o.Circle.Chains, Members: o.Circle.Members}
	}
	switch {
	case s.Case != id:
		return nil, errOther("the statement is of case " + printable(string(s.Case)))
	case s.Copy != v.Copy:
		return nil, errOther("the statement is of another copy than the one you have played")
	case s.Sheet != v.Sheet:
		return nil, errOther("the statement is of another sheet than the one you have looked through")
	}
	t := table{{"you sign", "an approval: the copy is made available to the circle"}}
	if a.Opinion {
		t = table{{"you sign", "an opinion: another assessor must approve too before anything is shared"}}
	}
	t = append(t, table{{"case", string(s.Case)}, {"copy", s.Copy.String()}, {"sheet", s.Sheet.String()}}...)
	if !a.Opinion {
		t = append(t, []string{"until", local(s.NotAfter)})
	}
	var who []string
	for _, m := range s.Circle.Members {
		who = append(who, string(m))
	}
	return append(t, table{
		{"circle", s.Circle.Area + " " + s.Circle.Place},
		{"trades", strings.Join(s.Circle.Trades, ", ")}, {"chains", strings.Join(s.Circle.Chains, ", ")},
		{"members", fmt.Sprintf("%d: %s", len(who), strings.Join(who, ", "))}, {"hash signed", fmt.Sprintf("%x", hash)},
	}...), nil
}

// agree shows t on standard error and asks for a yes.
func (e *env) agree(t table, yes bool) error {
	var b bytes.Buffer
	shown := *e
	shown.Out, shown.json = &b, false
	if err := shown.show(nil, t); err != nil {
		return err
	}
	e.notice("%s", strings.TrimRight(b.String(), "\n"))
	if yes {
		return nil
	}
	fmt.Fprint(e.Err, "Type yes to sign: ")
	line, err := bufio.NewReader(io.LimitReader(e.In, 64)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("ctl: standard input: %w", err)
	}
	if strings.TrimSpace(line) != "yes" {
		return errors.New("nothing was signed: you did not type yes (--yes signs without asking)")
	}
	return nil
}
