//go:build linux

package parcel_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/footagetest"
	"veilbox/redact"
	"veilbox/redact/subject"
	"veilbox/uplink/parcel"
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
		ID: incident.CaseID(wire.NewID()), Version: 4, State: incident.Submitted, Member: "butik-a", Created: noon.Add(-3 * time.Hour), Changed: noon,
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
	_, assessorKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	hk, err := wire.KEM().GenerateKey()
	must(t, err)
	b := wire.Recipient{Member: "butik-b", Box: wire.BoxID(wire.NewID()), Key: hk.PublicKey().Bytes()}
	from := parcel.Sender{Box: wire.BoxID(wire.NewID()), Signing: boxKey, Assessor: assessorKey}
	alert := wire.Alert{What: "Tyveri", Offence: incident.Theft, When: noon.UTC(), Where: "Odense", Sender: "Butik A", Contact: "12345678"}
	var dst bytes.Buffer
	sm, env, err := parcel.Seal(t.Context(), rel, c, alert, []wire.Recipient{b}, from, &dst)
	must(t, err)
	m, err := wire.Verify(sm, boxKey.Public().(ed25519.PublicKey), assessorKey.Public().(ed25519.PublicKey), noon)
	must(t, err)
	if m.Case != rel.Case() || m.Copy != c.Hash() || m.Clip != c.Clip() || m.Proof != c.ProofHash() || m.Sheet != c.SheetHash() ||
		m.Sender != "butik-a" || !m.NotAfter.Equal(rel.NotAfter()) || !m.ReportDue.Equal(clock.EndOfDay(noon)) || m.Reported == nil || m.Content.Size != int64(dst.Len()) {
		t.Fatalf("manifest %+v", m)
	}
	must(t, env.Check(m))

	got, err := parcel.OpenAlert(m, env.Alert, env.Keys[0].Alert, hk, b.Box)
	must(t, err)
	if got != alert {
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
			sm, env, err := parcel.Seal(t.Context(), tt.rel, tt.copy, alert, tt.to, from, io.Discard)
			if !errors.Is(err, tt.want) || sm.Manifest != nil || env.Keys != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := parcel.Seal(ctx, rel, c, alert, []wire.Recipient{b}, from, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		// The stored copy was exchanged after it was proved.
		store.b[len(store.b)/2] ^= 1
		if _, _, err := parcel.Seal(t.Context(), rel, c, alert, []wire.Recipient{b}, from, io.Discard); err == nil {
			t.Error("a changed copy was sealed")
		}
	})
}
