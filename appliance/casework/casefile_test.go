package casework

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"veilbox/appliance/audit"
	"veilbox/appliance/casefile"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
)

// eventful is a case in which a first assessor refused, two others' competences
// were needed, a receipt was added and the circle was narrowed.
func (b *box) eventful() CaseView {
	b.t.Helper()
	ctx := b.t.Context()
	v := b.submitted(func(e *incident.Evidence) {
		next := start.Add(20 * day)
		e.FirstOfKind, e.NextReassessment = true, &next
		e.Circle.Members = []incident.MemberID{"butik-b", "butik-c"}
		e.Report = &incident.Report{Number: "0700-12345-00001-26", At: start}
	})
	no := b.verdict(v, "assessor")
	no.Decision, no.Reasons = incident.Refuse, "Kredsen skal begrundes bedre."
	v, err := b.Assess(ctx, b.people["assessor"], v.ID, no)
	v, err = b.Submit(ctx, b.people["staff"], b.must(v, err).ID, v.Version)
	v, err = b.approve(b.must(v, err), "assessor")
	v, err = b.approve(b.must(v, err), "lawyer")
	if b.must(v, err).State != incident.Released {
		b.t.Fatalf("%s: %+v", v.State, v.Missing)
	}
	if err := b.Delivered(ctx, v.Disclosure.ID, b.clock.Now()); err != nil {
		b.t.Fatal(err)
	}
	v, err = b.document(b.get(v), "staff", 1)
	v, err = b.Narrow(ctx, b.people["manager"], b.must(v, err).ID, Narrow{Version: v.Version, Drop: []incident.MemberID{"butik-c"}, Reason: "Kun tøjbutikker er ramt."})
	return b.must(v, err)
}

func TestAllThatACaseFileSaysHolds(t *testing.T) {
	b := newBox(t)
	v := b.eventful()
	b.newCase() // another's entries lie between
	f, err := b.CaseFile(t.Context(), b.people["manager"], v.ID)
	if err != nil {
		t.Fatal(err)
	}
	data, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if to := os.Getenv("CASE_FILE"); to != "" { // to be looked at
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := b.opt.Audit.VerifierKey()
	back, checks, err := casefile.Verify(data, key)
	if err != nil || !casefile.Holds(checks) || back.ID != v.ID {
		t.Fatalf("%+v, %v", checks, err)
	}
	count := map[string]int{}
	for _, c := range checks {
		count[c.Of] = c.Count
	}
	if count[casefile.CheckLog] < 12 || count[casefile.CheckSignatures] != 2 || count[casefile.CheckProof] != 1 || count[casefile.CheckHashes] != 8 || count[casefile.CheckHead] != 1 {
		t.Errorf("what was looked at: %v", count)
	}

	log := f.Log
	for name, tc := range map[string]struct {
		of     string
		change func(*casefile.File)
	}{
		"another head":               {casefile.CheckHead, func(f *casefile.File) { f.Audit.Size++ }},
		"another box":                {casefile.CheckHead, func(f *casefile.File) { f.Box = "box-2" }},
		"an entry says another name": {casefile.CheckLog, func(f *casefile.File) { f.Log[2].Who.Name = "Ole Dahl" }},
		"an entry at another time":   {casefile.CheckLog, func(f *casefile.File) { f.Log[2].At = f.Log[2].At.Add(1) }},
		"an entry says another why":  {casefile.CheckLog, func(f *casefile.File) { f.Log[len(log)-2].Why = "fordi" }},
		"an entry without its proof": {casefile.CheckLog, func(f *casefile.File) { f.Log = f.Log[1:] }},
		"an entry twice":             {casefile.CheckLog, func(f *casefile.File) { f.Log[1], f.LogProofs[1] = f.Log[0], f.LogProofs[0] }},
		"the last entry is gone":     {casefile.CheckLog, func(f *casefile.File) { f.Log, f.LogProofs = f.Log[:len(log)-1], f.LogProofs[:len(log)-1] }},
		"made by another":            {casefile.CheckLog, func(f *casefile.File) { f.By.ID = "X" }},
		"of another case":            {casefile.CheckLog, func(f *casefile.File) { f.ID = "ANOTHER" }},
		"an approval not signed":     {casefile.CheckSignatures, func(f *casefile.File) { f.Assessments[1].Signed, f.Assessments[1].Signature = nil, nil }},
		"another approval's":         {casefile.CheckSignatures, func(f *casefile.File) { f.Assessments[2] = f.Assessments[1] }},
		"a changed statement":        {casefile.CheckSignatures, func(f *casefile.File) { f.Assessments[2].Signed.Statement[9] ^= 1 }},
		"an approved copy":           {casefile.CheckSignatures, func(f *casefile.File) { f.Assessments[2].Copy.Hash[0] ^= 1 }},
		"more were shown it":         {casefile.CheckSignatures, func(f *casefile.File) { f.Disclosure.Members = append(f.Disclosure.Members, "butik-d") }},
		"another disclosure":         {casefile.CheckSignatures, func(f *casefile.File) { f.Disclosure.ID = "ANOTHER" }},
		"says that it verifies":      {casefile.CheckSignatures, func(f *casefile.File) { f.Assessments[1].Signature.Kind = "approval" }},
		"a kinder figure":            {casefile.CheckProof, func(f *casefile.File) { f.Proof.Energy.Worst = 0 }},
		"fewer frames":               {casefile.CheckProof, func(f *casefile.File) { f.Proof.Frames-- }},
		"another proof":              {casefile.CheckProof, func(f *casefile.File) { f.Proof.Raw += " " }},
		"a document's hash":          {casefile.CheckHashes, func(f *casefile.File) { f.Documents[0].Hash = footage.Hash{1} }},
		"a hash is gone":             {casefile.CheckHashes, func(f *casefile.File) { f.Hashes = f.Hashes[1:] }},
	} {
		var c casefile.File
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		tc.change(&c)
		changed, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		_, checks, err := casefile.Verify(changed, key)
		found := false
		for _, c := range checks {
			found = found || c.Of == tc.of && c.Why != ""
		}
		if err != nil || !found {
			t.Errorf("%s: %+v, %v", name, checks, err)
		}
	}
	another, err := audit.VerifierKey("test-box", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if _, checks, err := casefile.Verify(data, another); err != nil || casefile.Holds(checks) || checks[0].Why == "" || checks[1].Why == "" {
		t.Errorf("another box's key: %+v, %v", checks, err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "a space": append(data, ' '), "another spelling": append([]byte(" "), data...), "two": append(data, data...), "no file": []byte("{}\n")} {
		if _, _, err := casefile.Verify(bad, key); !errors.Is(err, casefile.ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A case file names what was done in words.
func TestEveryActAboutACaseHasAName(t *testing.T) {
	n := 0
	for _, a := range acts() {
		kind, _, _ := strings.Cut(a.records, ".")
		if !slices.Contains([]string{"case", "copy", "clip", "sheet", "disclosure"}, kind) || a.records == "disclosure.view" { // another's
			continue
		}
		n++
		if _, ok := casefile.ActText(a.records); !ok {
			t.Errorf("%s has no name", a.records)
		}
	}
	for _, act := range moveActs {
		if _, ok := casefile.ActText(act); !ok {
			t.Errorf("%s has no name", act)
		}
	}
	if n < 15 {
		t.Errorf("only %d acts", n)
	}
}

// What comes into the log while a file is made has a head of its own.
func TestACaseFileHoldsWhileOthersAct(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	f, err := b.CaseFile(t.Context(), b.people["manager"], v.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.newCase()
	head, err := b.opt.Audit.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := b.logProofs(t.Context(), f.Log, head)
	if err != nil {
		t.Fatal(err)
	}
	f.LogProofs = list // under a later head than the file's
	for i := range f.LogProofs {
		f.LogProofs[i].Head = string(head.Note)
	}
	data, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, checks, err := casefile.Verify(data, b.opt.Audit.VerifierKey()); err != nil || !casefile.Holds(checks) {
		t.Errorf("%+v, %v", checks, err)
	}
}
