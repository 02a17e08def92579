package ctl

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/casefile"
	"veilbox/appliance/incident"
	"veilbox/appliance/statement"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

const theReceipt = "%PDF-1.4 a receipt"

// aCaseFile is a small one of a box's log, as it goes to the agency.
func aCaseFile(t *testing.T) []byte {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log, err := audit.Open(t.Context(), audit.Options{Path: filepath.Join(t.TempDir(), "audit.db"), Key: keys.New(), Name: "veilbox-box-k3x", Signing: boxKey, Clock: clock.NewFake(at)})
	must(err)
	defer func() { must(log.Close()) }()
	for _, act := range []string{"case.create", "case.document.add", "case.file"} {
		_, err := log.Append(t.Context(), audit.Entry{Act: act, Who: audit.Who{ID: "p1", Name: "Mette Holm", Role: "manager"}, About: map[string]string{"case": "CASE1"}, Why: "<&>"})
		must(err)
	}
	in := casefile.Input{At: at, By: incident.Person{ID: "p1", Name: "Mette Holm"}, Box: "veilbox-box-k3x", Verifier: log.VerifierKey(),
		Case: incident.Case{ID: "CASE1", State: incident.Draft, What: "En mand tog en jakke.", Created: at, Documents: []incident.Document{
			{ID: "D", Kind: incident.DocumentReceipt, Name: "kvittering.pdf", Hash: sha256.Sum256([]byte(theReceipt))}}}}
	in.Log, err = log.Entries(t.Context(), audit.Filter{})
	must(err)
	in.Head, err = log.Head(t.Context())
	must(err)
	for _, e := range in.Log {
		p, err := log.Prove(t.Context(), e.Seq)
		must(err)
		in.LogProofs = append(in.LogProofs, casefile.LogProof{Seq: e.Seq, Path: p.Path})
	}
	b, err := casefile.Build(in).JSON()
	must(err)
	return b
}

func TestVerifyFile(t *testing.T) {
	s := newShell(t)
	text := aCaseFile(t)
	signer, err := statement.NewSigner("veilbox-box-k3x", boxKey)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := casefile.SignDeletion(casefile.Deletion{Box: "veilbox-box-k3x", Case: "CASE1", Created: at, Deleted: at.Add(time.Hour), By: "Mette Holm", Why: "ikke mere brug for den",
		Gone: []incident.Gone{{Kind: "document", Hash: footage.Hash(sha256.Sum256([]byte(theReceipt)))}}, Entry: 4, Made: at.Add(2 * time.Hour), Size: 9, Root: "cm9vdA=="}, signer)
	if err != nil {
		t.Fatal(err)
	}
	other, err := audit.VerifierKey("veilbox-box-k3x", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	file, proof, receipt, key := s.file("case.json", string(text)), s.file("gone.txt", string(gone)), s.file("r.pdf", theReceipt), s.file("audit.pub", boxVerifier(t)+"\n")
	changed := s.file("changed.json", strings.Replace(string(text), "Mette Holm", "Mette Kolm", 1))
	named := s.file("named.json", strings.ReplaceAll(string(text), "Mette Holm", "Mette Kolm"))
	tampered := s.file("tampered.txt", strings.Replace(string(gone), "Mette", "Lotte", 1))
	spelt := s.file("spelt.json", strings.ReplaceAll(string(text), "\n", "\r\n"))
	stranger := s.file("x.pdf", "%PDF-1.4 another")
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a case file":           {[]string{file, "--key", key}, 0, "entries of the log (3)"},
		"with its receipt":      {[]string{file, receipt, "--key", boxVerifier(t)}, 0, "is its document kvittering.pdf"},
		"with a stranger":       {[]string{file, stranger, "--key", key}, 1, "x.pdf"},
		"made by another":       {[]string{changed, "--key", key}, 1, "the making of this file"},
		"entries of another":    {[]string{named, "--key", key}, 1, "DOES NOT HOLD: entry 1"},
		"another key":           {[]string{file, "--key", other}, 1, "DOES NOT HOLD"},
		"no key":                {[]string{file}, 2, ""},
		"another spelling":      {[]string{spelt, "--key", key}, 1, ""},
		"a deletion":            {[]string{proof, "--key", key}, 0, "ikke mere brug for den"},
		"what was deleted":      {[]string{proof, receipt, "--key", key}, 0, "document (deleted from the box)"},
		"a changed deletion":    {[]string{tampered, "--key", key}, 1, ""},
		"a deletion by another": {[]string{proof, "--key", other}, 1, ""},
		"neither":               {[]string{receipt, "--key", key}, 1, ""},
	} {
		code, out, errs := s.run("", append([]string{"verify"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.says) || code != 0 && !strings.HasPrefix(errs, "veilctl: ") {
			t.Errorf("%s: status %d\n%s\n%s", name, code, out, errs)
		}
	}
	var v fileVerdict
	_, out, _ := s.run("", "--json", "verify", file, stranger, "--key", key)
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Holds || v.Kind != "case-file" || len(v.Checks) != 4 || v.Files[0].Of != "" {
		t.Errorf("json: %s %v", out, err)
	}
}
