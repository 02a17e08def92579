package extranet_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"testing"

	"veilbox/internal/problem"
	"veilbox/uplink/link"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

func TestUploadResumes(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) { uploadResumes(t, restart) })
	}
}

func uploadResumes(t *testing.T, restart bool) {
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
	if restart {
		s.Stop()
		s.Start()
	}
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
	for tries := 0; off < int64(len(p.Content)); {
		next, err := fresh.UploadChunk(t.Context(), r.Upload, off, p.Content[off:min(off+wire.ChunkSize, int64(len(p.Content)))])
		// The end of the broken request may interrupt the one that goes on; a box
		// then asks how far it came and tries again.
		if tries++; err != nil && problem.Of(err).Code == "http" && tries < 20 {
			next, err = fresh.UploadOffset(t.Context(), r.Upload)
		}
		must(t, err)
		off = next
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

// BenchmarkUpload sends 32 MiB, from the first message to the receipt.
func BenchmarkUpload(b *testing.B) {
	w := uplinktest.New(b, uplinktest.Noon)
	w.Member("a")
	w.Member("b")
	from, to := w.Box("a"), w.Box("b")
	assessor := w.Assessor(from, "ane", true)
	b.SetBytes(32 << 20)
	for b.Loop() {
		w.Send(from, w.Parcel(from, assessor, 32<<20, to))
	}
}
