package casefile

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/internal/passkey"
	"veilbox/internal/passkey/softkey"
)

const host = "boks.butik-a.dk"

// sign has a passkey sign the statement under a prefix.
func sign(t *testing.T, prefix, statement string) incident.Signed {
	t.Helper()
	k := softkey.New("en lang adgangssætning")
	b64 := base64.RawURLEncoding.EncodeToString
	begin := b64([]byte("0123456789abcdef0123456789abcdef"))
	made, err := k.Create([]byte(fmt.Sprintf(`{"rp":{"id":%q,"name":"Boks"},"user":{"id":"UA","name":"j","displayName":"J"},"challenge":%q,"pubKeyCredParams":[{"type":"public-key","alg":-7}],"authenticatorSelection":{"userVerification":"required","residentKey":"required"}}`, host, begin)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := passkey.ParseMade(host, []byte("0123456789abcdef0123456789abcdef"), made)
	if err != nil {
		t.Fatal(err)
	}
	challenge := sha256.Sum256([]byte(prefix + statement))
	got, err := k.Get([]byte(fmt.Sprintf(`{"challenge":%q,"rpId":%q,"userVerification":"required"}`, b64(challenge[:]), host)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := passkey.ParseAssertion(got)
	if err != nil {
		t.Fatal(err)
	}
	return incident.Signed{Statement: []byte(statement), Key: m.Key, Assertion: a}
}

func TestSignaturesAreVerifiedAgain(t *testing.T) {
	good := sign(t, "veilbox approval 3\x00", `{"copy":"ab"}`)
	changed := good
	changed.Statement = []byte(`{"copy":"ac"}`)
	other := good
	other.Key = sign(t, "veilbox approval 3\x00", `{"copy":"ab"}`).Key
	for name, c := range map[string]struct {
		s    incident.Signed
		kind string
	}{
		"approval":            {good, "approval"},
		"opinion":             {sign(t, "veilbox opinion 1\x00", `{}`), "opinion"},
		"another purpose":     {sign(t, "veilbox login\x00", `{}`), ""},
		"a changed statement": {changed, ""},
		"another key":         {other, ""},
		"nothing":             {incident.Signed{}, ""},
	} {
		in := sample()
		in.Case.Assessments[1].Signed = &c.s
		f := Build(in)
		s := f.Assessments[1].Signature
		if s == nil || s.Kind != c.kind || s.Verifies != (c.kind != "") || (s.Problem == "") != s.Verifies {
			t.Errorf("%s: %+v", name, s)
		}
		if f.Assessments[0].Signature != nil {
			t.Errorf("%s: the refusal was not signed", name)
		}
		// Who has the file alone can verify it as well.
		b, err := f.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var back File
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if kept := back.Assessments[1].Signed; kept == nil || signature(*kept).Verifies != s.Verifies {
			t.Errorf("%s: the signature is not in the JSON as it was", name)
		}
		all := strings.Join(extract(t, write(t, f, "da")), " ")
		if strings.Contains(all, "Efterprøvet: underskriften passer") != s.Verifies {
			t.Errorf("%s: the PDF says something else", name)
		}
	}
}

func TestBuildKeepsWithinItsBounds(t *testing.T) {
	in := sample()
	in.Log, in.Accesses = nil, nil
	for i := range MaxLog + 7 {
		in.Log = append(in.Log, audit.Entry{Seq: int64(i)})
	}
	for range MaxAccesses + 9 {
		in.Accesses = append(in.Accesses, Access{})
	}
	f := Build(in)
	if len(f.Log) != MaxLog || f.MoreLog != 7 || f.Log[0].Seq != 7 || len(f.Accesses) != MaxAccesses || f.MoreAccesses != 9 {
		t.Errorf("%d and %d entries, %d and %d accesses", len(f.Log), f.MoreLog, len(f.Accesses), f.MoreAccesses)
	}
}

func TestBuildSaysAll(t *testing.T) {
	f := Build(sample())
	if len(f.Members) != 2 || f.Members["butik-c"] != "Jakkehuset" {
		t.Errorf("names of %v; who was dropped has a name too, who was never asked has none", f.Members)
	}
	if len(f.Conditions) != 9 || f.Subjects != 1 {
		t.Errorf("%d conditions, %d subjects", len(f.Conditions), f.Subjects)
	}
	var of []string
	for _, h := range f.Hashes {
		of = append(of, h.Of)
	}
	if want := []string{"clip", "copy", "proof", "sheet", "mask", "document"}; !slices.Equal(of, want) {
		t.Errorf("hashes of %v, want %v", of, want)
	}
	b, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	// A part of the case that is added later must be put into the file.
	for _, words := range []string{"Foret taske.", "samme jakke og taske", "Jeg så ham", "0700-12345", "Han gik kun efter jakker.", "Alt er uændret.", "Kun én gade er ramt.", "Politiet ringede.", "Skilt ved døren.", "ti år med butikstyveri"} {
		if !strings.Contains(string(b), words) {
			t.Errorf("%q is not in the JSON", words)
		}
	}
}

// What Build was given does not change with the file.
func TestBuildTakesNothingBack(t *testing.T) {
	in := sample()
	f := Build(in)
	f.Evidence.Circle.Members[0], f.Documents[0].Name, f.Evidence.Statements[0].Words = "x", "x", "x"
	if in.Case.Evidence.Circle.Members[0] != "butik-b" || in.Case.Documents[0].Name == "x" || in.Case.Evidence.Statements[0].Words == "x" {
		t.Error("the case and its file share memory")
	}
}
