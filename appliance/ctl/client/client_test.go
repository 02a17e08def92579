package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// box is a box's API as far as the tests need it.
func box(t *testing.T, mux *http.ServeMux) (*Client, *httptest.Server) {
	t.Helper()
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	trust, err := TrustFingerprint(Fingerprint(s.Certificate()))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(s.URL, trust)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, s
}

func TestLoginKeepsTheSessionAndSendsIt(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/session", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if got, want := string(b), `{"login":"mette","password":"hemmelig"}`; got != want {
			t.Errorf("body %s, want %s", got, want)
		}
		http.SetCookie(w, &http.Cookie{Name: CookieName, Value: "tok", Secure: true, HttpOnly: true, Path: "/"})
		_, _ = io.WriteString(w, `{"person":{"id":"p1","name":"Mette"},"roles":["staff"]}`)
	})
	mux.HandleFunc("GET /api/v1/cameras", func(w http.ResponseWriter, r *http.Request) {
		if k, err := r.Cookie(CookieName); err != nil || k.Value != "tok" {
			problem.Write(w, problem.New(401, "session.none", problem.Text{EN: "No session."}, problem.Text{EN: "Log in."}))
			return
		}
		_, _ = io.WriteString(w, `[{"id":"till-1","name":"Till","state":"recording"}]`)
	})
	c, _ := box(t, mux)
	_, err := c.Cameras(t.Context())
	if p := problem.Of(err); p.Code != "session.none" || p.Status != 401 {
		t.Fatalf("before log-in: %v", err)
	}
	s, err := c.Login(t.Context(), "mette", "hemmelig")
	if err != nil || s.Person.Name != "Mette" || len(s.Roles) != 1 {
		t.Fatalf("Login = %+v, %v", s, err)
	}
	cams, err := c.Cameras(t.Context())
	if err != nil || len(cams) != 1 || cams[0].ID != "till-1" {
		t.Fatalf("Cameras = %+v, %v", cams, err)
	}
}

func TestRequestsGoWhereTheAPISays(t *testing.T) {
	var got string
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = strings.TrimSpace(r.Method + " " + r.URL.RequestURI() + " " + string(b))
		_, _ = io.WriteString(w, `null`)
	})
	c, _ := box(t, mux)
	ctx := t.Context()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	zero := strings.Repeat("0", 64)
	second := func(_ any, err error) error { return err }
	for _, k := range []struct {
		want string
		do   func() error
	}{
		{`GET /api/v1/people`, func() error { return second(c.People(ctx)) }},
		{`POST /api/v1/people/p%2F1/password`, func() error { return second(c.ResetPassword(ctx, "p/1")) }},
		{`PATCH /api/v1/people/p1 {}`, func() error { return second(c.ChangePerson(ctx, "p1", casework.PersonChange{})) }},
		{`POST /api/v1/session/password {"new":"b","old":"a"}`, func() error { return c.ChangePassword(ctx, "a", "b") }},
		{`DELETE /api/v1/session`, func() error { return c.Logout(ctx) }},
		{`DELETE /api/v1/cameras/till-1`, func() error { return c.RemoveCamera(ctx, "till-1") }},
		{`POST /api/v1/cameras/probe {"id":"","name":"","url":"rtsp://h/"}`, func() error { return second(c.ProbeCamera(ctx, casework.NewCamera{URL: "rtsp://h/"})) }},
		{`POST /api/v1/cameras/find`, func() error { return second(c.FindCameras(ctx)) }},
		{`POST /api/v1/cameras/look {"address":"192.0.2.7","username":"u","password":"p"}`, func() error {
			return second(c.LookForStreams(ctx, casework.CameraLook{Address: "192.0.2.7", Username: "u", Password: "p"}))
		}},
		{`GET /api/v1/cameras/c/timeline?from=2026-01-02T02%3A04%3A05Z&to=2026-01-02T02%3A05%3A05Z`, func() error { return second(c.Timeline(ctx, "c", at, at.Add(time.Minute))) }},
		{`GET /api/v1/cases/X`, func() error { return second(c.Case(ctx, "X")) }},
		{`POST /api/v1/cases/X/submit {"version":3}`, func() error { return second(c.Submit(ctx, "X", 3)) }},
		{`POST /api/v1/cases/X/withdrawal {"reason":"r"}`, func() error { return second(c.Withdraw(ctx, "X", "r")) }},
		{`GET /api/v1/cases/X/progress`, func() error { return second(c.CaseProgress(ctx, "X")) }},
		{`DELETE /api/v1/cases/X/progress`, func() error { return c.CancelRedaction(ctx, "X") }},
		{`GET /api/v1/cases/X/sheet/2.jpg`, func() error { return second(c.SheetPicture(ctx, "X", 2)) }},
		{`POST /api/v1/alerts/D/viewings {"purpose":"p"}`, func() error { return second(c.View(ctx, "D", "p")) }},
		{`POST /api/v1/enrolment {"code":"AB"}`, func() error { return second(c.Enrol(ctx, "AB")) }},
		{`POST /api/v1/conditions {"version":"1"}`, func() error { return c.AcceptConditions(ctx, "1") }},
		{`GET /api/v1/audit?act=case.&after=7&from=2026-01-02T02%3A04%3A05Z&limit=9`, func() error { return second(c.Audit(ctx, audit.Filter{Act: "case.", After: 7, From: at, Limit: 9})) }},
		{`GET /api/v1/audit/verify`, func() error { return second(c.VerifyAudit(ctx)) }},
		{`GET /api/v1/audit/export?about=case%3DX&act=case.&format=csv&from=2026-01-02T02%3A04%3A05Z`, func() error {
			err := c.ExportAudit(ctx, io.Discard, audit.CSV, audit.Filter{Act: "case.", About: "case=X", From: at})
			if err == nil || !strings.Contains(err.Error(), "cut off") {
				t.Errorf("an export without its last line: %v", err)
			}
			return nil
		}},
		{`POST /api/v1/cases/X/facts {"version":3,"what":"charged","at":"2026-01-02T02:04:05Z","words":"w"}`, func() error {
			return second(c.AddFact(ctx, "X", casework.NewFact{Version: 3, What: "charged", At: at.UTC(), Words: "w"}))
		}},
		{`POST /api/v1/cases/X/reassessments {"version":3,"reasons":"r","next":"2026-01-02T02:04:05Z"}`, func() error {
			return second(c.Reassess(ctx, "X", casework.Reassess{Version: 3, Reasons: "r", Next: at.UTC()}))
		}},
		{`POST /api/v1/cases/X/narrowings {"version":3,"drop":["M"],"reason":"r"}`, func() error {
			return second(c.Narrow(ctx, "X", casework.Narrow{Version: 3, Drop: []incident.MemberID{"M"}, Reason: "r"}))
		}},
		{`DELETE /api/v1/cases/X {"reason":"r"}`, func() error { return c.DeleteCase(ctx, "X", "r") }},
		{`POST /api/v1/cases/X/documents?kind=receipt&name=k+1.pdf %PDF-1.4`, func() error {
			return second(c.AddDocument(ctx, "X", casework.NewDocument{Kind: "receipt", Name: "k 1.pdf"}, []byte("%PDF-1.4")))
		}},
		{`GET /api/v1/cases/X/documents/D`, func() error { return second(c.Document(ctx, "X", "D")) }},
		{`DELETE /api/v1/cases/X/documents/D {"reason":"r"}`, func() error { return c.RemoveDocument(ctx, "X", "D", "r") }},
		{`GET /api/v1/cases/X/file.pdf?lang=da`, func() error { return second(c.CaseFilePDF(ctx, "X", "da")) }},
		{`GET /api/v1/cases/X/file.json`, func() error { return second(c.CaseFileJSON(ctx, "X")) }},
		{`GET /api/v1/cases/X/holdings`, func() error { return second(c.Holdings(ctx, "X")) }},
		{`GET /api/v1/cases/X/deletion.txt`, func() error { return second(c.DeletionProof(ctx, "X")) }},
		{`POST /api/v1/cases/X/informed {"at":"2026-01-02T02:04:05Z","how":"letter","words":"w"}`, func() error {
			return second(c.Inform(ctx, "X", casework.NewInformed{At: at.UTC(), How: "letter", Words: "w"}))
		}},
		{`POST /api/v1/cases/X/assessment/options {"version":3,"decision":"approve","reasons":"r","copy":"` + zero + `","sheet":"` + zero + `"}`, func() error {
			return second(c.PrepareApproval(ctx, "X", casework.Verdict{Version: 3, Decision: incident.Approve, Reasons: "r"}))
		}},
		{`DELETE /api/v1/session/passkeys/K`, func() error { return c.RemovePasskey(ctx, "K") }},
		{`GET /api/v1/people/review`, func() error { return second(c.ReviewPeople(ctx)) }},
		{`POST /api/v1/people/p1/review {"until":"2026-01-02T02:04:05Z"}`, func() error {
			return second(c.ConfirmAuthorisation(ctx, "p1", new(at.UTC())))
		}},
		{`POST /api/v1/session/totp`, func() error { return second(c.NewTOTP(ctx)) }},
		{`PUT /api/v1/session/totp {"code":"123456"}`, func() error { return c.ConfirmTOTP(ctx, "123456") }},
		{`GET /api/v1/health`, func() error { return second(c.Health(ctx)) }},
	} {
		if err := k.do(); err != nil {
			t.Errorf("%s: %v", k.want, err)
		}
		if got != k.want {
			t.Errorf("sent %s, want %s", got, k.want)
		}
	}
}

func TestMediaReadsRangesAndNoticesACutTransfer(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	cut := false
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/cases/X/copy.mp4", func(w http.ResponseWriter, r *http.Request) {
		if cut {
			w.Header().Set("Content-Length", "10000")
			_, _ = w.Write(data[:100])
			return
		}
		http.ServeContent(w, r, "copy.mp4", time.Time{}, bytes.NewReader(data))
	})
	c, _ := box(t, mux)
	m, err := c.CaseCopy(t.Context(), "X")
	if err != nil {
		t.Fatal(err)
	}
	if m.Size() != int64(len(data)) {
		t.Errorf("Size = %d", m.Size())
	}
	if got, err := io.ReadAll(m); err != nil || !bytes.Equal(got, data) {
		t.Errorf("whole: %d bytes, %v", len(got), err)
	}
	if _, err := m.Seek(-5, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(m); err != nil || string(got) != "56789" {
		t.Errorf("end = %q, %v", got, err)
	}
	if _, err := m.Seek(4003, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4)
	if _, err := io.ReadFull(m, p); err != nil || string(p) != "3456" {
		t.Errorf("middle = %q, %v", p, err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	cut = true
	m, err = c.CaseCopy(t.Context(), "X")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(m); err == nil {
		t.Errorf("a cut transfer gave %d bytes and no error", len(got))
	}
}

func TestTheCertificateMustBeTheOneNamed(t *testing.T) {
	mux := http.NewServeMux()
	reached := false
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { reached = true; _, _ = io.WriteString(w, "[]") })
	_, s := box(t, mux)
	other, err := TrustFingerprint(strings.Repeat("AB:", 31) + "AB")
	if err != nil {
		t.Fatal(err)
	}
	for what, trust := range map[string]Trust{"another fingerprint": other, "the system's list": {}} {
		c, err := New(s.URL, trust)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Cameras(t.Context())
		if p := problem.Of(err); p.Code != "client.certificate" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if reached {
		t.Error("a request went to a box whose certificate does not hold")
	}
	s.Close()
	good, err := TrustFingerprint(Fingerprint(s.Certificate()))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(s.URL, good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cameras(t.Context()); problem.Of(err).Code != "client.unreachable" {
		t.Errorf("closed: %v", err)
	}
}

func TestBadAddressesAndFingerprintsAreRefused(t *testing.T) {
	for _, a := range []string{"", "http://box", "box:8443", "https://", "https://u:p@box", "https://box/page", "https://box?x=1"} {
		if _, err := New(a, Trust{}); err == nil {
			t.Errorf("New(%q) took it", a)
		} else if strings.Contains(err.Error(), ":p@") {
			t.Errorf("New(%q) shows a password: %v", a, err)
		}
	}
	for _, f := range []string{"", "abcd", strings.Repeat("zz", 32)} {
		if _, err := TrustFingerprint(f); err == nil {
			t.Errorf("TrustFingerprint(%q) took it", f)
		}
	}
}

func TestAnAnswerThatIsNoProblemNamesTheStatus(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) })
	c, _ := box(t, mux)
	_, err := c.Cases(t.Context())
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != http.StatusBadGateway || p.Code != "http" {
		t.Errorf("got %v", err)
	}
}
