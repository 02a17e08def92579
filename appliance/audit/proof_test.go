package audit

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestProveEveryEntry(t *testing.T) {
	f := open(t)
	f.fill(t, 11)
	for seq := int64(1); seq <= 11; seq++ {
		p, err := f.Prove(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(p, "", "  ") // as a file that a person can read
		if err != nil {
			t.Fatal(err)
		}
		q, err := ParseProof(b)
		if err != nil {
			t.Fatal(err)
		}
		e, h, err := q.Check(f.VerifierKey())
		if err != nil || e.Seq != seq || h.Size != 11 {
			t.Fatalf("%+v %+v %v", e, h, err)
		}
	}
	for _, seq := range []int64{0, -1, 12} {
		if _, err := f.Prove(t.Context(), seq); err == nil {
			t.Errorf("entry %d was proved", seq)
		}
	}
	p, err := f.Prove(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if q, err := ProveFile(t.Context(), f.o.Path, f.o.Key, f.VerifierKey(), 5); err != nil || q.Entry != p.Entry {
		t.Errorf("%s %v", q.Entry, err)
	}
	other := open(t)
	for name, change := range map[string]func(*Proof) string{
		"another word": func(p *Proof) string {
			p.Entry = strings.Replace(p.Entry, "Bo Dam", "Bo Lam", 1)
			return ""
		},
		"another place": func(p *Proof) string {
			p.Entry = strings.Replace(p.Entry, `"seq":5`, `"seq":6`, 1)
			return ""
		},
		"another form": func(p *Proof) string { p.Entry = " " + p.Entry; return "" },
		"two of a field": func(p *Proof) string {
			p.Entry = strings.Replace(p.Entry, "{", `{"seq":9,`, 1)
			return ""
		},
		"another path":    func(p *Proof) string { p.Path[1][0] ^= 1; return "" },
		"a shorter path":  func(p *Proof) string { p.Path = p.Path[1:]; return "" },
		"another head":    func(p *Proof) string { p.Head = strings.Replace(p.Head, "11", "12", 1); return "" },
		"nothing":         func(p *Proof) string { *p = Proof{}; return "" },
		"another log key": func(*Proof) string { return other.VerifierKey() },
	} {
		q := p
		q.Path = slices.Clone(p.Path)
		key := change(&q)
		if key == "" {
			key = f.VerifierKey()
		}
		if e, _, err := q.Check(key); err == nil {
			t.Errorf("%s: %+v was taken", name, e)
		}
	}
}

func TestProveAcrossAPrune(t *testing.T) {
	f, _ := aged(t)
	before, err := f.Prove(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Prune(t.Context(), f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Prove(t.Context(), 3); !errors.Is(err, ErrPruned) {
		t.Errorf("a pruned entry: %v", err)
	}
	if _, _, err := before.Check(f.VerifierKey()); err != nil {
		t.Errorf("a proof from before the prune: %v", err)
	}
	p, err := f.Prove(t.Context(), 15)
	if err != nil {
		t.Fatal(err)
	}
	if e, _, err := p.Check(f.VerifierKey()); err != nil || e.Seq != 15 {
		t.Errorf("%+v %v", e, err)
	}
}

func FuzzProof(f *testing.F) {
	s, vkey, err := newSigner("log", make([]byte, 64))
	if err != nil {
		f.Fatal(err)
	}
	head, err := s.checkpoint(1, [32]byte{1})
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(Proof{Entry: `{"seq":1,"at":"2026-01-01T00:00:00Z","act":"login","who":{"id":"p","name":"","role":""}}`, Head: string(head)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"entry":"{}","head":"","path":[]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err != nil {
			return
		}
		// Its root is no entry's hash, so nothing may be proved.
		if e, _, err := p.Check(vkey); err == nil {
			t.Fatalf("%+v was taken", e)
		}
	})
}
