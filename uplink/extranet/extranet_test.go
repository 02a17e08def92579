package extranet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"veilbox/internal/problem"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

// wantCode fails unless err is the problem with that code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var p *problem.Problem
	if !errors.As(err, &p) || p.Code != code {
		t.Fatalf("got %v, want problem %s", err, code)
	}
	if p.Cause.DA == "" || p.Cause.EN == "" || p.Remedy.DA == "" || p.Remedy.EN == "" {
		t.Fatalf("problem %s lacks a text: %+v", code, p)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shops is a sender, a receiver in its circle and one outside.
type shops struct {
	*uplinktest.World
	a, b, c  *uplinktest.Box
	assessor *uplinktest.Assessor
}

func three(t *testing.T, at time.Time) shops {
	w := uplinktest.New(t, at)
	for _, m := range []string{"a", "b", "c"} {
		w.Member(m)
	}
	s := shops{World: w, a: w.Box("a"), b: w.Box("b"), c: w.Box("c")}
	s.assessor = w.Assessor(s.a, "ane", true)
	return s
}

func (s shops) parcel(n int) *uplinktest.Parcel { return s.Parcel(s.a, s.assessor, n, s.b) }

func (s shops) view(t *testing.T, b *uplinktest.Box, p *uplinktest.Parcel) (wire.ViewResponse, error) {
	return b.Link.View(t.Context(), p.Manifest.Disclosure, uplinktest.Viewer())
}

func (s shops) read(ctx context.Context, b *uplinktest.Box, p *uplinktest.Parcel, token string) ([]byte, error) {
	c := b.Link.Content(ctx, p.Manifest.Disclosure, token, int64(len(p.Content)))
	return io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
}

func TestDisclosure(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(3<<20 + 17)
	id := p.Manifest.Disclosure
	r := s.Send(s.a, p)
	if !r.Available.Equal(s.Clock.Now()) || !r.Ends.Equal(p.Manifest.NotAfter) {
		t.Fatalf("receipt %+v", r)
	}
	// All of it again, as after a lost answer.
	again, err := s.a.Link.Submit(t.Context(), p.Submit())
	must(t, err)
	if again.State != wire.StateAvailable {
		t.Fatalf("submitted again: %+v", again)
	}
	r2, err := s.a.Link.Complete(t.Context(), id)
	must(t, err)
	if r2 != r {
		t.Fatalf("receipts %+v and %+v", r, r2)
	}

	in, err := s.b.Link.Inbox(t.Context())
	must(t, err)
	if len(in.Items) != 1 || in.Items[0].Own || len(in.Items[0].AlertKey) == 0 {
		t.Fatalf("b's inbox %+v", in)
	}
	// c is not in the circle: it sees nothing and gets nothing.
	in, err = s.c.Link.Inbox(t.Context())
	must(t, err)
	if len(in.Items) != 0 {
		t.Fatalf("c's inbox %+v", in)
	}
	_, err = s.view(t, s.c, p)
	wantCode(t, err, "missing")
	wantCode(t, s.c.Link.Withdraw(t.Context(), id, wire.WithdrawRequest{Version: 1, Reason: "x", Person: "x", Name: "x"}), "missing")
	wantCode(t, s.c.Link.Report(t.Context(), id, wire.ReportRequest{Version: 1, Number: uplinktest.Hash("x"), At: s.Clock.Now(), Person: "x", Name: "x"}), "missing")

	// No byte without a viewing, and the viewing is in the log before the first.
	_, err = s.read(t.Context(), s.b, p, "")
	wantCode(t, err, "viewing.expired")
	v, err := s.view(t, s.b, p)
	must(t, err)
	var access []struct {
		Number int64  `json:"number"`
		Name   string `json:"name"`
		Member string `json:"member"`
	}
	must(t, s.Op("GET", "/api/v1/access", nil, &access))
	if len(access) != 1 || access[0].Number != v.Viewing || access[0].Name != "Eva Lund" || access[0].Member != "b" {
		t.Fatalf("access log %+v", access)
	}
	k, err := wire.Unwrap(s.b.HPKE, s.b.Identity.Box, wire.PurposeContent, id, v.Key)
	must(t, err)
	if !bytes.Equal(k.Bytes(), p.Key.Bytes()) {
		t.Fatal("another content key came out")
	}
	got, err := s.read(t.Context(), s.b, p, v.Token)
	must(t, err)
	if sha256.Sum256(got) != sha256.Sum256(p.Content) {
		t.Fatal("another content came out")
	}
	// The token is that box's alone, and dies.
	_, err = s.read(t.Context(), s.c, p, v.Token)
	wantCode(t, err, "missing")
	s.Clock.Advance(s.Config.ViewingLife)
	_, err = s.read(t.Context(), s.b, p, v.Token)
	wantCode(t, err, "viewing.expired")

	// The names of people are not in the clear in the files.
	s.Stop()
	files, err := filepath.Glob(filepath.Join(s.Config.Dir, "*"))
	must(t, err)
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && (bytes.Contains(b, []byte("Eva Lund")) || bytes.Contains(b, []byte("Ane ane"))) {
			t.Errorf("%s holds a person's name in the clear", f)
		}
	}
}
