// Package uplinktest brings up a real extranet on loopback with a clock that
// moves only when told to, and enrols boxes with it, for the tests of uplink.
package uplinktest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/passkey"
	"veilbox/internal/passkey/softkey"
	"veilbox/internal/problem"
	"veilbox/uplink/extranet"
	"veilbox/uplink/fleet"
	"veilbox/uplink/link"
	"veilbox/uplink/wire"
)

// A World is an extranet and what has been enrolled with it.
type World struct {
	T      testing.TB
	Clock  *clock.Fake
	Config extranet.Config
	Server *extranet.Server

	stop func() error
	op   *http.Client
	// Key logs the first operator in.
	Key *softkey.Key
}

// Noon is when worlds begin: a day in winter time, far from its ends.
var Noon = time.Date(2026, 3, 10, 12, 0, 0, 0, clock.Copenhagen)

// New starts an extranet at the given time.
func New(t testing.TB, at time.Time) *World {
	t.Helper()
	w := &World{T: t, Clock: clock.NewFake(at), Config: extranet.Defaults()}
	w.Config.Dir = t.TempDir()
	w.Config.BoxListen, w.Config.OperatorListen = freePort(t), freePort(t)
	w.Config.URL = "https://" + w.Config.BoxListen
	w.Start()
	t.Cleanup(func() { w.Stop() })
	return w
}

func freePort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Log returns the log of a test.
func Log(t testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return slog.New(slog.DiscardHandler)
}

// Start starts the extranet.
func (w *World) Start() {
	w.T.Helper()
	s, err := extranet.New(w.T.Context(), extranet.Options{Config: w.Config, Clock: w.Clock, Log: Log(w.T)})
	if err != nil {
		w.T.Fatal(err)
	}
	w.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.stop = func() error { cancel(); return <-done }
}

// Stop stops it; its folder stays.
func (w *World) Stop() {
	w.T.Helper()
	if w.stop == nil {
		return
	}
	if err := w.stop(); err != nil {
		w.T.Error(err)
	}
	w.stop = nil
}

// Op calls the operator's API as the first operator, who logs in and shows who it
// is whenever that is asked.
func (w *World) Op(method, path string, in, out any) error {
	w.T.Helper()
	if w.op == nil {
		w.login()
	}
	err := w.op1(method, path, in, out)
	if p := problem.Of(err); err != nil && (p.Code == "operator.login" || p.Code == "operator.proof") && !strings.HasPrefix(path, "/api/v1/login") {
		w.login() // the clock moved past the session, or the proof
		err = w.op1(method, path, in, out)
	}
	return err
}

func (w *World) login() {
	w.T.Helper()
	w.op = w.client()
	if w.Key != nil {
		w.must(Passkey(w.op1, "/api/v1/login/passkey", w.Key))
		return
	}
	b, err := os.ReadFile(filepath.Join(w.Config.Dir, "first-login"))
	w.must(err)
	f := strings.Fields(string(b))
	w.must(w.op1("POST", "/api/v1/login", map[string]string{"name": f[0], "password": f[1]}, nil))
	w.must(w.op1("POST", "/api/v1/account", map[string]string{"person": "Otto Olsen"}, nil))
	w.Key = softkey.New(rand.Text())
	w.must(NewPasskey(w.op1, w.Key))
}

// client returns one with no log-in.
func (w *World) client() *http.Client {
	w.T.Helper()
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Time: w.Clock.Now}}}
}

// A Call calls the operator's API.
type Call func(method, path string, in, out any) error

// Passkey answers the question at path with k.
func Passkey(call Call, path string, k *softkey.Key) error {
	return answer(call, path, k.Get, map[string]any{})
}

// NewPasskey makes k a passkey of who is logged in.
func NewPasskey(call Call, k *softkey.Key) error {
	return answer(call, "/api/v1/passkeys", k.Create, map[string]any{"name": "Nøglefil"})
}

func answer(call Call, path string, work func([]byte) ([]byte, error), in map[string]any) error {
	var q struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	}
	if err := call("POST", path+"/options", struct{}{}, &q); err != nil {
		return err
	}
	response, err := work(q.Options)
	if err != nil {
		return err
	}
	in["ceremony"], in["response"] = q.ID, json.RawMessage(response)
	return call("POST", path, in, nil)
}

// Visitor returns how somebody calls the operator's API who has not logged in.
func (w *World) Visitor() Call {
	c := w.client()
	return func(method, path string, in, out any) error {
		first := w.op
		w.op = c
		defer func() { w.op = first }()
		return w.op1(method, path, in, out)
	}
}

func (w *World) op1(method, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		w.T.Fatal(err)
	}
	req, err := http.NewRequest(method, "https://"+w.Config.OperatorListen+path, bytes.NewReader(b))
	if err != nil {
		w.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.op.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	a, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return problem.Decode(resp.StatusCode, a)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a, out)
}

func (w *World) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Member connects a member.
func (w *World) Member(id string) {
	w.T.Helper()
	w.must(w.Op("POST", "/api/v1/members", map[string]any{"id": id, "name": "Butik " + id, "town": "Aarhus", "region": "Midtjylland", "country": "DK", "trade": "dagligvarer", "chain": "", "active": true}, nil))
}

// Code returns a new enrolment code.
func (w *World) Code(member string) string {
	w.T.Helper()
	var a struct {
		Code string `json:"code"`
	}
	w.must(w.Op("POST", "/api/v1/members/"+member+"/codes", struct{}{}, &a))
	return a.Code
}

// A Box is an enrolled box.
type Box struct {
	fleet.Identity
	Link  *link.Client
	Audit *audit.Log
	Store fleet.IdentityStore
}

// Box enrols a new box of member.
func (w *World) Box(member string) *Box {
	w.T.Helper()
	dir, k := w.T.TempDir(), keys.New()
	l, err := audit.Open(w.T.Context(), audit.Options{Path: filepath.Join(dir, "audit.db"), Key: k.Derive("audit"), Name: "box-" + member, Clock: w.Clock,
		Signing: ed25519.NewKeyFromSeed(k.Derive("sign").Bytes())})
	w.must(err)
	w.T.Cleanup(func() { w.must(l.Close()) })
	b := &Box{Audit: l, Store: fleet.IdentityStore{Path: filepath.Join(dir, "identity.sealed"), Key: k}}
	b.Identity, err = fleet.Enrol(w.T.Context(), w.Code(member), fleet.Options{Store: b.Store, Name: "Kasse 1", Audit: l.VerifierKey(), Clock: w.Clock})
	w.must(err)
	b.Link = link.New(b.Credentials(), w.Clock)
	w.T.Cleanup(b.Link.Close)
	return b
}

// Qualification returns one that holds for a year.
func (w *World) Qualification() incident.Qualification {
	now := w.Clock.Now().UTC()
	return incident.Qualification{Education: "Cand.jur.", Experience: "Otte år med berigelseskriminalitet", Competences: []string{"law", "property-crime"}, From: now.Add(-time.Hour), To: now.AddDate(1, 0, 0)}
}

// A Parcel is a disclosure as a box would send it, with content that is random.
type Parcel struct {
	Manifest wire.Manifest
	Envelope wire.Envelope
	Content  []byte
	Key      keys.Key // the content key
	box      ed25519.PrivateKey
	assessor *Assessor
	Alert    wire.Alert // in the clear
}

// Hash returns a hash that stands for something.
func Hash(s string) footage.Hash { return sha256.Sum256([]byte(s)) }

// Parcel makes a disclosure of n bytes from b to the given boxes, which holds.
func (w *World) Parcel(b *Box, assessor *Assessor, n int, to ...*Box) *Parcel {
	w.T.Helper()
	now := w.Clock.Now().UTC()
	p := &Parcel{Content: make([]byte, n), Key: keys.New(), box: b.Signing, assessor: assessor}
	rand.Read(p.Content)
	p.Manifest = wire.Manifest{
		Version: wire.ManifestVersion, Shows: &wire.Shows{Media: incident.MediaVideo, Mode: "subject-only", Subjects: 1},
		Disclosure: incident.DisclosureID(wire.NewID()), Sender: b.Member, Box: b.Identity.Box, Case: incident.CaseID(wire.NewID()),
		Clip: footage.ClipHash{Hash: Hash("clip")}, Copy: footage.CopyHash{Hash: Hash("copy")}, Proof: footage.ProofHash{Hash: Hash("proof")}, Sheet: footage.SheetHash{Hash: Hash("sheet")},
		Content: wire.Content{Hash: sha256.Sum256(p.Content), Size: int64(n)},
		Created: now, NotAfter: now.Add(wire.MaxAge), ReportDue: clock.EndOfDay(now).UTC(),
		Circle:   wire.Circle{Area: "town", Place: "Aarhus", Trades: []string{"dagligvarer"}},
		Assessor: wire.Assessor{ID: assessor.Person, Name: assessor.Name, Key: assessor.ID()},
	}
	for i, id := range wire.ConditionIDs {
		p.Manifest.Conditions[i] = wire.Condition{ID: id, Satisfied: true, Evidence: Hash(id)}
	}
	alertKey := keys.New()
	p.Alert = wire.Alert{What: "Tyveri af kød", Offence: incident.Theft, When: now.Add(-time.Hour), Where: "Aarhus", Sender: "Butik A", Contact: "12345678", Salt: []byte(rand.Text()[:16])}
	text, err := json.Marshal(p.Alert)
	w.must(err)
	p.Manifest.Text = wire.TextHash(text)
	d := p.Manifest.Disclosure
	p.Envelope = wire.Envelope{Version: wire.Version, Disclosure: d, Alert: alertKey.Seal(wire.AlertContext(d), text)}
	p.Manifest.Alert = sha256.Sum256(p.Envelope.Alert)
	for _, x := range to {
		r := wire.Recipient{Member: x.Member, Box: x.Identity.Box, Key: x.HPKE.PublicKey().Bytes()}
		wk := wire.WrappedKeys{Member: x.Member, Box: x.Identity.Box}
		wk.Alert, err = wire.Wrap(r, wire.PurposeAlert, d, alertKey)
		w.must(err)
		wk.Content, err = wire.Wrap(r, wire.PurposeContent, d, p.Key)
		w.must(err)
		p.Envelope.Keys = append(p.Envelope.Keys, wk)
		p.Manifest.Circle.Members = append(p.Manifest.Circle.Members, x.Member)
	}
	return p
}

// Sign signs the manifest as it stands, even where it does not hold.
func (p *Parcel) Sign() wire.SignedManifest { return SignRaw(p.Manifest, p.box, p.assessor) }

// SignRaw signs any manifest, as wire.Sign would if it did not check.
func SignRaw(m wire.Manifest, box ed25519.PrivateKey, assessor *Assessor) wire.SignedManifest {
	a := assessor.Sign(m.Challenge())
	return SignBox(m, box, &a)
}

// SignBox signs any manifest with the box's key alone, beside any approval.
func SignBox(m wire.Manifest, box ed25519.PrivateKey, approval *passkey.Assertion) wire.SignedManifest {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return wire.SignedManifest{Manifest: b, Box: ed25519.Sign(box, append([]byte("veilbox manifest 1\x00box\x00"), b...)), Approval: approval}
}

// Submit returns the first message of p.
func (p *Parcel) Submit() wire.SubmitRequest {
	return wire.SubmitRequest{Version: wire.Version, Manifest: p.Sign(), Envelope: p.Envelope}
}

// Send brings the whole parcel to the extranet.
func (w *World) Send(b *Box, p *Parcel) wire.CompleteResponse {
	w.T.Helper()
	ctx := w.T.Context()
	r, err := b.Link.Submit(ctx, p.Submit())
	w.must(err)
	for off := int64(0); off < int64(len(p.Content)); {
		off, err = b.Link.UploadChunk(ctx, r.Upload, off, p.Content[off:min(off+wire.ChunkSize, int64(len(p.Content)))])
		w.must(err)
	}
	c, err := b.Link.Complete(ctx, p.Manifest.Disclosure)
	w.must(err)
	return c
}

// Report documents the police report of p now.
func (w *World) Report(b *Box, p *Parcel) error {
	return b.Link.Report(w.T.Context(), p.Manifest.Disclosure, wire.ReportRequest{Version: wire.Version, Number: Hash("0900-12345"), At: w.Clock.Now().UTC(), Person: "bo", Name: "Bo Holm"})
}

// Viewer is a request for a viewing.
func Viewer() wire.ViewRequest {
	return wire.ViewRequest{Version: wire.Version, Person: "eva", Name: "Eva Lund", Function: "butikschef", Purpose: "genkendelse ved indgangen"}
}

// Page returns one of the operator's pages.
func (w *World) Page(path string) string {
	w.T.Helper()
	w.must(w.Op("GET", "/api/v1/me", nil, nil))
	resp, err := w.op.Get("https://" + w.Config.OperatorListen + path)
	w.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	w.must(err)
	return string(b)
}

// SetContent makes ciphertext the content of p.
func (p *Parcel) SetContent(ciphertext []byte) {
	p.Content = ciphertext
	p.Manifest.Content = wire.Content{Hash: sha256.Sum256(ciphertext), Size: int64(len(ciphertext))}
}
