package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/passkey"
	"veilbox/internal/passkey/softkey"
)

var update = flag.Bool("update", false, "write the golden files anew")

func pair(t testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pub, priv
}

// A holder is a person with a passkey in a file.
type holder struct {
	t    testing.TB
	soft *softkey.Key
	key  passkey.Key
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newHolder(t testing.TB, rpid string) holder {
	t.Helper()
	h := holder{t: t, soft: softkey.New("en lang adgangssætning")}
	challenge := []byte(rand.Text())
	resp, err := h.soft.Create([]byte(`{"rp":{"id":"` + rpid + `"},"user":{"id":"dXNlcg","name":"ane"},"challenge":"` + b64(challenge) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	made, err := passkey.ParseMade(rpid, challenge, resp)
	if err != nil {
		t.Fatal(err)
	}
	h.key = made.Key
	return h
}

func (h holder) sign(challenge []byte) passkey.Assertion {
	h.t.Helper()
	resp, err := h.soft.Get([]byte(`{"rpId":"` + h.key.RPID + `","challenge":"` + b64(challenge) + `"}`))
	if err != nil {
		h.t.Fatal(err)
	}
	a, err := passkey.ParseAssertion(resp)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func hash(s string) footage.Hash { return sha256.Sum256([]byte(s)) }

func good(assessor passkey.Key) Manifest {
	h := hash
	m := Manifest{
		Version: ManifestVersion, Shows: &Shows{Media: "video/mp4", Mode: "subject-only", Subjects: 1}, Disclosure: "AAAAAAAAAAAAAAAAAAAAAAAAAA", Sender: "a", Box: "BBBBBBBBBBBBBBBBBBBBBBBBBB", Case: "CCCCCCCCCCCCCCCCCCCCCCCCCC",
		Clip: footage.ClipHash{Hash: h("clip")}, Copy: footage.CopyHash{Hash: h("copy")}, Proof: footage.ProofHash{Hash: h("proof")}, Sheet: footage.SheetHash{Hash: h("sheet")},
		Text: h("text"), Content: Content{Hash: h("content"), Size: 10}, Alert: h("alert"),
		Created: noon, NotAfter: noon.Add(MaxAge), ReportDue: clock.EndOfDay(noon).UTC(),
		Circle:   Circle{Area: "town", Place: "Århus", Members: []incident.MemberID{"b"}},
		Assessor: Assessor{ID: "ane", Name: "Ane", Key: KeyIDOf(assessor)},
	}
	for i, id := range ConditionIDs {
		m.Conditions[i] = Condition{id, true, h(id)}
	}
	return m
}

func TestSignVerify(t *testing.T) {
	boxPub, boxPriv := pair(t)
	otherPub, otherPriv := pair(t)
	ane, bo := newHolder(t, "boks.example"), newHolder(t, "boks.example")
	m := good(ane.key)
	approval := ane.sign(m.Challenge())
	sm, err := Sign(m, boxPriv, ane.key, approval)
	if err != nil {
		t.Fatal(err)
	}
	k := Keys{Box: boxPub, Assessor: ane.key}
	got, err := Verify(sm, k, noon)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%v\n%+v\n%+v", err, got, m)
	}
	for name, f := range map[string]func() error{
		"a key the manifest does not name": func() error { _, err := Sign(m, boxPriv, bo.key, bo.sign(m.Challenge())); return err },
		"another's signature":              func() error { _, err := Sign(m, boxPriv, ane.key, bo.sign(m.Challenge())); return err },
		"a log-in":                         func() error { _, err := Sign(m, boxPriv, ane.key, ane.sign(bytes.Repeat([]byte{7}, 32))); return err },
		"the bare statement's hash": func() error {
			h := sha256.Sum256(m.Statement())
			_, err := Sign(m, boxPriv, ane.key, ane.sign(h[:]))
			return err
		},
		"no signature": func() error { _, err := Sign(m, boxPriv, ane.key, passkey.Assertion{}); return err },
		"an old version": func() error {
			o := m
			o.Version = 2
			o.Text = footage.Hash{}
			_, err := Sign(o, boxPriv, ane.key, approval)
			return err
		},
	} {
		if f() == nil {
			t.Errorf("signed with %s", name)
		}
	}

	with := func(f func(x *SignedManifest)) SignedManifest { x := sm; f(&x); return x }
	boxed := func(m Manifest, key ed25519.PrivateKey, a passkey.Assertion) SignedManifest {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return SignedManifest{Manifest: b, Box: ed25519.Sign(key, signed(roleBox, b)), Approval: &a}
	}
	asBo := good(bo.key)
	elsewhere := newHolder(t, "andet.example")
	moved := ane.key
	moved.RPID = "andet.example"
	asMoved := good(moved)
	unverified := ane.sign(m.Challenge())
	unverified.AuthData = bytes.Clone(unverified.AuthData)
	unverified.AuthData[32] &^= 4
	for name, tt := range map[string]struct {
		sm   SignedManifest
		keys Keys
		now  time.Time
		want error
	}{
		"another box":            {sm, Keys{otherPub, ane.key, nil}, noon, ErrBoxSignature},
		"no box key":             {sm, Keys{nil, ane.key, nil}, noon, ErrBoxSignature},
		"signed by another box":  {boxed(m, otherPriv, approval), k, noon, ErrBoxSignature},
		"another assessor":       {sm, Keys{boxPub, bo.key, nil}, noon, ErrAssessorSignature},
		"no assessor key":        {sm, Keys{boxPub, passkey.Key{}, nil}, noon, ErrAssessorSignature},
		"no approval":            {with(func(x *SignedManifest) { x.Approval = nil }), k, noon, ErrAssessorSignature},
		"an Ed25519 one instead": {with(func(x *SignedManifest) { x.Approval, x.Assessor = nil, x.Box }), Keys{boxPub, ane.key, boxPub}, noon, ErrAssessorSignature},
		"an Ed25519 one beside":  {with(func(x *SignedManifest) { x.Assessor = x.Box }), k, noon, ErrAssessorSignature},
		"another's approval":     {with(func(x *SignedManifest) { x.Approval = new(bo.sign(m.Challenge())) }), k, noon, ErrAssessorSignature},
		"another's key named":    {boxed(asBo, boxPriv, ane.sign(asBo.Challenge())), k, noon, ErrAssessorSignature},
		"another host's page":    {boxed(asMoved, boxPriv, ane.sign(asMoved.Challenge())), Keys{boxPub, moved, nil}, noon, ErrAssessorSignature},
		"another host's key":     {with(func(x *SignedManifest) { x.Approval = new(elsewhere.sign(m.Challenge())) }), k, noon, ErrAssessorSignature},
		"nobody verified":        {with(func(x *SignedManifest) { x.Approval = &unverified }), k, noon, ErrAssessorSignature},
		"at its end":             {sm, k, m.NotAfter, ErrOver},
		"before it was made":     {sm, k, noon.Add(-Skew - time.Second), ErrTimes},
		"within the skew":        {sm, k, noon.Add(-Skew), nil},
		"a moment before end":    {sm, k, m.NotAfter.Add(-time.Second), nil},
	} {
		if _, err := Verify(tt.sm, tt.keys, tt.now); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range sm.Manifest {
		bad := sm
		bad.Manifest = bytes.Clone(sm.Manifest)
		bad.Manifest[i] ^= 1
		if _, err := Verify(bad, k, noon); err == nil {
			t.Fatalf("byte %d changed and nobody saw", i)
		}
	}
}

// notSigned are the fields that an assessor does not sign: what only sealing
// gives, which Copy and Text bind.
var notSigned = map[string]bool{"Box": true, "Content": true, "Alert": true}

// Every field of a manifest is signed: who holds the box's key and an approval can
// change none, nor anything within.
func TestEveryFieldIsSigned(t *testing.T) {
	pub, priv := pair(t)
	ane := newHolder(t, "boks.example")
	m := good(ane.key)
	at := noon.Add(-time.Hour)
	m.Reported = &at
	m.Shows.Sound = Sound{Kept: true, Reason: "Han truer ekspedienten."}
	m.Circle.Trades, m.Circle.Chains, m.Circle.Members = []string{"dagligvarer"}, []string{"Købmanden"}, []incident.MemberID{"b", "c"}
	approval := ane.sign(m.Challenge())
	if _, err := Sign(m, priv, ane.key, approval); err != nil {
		t.Fatal(err)
	}
	n := 0
	check := func(path string, c Manifest, part bool) {
		n++
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(path, err)
		}
		_, err = Verify(SignedManifest{Manifest: b, Box: ed25519.Sign(priv, signed(roleBox, b)), Approval: &approval}, Keys{Box: pub, Assessor: ane.key}, noon)
		if part && notSigned[strings.SplitN(path, ".", 2)[0]] {
			if bytes.Equal(c.Statement(), m.Statement()) && (err == nil || errors.Is(err, ErrManifest)) {
				return
			}
			t.Errorf("%s: it is not the assessor's to sign: %v", path, err)
			return
		}
		if err == nil || bytes.Equal(c.Statement(), m.Statement()) {
			t.Errorf("%s changed and nobody saw", path)
		}
	}
	// every leaf is changed in turn, whatever fields are added
	var walk func(path string, get func(*Manifest) reflect.Value)
	walk = func(path string, get func(*Manifest) reflect.Value) {
		changed := func(f func(reflect.Value)) {
			c := clone(t, m)
			f(get(&c))
			check(path, c, true)
		}
		v := get(&m)
		if v.Type() == reflect.TypeFor[time.Time]() {
			changed(func(v reflect.Value) { v.Set(reflect.ValueOf(v.Interface().(time.Time).Add(time.Second))) })
			return
		}
		switch v.Kind() {
		case reflect.Pointer:
			changed(func(v reflect.Value) { v.SetZero() })
			walk(path, func(m *Manifest) reflect.Value { return get(m).Elem() })
		case reflect.Struct:
			for i := range v.NumField() {
				walk(strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), func(m *Manifest) reflect.Value { return get(m).Field(i) })
			}
		case reflect.Slice:
			changed(func(v reflect.Value) { v.Set(reflect.Append(v, reflect.ValueOf("d").Convert(v.Type().Elem()))) })
			changed(func(v reflect.Value) { v.Set(v.Slice(0, v.Len()-1)) })
			walk(path, func(m *Manifest) reflect.Value { return get(m).Index(0) })
		case reflect.Array:
			i := v.Len() - 1
			walk(path, func(m *Manifest) reflect.Value { return get(m).Index(i) })
		case reflect.String:
			changed(func(v reflect.Value) { v.SetString(v.String() + "A") })
		case reflect.Bool:
			changed(func(v reflect.Value) { v.SetBool(!v.Bool()) })
		case reflect.Int, reflect.Int64:
			changed(func(v reflect.Value) { v.SetInt(v.Int() + 1) })
		case reflect.Uint8:
			changed(func(v reflect.Value) { v.SetUint(v.Uint() ^ 1) })
		default:
			t.Fatalf("%s: there is no change for a %s", path, v.Kind())
		}
	}
	walk("", func(m *Manifest) reflect.Value { return reflect.ValueOf(m).Elem() })
	if n < 35 {
		t.Fatalf("%d changes were tried", n)
	}
}

func clone(t testing.TB, m Manifest) Manifest {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var c Manifest
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// What is signed is these bytes, to the letter, however the manifest was decoded.
func TestGoldenStatement(t *testing.T) {
	m := good(passkey.Key{ID: []byte("0123456789abcdef"), Public: []byte("cose"), RPID: "boks.example"})
	at := noon.Add(-90 * time.Minute)
	m.Reported = new(at.In(clock.Copenhagen))
	m.Created = m.Created.In(clock.Copenhagen)
	m.Shows = &Shows{Media: "video/mp4", Mode: "still-scene", Subjects: 2, Scene: true, Flagged: 3, Sound: Sound{Kept: true, Reason: "Han råber <\"tyv\"> & løber\n"}}
	m.Circle.Place, m.Circle.Chains = "Sjælland & øer", []string{"Føtex"}
	got := m.Statement()
	path := filepath.Join("testdata", "statement-3.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the statement is\n%s\nand was\n%s", got, want)
	}
	if c := hex.EncodeToString(m.Challenge()); c != goldenChallenge {
		t.Errorf("the challenge is %s", c)
	}
	if again := clone(t, m); !bytes.Equal(again.Statement(), want) {
		t.Errorf("decoded, the statement is\n%s", again.Statement())
	}
	m.Circle.Trades = []string{}
	if !bytes.Equal(m.Statement(), want) {
		t.Error("an empty list is another than none")
	}
}

// golden holds the exact bytes of manifests, as what has been signed must be read
// for 30 days and more. Those before version 3 are made no longer.
var golden = []struct {
	file   string
	change func(*Manifest)
}{
	{"manifest-1.json", func(m *Manifest) { m.Version, m.Shows = 1, nil }},
	{"manifest-2.json", func(m *Manifest) { m.Version = 2 }},
	{"manifest-2-picture.json", func(m *Manifest) {
		m.Version, m.Shows = 2, &Shows{Media: "image/jpeg", Mode: "still-scene", Subjects: 2, Scene: true, Flagged: 3}
	}},
	{"manifest-2-sound.json", func(m *Manifest) {
		m.Version, m.Shows.Sound = 2, Sound{Kept: true, Reason: "Han truer ekspedienten."}
	}},
}

func read(t *testing.T, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func TestGoldenManifests(t *testing.T) {
	seed := func(b byte) ed25519.PublicKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32)).Public().(ed25519.PublicKey)
	}
	k := Keys{Box: seed(1), Ed25519: seed(2)}
	for _, g := range golden {
		m := good(passkey.Key{})
		m.Text, m.Assessor.Key = footage.Hash{}, Ed25519KeyID(k.Ed25519)
		g.change(&m)
		var kept SignedManifest
		read(t, g.file, &kept)
		got, err := Verify(kept, k, noon)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %v\n%+v", g.file, err, got)
		}
		if b, err := json.Marshal(m); err != nil || !bytes.Equal(b, kept.Manifest) {
			t.Errorf("%s: it would be written as\n%s, %v", g.file, b, err)
		}
		if got.Statement() != nil {
			t.Errorf("%s has a statement", g.file)
		}
		swapped := kept
		swapped.Assessor = kept.Box
		if _, err := Verify(swapped, k, noon); !errors.Is(err, ErrAssessorSignature) {
			t.Errorf("%s with the box's signature twice: %v", g.file, err)
		}
		if _, err := Verify(kept, Keys{Box: k.Box, Ed25519: seed(3)}, noon); !errors.Is(err, ErrAssessorSignature) {
			t.Errorf("%s by another: %v", g.file, err)
		}
	}
}

// A manifest of version 3 with its approval, as it was signed once.
func TestGoldenApproval(t *testing.T) {
	type file struct {
		Key    passkey.Key    `json:"key"`
		Signed SignedManifest `json:"signed"`
	}
	box := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	if *update {
		ane := newHolder(t, "boks.example")
		m := good(ane.key)
		sm, err := Sign(m, box, ane.key, ane.sign(m.Challenge()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(file{ane.key, sm}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("testdata", "manifest-3.json"), append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var f file
	read(t, "manifest-3.json", &f)
	m, err := Verify(f.Signed, Keys{Box: box.Public().(ed25519.PublicKey), Assessor: f.Key}, noon)
	if err != nil || !reflect.DeepEqual(m, good(f.Key)) {
		t.Errorf("%v\n%+v", err, m)
	}
}
