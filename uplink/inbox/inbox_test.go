package inbox_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/capture/seal"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/uplink/inbox"
	"veilbox/uplink/parcel"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestInbox(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	for _, m := range []string{"a", "b", "c"} {
		w.Member(m)
	}
	a, b, c := w.Box("a"), w.Box("b"), w.Box("c")
	open := func(x *uplinktest.Box) *inbox.Inbox {
		return inbox.New(inbox.Options{Identity: x.Identity, Link: x.Link, Clock: w.Clock, Log: uplinktest.Log(t)})
	}
	ia, ib, ic := open(a), open(b), open(c)
	// The directories are at hand before the assessor is confirmed.
	for _, i := range []*inbox.Inbox{ia, ib, ic} {
		_, err := i.Directory(t.Context())
		must(t, err)
	}
	p := w.Parcel(a, w.Assessor(a, "ane", true), 1, b)
	video := make([]byte, 3<<20+5)
	rand.Read(video)
	var sealed bytes.Buffer
	sw, err := seal.NewWriter(&sealed, p.Key, wire.ContentContext(p.Manifest.Disclosure))
	must(t, err)
	_, err = sw.Write(video)
	must(t, err)
	must(t, sw.Close())
	p.SetContent(sealed.Bytes())
	p.Manifest.Copy = footage.CopyHash{Hash: sha256.Sum256(video)}
	w.Send(a, p)

	rs, err := ia.Recipients(t.Context(), []incident.MemberID{"a", "b"})
	must(t, err)
	if len(rs) != 1 || rs[0].Box != b.Identity.Box || rs[0].Member != "b" {
		t.Fatalf("recipients %+v", rs)
	}

	items, err := ib.List(t.Context())
	must(t, err)
	if len(items) != 1 || items[0].Fault || items[0].Alert == nil || items[0].Alert.What != "Tyveri af kød" || items[0].SenderName != "Butik a" || items[0].Own {
		t.Fatalf("b's list %+v", items)
	}
	own, err := ia.List(t.Context())
	must(t, err)
	if len(own) != 1 || !own[0].Own || own[0].Fault || own[0].Viewings != 0 {
		t.Fatalf("a's list %+v", own)
	}
	none, err := ic.List(t.Context())
	must(t, err)
	if len(none) != 0 {
		t.Fatalf("c's list %+v", none)
	}
	if _, err := ic.View(t.Context(), p.Manifest.Disclosure, uplinktest.Viewer()); !errors.Is(err, inbox.ErrGone) {
		t.Fatalf("c views: %v", err)
	}

	v, err := ib.View(t.Context(), p.Manifest.Disclosure, uplinktest.Viewer())
	must(t, err)
	r, err := v.Open()
	must(t, err)
	if v.Number == 0 || r.Size() != int64(len(video)) {
		t.Fatalf("viewing %d of %d bytes", v.Number, r.Size())
	}
	must(t, parcel.VerifyCopy(v.Manifest, io.NewSectionReader(r, 0, r.Size())))
	// As a browser asks for it.
	req := httptest.NewRequest("GET", "/", nil)
	req.Header.Set("Range", "bytes=1048000-1149999")
	rec := httptest.NewRecorder()
	http.ServeContent(rec, req, "copy.mp4", time.Time{}, io.NewSectionReader(r, 0, r.Size()))
	if rec.Code != http.StatusPartialContent || !bytes.Equal(rec.Body.Bytes(), video[1048000:1150000]) {
		t.Fatalf("range: %d, %d bytes", rec.Code, rec.Body.Len())
	}
	own, err = ia.List(t.Context())
	must(t, err)
	if own[0].Viewings != 1 {
		t.Fatalf("the sender sees %d viewings", own[0].Viewings)
	}

	// After a withdrawal what has not been fetched cannot be read, and the list
	// says why.
	v, err = ib.View(t.Context(), p.Manifest.Disclosure, uplinktest.Viewer())
	must(t, err)
	r, err = v.Open()
	must(t, err)
	must(t, a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, wire.WithdrawRequest{Version: wire.Version, Reason: "Forkert person", Person: "bo", Name: "Bo"}))
	if _, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size())); problem.Of(err).Code != "disclosure.ended" {
		t.Fatalf("reading after the withdrawal: %v", err)
	}
	if _, err := v.Open(); problem.Of(err).Code != "disclosure.ended" {
		t.Fatalf("opening after the withdrawal: %v", err)
	}
	items, err = ib.List(t.Context())
	must(t, err)
	if items[0].Ended == nil || items[0].Ended.Reason != "Forkert person" || items[0].Alert != nil {
		t.Fatalf("b's list %+v", items[0])
	}
}

// A box that was taken over has an approval, and seals another video or another
// text under it. The extranet cannot see that; the recipient does, and shows
// neither.
func TestAnotherVideoThanWasApproved(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	w.Member("b")
	a, b := w.Box("a"), w.Box("b")
	ib := inbox.New(inbox.Options{Identity: b.Identity, Link: b.Link, Clock: w.Clock, Log: uplinktest.Log(t)})
	assessor := w.Assessor(a, "ane", true)
	approved := []byte("the veiled copy that the assessor saw")
	for name, tt := range map[string]struct {
		video []byte
		text  string
		code  string
	}{
		"as approved":   {video: approved},
		"another video": {video: []byte("the original, in the clear"), code: "inbox.fault"},
		"another text":  {video: approved, text: `{"what":"Mord","salt":"AAAA"}`, code: "inbox.fault"},
	} {
		p := w.Parcel(a, assessor, 1, b)
		var sealed bytes.Buffer
		sw, err := seal.NewWriter(&sealed, p.Key, wire.ContentContext(p.Manifest.Disclosure))
		must(t, err)
		_, err = sw.Write(tt.video)
		must(t, err)
		must(t, sw.Close())
		p.SetContent(sealed.Bytes())
		p.Manifest.Copy = footage.CopyHash{Hash: sha256.Sum256(approved)}
		if tt.text != "" {
			k := keys.New()
			p.Envelope.Alert = k.Seal(wire.AlertContext(p.Manifest.Disclosure), []byte(tt.text))
			p.Manifest.Alert = sha256.Sum256(p.Envelope.Alert)
			r := wire.Recipient{Member: "b", Box: b.Identity.Box, Key: b.HPKE.PublicKey().Bytes()}
			p.Envelope.Keys[0].Alert, err = wire.Wrap(r, wire.PurposeAlert, p.Manifest.Disclosure, k)
			must(t, err)
		}
		w.Send(a, p)
		_, err = ib.View(t.Context(), p.Manifest.Disclosure, uplinktest.Viewer())
		if code := ""; err != nil {
			code = problem.Of(err).Code
			if code != tt.code {
				t.Errorf("%s: %v", name, err)
			}
		} else if tt.code != code {
			t.Errorf("%s is shown", name)
		}
		if tt.text == "" {
			continue
		}
		items, err := ib.List(t.Context())
		must(t, err)
		for _, it := range items {
			if it.Disclosure == p.Manifest.Disclosure && (!it.Fault || it.Alert != nil) {
				t.Errorf("%s is listed: %+v", name, it.Alert)
			}
		}
	}
}
