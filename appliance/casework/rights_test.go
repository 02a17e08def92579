package casework

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/audit"
	"veilbox/appliance/casefile"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
)

func TestCaseFile(t *testing.T) {
	b := newBox(t)
	v := b.released()
	v, err := b.document(v, "staff", 1)
	b.must(v, err)
	b.up.members = []Member{{ID: "butik-b", Name: "Tøj & Co"}, {ID: "butik-z", Name: "En anden"}}
	b.up.accesses = []Access{{Member: "butik-b", MemberName: "Tøj & Co", Person: "vagt-7", Function: "vagt", At: start, Purpose: "ser efter"}}
	f, err := b.CaseFile(t.Context(), b.people["manager"], v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if f.ID != v.ID || f.State != incident.Released || f.CameraName != "Kassen" || f.By.Name != names["manager"] || len(f.Conditions) != 9 || len(f.Documents) != 1 {
		t.Errorf("%+v", f)
	}
	if len(f.Members) != 1 || f.Members["butik-b"] != "Tøj & Co" || len(f.Accesses) != 1 || f.Accesses[0].Person != "vagt-7" || f.AccessesUnknown {
		t.Errorf("members %v, accesses %+v", f.Members, f.Accesses)
	}
	if f.Proof == nil || !f.Proof.Passed || f.Proof.Frames == 0 || f.Proof.Energy.Most == 0 {
		t.Errorf("proof %+v", f.Proof)
	}
	if n := len(f.Assessments); n != 1 || f.Assessments[0].Signature == nil || !f.Assessments[0].Signature.Verifies || f.Assessments[0].Signature.Kind != "approval" {
		t.Errorf("assessments %+v", f.Assessments)
	}
	if n := len(f.Log); n == 0 || f.Log[0].Act != "case.create" || f.Log[n-1].Act != "case.file" || f.Log[n-1].About["format"] != "json" {
		t.Errorf("the log %+v", f.Log)
	}
	head, err := audit.ParseHead([]byte(f.Audit.Note), f.Audit.VerifierKey)
	if err != nil || head.Size != f.Audit.Size || head.Hash.String() != f.Audit.Root || head.Size < f.Log[len(f.Log)-1].Seq {
		t.Errorf("the head %+v: %v", f.Audit, err)
	}

	b.up.fail = errors.New("away")
	if f, err := b.CaseFile(t.Context(), b.people["assessor"], v.ID); err != nil || !f.AccessesUnknown || len(f.Members) != 0 {
		t.Errorf("an extranet that is away keeps the file back: %+v %v", f.Accesses, err)
	}
	b.up.fail = nil

	var pdf bytes.Buffer
	if err := b.CaseFilePDF(t.Context(), b.people["auditor"], v.ID, "da", &pdf); err != nil || !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF-")) {
		t.Errorf("%d bytes, %v", pdf.Len(), err)
	}
	refused(t, b.CaseFilePDF(t.Context(), b.people["manager"], v.ID, "fr", io.Discard), "casefile.lang")
	for _, who := range []string{"staff", "operator", "idle"} {
		if _, err := b.CaseFile(t.Context(), b.people[who], v.ID); err == nil {
			t.Errorf("%s has the case file", who)
		}
	}
	if n := b.count("case.file"); n != 3 {
		t.Errorf("%d files on record", n)
	}
}

func kinds(h Holdings) []string {
	var k []string
	for _, i := range h.Items {
		k = append(k, i.Kind)
	}
	return k
}

func TestHoldings(t *testing.T) {
	b := newBox(t)
	v := b.released()
	v, err := b.document(v, "staff", 1)
	b.must(v, err)
	m, err := b.CaseClip(t.Context(), b.people["staff"], v.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	from, to := span()
	if _, err := b.NewExport(t.Context(), b.people["manager"], till, NewExport{From: from, To: to, Purpose: "politiets sag 7"}, true); err != nil {
		t.Fatal(err)
	}
	b.up.accesses = []Access{{Member: "butik-b", Person: "vagt-7", Function: "vagt", At: start}}
	h, err := b.Holdings(t.Context(), b.people["manager"], v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"clip", "copy", "export", "answers", "document", "disclosure", "log"}; !slices.Equal(kinds(h), want) {
		t.Errorf("kept: %v, want %v", kinds(h), want)
	}
	for _, i := range h.Items {
		if i.What.DA == "" || i.What.EN == "" || i.Where.DA == "" || i.Since.IsZero() || i.Until == nil && i.Ends.DA == "" {
			t.Errorf("%+v", i)
		}
	}
	if len(h.Given) != 1 || h.Given[0].Member != "butik-b" || h.Given[0].Ended != nil {
		t.Errorf("given to %+v", h.Given)
	}
	if len(h.Accesses) != 1 || h.Accesses[0].Person != "" || h.Accesses[0].Function != "vagt" {
		t.Errorf("accesses %+v", h.Accesses)
	}
	if len(h.Own) != 1 || h.Own[0].Act != "clip.view" || h.Own[0].Role != "staff" {
		t.Errorf("looks %+v", h.Own)
	}
	if b.count("case.holdings") != 1 {
		t.Errorf("on record: %v", b.acts())
	}
	if _, err := b.Holdings(t.Context(), b.people["staff"], v.ID); err == nil {
		t.Error("staff may not")
	}

	if _, err := b.Withdraw(t.Context(), b.people["manager"], v.ID, "fejl"); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteCase(t.Context(), b.people["manager"], v.ID, "slut"); err != nil {
		t.Fatal(err)
	}
	h, err = b.Holdings(t.Context(), b.people["manager"], v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"deletion", "log"}; !slices.Equal(kinds(h), want) {
		t.Errorf("of a deleted case %v is kept, want %v", kinds(h), want)
	}
}

func TestInform(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	inform := func(who string, n NewInformed) (CaseView, error) {
		return b.Inform(t.Context(), b.people[who], v.ID, n)
	}
	for name, c := range map[string]struct {
		n    NewInformed
		code string
	}{
		"no way":          {NewInformed{Words: "x"}, "informed.how"},
		"another way":     {NewInformed{How: "pigeon"}, "informed.how"},
		"left out":        {NewInformed{How: InformedExempt, Words: " "}, "informed.why"},
		"tomorrow":        {NewInformed{How: InformedSign, At: start.Add(24 * time.Hour)}, "informed.at"},
		"too many words":  {NewInformed{How: InformedSign, Words: strings.Repeat("x", audit.MaxText+1)}, "input.words"},
		"another version": {NewInformed{How: InformedSign, Version: v.Version + 4}, "case.conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := inform("staff", c.n)
			refused(t, err, c.code)
		})
	}
	if _, err := inform("auditor", NewInformed{How: InformedSign}); err == nil {
		t.Error("an auditor informs")
	}
	got, err := inform("staff", NewInformed{How: InformedExempt, Words: "Politiet bad os vente."})
	b.must(got, err)
	if len(got.Informed) != 1 || got.Informed[0].Name != names["staff"] || !got.Informed[0].At.Equal(start) || b.count("case.informed") != 1 {
		t.Errorf("%+v", got.Informed)
	}
}

func TestSubjectCopy(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	ask := func(who string, h Handout) (Media, error) {
		return b.SubjectCopy(t.Context(), b.people[who], v.ID, h)
	}
	to := Handout{To: "personen selv, pas set", Understood: true}
	_, err := ask("manager", to)
	refused(t, err, "copy.missing")
	v = b.veiled(v)
	_, err = ask("manager", Handout{To: " ", Understood: true})
	refused(t, err, "handout.to")
	_, err = ask("manager", Handout{To: "personen selv"})
	refused(t, err, "handout.understood")
	for _, who := range []string{"staff", "assessor", "auditor", "operator"} {
		if _, err := ask(who, to); err == nil {
			t.Errorf("%s hands out the copy", who)
		}
	}
	if b.count("copy.handout") != 0 {
		t.Error("what was refused is on record as done")
	}
	m, err := ask("manager", to)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(m)
	if err != nil || b.count("copy.handout") != 1 {
		t.Fatalf("%v, %v", err, b.acts())
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	c, err := b.CaseCopy(t.Context(), b.people["staff"], v.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	same, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, same) {
		t.Errorf("%d bytes handed out, the copy has %d: %v", len(got), len(same), err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Nobody but the one person may be seen or heard in what is handed out.
func TestSubjectCopyOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*incident.Copy)
		code   string
	}{
		"two people": {func(c *incident.Copy) { c.Subjects = 2 }, "handout.others"},
		"with sound": {func(c *incident.Copy) { c.Sound = &incident.Sound{Reason: "råb"} }, "handout.others"},
		"nobody":     {func(c *incident.Copy) { c.Mode = 2 }, "handout.nobody"},
		"not proved": {func(c *incident.Copy) { c.Passed = false }, "handout.old"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := b.veiled(b.newCase())
			kept, err := b.opt.Store.Case(t.Context(), v.ID)
			if err != nil {
				t.Fatal(err)
			}
			c.change(kept.Copy)
			if _, err := b.opt.Store.UpdateCase(t.Context(), kept); err != nil {
				t.Fatal(err)
			}
			_, err = b.SubjectCopy(t.Context(), b.people["manager"], v.ID, Handout{To: "personen selv", Understood: true})
			refused(t, err, c.code)
		})
	}
}

func TestDeletionProof(t *testing.T) {
	b := newBox(t)
	v, err := b.document(b.newCase(), "staff", 1)
	b.must(v, err)
	proof := func(who string) ([]byte, error) { return b.DeletionProof(t.Context(), b.people[who], v.ID) }
	_, err = proof("manager")
	refused(t, err, "case.state")
	if err := b.DeleteCase(t.Context(), b.people["manager"], v.ID, "ingen sag alligevel"); err != nil {
		t.Fatal(err)
	}
	text, err := proof("auditor")
	if err != nil {
		t.Fatal(err)
	}
	d, err := casefile.VerifyDeletion(text, b.opt.Signer.(note.Verifier))
	if err != nil {
		t.Fatal(err)
	}
	gone := map[string]footage.Hash{}
	for _, g := range d.Gone {
		gone[g.Kind] = g.Hash
	}
	if d.Case != v.ID || d.By != names["manager"] || d.Why != "ingen sag alligevel" || gone["clip"] != v.Clip.Hash.Hash || gone["document"] != v.Documents[0].Hash {
		t.Errorf("%+v", d)
	}
	all, err := b.opt.Audit.Entries(t.Context(), audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if e := all[d.Entry-1]; e.Act != "case.delete" || e.About["case"] != string(v.ID) {
		t.Errorf("entry %d is %+v", d.Entry, e)
	}
	if _, err := proof("staff"); err == nil {
		t.Error("staff have the proof")
	}
	f, err := b.CaseFile(t.Context(), b.people["manager"], v.ID)
	if err != nil || f.Deletion == nil || f.What != "" || len(f.Conditions) != 0 {
		t.Errorf("the file of a deleted case: %+v %v", f, err)
	}
	if strings.Contains(string(text), "jakke") {
		t.Error("the proof tells what happened")
	}
}

func TestFindCases(t *testing.T) {
	b := newBox(t)
	v := b.answer(b.newCase(), evidence())
	from, to := span()
	find := func(q FindQuery) []incident.CaseID {
		t.Helper()
		q.Why = "henvendelse 12"
		r, err := b.FindCases(t.Context(), b.people["manager"], q)
		if err != nil {
			t.Fatal(err)
		}
		ids := []incident.CaseID{}
		for _, c := range r.Cases {
			ids = append(ids, c.ID)
		}
		return ids
	}
	for name, c := range map[string]struct {
		q    FindQuery
		want bool
	}{
		"the time":        {FindQuery{From: from, To: to}, true},
		"a second of it":  {FindQuery{From: to.Add(-time.Second), To: to.Add(time.Hour)}, true},
		"just after":      {FindQuery{From: to, To: to.Add(time.Hour)}, false},
		"just before":     {FindQuery{From: from.Add(-time.Hour), To: from.Add(-time.Second)}, false},
		"the camera":      {FindQuery{From: from, To: to, Camera: till}, true},
		"another camera":  {FindQuery{From: from, To: to, Camera: "door"}, false},
		"words of it":     {FindQuery{From: from, To: to, Words: "TASKE jakke"}, true},
		"words not in it": {FindQuery{From: from, To: to, Words: "jakke cykel"}, false},
	} {
		if got := find(c.q); slices.Contains(got, v.ID) != c.want {
			t.Errorf("%s: found %v", name, got)
		}
	}
	r, err := b.FindCases(t.Context(), b.people["manager"], FindQuery{From: from, To: to, Why: "henvendelse 12"})
	if err != nil || len(r.Recorded) != 1 || r.Recorded[0].Name != "Kassen" || !r.Recorded[0].Span.From.Equal(from) || !r.Recorded[0].Span.To.Equal(to) {
		t.Errorf("recorded: %+v %v", r.Recorded, err)
	}
	for name, c := range map[string]struct {
		q    FindQuery
		code string
	}{
		"no reason":  {FindQuery{From: from, To: to}, "find.why"},
		"backwards":  {FindQuery{From: to, To: from, Why: "x"}, "find.span"},
		"too long":   {FindQuery{From: from, To: from.AddDate(2, 0, 0), Why: "x"}, "find.span"},
		"no camera":  {FindQuery{From: from, To: to, Camera: "../x", Why: "x"}, "find.camera"},
		"many words": {FindQuery{From: from, To: to, Words: strings.Repeat("x", maxName+1), Why: "x"}, "input.words"},
	} {
		_, err := b.FindCases(t.Context(), b.people["manager"], c.q)
		if err == nil {
			t.Errorf("%s was searched for", name)
			continue
		}
		refused(t, err, c.code)
	}
	for _, who := range []string{"staff", "auditor", "operator", "idle"} {
		if _, err := b.FindCases(t.Context(), b.people[who], FindQuery{From: from, To: to, Why: "x"}); err == nil {
			t.Errorf("%s searches", who)
		}
	}
	if n := b.count("rights.find"); n != 9 {
		t.Errorf("%d searches on record", n)
	}
}
