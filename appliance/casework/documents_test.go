package casework

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/casework/documents"
	"veilbox/appliance/incident"
)

// receipt is a small PDF; n tells them apart.
func receipt(n int) []byte {
	body := fmt.Sprintf("%%PDF-1.4\n%% kvittering nummer %d fra politiet\n", n)
	return []byte(fmt.Sprintf("%sxref\ntrailer\nstartxref\n%d\n%%%%EOF\n", body, len(body)))
}

func (b *box) document(v CaseView, who string, n int) (CaseView, error) {
	return b.AddDocument(b.t.Context(), b.people[who], v.ID, NewDocument{Version: v.Version, Kind: incident.DocumentReceipt, Name: "kvittering.pdf"}, bytes.NewReader(receipt(n)))
}

// documentFiles are the names in the folder of documents.
func (b *box) documentFiles() []string {
	b.t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.opt.Dir, "documents"))
	if err != nil {
		b.t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestADocumentIsKeptSealed(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	v, err := b.AddDocument(t.Context(), b.people["staff"], v.ID, NewDocument{Version: v.Version, Kind: incident.DocumentReceipt, Name: `C:\Sager\..\kvit:tering` + "\u202e\x00.exe"}, bytes.NewReader(receipt(1)))
	b.must(v, err)
	if len(v.Documents) != 1 {
		t.Fatalf("%+v", v.Documents)
	}
	d := v.Documents[0]
	if d.Name != "kvit_tering.exe.pdf" || d.Media != incident.MediaPDF || d.Size != int64(len(receipt(1))) || d.ByName != names["staff"] || d.Kind != incident.DocumentReceipt || d.Added.IsZero() {
		t.Errorf("%+v", d)
	}
	files := b.documentFiles()
	if len(files) != 1 {
		t.Fatalf("%v", files)
	}
	raw, err := os.ReadFile(filepath.Join(b.opt.Dir, "documents", files[0]))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte("kvittering")) || bytes.Contains(raw, []byte("%PDF")) {
		t.Error("it lies on the disk in the clear")
	}
	for who := range map[string]bool{"staff": true, "assessor": true, "manager": true} {
		got, m, err := b.Document(t.Context(), b.people[who], v.ID, d.ID)
		if err != nil {
			t.Fatal(who, err)
		}
		all, err := io.ReadAll(m)
		if err != nil || !bytes.Equal(all, receipt(1)) || got.Hash != d.Hash || m.Size() != d.Size {
			t.Errorf("%s: %d bytes, %+v, %v", who, len(all), got, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if b.count("case.document.add") != 1 || b.count("case.document.view") != 3 {
		t.Errorf("on record: %v", b.acts())
	}
	for _, who := range []string{"auditor", "operator", "idle"} {
		if _, _, err := b.Document(t.Context(), b.people[who], v.ID, d.ID); err == nil {
			t.Errorf("%s reads it", who)
		}
	}
	_, _, err = b.Document(t.Context(), b.people["staff"], v.ID, "NOSUCH")
	refused(t, err, "document.missing")
	_, _, err = b.Document(t.Context(), b.people["staff"], b.newCase().ID, d.ID)
	refused(t, err, "document.missing")

	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(filepath.Join(b.opt.Dir, "documents", files[0]), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = b.Document(t.Context(), b.people["staff"], v.ID, d.ID)
	refused(t, err, "document.damaged")
}

func TestADocumentIsRefused(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	add := func(who string, n NewDocument, body []byte) error {
		_, err := b.AddDocument(t.Context(), b.people[who], v.ID, n, bytes.NewReader(body))
		return err
	}
	receiptOf := NewDocument{Kind: incident.DocumentReceipt, Name: "a.pdf"}
	for name, c := range map[string]struct {
		who  string
		n    NewDocument
		body []byte
		code string
	}{
		"no kind":     {"staff", NewDocument{Name: "a"}, receipt(1), "document.what"},
		"a page":      {"staff", receiptOf, []byte("<html>"), "document.kind"},
		"half":        {"staff", receiptOf, receipt(1)[:30], "document.broken"},
		"nothing":     {"staff", receiptOf, nil, "document.empty"},
		"too much":    {"staff", receiptOf, append(receipt(1), make([]byte, documents.MaxSize)...), "document.large"},
		"old version": {"staff", NewDocument{Kind: incident.DocumentOther, Version: v.Version + 1}, receipt(1), "case.conflict"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, add(c.who, c.n, c.body), c.code) })
	}
	for _, who := range []string{"auditor", "operator", "idle"} {
		if add(who, receiptOf, receipt(1)) == nil {
			t.Errorf("%s adds a document", who)
		}
	}
	if _, err := b.AddDocument(t.Context(), b.people["staff"], "NOSUCH", receiptOf, bytes.NewReader(receipt(1))); err == nil {
		t.Error("there is no such case")
	}
	if files := b.documentFiles(); len(files) != 0 || b.count("case.document.add") != 0 {
		t.Errorf("what was refused left %v, and %v on record", files, b.acts())
	}
	for i := range MaxDocuments {
		if err := add("staff", receiptOf, receipt(i)); err != nil {
			t.Fatal(i, err)
		}
		if i == 0 {
			refused(t, add("staff", receiptOf, receipt(0)), "document.twice")
		}
	}
	refused(t, add("staff", receiptOf, receipt(99)), "document.many")
	if files := b.documentFiles(); len(files) != MaxDocuments {
		t.Errorf("%d files", len(files))
	}
}

// A receipt's number may come first, its paper later the same day (V4); what an
// assessor has seen stays.
func TestADocumentAfterTheRelease(t *testing.T) {
	b := newBox(t)
	v := b.released()
	v, err := b.document(v, "staff", 1)
	b.must(v, err)
	_, err = b.RemoveDocument(t.Context(), b.people["staff"], v.ID, v.Documents[0].ID, DocumentRemoval{Reason: "forkert"})
	refused(t, err, "case.state")
	if v.State != incident.Released || len(b.documentFiles()) != 1 {
		t.Errorf("%s, %v", v.State, b.documentFiles())
	}
}

func TestADocumentIsRemoved(t *testing.T) {
	b := newBox(t)
	v, err := b.document(b.newCase(), "staff", 1)
	b.must(v, err)
	doc := v.Documents[0].ID
	remove := func(who, reason string, version int) error {
		_, err := b.RemoveDocument(t.Context(), b.people[who], v.ID, doc, DocumentRemoval{Version: version, Reason: reason})
		return err
	}
	refused(t, remove("staff", " ", 0), "document.reason")
	refused(t, remove("staff", "forkert sag", v.Version-1), "case.conflict")
	if remove("auditor", "forkert", 0) == nil {
		t.Error("an auditor removes a document")
	}
	if err := remove("staff", "forkert sag", v.Version); err != nil {
		t.Fatal(err)
	}
	refused(t, remove("staff", "igen", 0), "document.missing")
	if len(b.documentFiles()) != 0 {
		t.Errorf("%v", b.documentFiles())
	}
	// What was there and is not can still be named.
	for act, why := range map[string]string{"case.document.add": "", "case.document.remove": "forkert sag"} {
		e, err := b.opt.Audit.Entries(t.Context(), audit.Filter{Act: act})
		if err != nil || len(e) != 1 || e[0].Why != why || e[0].About["hash"] != v.Documents[0].Hash.String() || e[0].About["case"] != string(v.ID) {
			t.Errorf("%s: %+v %v", act, e, err)
		}
	}
}

func TestDocumentsThatNoCaseNamesGo(t *testing.T) {
	b := newBox(t)
	v, err := b.document(b.newCase(), "staff", 1)
	b.must(v, err)
	kept := b.documentFiles()[0]
	for _, name := range []string{".tmp-123", "NOSUCHCASE.NOSUCHDOC.sealed", string(v.ID) + ".NOSUCHDOC.sealed", "rod"} {
		if err := os.WriteFile(filepath.Join(b.opt.Dir, "documents", name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.restart()
	if files := b.documentFiles(); len(files) != 1 || files[0] != kept {
		t.Errorf("left: %v", files)
	}
	if err := b.DeleteCase(t.Context(), b.people["manager"], v.ID, "prøvesag"); err != nil {
		t.Fatal(err)
	}
	if files := b.documentFiles(); len(files) != 0 {
		t.Errorf("the case is deleted, its documents are not: %v", files)
	}
	_, err = b.document(CaseView{Case: incident.Case{ID: v.ID}}, "staff", 2)
	if err == nil || len(b.documentFiles()) != 0 {
		t.Errorf("a deleted case takes documents: %v", err)
	}
}

// An act that cannot be recorded does not happen.
func TestADocumentIsNotTakenOffTheRecord(t *testing.T) {
	b := newBox(t)
	v, err := b.document(b.newCase(), "staff", 1)
	b.must(v, err)
	if err := b.opt.Audit.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.document(v, "staff", 2); err == nil {
		t.Error("it was added")
	}
	if _, _, err := b.Document(t.Context(), b.people["staff"], v.ID, v.Documents[0].ID); err == nil {
		t.Error("it was handed out")
	}
	if _, err := b.RemoveDocument(t.Context(), b.people["staff"], v.ID, v.Documents[0].ID, DocumentRemoval{Reason: "x"}); err == nil {
		t.Error("it was removed")
	}
	if files := b.documentFiles(); len(files) != 1 {
		t.Errorf("%v", files)
	}
}

func TestDocumentNames(t *testing.T) {
	for in, want := range map[string]string{
		"kvittering.pdf":          "kvittering.pdf",
		"Kvittering fra Politiet": "Kvittering fra Politiet.pdf",
		"kvittering.PDF":          "kvittering.PDF",
		"billede.jpg":             "billede.pdf",
		"kvittering.exe":          "kvittering.exe.pdf",
		"../../etc/passwd":        "passwd.pdf",
		`C:\Users\x\a.pdf`:        "a.pdf",
		"":                        "dokument.pdf",
		".pdf":                    "pdf.pdf",
		"..":                      "dokument.pdf",
		"a\x00b\r\nSet-Cookie: x": "abSet-Cookie_ x.pdf",
		"gnp.\u202epdf":           "gnp.pdf",
		"æøå ÆØÅ.pdf":             "æøå ÆØÅ.pdf",
		strings.Repeat("å", 200):  strings.Repeat("å", 60) + ".pdf",
		"\xff\xfe":                "dokument.pdf",
		`"; filename="x.html`:     "__ filename=_x.html.pdf",
	} {
		if got := withExtension(documentName(in), incident.MediaPDF); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// A receipt's time may come first, and what shows it later the same day (V4): its
// number, or its paper. The extranet must hear of it, or it ends the sharing.
func TestWhatShowsTheReportComesLater(t *testing.T) {
	timed := func(e *incident.Evidence) {
		e.ReportToday, e.Report = true, &incident.Report{At: start}
	}
	may := func(v CaseView) bool { return slices.Contains(v.May, "report") }
	for name, tc := range map[string]struct {
		show  func(*box, CaseView) (CaseView, error)
		lasts bool
	}{
		"nothing": {func(b *box, v CaseView) (CaseView, error) { return v, nil }, false},
		"its number": {func(b *box, v CaseView) (CaseView, error) {
			return b.Report(t.Context(), b.people["staff"], v.ID, PoliceReport{Version: v.Version, Number: "0700-1", At: start})
		}, true},
		"its paper": {func(b *box, v CaseView) (CaseView, error) { return b.document(v, "staff", 1) }, true},
		"another paper": {func(b *box, v CaseView) (CaseView, error) {
			return b.AddDocument(t.Context(), b.people["staff"], v.ID, NewDocument{Kind: incident.DocumentOther, Name: "x.pdf"}, bytes.NewReader(receipt(1)))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := b.released(timed)
			if now, err := b.Case(t.Context(), b.people["staff"], v.ID); !may(b.must(now, err)) {
				t.Error("the page does not ask for it")
			}
			b.clock.Advance(time.Hour)
			v, err := tc.show(b, b.get(v))
			told := b.up.reported[b.must(v, err).Disclosure.ID] != ""
			now, err := b.Case(t.Context(), b.people["staff"], v.ID)
			if told != tc.lasts || may(b.must(now, err)) == tc.lasts {
				t.Errorf("the extranet was told: %v; asked for still: %v", told, may(v))
			}
			if tc.lasts {
				_, err := b.Report(t.Context(), b.people["staff"], v.ID, PoliceReport{Number: "0700-2", At: start})
				refused(t, err, "case.state")
			}
			b.at(v.Disclosure.ReportDue)
			b.sweep()
			if got := b.get(v); got.State.Running() != tc.lasts {
				t.Errorf("at midnight it is %s", got.State)
			}
		})
	}
	b := newBox(t)
	v := b.released(timed)
	b.up.fail = errors.New("disk full")
	if _, err := b.document(v, "staff", 1); err == nil || len(b.get(v).Documents) != 0 || len(b.documentFiles()) != 0 {
		t.Errorf("the extranet was not told, and the case says it is shown: %v", err)
	}
}
