package casefile

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/statement"
	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

var noon = time.Date(2026, 3, 4, 11, 0, 0, 0, time.UTC)

func sum(s string) footage.Hash { return sha256.Sum256([]byte(s)) }

func ptr[T any](v T) *T { return &v }

func person(name, function string) incident.Person {
	return incident.Person{ID: incident.PersonID("P-" + name), Name: name, Authorisation: incident.Authorisation{
		By: "Mette Holm", Function: function, Need: "passer kassen", From: noon.AddDate(-1, 0, 0), To: noon.AddDate(1, 0, 0)}}
}

// sample is a case that has been through everything.
func sample() Input {
	assessor := person("Jonna Lykke", "sikkerhedskonsulent")
	assessor.Qualification = &incident.Qualification{Education: "Politiskolen", Experience: "ti år med butikstyveri", Competences: []string{"security", "property-crime"}, From: noon.AddDate(-1, 0, 0), To: noon.AddDate(2, 0, 0)}
	staff := person("Anders Bech", "kasseassistent")
	c := incident.Case{
		ID: "CASEAAAAAAAAAAAAAAAAAAAAAA", Version: 14, State: incident.Narrowed, Member: "butik-a", Created: noon.Add(-2 * time.Hour), Changed: noon.Add(48 * time.Hour),
		Tagged: staff, SubmittedBy: &staff, What: "En mand tog to jakker og en taske og gik ud uden at betale – »så, så«, æøå ÆØÅ § 4 c.", HappenedAt: noon.Add(-3 * time.Hour),
		Clip:     incident.Clip{Camera: "till-1", Span: footage.SpanOf(noon.Add(-3*time.Hour), noon.Add(-3*time.Hour+40*time.Second)), Hash: footage.ClipHash{Hash: sum("clip")}},
		Subjects: []subject.Subject{{Version: 1}},
		Copy: &incident.Copy{Hash: footage.CopyHash{Hash: sum("copy")}, Clip: footage.ClipHash{Hash: sum("clip")}, Proof: footage.ProofHash{Hash: sum("proof")}, Sheet: footage.SheetHash{Hash: sum("sheet")},
			Passed: true, Made: noon.Add(-time.Hour), Media: incident.MediaVideo, Subjects: 1},
		Evidence: incident.Evidence{
			Offence: incident.Theft, Basis: incident.BasisRecording, BasisWords: "Han ses tage jakkerne og gå ud uden at betale.", ValueDKK: ptr(3400),
			Repetition: "Samme person tog en jakke i februar.", Professional: "Foret taske.", RepeatReasons: strings.Repeat("Han brugte en foret taske og har gjort det samme i to andre butikker i samme gade. ", 12),
			Statements: []incident.Statement{{Witness: "kasseassistent", Words: "Jeg så ham tage jakken\nog løbe.", At: noon.Add(-2 * time.Hour)}},
			Links:      []incident.Link{{Case: "CASEBBBBBBBBBBBBBBBBBBBBBB", Why: "samme jakke og taske"}},
			Report:     &incident.Report{Number: "0700-12345-00001-26", At: noon}, NextReassessment: ptr(noon.AddDate(0, 0, 14)),
			Circle: incident.Circle{Area: "town", Place: "Odense", Trades: []string{"tøj"}, Members: []incident.MemberID{"butik-b", "butik-c"}, Reason: "Tøjbutikker i samme gade har samme slags varer ved døren.", AreaReason: "Han kom til fods.", TradesReason: "Han gik kun efter jakker."},
		},
		Documents: []incident.Document{{ID: "DOCAAAAAAAAAAAAAAAAAAAAAAA", Kind: incident.DocumentReceipt, Name: "kvittering fra politiet.pdf", Media: incident.MediaPDF, Size: 1234, Hash: sum("doc"), Added: noon, By: staff.ID, ByName: staff.Name}},
		Assessments: []incident.Assessment{
			{Assessor: assessor, At: noon.Add(-30 * time.Minute), Decision: incident.Refuse, Reasons: "Kredsen er for stor."},
			{Assessor: assessor, At: noon, Decision: incident.Approve, Reasons: "Optagelsen viser tyveriet tydeligt.", Copy: footage.CopyHash{Hash: sum("copy")}, SawSheet: footage.SheetHash{Hash: sum("sheet")}},
		},
		Disclosure:    &incident.Disclosure{ID: "DISCAAAAAAAAAAAAAAAAAAAAAA", Released: noon, Disclosed: ptr(noon.Add(time.Minute)), NotAfter: noon.AddDate(0, 0, 30), ReportDue: noon.Add(12 * time.Hour)},
		Reassessments: []incident.Reassessment{{By: assessor, At: noon.AddDate(0, 0, 2), Reasons: "Alt er uændret.", Next: noon.AddDate(0, 0, 16)}},
		Narrowings:    []incident.Narrowing{{By: assessor, At: noon.AddDate(0, 0, 2), Reason: "Kun én gade er ramt.", Dropped: []incident.Dropped{{Member: "butik-c", Told: ptr(noon.AddDate(0, 0, 2)), Deleted: ptr(noon.AddDate(0, 0, 3))}}}},
		Facts:         []incident.Fact{{What: incident.FactCharged, At: noon.AddDate(0, 0, 5), Words: "Politiet ringede.", By: staff.ID, Name: staff.Name, Added: noon.AddDate(0, 0, 5)}},
		Informed:      []incident.Informed{{At: noon, How: "sign", Words: "Skilt ved døren.", By: staff.ID, Name: staff.Name}},
	}
	findings := policy.Assess(c, noon.AddDate(0, 0, 6), policy.Settings{TwoPersons: true}).Findings()
	in := Input{At: noon.AddDate(0, 0, 6), By: person("Mette Holm", "butikschef"), Box: "test-box", Case: c, Findings: findings[:], CameraName: "Kassen",
		Members:  map[incident.MemberID]string{"butik-b": "Tøj & Co", "butik-c": "Jakkehuset", "butik-x": "Uvedkommende"},
		Proof:    &Proof{Passed: true, Frames: 400, Shown: 310, Unsure: 12, Flagged: 3, Seconds: 40, Width: 1280, Height: 720, Cell: 48, Deviation: Figure{4.2, 16}, Energy: Figure{1.25, 24}, Ring: Figure{6, 128}, Mask: sum("mask").String()},
		Verifier: "test-box+abc", Head: audit.Head{Origin: "test-box", Size: 120, Hash: tlog.Hash(sum("root")), Note: []byte("test-box\n120\n" + tlog.Hash(sum("root")).String() + "\n\n— test-box abc\n")}}
	for i := range 60 {
		in.Accesses = append(in.Accesses, Access{Member: "butik-b", MemberName: "Tøj & Co", Person: "vagt-7", Function: "vagt", At: noon.Add(time.Duration(i) * time.Hour), Purpose: "ser efter den mistænkte"})
		in.Log = append(in.Log, audit.Entry{Seq: int64(10 + i), At: noon.Add(time.Duration(i) * time.Minute), Act: "case.change", Who: audit.Who{ID: "P", Name: "Anders Bech", Role: "staff"}, Why: fmt.Sprint("begrundelse nummer ", i)})
	}
	return in
}

// A key signs and verifies.
type key interface {
	note.Signer
	note.Verifier
}

func signer(t testing.TB, seed byte) key {
	t.Helper()
	s, err := statement.NewSigner("test-box", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s.(key)
}
