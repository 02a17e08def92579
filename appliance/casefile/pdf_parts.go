package casefile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/incident"
)

// front is the head of the first page.
func (p *page) front() {
	f := p.f
	p.SetY(26)
	p.font("B", 24, ink)
	p.CellFormat(width, 11, p.t("title"), "", 1, "L", false, 0, "")
	p.mono(10, faint)
	p.CellFormat(width, 6, string(f.ID), "", 1, "L", false, 0, "")
	p.Ln(3)
	y := p.GetY()
	p.fill(pale)
	p.Rect(marginX, y, width, 18, "F")
	p.fill(accent)
	p.Rect(marginX, y, 1.4, 18, "F")
	column := func(x float64, key, value string) {
		p.SetXY(x, y+3)
		p.font("", 8, faint)
		p.CellFormat(52, 4, p.t(key), "", 2, "L", false, 0, "")
		p.font("B", 10.5, ink)
		for i, l := range p.SplitText(clean(value), 52) {
			if i == 2 {
				break
			}
			p.CellFormat(52, 5, l, "", 2, "L", false, 0, "")
		}
	}
	column(marginX+5, "state", p.name("state.", string(f.State)))
	column(marginX+60, "offence", p.name("offence.", string(f.Evidence.Offence)))
	column(marginX+117, "happened", p.at(f.HappenedAt))
	p.SetXY(marginX, y+22)
	p.note(p.t("intro"))
	p.row("made", p.at(f.Made))
	p.row("made-by", f.By.Name)
	p.row("box", f.Box)
	p.row("member", string(f.Member))
	if len(f.Conditions) > 0 {
		p.strip()
	}
}

// strip shows the nine at a glance.
func (p *page) strip() {
	p.Ln(3)
	p.room(16)
	w, y := width/float64(len(p.f.Conditions)), p.GetY()
	for i, c := range p.f.Conditions {
		col, word := bad, p.t("unmet-short")
		if c.Satisfied {
			col, word = good, p.t("met-short")
		}
		x := marginX + float64(i)*w
		p.fill(col)
		p.Rect(x, y, w-1.2, 1.2, "F")
		p.SetXY(x, y+2)
		p.font("B", 9.5, ink)
		p.CellFormat(w-1.2, 4.5, string(c.Condition), "", 2, "C", false, 0, "")
		p.font("", 7.5, col)
		p.CellFormat(w-1.2, 4, word, "", 0, "C", false, 0, "")
	}
	p.SetXY(marginX, y+12)
}

func (p *page) facts() {
	f := p.f
	p.section("facts")
	p.row("what", f.What)
	p.row("happened", p.at(f.HappenedAt))
	p.row("offence", p.offence())
	p.row("camera", strings.TrimSpace(f.CameraName+" ("+f.Camera+")"))
	if !f.ClipFrom.IsZero() {
		p.row("clip", p.at(f.ClipFrom)+" – "+p.at(f.ClipTo))
	}
	p.row("created", p.at(f.Created)+", "+p.person(f.Tagged))
	if f.Submitted != nil {
		p.row("submitted", p.person(*f.Submitted))
	}
	p.row("changed", fmt.Sprintf("%s (%s %d)", p.at(f.Changed), p.t("revision"), f.Revision))
	if f.Deletion != nil {
		p.row("deleted", p.at(f.Deletion.At)+", "+f.Deletion.Name+": "+f.Deletion.Why)
	}
}

func (p *page) offence() string {
	s := p.name("offence.", string(p.f.Evidence.Offence))
	if s != "" && p.f.Evidence.Attempt {
		s += " (" + p.t("attempt") + ")"
	}
	return s
}

func (p *page) conditions() {
	p.section("conditions")
	if len(p.f.Conditions) == 0 {
		p.paragraph(p.t("conditions-none"))
		return
	}
	p.note(p.t("conditions-when") + " " + p.at(p.f.Made) + ".")
	for _, c := range p.f.Conditions {
		p.room(24)
		p.Ln(1.5)
		y := p.GetY()
		col, word := bad, p.t("unmet")
		if c.Satisfied {
			col, word = good, p.t("met")
		}
		p.fill(col)
		p.Rect(marginX, y+0.4, 1.2, 5, "F")
		p.SetX(marginX + 3)
		p.font("B", 10.5, ink)
		p.CellFormat(width-38, 5.6, string(c.Condition)+"  "+clean(p.text(c.Title)), "", 0, "L", false, 0, "")
		p.font("B", 9, col)
		p.CellFormat(35, 5.6, word, "", 1, "R", false, 0, "")
		p.SetLeftMargin(marginX + 3)
		p.SetX(marginX + 3)
		p.font("", 8.5, faint)
		p.MultiCell(width-3, 4.2, clean(p.text(c.Asks)+"  ["+c.Source+"]"), "", "L", false)
		p.SetLeftMargin(marginX)
		p.SetX(marginX)
		if c.Due != nil {
			p.row("due", p.at(*c.Due))
		}
		for _, r := range c.Refusals {
			p.row("lacks", p.text(r.Text)+" ["+r.Source+"]")
		}
	}
}

func (p *page) evidence() {
	e := p.f.Evidence
	p.section("evidence")
	p.row("basis", strings.TrimSpace(p.name("basis.", string(e.Basis))+"\n"+e.BasisWords))
	if e.ValueDKK != nil {
		p.row("value", fmt.Sprintf("%d kr.", *e.ValueDKK))
	}
	p.row("repetition", e.Repetition)
	p.row("professional", e.Professional)
	p.row("repeat", e.RepeatReasons)
	for _, l := range e.Links {
		p.row("link", string(l.Case)+": "+l.Why)
	}
	for _, s := range e.Statements {
		p.row("statement", s.Witness+", "+p.at(s.At)+":\n"+s.Words)
	}
	if r := e.Report; r != nil {
		p.row("report", r.Number+", "+p.at(r.At))
		p.when("withdrawn", r.Withdrawn)
		p.when("groundless", r.Groundless)
	} else if e.ReportToday {
		p.row("report", p.t("report-today"))
	}
	p.when("charged", e.Charged)
	p.when("certainty-lost", e.CertaintyLost)
	p.when("next", e.NextReassessment)
	if e.Doubtful {
		p.row("doubtful", p.t("yes"))
	}
	if e.FirstOfKind {
		p.row("first-of-kind", p.t("yes"))
	}
	p.sub(p.t("documents"))
	if len(p.f.Documents) == 0 {
		p.paragraph(p.t("documents-none"))
		return
	}
	rows := [][]string{}
	for _, d := range p.f.Documents {
		rows = append(rows, []string{p.name("document.", d.Kind), d.Name, p.short(d.Added) + "\n" + d.ByName, d.Hash.String()})
	}
	p.table([]column{{"kind", 0.16, false}, {"name", 0.27, false}, {"added", 0.23, false}, {"sha256", 0.34, true}}, rows)
}

func (p *page) when(key string, t *time.Time) {
	if t != nil {
		p.row(key, p.at(*t))
	}
}

func (p *page) copyAndProof() {
	p.section("copy")
	c, pr := p.f.Copy, p.f.Proof
	if c == nil {
		p.paragraph(p.t("copy-none"))
		return
	}
	p.row("made-at", p.at(c.Made))
	p.row("mode", p.name("mode.", fmt.Sprint(int(c.Mode))))
	p.row("subjects", fmt.Sprint(c.Subjects))
	if c.Sound != nil {
		p.row("sound", c.Sound.Name+": "+c.Sound.Reason)
	} else {
		p.row("sound", p.t("sound-removed"))
	}
	for _, w := range p.f.Widened {
		p.row("widened", fmt.Sprintf("%s, %s, %s %s", p.name("widen.", w.What), w.Name, p.at(w.At), w.Reason))
	}
	if pr == nil {
		p.paragraph(p.t("proof-gone"))
		return
	}
	p.row("proof", p.t(map[bool]string{true: "passed", false: "failed"}[pr.Passed]))
	p.row("frames", fmt.Sprintf("%d (%d × %d)", pr.Frames, pr.Width, pr.Height))
	p.row("frames-shown", fmt.Sprintf("%d, %s %d, %s %d", pr.Shown, p.t("unsure"), pr.Unsure, p.t("flagged"), pr.Flagged))
	p.row("cell", fmt.Sprintf("%d × %d px", pr.Cell, pr.Cell))
	figure := func(g Figure) string {
		return fmt.Sprintf("%s (%s %s)", p.number(g.Worst), p.t("most"), p.number(g.Most))
	}
	p.row("deviation", figure(pr.Deviation))
	p.row("energy", figure(pr.Energy))
	p.row("ring", figure(pr.Ring))
	for _, r := range pr.Reasons {
		p.row("lacks", r)
	}
}

func (p *page) assessments() {
	p.section("assessments")
	if len(p.f.Assessments) == 0 {
		p.paragraph(p.t("none"))
	}
	for i, a := range p.f.Assessments {
		p.sub(fmt.Sprintf("%d. %s – %s", i+1, p.name("decision.", string(a.Decision)), p.at(a.At)))
		p.row("assessor", p.person(a.Assessor))
		if q := a.Assessor.Qualification; q != nil {
			var competences []string
			for _, c := range q.Competences {
				competences = append(competences, p.name("competence.", c))
			}
			p.row("education", q.Education)
			p.row("experience", q.Experience)
			p.row("competences", strings.Join(competences, ", "))
			p.row("qualified", p.date(q.From)+" – "+p.date(q.To))
		}
		p.row("reasons", a.Reasons)
		p.row("guideline", a.Guideline)
		if s := a.Signature; s != nil {
			p.row("signature", p.signature(*s))
			p.code("key", s.Key)
			p.row("rp", s.RPID)
			p.code("signed-hash", s.SHA256)
		} else if a.Decision == incident.Refuse {
			p.row("signature", p.t("unsigned"))
		} else {
			p.row("signature", p.t("none"))
		}
	}
}

func (p *page) signature(s Signature) string {
	if s.Verifies {
		return p.t("verifies") + " (" + p.name("signed.", s.Kind) + ")"
	}
	return p.t("verifies-not") + " " + s.Problem
}

func (p *page) disclosure() {
	p.section("disclosure")
	c, d := p.f.Evidence.Circle, p.f.Disclosure
	p.row("circle", strings.TrimSpace(p.name("area.", c.Area)+" "+c.Place))
	p.row("why", c.AreaReason)
	p.row("trades", strings.Join(c.Trades, ", "))
	p.row("why", c.TradesReason)
	p.row("chains", strings.Join(c.Chains, ", "))
	p.row("why", c.ChainsReason)
	p.row("circle-reason", c.Reason)
	p.row("members", p.members(c.Members))
	if d == nil {
		p.paragraph(p.t("disclosure-none"))
		return
	}
	p.code("disclosure-id", string(d.ID))
	p.row("released", p.at(d.Released))
	p.when("disclosed", d.Disclosed)
	p.row("report-due", p.at(d.ReportDue))
	p.row("not-after", p.at(d.NotAfter))
	if d.Ended != nil {
		p.row("ended", p.at(*d.Ended)+", "+d.EndedBy+": "+d.EndReason)
	}
}

func (p *page) members(ids []incident.MemberID) string {
	var names []string
	for _, m := range ids {
		if n := p.f.Members[m]; n != "" {
			names = append(names, n+" ("+string(m)+")")
		} else {
			names = append(names, string(m))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// after is what came after the disclosure.
func (p *page) after() {
	f := p.f
	p.section("after")
	if len(f.Reassessments)+len(f.Narrowings)+len(f.Facts)+len(f.Informed) == 0 && f.Deletion == nil {
		p.paragraph(p.t("none"))
		return
	}
	for _, r := range f.Reassessments {
		p.sub(p.t("reassessed") + " – " + p.at(r.At))
		p.row("by", p.person(r.By))
		p.row("reasons", r.Reasons)
		p.row("next", p.at(r.Next))
	}
	for _, n := range f.Narrowings {
		p.sub(p.t("narrowed") + " – " + p.at(n.At))
		p.row("by", p.person(n.By))
		p.row("reasons", n.Reason)
		rows := [][]string{}
		for _, d := range n.Dropped {
			rows = append(rows, []string{p.members([]incident.MemberID{d.Member}), p.maybe(d.Told), p.maybe(d.Deleted)})
		}
		if len(rows) > 0 {
			p.table([]column{{"member", 0.44, false}, {"told", 0.28, false}, {"member-deleted", 0.28, false}}, rows)
		}
	}
	for _, x := range f.Facts {
		p.sub(p.name("fact.", x.What) + " – " + p.at(x.At))
		p.row("by", x.Name+", "+p.at(x.Added))
		p.row("words", x.Words)
	}
	for _, x := range f.Informed {
		p.sub(p.t("informed") + " – " + p.at(x.At))
		p.row("how", p.name("informed.", x.How))
		p.row("words", x.Words)
		p.row("by", x.Name)
	}
	if d := f.Deletion; d != nil {
		p.sub(p.t("deleted") + " – " + p.at(d.At))
		rows := [][]string{}
		for _, g := range d.What {
			hash := "–"
			if !g.Hash.IsZero() {
				hash = g.Hash.String()
			}
			rows = append(rows, []string{p.name("hash.", g.Kind), hash})
		}
		if len(rows) > 0 {
			p.table([]column{{"of", 0.3, false}, {"sha256", 0.7, true}}, rows)
		}
	}
}

func (p *page) accesses() {
	f := p.f
	p.section("accesses")
	switch {
	case f.AccessesUnknown:
		p.paragraph(p.t("accesses-unknown"))
	case len(f.Accesses) == 0:
		p.paragraph(p.t("accesses-none"))
	default:
		p.more(f.MoreAccesses)
		rows := [][]string{}
		for _, a := range f.Accesses {
			member := a.MemberName
			if member == "" {
				member = string(a.Member)
			}
			rows = append(rows, []string{p.short(a.At), member, join(string(a.Person), a.Function), cut(a.Purpose)})
		}
		p.table([]column{{"when", 0.2, false}, {"member", 0.24, false}, {"person", 0.24, false}, {"purpose", 0.32, false}}, rows)
	}
}

// maxCell is how many characters of one entry a table shows; the JSON has all.
const maxCell = 600

func cut(s string) string {
	if r := []rune(s); len(r) > maxCell {
		return string(r[:maxCell]) + " … [" + Attachment + "]"
	}
	return s
}

// join puts what is there of its arguments behind each other.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

func (p *page) more(n int) {
	if n > 0 {
		p.note(fmt.Sprintf("%s %d", p.t("more"), n))
	}
}

func (p *page) log() {
	p.section("log")
	p.note(p.t("log-note"))
	p.more(p.f.MoreLog)
	rows := [][]string{}
	for _, e := range p.f.Log {
		rows = append(rows, []string{fmt.Sprint(e.Seq), p.short(e.At), join(e.Who.Name, p.name("role.", e.Who.Role)), p.act(e.Act), cut(e.Why)})
	}
	if len(rows) == 0 {
		p.paragraph(p.t("none"))
		return
	}
	p.table([]column{{"no", 0.07, false}, {"when", 0.19, false}, {"who", 0.26, false}, {"act", 0.2, false}, {"why", 0.28, false}}, rows)
}

func (p *page) hashes() {
	p.section("hashes")
	rows := [][]string{}
	for _, h := range p.f.Hashes {
		rows = append(rows, []string{p.name("hash.", h.Of), h.Name, h.SHA256})
	}
	if len(rows) > 0 {
		p.table([]column{{"of", 0.18, false}, {"name", 0.26, false}, {"sha256", 0.56, true}}, rows)
	}
	p.sub(p.t("audit-head"))
	p.note(p.t("audit-note"))
	a := p.f.Audit
	p.row("origin", a.Origin)
	p.row("size", fmt.Sprint(a.Size))
	p.code("root", a.Root)
	p.code("note", a.Note)
	p.code("verifier", a.VerifierKey)
}
