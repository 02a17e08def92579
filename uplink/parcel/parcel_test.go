//go:build linux

package parcel_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/footagetest"
	"veilbox/internal/keys"
	"veilbox/internal/passkey"
	"veilbox/redact"
	"veilbox/redact/subject"
	"veilbox/uplink/parcel"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, clock.Copenhagen)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// storage keeps a copy in memory.
type storage struct {
	mu sync.Mutex
	b  []byte
}

type writer struct {
	bytes.Buffer
	s *storage
}

func (w *writer) Close() error { w.s.set(w.Bytes()); return nil }

func (s *storage) set(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = b
}

func (s *storage) Create() (io.WriteCloser, error) { return &writer{s: s}, nil }
func (s *storage) Remove() error                   { s.set(nil); return nil }
func (s *storage) Open() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return io.NopCloser(bytes.NewReader(s.b)), nil
}

// veiled makes a proved copy with the real worker.
func veiled(t *testing.T) (redact.Copy, *storage) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "veil-redact")
	build := exec.Command("go", "build", "-o", program, "veilbox/cmd/veil-redact")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build veil-redact: %v\n%s", err, out)
	}
	f, err := os.Open(footagetest.Synthetic(t, footagetest.Options{Duration: 2 * time.Second}))
	must(t, err)
	defer f.Close()
	s := &storage{}
	c, err := (&redact.Worker{Path: program}).Produce(t.Context(), redact.Job{Subjects: []subject.Subject{{Version: 1, Keyframes: []subject.Keyframe{
		{At: 0, Rect: &subject.Rect{X: 0.4, Y: 0.3, W: 0.15, H: 0.4}}}}}}, f, s, nil)
	must(t, err)
	return c, s
}

// shown is what the case says of c.
func shown(c redact.Copy) incident.Copy {
	m, err := c.Mask()
	if err != nil {
		panic(err)
	}
	return incident.Copy{Hash: c.Hash(), Clip: c.Clip(), Proof: c.ProofHash(), Sheet: c.SheetHash(), Passed: true, Made: noon.Add(-time.Hour),
		Media: incident.MediaVideo, Subjects: m.Subjects, Flagged: incident.Flagged{Spans: len(m.Flagged(c.Figures().Duration))}}
}

// approved is a case about c that passes all nine conditions.
func approved(c redact.Copy) incident.Case {
	person := func(id, name string) incident.Person {
		return incident.Person{ID: incident.PersonID(id), Name: name,
			Authorisation: incident.Authorisation{By: "Mette Holm", Function: "vagtleder", Need: "følger op på tyverier", From: noon.AddDate(0, -1, 0), To: noon.AddDate(0, 10, 0)}}
	}
	assessor := person("p3", "Eva Friis")
	assessor.Qualification = &incident.Qualification{Education: "politiskolen, efteruddannelse 2025", Experience: "12 år med butikstyverier", Competences: []string{"property-crime"}, From: noon.AddDate(-1, 0, 0), To: noon.AddDate(1, 0, 0)}
	submitter := person("p2", "Ida Berg")
	value, next := 900, noon.AddDate(0, 0, 10)
	return incident.Case{
		ID: "CCCCCCCCCCCCCCCCCCCCCCCCCC", Version: 4, State: incident.Submitted, Member: "butik-a", Created: noon.Add(-3 * time.Hour), Changed: noon,
		Tagged: person("p1", "Bo Dam"), What: "Tog to flasker", HappenedAt: noon.Add(-4 * time.Hour),
		Clip: incident.Clip{Camera: "till-1", Span: footage.SpanOf(noon.Add(-4*time.Hour), noon.Add(-4*time.Hour+2*time.Second)), Hash: c.Clip()},
		Copy: new(shown(c)),
		Evidence: incident.Evidence{
			Offence: incident.Theft, Basis: incident.BasisRecording, ValueDKK: &value,
			RepeatReasons: "Samme fremgangsmåde er set tre gange i denne måned i nabobyerne",
			Report:        &incident.Report{Number: "1900-12345", At: noon.Add(-time.Hour)},
			Circle: incident.Circle{Area: "region", Place: "Fyn", Trades: []string{"dagligvarer"}, Members: []incident.MemberID{"butik-a", "butik-b"},
				Reason: "Personen har ramt dagligvarebutikker i tre fynske byer på samme måde"},
			NextReassessment: &next,
		},
		SubmittedBy: &submitter,
		Assessments: []incident.Assessment{{Assessor: assessor, At: noon.Add(-time.Minute), Decision: incident.Approve, Reasons: "Klar sag med tydelig optagelse", SawSheet: c.SheetHash(), Copy: c.Hash(), SawFlagged: shown(c).Flagged.Spans}},
	}
}

func release(t *testing.T, c incident.Case) policy.Release {
	t.Helper()
	v := policy.Assess(c, noon, policy.Settings{TwoPersons: true})
	r, ok := v.Release()
	if !ok {
		t.Fatalf("refused: %+v", v.Missing())
	}
	return r
}

func TestSeal(t *testing.T) {
	c, store := veiled(t)
	rel := release(t, approved(c))
	_, boxKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	assessor := uplinktest.NewAssessor("p3")
	hk, err := wire.KEM().GenerateKey()
	must(t, err)
	b := wire.Recipient{Member: "butik-b", Box: wire.BoxID(wire.NewID()), Key: hk.PublicKey().Bytes()}
	from := parcel.Sender{Box: wire.BoxID(wire.NewID()), Signing: boxKey, Key: assessor.Key}
	alert := wire.Alert{What: "Tyveri", Offence: incident.Theft, When: noon.UTC(), Where: "Odense", Sender: "Butik A", Contact: "12345678"}
	var dst bytes.Buffer
	draft, err := parcel.Prepare(rel, alert, from)
	must(t, err)
	approval := assessor.Sign(draft.Challenge())
	sm, env, err := parcel.Seal(t.Context(), rel, draft, c, approval, []wire.Recipient{b}, from, &dst)
	must(t, err)
	m, err := wire.Verify(sm, wire.Keys{Box: boxKey.Public().(ed25519.PublicKey), Assessor: assessor.Key}, noon)
	must(t, err)
	if m.Case != rel.Case() || m.Copy != c.Hash() || m.Clip != c.Clip() || m.Proof != c.ProofHash() || m.Sheet != c.SheetHash() ||
		m.Sender != "butik-a" || !m.NotAfter.Equal(rel.NotAfter()) || !m.ReportDue.Equal(clock.EndOfDay(noon)) || m.Reported == nil || m.Content.Size != int64(dst.Len()) {
		t.Fatalf("manifest %+v", m)
	}
	must(t, env.Check(m))
	if m.Disclosure != draft.Disclosure() || !bytes.Equal(m.Statement(), draft.Statement()) {
		t.Fatalf("what was sealed is not what was signed: %s", m.Statement())
	}
	if bytes.Contains(sm.Manifest, []byte(alert.What)) || bytes.Contains(draft.Statement(), []byte("Personen har ramt")) {
		t.Fatal("the manifest says what only recipients may read")
	}

	got, err := parcel.OpenAlert(m, env.Alert, env.Keys[0].Alert, hk, b.Box)
	must(t, err)
	if len(got.Salt) != 16 {
		t.Fatalf("salt %x", got.Salt)
	}
	got.Salt = nil
	if !reflect.DeepEqual(got, alert) {
		t.Fatalf("alert %+v", got)
	}
	ra, err := parcel.OpenContent(m, env.Keys[0].Content, hk, b.Box, bytes.NewReader(dst.Bytes()))
	must(t, err)
	must(t, parcel.VerifyCopy(m, io.NewSectionReader(ra, 0, ra.Size())))

	t.Run("what does not open", func(t *testing.T) {
		other, err := wire.KEM().GenerateKey()
		must(t, err)
		open := func(wrapped []byte, priv hpke.PrivateKey, box wire.BoxID, b []byte) error {
			r, err := parcel.OpenContent(m, wrapped, priv, box, bytes.NewReader(b))
			if err != nil {
				return err
			}
			return parcel.VerifyCopy(m, io.NewSectionReader(r, 0, r.Size()))
		}
		k := env.Keys[0]
		bad := bytes.Clone(dst.Bytes())
		bad[len(bad)/2] ^= 1
		for name, err := range map[string]error{
			"another box's key":      open(k.Content, other, b.Box, dst.Bytes()),
			"another box":            open(k.Content, hk, wire.BoxID(wire.NewID()), dst.Bytes()),
			"the alert key":          open(k.Alert, hk, b.Box, dst.Bytes()),
			"a changed byte":         open(k.Content, hk, b.Box, bad),
			"a cut file":             open(k.Content, hk, b.Box, dst.Bytes()[:dst.Len()-1]),
			"the alert by content's": func() error { _, err := parcel.OpenAlert(m, env.Alert, k.Content, hk, b.Box); return err }(),
			"another alert":          func() error { _, err := parcel.OpenAlert(m, env.Alert[1:], k.Alert, hk, b.Box); return err }(),
		} {
			if err == nil {
				t.Errorf("%s opens", name)
			}
		}
	})

	t.Run("another text than was approved", func(t *testing.T) {
		k := keys.New()
		x := m
		sealed := k.Seal(wire.AlertContext(m.Disclosure), []byte(`{"what":"Mord"}`))
		x.Alert = sha256.Sum256(sealed)
		wrapped, err := wire.Wrap(b, wire.PurposeAlert, m.Disclosure, k)
		must(t, err)
		if _, err := parcel.OpenAlert(x, sealed, wrapped, hk, b.Box); !errors.Is(err, wire.ErrManifest) {
			t.Errorf("it opens: %v", err)
		}
		x.Version, x.Text = 2, footage.Hash{} // the same, of a version that signed no text
		if _, err := parcel.OpenAlert(x, sealed, wrapped, hk, b.Box); err != nil {
			t.Error(err)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		changed := func(f func(*incident.Case)) policy.Release {
			x := approved(c)
			f(&x)
			return release(t, x)
		}
		other := footage.Hash{1}
		stranger := b
		stranger.Member, stranger.Box = "butik-c", wire.BoxID(wire.NewID())
		for _, tt := range []struct {
			name string
			rel  policy.Release
			copy redact.Copy
			to   []wire.Recipient
			want error
		}{
			{"no release", policy.Release{}, c, []wire.Recipient{b}, parcel.ErrUnbound},
			{"no copy", rel, redact.Copy{}, []wire.Recipient{b}, parcel.ErrUnbound},
			{"another copy", changed(func(x *incident.Case) { x.Copy.Hash.Hash, x.Assessments[0].Copy.Hash = other, other }), c, []wire.Recipient{b}, parcel.ErrUnbound},
			{"another clip", changed(func(x *incident.Case) { x.Copy.Clip.Hash, x.Clip.Hash.Hash = other, other }), c, []wire.Recipient{b}, parcel.ErrUnbound},
			{"another proof", changed(func(x *incident.Case) { x.Copy.Proof.Hash = other }), c, []wire.Recipient{b}, parcel.ErrUnbound},
			{"another sheet", changed(func(x *incident.Case) { x.Copy.Sheet.Hash, x.Assessments[0].SawSheet.Hash = other, other }), c, []wire.Recipient{b}, parcel.ErrUnbound},
			{"outside the circle", rel, c, []wire.Recipient{b, stranger}, parcel.ErrRecipients},
			{"a member without a box", rel, c, nil, parcel.ErrRecipients},
			{"the same box twice", rel, c, []wire.Recipient{b, b}, wire.ErrEnvelope},
		} {
			sm, env, err := parcel.Seal(t.Context(), tt.rel, draft, tt.copy, approval, tt.to, from, io.Discard)
			if !errors.Is(err, tt.want) || sm.Manifest != nil || env.Keys != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		// What is sealed is what was signed, by who was asked, in time.
		later := func(d time.Duration) policy.Release {
			v := policy.Assess(approved(c), noon.Add(d), policy.Settings{TwoPersons: true})
			r, ok := v.Release()
			if !ok {
				t.Fatalf("refused: %+v", v.Missing())
			}
			return r
		}
		prepare := func(rel policy.Release, from parcel.Sender) parcel.Draft {
			d, err := parcel.Prepare(rel, alert, from)
			must(t, err)
			return d
		}
		other2, bo := prepare(rel, from), uplinktest.NewAssessor("p3")
		another := from
		another.Key = bo.Key
		renamed := from
		renamed.Disclosure = incident.DisclosureID(wire.NewID())
		for _, tt := range []struct {
			name  string
			rel   policy.Release
			draft parcel.Draft
			sign  passkey.Assertion
			from  parcel.Sender
			want  error
		}{
			{"a few minutes later", later(5 * time.Minute), draft, approval, from, nil},
			{"too late", later(parcel.MaxDraft + time.Second), draft, approval, from, parcel.ErrStale},
			{"before it was asked", rel, prepare(later(time.Minute), from), approval, from, parcel.ErrStale},
			{"no draft", rel, parcel.Draft{}, approval, from, parcel.ErrUnbound},
			{"not signed", rel, draft, passkey.Assertion{}, from, parcel.ErrApproval},
			{"another draft's signature", rel, other2, approval, from, parcel.ErrApproval},
			{"another person's signature", rel, draft, bo.Sign(draft.Challenge()), from, parcel.ErrApproval},
			{"another person's key", rel, draft, approval, another, parcel.ErrStale},
			{"a log-in", rel, draft, assessor.Sign(make([]byte, 32)), from, parcel.ErrApproval},
			{"under another name", rel, draft, approval, renamed, parcel.ErrStale},
			{"a wider circle", changed(func(x *incident.Case) {
				x.Evidence.Circle.Members = append(x.Evidence.Circle.Members, "butik-c")
			}), draft, approval, from, parcel.ErrStale},
			{"another reason for the circle", changed(func(x *incident.Case) {
				x.Evidence.Circle.Reason = "Personen bor i nærheden af disse butikker på Fyn"
			}), draft, approval, from, parcel.ErrStale},
			{"another reason of the assessor", changed(func(x *incident.Case) { x.Assessments[0].Reasons = "En anden begrundelse end den læste" }), draft, approval, from, parcel.ErrStale},
			{"another report", changed(func(x *incident.Case) { x.Evidence.Report.At = noon.Add(-2 * time.Hour) }), draft, approval, from, parcel.ErrStale},
		} {
			_, _, err := parcel.Seal(t.Context(), tt.rel, tt.draft, c, tt.sign, []wire.Recipient{b}, tt.from, io.Discard)
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if _, err := parcel.Prepare(policy.Release{}, alert, from); !errors.Is(err, parcel.ErrUnbound) {
			t.Errorf("prepared without a release: %v", err)
		}
		if _, err := parcel.Prepare(rel, alert, parcel.Sender{}); !errors.Is(err, parcel.ErrApproval) {
			t.Errorf("prepared without a key: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := parcel.Seal(ctx, rel, draft, c, approval, []wire.Recipient{b}, from, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		// The stored copy was exchanged after it was proved.
		store.b[len(store.b)/2] ^= 1
		if _, _, err := parcel.Seal(t.Context(), rel, draft, c, approval, []wire.Recipient{b}, from, io.Discard); err == nil {
			t.Error("a changed copy was sealed")
		}
	})
}
