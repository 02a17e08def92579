package extranet_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/uplink/extranet"
	"veilbox/uplink/fleet"
	"veilbox/uplink/link"
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

func TestEnrol(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("fotex-aarhus")
	enrol := func(code string) error {
		_, err := fleet.Enrol(t.Context(), code, fleet.Options{Store: fleet.IdentityStore{Path: filepath.Join(t.TempDir(), "id")}, Name: "Kasse", Audit: "box+1+x", Clock: w.Clock})
		return err
	}
	b := w.Box("fotex-aarhus")
	if b.Member != "fotex-aarhus" || b.MemberName != "Butik fotex-aarhus" {
		t.Fatalf("identity %+v", b.Identity)
	}
	again, err := b.Store.Load()
	must(t, err)
	if again.Box != b.Identity.Box || !bytes.Equal(again.Signing, b.Signing) {
		t.Fatal("the identity did not come back as it was kept")
	}
	d, err := b.Link.Members(t.Context())
	must(t, err)
	if d.Self != b.Identity.Box || len(d.Members) != 1 || !bytes.Equal(d.Members[0].Boxes[0].HPKE, b.HPKE.PublicKey().Bytes()) {
		t.Fatalf("directory %+v", d)
	}

	code := w.Code("fotex-aarhus")
	c, err := fleet.ParseCode("  " + code[:20] + "\n" + code[20:])
	must(t, err)
	wantCode(t, enrol(code[:len(code)-9]), "enrol.bad")
	wantCode(t, enrol("veilbox2."+code), "enrol.bad")
	other := c
	other.Secret = strings.Repeat("A", 26)
	wantCode(t, enrol(other.String()), "enrol.bad")
	other = c
	other.CA = uplinktest.Hash("another CA")
	wantCode(t, enrol(other.String()), "extranet.stranger")
	other = c
	other.URL = "https://127.0.0.1:1"
	wantCode(t, enrol(other.String()), "extranet.unreachable")

	w.Clock.Advance(w.Config.CodeLife)
	wantCode(t, enrol(code), "enrol.expired")
	code = w.Code("fotex-aarhus")
	if _, err := fleet.Enrol(t.Context(), code, fleet.Options{Store: fleet.IdentityStore{Path: filepath.Join(t.TempDir(), "id"), Key: b.Store.Key}, Name: "Kasse", Audit: "box+1+x", Clock: w.Clock}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, enrol(code), "enrol.used")
}

func TestRenew(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	b := w.Box("a")
	w.Clock.Advance(350 * 24 * time.Hour)
	r, err := b.Link.Heartbeat(t.Context(), wire.HeartbeatRequest{Version: wire.Version, Program: "1"})
	must(t, err)
	if !r.Renew {
		t.Fatal("a certificate with 15 days left is not asked to be renewed")
	}
	next, err := fleet.Renew(t.Context(), b.Link, b.Store, b.Identity)
	must(t, err)
	w.Clock.Advance(20 * 24 * time.Hour)
	fresh := link.New(next.Credentials(), w.Clock)
	defer fresh.Close()
	if _, err := fresh.Members(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The old one has run out, on a connection that is open and on a new one.
	if _, err := b.Link.Members(t.Context()); err == nil {
		t.Fatal("an open connection outlived its certificate")
	}
	old := link.New(b.Credentials(), w.Clock)
	defer old.Close()
	if _, err := old.Members(t.Context()); err == nil {
		t.Fatal("an expired certificate was accepted")
	}
}

func TestStrangersAreRefused(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	b := w.Box("a")
	bare := b.Credentials()
	bare.Certificate = tls.Certificate{}
	c := link.New(bare, w.Clock)
	defer c.Close()
	_, err := c.Members(t.Context())
	wantCode(t, err, "box.certificate")

	// A certificate of another CA with the same names.
	v := uplinktest.New(t, uplinktest.Noon)
	v.Member("a")
	forged := b.Credentials()
	forged.Certificate = v.Box("a").Credentials().Certificate
	c = link.New(forged, w.Clock)
	defer c.Close()
	_, err = c.Members(t.Context())
	wantCode(t, err, "extranet.refused")

	// An extranet of another CA.
	wrong := b.Credentials()
	wrong.Roots = x509.NewCertPool()
	c = link.New(wrong, w.Clock)
	defer c.Close()
	_, err = c.Members(t.Context())
	wantCode(t, err, "extranet.stranger")

	// A box whose clock was lost.
	c = link.New(b.Credentials(), clock.NewFake(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)))
	defer c.Close()
	_, err = c.Members(t.Context())
	wantCode(t, err, "extranet.clock")

	// TLS 1.2 is not spoken.
	if conn, err := tls.Dial("tcp", w.Config.BoxListen, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		conn.Close()
		t.Fatal("TLS 1.2 was accepted")
	}

	must(t, w.Op("POST", "/api/v1/boxes/"+string(b.Identity.Box)+"/revoke", map[string]string{"reason": "stjålet"}, nil))
	_, err = b.Link.Members(t.Context())
	wantCode(t, err, "box.revoked")
}

// shops is a sender, a receiver in its circle and one outside.
type shops struct {
	*uplinktest.World
	a, b, c  *uplinktest.Box
	assessor ed25519.PrivateKey
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

func (s shops) parcel(n int) *uplinktest.Parcel { return s.Parcel(s.a, "ane", s.assessor, n, s.b) }

func TestSubmitRefuses(t *testing.T) {
	s := three(t, uplinktest.Noon)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	pending := s.Assessor(s.a, "pia", false)
	revoked := s.Assessor(s.a, "rie", true)
	must(t, s.Op("POST", fmt.Sprintf("/api/v1/assessors/a/%s/revoke", wire.KeyIDOf(revoked.Public().(ed25519.PublicKey))), map[string]string{"reason": "fratrådt"}, nil))
	others := s.Assessor(s.b, "ole", true)
	key := func(k ed25519.PrivateKey) wire.KeyID { return wire.KeyIDOf(k.Public().(ed25519.PublicKey)) }
	type submit = wire.SubmitRequest
	by := func(person string, k ed25519.PrivateKey) func(p *uplinktest.Parcel) submit {
		return func(p *uplinktest.Parcel) submit {
			p.Manifest.Assessor = wire.Assessor{ID: incident.PersonID(person), Name: person, Key: key(k)}
			r := p.Submit()
			r.Manifest = uplinktest.SignRaw(p.Manifest, s.a.Signing, k)
			return r
		}
	}
	change := func(f func(m *wire.Manifest)) func(p *uplinktest.Parcel) submit {
		return func(p *uplinktest.Parcel) submit { f(&p.Manifest); return p.Submit() }
	}
	tests := []struct {
		name, code string
		make       func(p *uplinktest.Parcel) submit
	}{
		{"box signature", "disclosure.box-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest.Box[3] ^= 1
			return r
		}},
		{"box signed by another key", "disclosure.box-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest = uplinktest.SignRaw(p.Manifest, stranger, s.assessor)
			return r
		}},
		{"assessor signature", "disclosure.assessor-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest.Assessor[3] ^= 1
			return r
		}},
		{"box's signature as the assessor's", "disclosure.assessor-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest.Assessor = r.Manifest.Box
			return r
		}},
		{"manifest changed after signing", "disclosure.box-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest.Manifest = bytes.Replace(r.Manifest.Manifest, []byte("Aarhus"), []byte("Odense"), 1)
			return r
		}},
		{"assessor unknown", "disclosure.assessor-unknown", by("ane", stranger)},
		{"assessor of another shop", "disclosure.assessor-unknown", by("ole", others)},
		{"assessor under another name", "disclosure.assessor-unknown", by("bo", s.assessor)},
		{"assessor unconfirmed", "disclosure.assessor-unconfirmed", by("pia", pending)},
		{"assessor revoked", "disclosure.assessor-ended", by("rie", revoked)},
		{"another member's box", "disclosure.sender", change(func(m *wire.Manifest) { m.Box = s.b.Identity.Box })},
		{"another sender", "disclosure.sender", change(func(m *wire.Manifest) { m.Sender = "c" })},
		{"condition not satisfied", "disclosure.condition", change(func(m *wire.Manifest) { m.Conditions[4].Satisfied = false })},
		{"condition missing", "disclosure.condition", change(func(m *wire.Manifest) { m.Conditions[8] = wire.Condition{} })},
		{"condition twice", "disclosure.condition", change(func(m *wire.Manifest) { m.Conditions[8] = m.Conditions[0] })},
		{"condition without evidence", "disclosure.condition", change(func(m *wire.Manifest) { m.Conditions[0].Evidence = [32]byte{} })},
		{"31 days", "disclosure.too-long", change(func(m *wire.Manifest) { m.NotAfter = m.Created.Add(31 * 24 * time.Hour) })},
		{"30 days and a second", "disclosure.too-long", change(func(m *wire.Manifest) { m.NotAfter = m.Created.Add(wire.MaxAge + time.Second) })},
		{"over already", "disclosure.over", change(func(m *wire.Manifest) {
			m.Created = m.Created.Add(-40 * 24 * time.Hour)
			m.NotAfter, m.ReportDue = m.Created.Add(wire.MaxAge), clock.EndOfDay(m.Created)
		})},
		{"made tomorrow", "disclosure.clock", change(func(m *wire.Manifest) {
			m.Created = m.Created.Add(24 * time.Hour)
			m.NotAfter, m.ReportDue = m.Created.Add(wire.MaxAge), clock.EndOfDay(m.Created)
		})},
		{"report due tomorrow", "disclosure.report-due", change(func(m *wire.Manifest) { m.ReportDue = m.ReportDue.Add(24 * time.Hour) })},
		{"made yesterday, never reported", "disclosure.report-missing", change(func(m *wire.Manifest) {
			m.Created = m.Created.Add(-24 * time.Hour)
			m.NotAfter, m.ReportDue = m.Created.Add(wire.MaxAge), clock.EndOfDay(m.Created)
		})},
		{"reported tomorrow", "disclosure.clock", change(func(m *wire.Manifest) { r := m.Created.Add(24 * time.Hour); m.Reported = &r })},
		{"empty circle", "disclosure.circle", change(func(m *wire.Manifest) { m.Circle.Members = nil })},
		{"only itself", "disclosure.circle", change(func(m *wire.Manifest) { m.Circle.Members = []incident.MemberID{"a"} })},
		{"unknown member", "disclosure.circle", change(func(m *wire.Manifest) { m.Circle.Members = append(m.Circle.Members, "nobody") })},
		{"circle without recipient", "disclosure.recipients", change(func(m *wire.Manifest) { m.Circle.Members = append(m.Circle.Members, "c") })},
		{"recipient outside the circle", "disclosure.recipients", change(func(m *wire.Manifest) { m.Circle.Members = []incident.MemberID{"c"} })},
		{"box of another member", "disclosure.recipients", func(p *uplinktest.Parcel) submit {
			p.Envelope.Keys[0].Box = s.c.Identity.Box
			return p.Submit()
		}},
		{"alert exchanged", "disclosure.recipients", func(p *uplinktest.Parcel) submit {
			p.Envelope.Alert = append([]byte{}, p.Envelope.Alert...)
			p.Envelope.Alert[20] ^= 1
			return p.Submit()
		}},
		{"too large", "disclosure.size", change(func(m *wire.Manifest) { m.Content.Size = extranet.Defaults().MaxContent + 1 })},
		{"a hash missing", "disclosure.malformed", change(func(m *wire.Manifest) { m.Proof.Hash = [32]byte{} })},
		{"another version", "disclosure.malformed", change(func(m *wire.Manifest) { m.Version = 2 })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.a.Link.Submit(t.Context(), tt.make(s.parcel(100)))
			wantCode(t, err, tt.code)
		})
	}
	if list, err := s.a.Link.Inbox(t.Context()); err != nil || len(list.Items) != 0 {
		t.Fatalf("something refused was kept: %v %v", list, err)
	}
	// What all of these were made from holds.
	s.Send(s.a, s.parcel(100))
}

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

func TestUploadResumes(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(3 << 20)
	r, err := s.a.Link.Submit(t.Context(), p.Submit())
	must(t, err)
	if _, err := s.a.Link.UploadChunk(t.Context(), r.Upload, 0, p.Content[:wire.ChunkSize]); err != nil {
		t.Fatal(err)
	}
	// Not done: no receipt, and nobody sees it.
	_, err = s.a.Link.Complete(t.Context(), p.Manifest.Disclosure)
	wantCode(t, err, "upload.short")
	in, err := s.b.Link.Inbox(t.Context())
	must(t, err)
	if len(in.Items) != 0 {
		t.Fatal("a disclosure under way is listed")
	}

	// The connection breaks in the middle of a chunk.
	cut(t, s, r.Upload, wire.ChunkSize, p.Content[wire.ChunkSize:2*wire.ChunkSize], 300_000)
	s.Stop()
	s.Start()
	fresh := link.New(s.a.Credentials(), s.Clock)
	defer fresh.Close()
	off, err := fresh.UploadOffset(t.Context(), r.Upload)
	must(t, err)
	if off < wire.ChunkSize || off > wire.ChunkSize+300_000 {
		t.Fatalf("offset %d after the break", off)
	}
	// Another box cannot go on with it.
	if _, err := s.c.Link.UploadOffset(t.Context(), r.Upload); err == nil {
		t.Fatal("another member's box sees the upload")
	}
	for off < int64(len(p.Content)) {
		off, err = fresh.UploadChunk(t.Context(), r.Upload, off, p.Content[off:min(off+wire.ChunkSize, int64(len(p.Content)))])
		must(t, err)
	}
	c, err := fresh.Complete(t.Context(), p.Manifest.Disclosure)
	must(t, err)
	if c.State != wire.StateAvailable {
		t.Fatalf("receipt %+v", c)
	}
}

// cut sends the beginning of a chunk and closes the connection.
func cut(t *testing.T, s shops, upload string, off int, chunk []byte, n int) {
	t.Helper()
	cred := s.a.Credentials()
	conn, err := tls.Dial("tcp", s.Config.BoxListen, &tls.Config{RootCAs: cred.Roots, Certificates: []tls.Certificate{cred.Certificate}, Time: s.Clock.Now, NextProtos: []string{"http/1.1"}})
	must(t, err)
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: %d\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n", upload, off, len(chunk))
	_, err = conn.Write(chunk[:n])
	must(t, err)
	must(t, conn.Close())
}

func TestUploadDamaged(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	r, err := s.a.Link.Submit(t.Context(), p.Submit())
	must(t, err)
	bad := bytes.Clone(p.Content)
	bad[500] ^= 1
	if _, err := s.a.Link.UploadChunk(t.Context(), r.Upload, 0, bad); err != nil {
		t.Fatal(err)
	}
	_, err = s.a.Link.Complete(t.Context(), p.Manifest.Disclosure)
	wantCode(t, err, "upload.damaged")
	off, err := s.a.Link.UploadOffset(t.Context(), r.Upload)
	must(t, err)
	if off != 0 {
		t.Fatalf("offset %d, the upload begins anew at 0", off)
	}
	s.Send(s.a, p)
}

// gone fails unless neither ciphertext nor wrapped keys are left, and everyone
// who was in the circle sees why.
func (s shops) gone(t *testing.T, p *uplinktest.Parcel, code wire.EndCode, reason string) {
	t.Helper()
	id := p.Manifest.Disclosure
	_, err := s.view(t, s.b, p)
	wantCode(t, err, "disclosure.ended")
	if reason != "" && !strings.Contains(err.Error(), reason) {
		t.Fatalf("the refusal does not say why: %v", err)
	}
	for _, b := range []*uplinktest.Box{s.a, s.b} {
		in, err := b.Link.Inbox(t.Context())
		must(t, err)
		if len(in.Items) != 1 {
			t.Fatalf("inbox %+v", in)
		}
		it := in.Items[0]
		if it.State != wire.StateEnded || it.Ended == nil || it.Ended.Code != code || it.Alert != nil || it.AlertKey != nil {
			t.Fatalf("item %+v, ended %+v", it, it.Ended)
		}
	}
	if _, err := os.Stat(filepath.Join(s.Config.Dir, "blobs", string(id))); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the ciphertext is there: %v", err)
	}
	for _, f := range []string{"extranet.db", "extranet.db-wal"} {
		b, err := os.ReadFile(filepath.Join(s.Config.Dir, f))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, k := range p.Envelope.Keys {
			if bytes.Contains(b, k.Content[:64]) || bytes.Contains(b, k.Alert[:64]) || bytes.Contains(b, p.Envelope.Alert[:32]) {
				t.Errorf("%s still holds a wrapped key or the alert", f)
			}
		}
	}
}

func TestWithdraw(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(2 << 20)
	s.Send(s.a, p)
	v, err := s.view(t, s.b, p)
	must(t, err)
	req := wire.WithdrawRequest{Version: wire.Version, Reason: "Forkert person", Person: "bo", Name: "Bo Holm"}
	must(t, s.a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, req))
	_, err = s.read(t.Context(), s.b, p, v.Token)
	wantCode(t, err, "disclosure.ended")
	s.gone(t, p, wire.EndWithdrawn, "Forkert person")
	// Once more changes nothing.
	req.Reason = "Anden grund"
	must(t, s.a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, req))
	s.gone(t, p, wire.EndWithdrawn, "Forkert person")
	_, err = s.a.Link.Submit(t.Context(), p.Submit())
	wantCode(t, err, "disclosure.ended")
}

func TestOperatorEnds(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	must(t, s.Op("POST", "/api/v1/disclosures/"+string(p.Manifest.Disclosure)+"/end", map[string]string{"reason": "Kredsen er for vid"}, nil))
	s.gone(t, p, wire.EndOperator, "Kredsen er for vid")
}

// What a member disclosed ends when it leaves: nobody watches it any longer.
func TestMemberLeaves(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	must(t, s.Op("POST", "/api/v1/members", map[string]any{"id": "a", "name": "A", "town": "Aarhus", "region": "Midtjylland", "country": "DK", "trade": "dagligvarer", "chain": "", "active": false}, nil))
	_, err := s.view(t, s.b, p)
	wantCode(t, err, "disclosure.ended")
	_, err = s.a.Link.Inbox(t.Context())
	wantCode(t, err, "box.revoked")
}

// A file that cannot be removed is tried again, is reported meanwhile, and the
// ending is in the audit log once.
func TestPurgeIsTriedAgain(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	// A folder that is not empty cannot be removed as a file.
	blob := filepath.Join(s.Config.Dir, "blobs", string(p.Manifest.Disclosure))
	must(t, os.Remove(blob))
	must(t, os.MkdirAll(filepath.Join(blob, "in the way"), 0o700))
	must(t, s.a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, wire.WithdrawRequest{Version: 1, Reason: "Forkert person", Person: "bo", Name: "Bo"}))
	_, err := s.view(t, s.b, p)
	wantCode(t, err, "disclosure.ended")
	var list []struct {
		Purging bool `json:"purging"`
	}
	must(t, s.Op("GET", "/api/v1/disclosures", nil, &list))
	if len(list) != 1 || !list[0].Purging {
		t.Fatalf("disclosures %+v", list)
	}
	if s.Server.Sweep(t.Context()) == nil {
		t.Fatal("a sweep that cannot remove a file is silent")
	}
	must(t, os.RemoveAll(blob))
	must(t, s.Server.Sweep(t.Context()))
	must(t, s.Op("GET", "/api/v1/disclosures", nil, &list))
	if len(list) != 1 || list[0].Purging {
		t.Fatalf("disclosures %+v", list)
	}
	s.gone(t, p, wire.EndWithdrawn, "Forkert person")
	var entries []struct {
		Act string `json:"act"`
		Who struct {
			Name string `json:"name"`
		} `json:"who"`
	}
	must(t, s.Op("GET", "/api/v1/audit", nil, &entries))
	n := 0
	for _, e := range entries {
		if e.Act == "disclosure.end" && e.Who.Name == "Bo" {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d entries of the ending", n)
	}
}

func TestNarrowed(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.Parcel(s.a, "ane", s.assessor, 1000, s.b, s.c)
	s.Send(s.a, p)
	must(t, s.a.Link.Reassess(t.Context(), p.Manifest.Disclosure, wire.ReassessRequest{Version: wire.Version, At: s.Clock.Now(), Person: "ane", Name: "Ane", Reason: "Kun Aarhus nord", Drop: []incident.MemberID{"c"}}))
	_, err := s.view(t, s.c, p)
	wantCode(t, err, "disclosure.ended")
	in, err := s.c.Link.Inbox(t.Context())
	must(t, err)
	if in.Items[0].Ended == nil || in.Items[0].Ended.Code != wire.EndNarrowed || in.Items[0].AlertKey != nil {
		t.Fatalf("c sees %+v", in.Items[0])
	}
	if _, err := s.view(t, s.b, p); err != nil {
		t.Fatal(err)
	}
}

// The day of a disclosure ends at midnight in Copenhagen, on the days of 23 and
// 25 hours too.
func TestReportMissing(t *testing.T) {
	for _, day := range []time.Time{
		uplinktest.Noon,
		time.Date(2026, 3, 29, 0, 30, 0, 0, clock.Copenhagen),  // 23 hours
		time.Date(2026, 10, 25, 0, 30, 0, 0, clock.Copenhagen), // 25 hours
	} {
		t.Run(day.Format(time.DateOnly), func(t *testing.T) {
			s := three(t, day)
			p, reported := s.parcel(1000), s.Parcel(s.a, "ane", s.assessor, 1000, s.b)
			s.Send(s.a, reported)
			must(t, s.Report(s.a, reported))
			s.Send(s.a, p)
			y, m, d := day.Date()
			midnight := time.Date(y, m, d+1, 0, 0, 0, 0, clock.Copenhagen)
			s.Clock.Advance(midnight.Sub(day) - time.Second)
			if _, err := s.view(t, s.b, p); err != nil {
				t.Fatalf("a second before midnight: %v", err)
			}
			s.Clock.Advance(time.Second)
			_, err := s.view(t, s.b, p)
			wantCode(t, err, "disclosure.ended")
			wantCode(t, s.Report(s.a, p), "disclosure.ended")
			if _, err := s.view(t, s.b, reported); err != nil {
				t.Fatalf("the reported one: %v", err)
			}
			in, err := s.b.Link.Inbox(t.Context())
			must(t, err)
			for _, it := range in.Items {
				if it.Disclosure == p.Manifest.Disclosure && (it.Ended == nil || it.Ended.Code != wire.EndReportMissing || it.Ended.By != "police report missing" || !it.Ended.At.Equal(midnight)) {
					t.Fatalf("ending %+v", it.Ended)
				}
			}
		})
	}
}

func TestThirtyDays(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	must(t, s.Report(s.a, p))
	s.Clock.Advance(wire.MaxAge - time.Second)
	if _, err := s.view(t, s.b, p); err != nil {
		t.Fatal(err)
	}
	// A clock that is set back lengthens nothing, also over a restart.
	s.Clock.Advance(time.Second)
	s.gone(t, p, wire.EndThirtyDays, "30 days")
}

// The clock ends disclosures while nobody calls, and at start after an outage.
func TestSweepByItself(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	must(t, s.Report(s.a, p))
	blob := filepath.Join(s.Config.Dir, "blobs", string(p.Manifest.Disclosure))
	s.Clock.Advance(wire.MaxAge)
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(blob); errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the ciphertext outlived its 30 days")
		}
		s.Clock.Advance(30 * time.Second)
		time.Sleep(time.Millisecond)
	}

	q := s.parcel(1000)
	s.Send(s.a, q)
	s.Stop()
	s.Clock.Advance(48 * time.Hour)
	s.Start()
	if _, err := os.Stat(filepath.Join(s.Config.Dir, "blobs", string(q.Manifest.Disclosure))); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the ciphertext is there after an outage: %v", err)
	}
	var entries []struct {
		Act   string            `json:"act"`
		About map[string]string `json:"about"`
	}
	must(t, s.Op("GET", "/api/v1/audit", nil, &entries))
	ends := map[string]int{}
	for _, e := range entries {
		if e.Act == "disclosure.end" {
			ends[e.About["disclosure"]]++
		}
	}
	if ends[string(p.Manifest.Disclosure)] != 1 || ends[string(q.Manifest.Disclosure)] != 1 {
		t.Fatalf("endings in the audit log: %v", ends)
	}
	var rep struct {
		OK bool `json:"ok"`
	}
	must(t, s.Op("POST", "/api/v1/audit/verify", struct{}{}, &rep))
	if !rep.OK {
		t.Fatal("the audit log does not verify")
	}
}

// A clock that is set back lengthens nothing, while it runs and over a restart.
func TestClockSetBack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			s := three(t, uplinktest.Noon)
			p := s.parcel(1000)
			s.Send(s.a, p)
			must(t, s.Report(s.a, p))
			s.Clock.Advance(wire.MaxAge - time.Minute)
			if _, err := s.view(t, s.b, p); err != nil {
				t.Fatal(err)
			}
			q := s.parcel(1000) // its end keeps the time, as a sweep would
			s.Send(s.a, q)
			must(t, s.a.Link.Withdraw(t.Context(), q.Manifest.Disclosure, wire.WithdrawRequest{Version: 1, Reason: "prøve", Person: "bo", Name: "Bo"}))
			if restart {
				s.Stop()
			}
			s.Clock.Advance(-10 * 24 * time.Hour)
			if restart {
				s.Start()
			}
			if _, err := s.view(t, s.b, p); err != nil {
				t.Fatalf("just after the step: %v", err)
			}
			s.Clock.Advance(2 * time.Minute)
			_, err := s.view(t, s.b, p)
			wantCode(t, err, "disclosure.ended")

			resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Time: s.Clock.Now}}}).Get("https://" + s.Config.OperatorListen + "/healthz")
			must(t, err)
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("health with the clock set back: %s", resp.Status)
			}
			must(t, s.Op("POST", "/api/v1/clock", map[string]string{"reason": "uret gik forkert"}, nil))
			x := s.parcel(1000)
			s.Send(s.a, x)
			_, err = s.view(t, s.b, x)
			must(t, err)
		})
	}
}

func TestBadStart(t *testing.T) {
	ctx := t.Context()
	start := func(f func(o *extranet.Options)) error {
		o := extranet.Options{Config: extranet.Defaults(), Clock: clock.NewFake(uplinktest.Noon), Log: uplinktest.Log(t)}
		o.Dir, o.BoxListen, o.OperatorListen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
		f(&o)
		s, err := extranet.New(ctx, o)
		if err == nil {
			must(t, s.Close())
		}
		return err
	}
	must(t, start(func(*extranet.Options) {}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	wantCode(t, start(func(o *extranet.Options) { o.BoxListen = l.Addr().String() }), "extranet.port")
	wantCode(t, start(func(o *extranet.Options) { o.Clock = clock.NewFake(time.Date(1970, 1, 1, 1, 0, 0, 0, time.UTC)) }), "extranet.clock-unset")
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	wantCode(t, start(func(o *extranet.Options) { o.Dir = filepath.Join(file, "sub") }), "extranet.dir")
	for _, f := range []func(o *extranet.Options){
		func(o *extranet.Options) { o.URL = "http://x" },
		func(o *extranet.Options) { o.KeepAccess = time.Hour },
		func(o *extranet.Options) { o.PentestEvery = 365 * 24 * time.Hour },
	} {
		if start(f) == nil {
			t.Error("a configuration outside the conditions was accepted")
		}
	}
}

func TestHTTPOfOperator(t *testing.T) {
	s := three(t, uplinktest.Noon)
	s.Send(s.a, s.parcel(10))
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Time: s.Clock.Now}}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string) (*http.Response, string) {
		t.Helper()
		resp, err := c.Get("https://" + s.Config.OperatorListen + path)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp, string(b)
	}
	for _, path := range []string{"/api/v1/members", "/api/v1/access", "/api/v1/disclosures", "/api/v1/audit"} {
		if r, _ := get(path); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a log-in: %s", path, r.Status)
		}
	}
	if r, _ := get("/members"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("/members without a log-in: %s", r.Status)
	}
	if r, body := get("/healthz"); r.StatusCode != http.StatusOK {
		t.Errorf("health: %s %s", r.Status, body)
	}
	if _, body := get("/metrics"); !strings.Contains(body, "veil_extranet_disclosures_available 1") {
		t.Error("metrics lack the available disclosure")
	}
	r, body := get("/login?lang=en")
	if !strings.Contains(body, "Log in") || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("the log-in page")
	}
	wantCode(t, s.Op("POST", "/api/v1/members", map[string]any{"id": "UPPER"}, nil), "operator.input")
	var pen struct {
		Late bool `json:"late"`
	}
	must(t, s.Op("GET", "/api/v1/pentests", nil, &pen))
	if !pen.Late {
		t.Error("with no penetration test held, one is due")
	}
	must(t, s.Op("POST", "/api/v1/pentests", map[string]string{"held": "2026-03-01", "tester": "Nordsec", "findings": "ingen"}, nil))
	must(t, s.Op("GET", "/api/v1/pentests", nil, &pen))
	if pen.Late {
		t.Error("nine days after a penetration test, none is due")
	}

	// A page of another site cannot act for the operator.
	req, err := http.NewRequest("POST", "https://"+s.Config.OperatorListen+"/api/v1/login", strings.NewReader("name=a&password=b"))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://evil.example")
	resp, err := c.Do(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("cross-origin log-in: %s", resp.Status)
	}
}

func TestPagesRender(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(10)
	s.Send(s.a, p)
	if _, err := s.view(t, s.b, p); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/members", "/boxes", "/assessors", "/disclosures", "/access", "/pentests", "/audit", "/account"} {
		if body := s.Page(path); !strings.Contains(body, "</html>") || !strings.Contains(body, "<nav") {
			t.Errorf("%s: %.200s", path, body)
		}
	}
}
