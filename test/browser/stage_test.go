package browser

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/web"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/redact"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// A stage is a box whose engine does as the test says, so that the pages are
// seen in states that footage gives only now and then: doubt in the middle of a
// clip, flags, a still. The pages, their scripts and the policy are the real ones.
type stage struct {
	web.Box // what is not played here is not asked for
	t       *testing.T
	mu      sync.Mutex
	who     account.Session
	c       incident.Case
	cam     casework.CameraView
	clip    []byte
	jpeg    map[string][]byte
	asked   [][]subject.Subject
	run     int
	looks   int
	open    bool
	redact  casework.SubjectChange
	verdict casework.Verdict
	media   string
}

const stageLength = 12 // seconds of the clip

var stageNow = time.Date(2026, 11, 22, 13, 30, 0, 0, time.UTC)

// newStage films a drawn shop and serves the pages for it.
func newStage(t *testing.T) (*stage, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	draw(t, path, stageLength, 4)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := stageNow.AddDate(1, 0, 0)
	s := &stage{t: t, clip: b, jpeg: map[string][]byte{}, media: incident.MediaVideo,
		cam: casework.CameraView{ID: "kasse-1", Name: "Kasse 1", State: "recording", Codec: "H.264", Width: drawnW, Height: drawnH, Veiled: []subject.Rect{}}}
	s.who = account.Session{Login: "mette", Roles: []account.Role{account.Manager, account.Assessor}, Person: incident.Person{ID: "mette", Name: "Mette Sørensen",
		Authorisation: incident.Authorisation{By: "Karen Holm", Function: "butikschef", Need: "leder", From: stageNow.AddDate(-1, 0, 0), To: to},
		Qualification: &incident.Qualification{Education: "politiskolen", Experience: "ti år", Competences: []string{"security"}, From: stageNow.AddDate(-1, 0, 0), To: to}}}
	hash := func(n byte) footage.Hash { return footage.Hash{n} }
	s.c = incident.Case{ID: "STAGE", Version: 1, State: incident.Draft, Member: "brugsen", Created: stageNow, Changed: stageNow, Tagged: s.who.Person,
		What: "En mand og en kvinde tog høretelefoner og gik uden at betale.", HappenedAt: stageNow.Add(-time.Hour),
		Clip:     incident.Clip{Camera: "kasse-1", Span: footage.SpanOf(stageNow.Add(-time.Hour), stageNow.Add(-time.Hour+stageLength*time.Second)), Hash: footage.ClipHash{Hash: hash(9)}, Heard: true},
		Evidence: incident.Evidence{Offence: incident.Theft}}
	for name, cut := range map[string]string{"whole": "scale=1280:-2", "a": "crop=120:230:300:460", "b": "crop=150:230:520:460", "c": "crop=150:230:640:460"} {
		out := filepath.Join(t.TempDir(), name+".jpg")
		if msg, err := exec.Command("ffmpeg", "-v", "error", "-ss", "4", "-i", path, "-frames:v", "1", "-vf", cut, out).CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg: %v: %s", err, msg)
		}
		if s.jpeg[name], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	h, err := web.New(web.Options{Box: s, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Clock: clock.NewFake(stageNow), Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	return s, srv.URL
}

// copied gives the case a copy.
func (s *stage) copied(state incident.State, cp incident.Copy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cp.Hash, cp.Clip, cp.Proof, cp.Sheet = footage.CopyHash{Hash: footage.Hash{1}}, s.c.Clip.Hash, footage.ProofHash{Hash: footage.Hash{2}}, footage.SheetHash{Hash: footage.Hash{3}}
	cp.Passed, cp.Made = true, stageNow
	s.c.State, s.c.Copy, s.c.SubmittedBy = state, &cp, &s.c.Tagged
	s.c.Version++
	s.media = cp.Media
}

type buffer struct{ *bytes.Reader }

func (buffer) Close() error { return nil }

func (s *stage) Authenticate(context.Context, string) (account.Session, error) { return s.who, nil }
func (s *stage) AcceptedConditions(context.Context, casework.Actor) (bool, error) {
	return true, nil
}
func (s *stage) Health(context.Context) ([]casework.Check, error) { return nil, nil }
func (s *stage) Cameras(context.Context, casework.Actor) ([]casework.CameraView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []casework.CameraView{s.cam}, nil
}
func (s *stage) Timeline(_ context.Context, _ casework.Actor, _ footage.CameraID, from, to time.Time, _ int) (casework.Timeline, error) {
	return casework.Timeline{Camera: "kasse-1", Recorded: []casework.TimeSpan{{From: from, To: to}}, Cases: []casework.TimelineCase{}}, nil
}
func (s *stage) CameraPicture(context.Context, casework.Actor, footage.CameraID, time.Time, int) (casework.Picture, error) {
	return casework.Picture{JPEG: s.jpeg["whole"], At: stageNow}, nil
}
func (s *stage) Members(context.Context, casework.Actor) ([]casework.Member, error) {
	return []casework.Member{}, nil
}
func (s *stage) Still(context.Context, casework.Actor, footage.CameraID) ([]byte, error) {
	return s.jpeg["whole"], nil
}
func (s *stage) SetVeiled(_ context.Context, _ casework.Actor, _ footage.CameraID, ch casework.VeiledChange) (casework.CameraView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cam.Veiled = ch.Veiled
	return s.cam, nil
}

func (s *stage) Case(context.Context, casework.Actor, incident.CaseID) (casework.CaseView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(), nil
}

func (s *stage) view() casework.CaseView {
	v := policy.Assess(s.c, stageNow, policy.Settings{})
	found := v.Findings()
	may := map[incident.State][]string{incident.Draft: {"change", "redact"}, incident.Redacted: {"change", "redact", "submit"}, incident.Submitted: {"assess", "sound"}}[s.c.State]
	if s.c.Copy != nil && s.c.Copy.Mode == subject.BlurEverything {
		may = []string{"change", "redact", "download"}
	}
	return casework.CaseView{Case: s.c, ClipFrom: s.c.Clip.Span.From.Time(), ClipTo: s.c.Clip.Span.To.Time(), Findings: found[:], Missing: v.Missing(), May: append([]string{}, may...)}
}

func (s *stage) CaseClip(context.Context, casework.Actor, incident.CaseID, string) (casework.Media, error) {
	return buffer{bytes.NewReader(s.clip)}, nil
}
func (s *stage) CaseProgress(context.Context, casework.Actor, incident.CaseID) (casework.Progress, error) {
	return casework.Progress{Running: true, Stage: "veil", Done: 70, Total: 180, Preview: 1}, nil
}
func (s *stage) Preview(context.Context, casework.Actor, incident.CaseID) ([]byte, error) {
	return s.jpeg["whole"], nil
}
func (s *stage) CaseCopy(context.Context, casework.Actor, incident.CaseID, bool) (casework.Media, error) {
	return s.shown(), nil
}

func (s *stage) shown() casework.Media {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.media == incident.MediaPicture {
		return buffer{bytes.NewReader(s.jpeg["whole"])}
	}
	return buffer{bytes.NewReader(s.clip)}
}

func (s *stage) Redact(_ context.Context, _ casework.Actor, _ incident.CaseID, ch casework.SubjectChange) (casework.CaseView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redact, s.c.State, s.c.Subjects, s.c.Choice = ch, incident.Tagged, ch.Subjects, ch.Choice
	s.c.Version++
	return s.view(), nil
}

func (s *stage) OpenMarking(context.Context, casework.Actor, incident.CaseID) (casework.MarkingView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open, s.looks = true, 0
	return casework.MarkingView{State: "opening", Progress: &casework.Progress{Running: true, Stage: "receive", Done: 1, Total: 10}}, nil
}

// Marking is still at work the first two times it is asked.
func (s *stage) Marking(context.Context, casework.Actor, incident.CaseID) (casework.MarkingView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks++; s.looks <= 2 {
		state := "opening"
		if s.run > 0 {
			state = "tracking"
		}
		return casework.MarkingView{State: state, Progress: &casework.Progress{Running: true, Stage: "track", Done: 60 * s.looks, Total: 180}}, nil
	}
	v := casework.MarkingView{State: "ready", Detects: true, Run: s.run}
	if s.run > 0 {
		v.Tracks = s.tracks()
	}
	return v, nil
}

func (s *stage) CloseMarking(context.Context, casework.Actor, incident.CaseID) error { return nil }

func (s *stage) Follow(_ context.Context, _ casework.Actor, _ incident.CaseID, all []subject.Subject) (casework.MarkingView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, all)
	s.run++
	s.looks = 0
	return casework.MarkingView{State: "tracking", Run: s.run, Progress: &casework.Progress{Running: true, Stage: "track", Total: 180}}, nil
}

// The first person is lost from 6.5 to 8 s until a box or a word is set there; the
// second passes somebody from 2 to 3 s.
const lostFrom, lostTo = 6.5, 8.0

func (s *stage) helped() bool {
	for _, k := range s.asked[len(s.asked)-1][0].Keyframes {
		if k.At >= lostFrom && k.At < lostTo {
			return true
		}
	}
	return false
}

func (s *stage) tracks() *casework.TracksView {
	span := func(from, to float64, what string, reasons, flags []string) redact.TrackSpan {
		return redact.TrackSpan{From: from, To: to, What: what, Reasons: append([]string{}, reasons...), Flags: append([]string{}, flags...)}
	}
	v := &casework.TracksView{Length: stageLength, Frames: 180, Walked: 180, Took: 1.3}
	first := redact.Track{Places: []redact.Place{}, Spans: []redact.TrackSpan{span(0, lostFrom, "shown", nil, nil), span(lostFrom, lostTo, "unsure", []string{"lost", "crowded"}, nil), span(lostTo, stageLength, "shown", nil, nil)}}
	if s.helped() {
		first.Spans = []redact.TrackSpan{span(0, stageLength, "shown", nil, nil)}
		v.Walked, v.Took = 38, 0.3
	}
	v.Subjects = append(v.Subjects, first)
	if len(s.asked[len(s.asked)-1]) > 1 {
		v.Subjects = append(v.Subjects, redact.Track{Places: []redact.Place{}, Spans: []redact.TrackSpan{
			span(0, 2, "shown", nil, nil), span(2, 3, "flagged", nil, []string{"crowded", "cut"}), span(3, 9.5, "shown", nil, nil), span(9.5, stageLength, "gone", []string{"gone"}, nil)}})
	}
	return v
}

func (s *stage) Shapes(_ context.Context, _ casework.Actor, _ incident.CaseID, from, to float64) (casework.ShapesView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := shape.For(drawnW, drawnH)
	v := casework.ShapesView{Run: s.run, Width: drawnW, Height: drawnH, Block: g.Block, Frames: []casework.FrameShapes{}}
	people := []walker{walkers[2], walkers[0]}
	for i := int(from * drawnFPS); float64(i) < to*drawnFPS && i < stageLength*drawnFPS; i++ {
		at := float64(i) / drawnFPS
		f := casework.FrameShapes{At: at}
		for k := range s.asked[len(s.asked)-1] {
			runs := []int{}
			x, y := people[min(k, 1)].where(at)
			if k > 0 || s.helped() || at < lostFrom || at >= lostTo {
				for _, r := range g.Inside(subject.Rect{X: (x - 36) / drawnW, Y: (y - 190) / drawnH, W: 72.0 / drawnW, H: 200.0 / drawnH}) {
					runs = append(runs, int(r.Row), int(r.From), int(r.To))
				}
			}
			f.Subjects = append(f.Subjects, runs)
		}
		v.Frames = append(v.Frames, f)
	}
	return v, nil
}

// whereIs is the box around a walker at a time, in fractions of the picture.
func whereIs(w walker, at float64) subject.Rect {
	x, y := w.where(at)
	return subject.Rect{X: (x - 36) / drawnW, Y: (y - 190) / drawnH, W: 72.0 / drawnW, H: 200.0 / drawnH}
}

func (s *stage) PeopleAt(_ context.Context, _ casework.Actor, _ incident.CaseID, at float64) ([]redact.Person, error) {
	out := []redact.Person{}
	for _, w := range walkers {
		out = append(out, redact.Person{Kind: "person", Rect: whereIs(w, at), Score: 0.9})
	}
	return append(out, redact.Person{Kind: "face", Rect: subject.Rect{X: 0.5, Y: 0.5, W: 0.02, H: 0.03}, Score: 0.5}), nil
}

func (s *stage) Sheet(context.Context, casework.Actor, incident.CaseID) (casework.SheetView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cp := s.c.Copy
	v := casework.SheetView{Hash: cp.Sheet, Pictures: []casework.SheetPicture{}, Flagged: []casework.SheetFlag{}, Unsure: []casework.ClipSpan{}, Sound: cp.Sound != nil,
		Subjects: cp.Subjects, Shown: 10, Duration: stageLength}
	add := func(at float64, who int, kind, pic string, flags ...string) {
		v.Pictures = append(v.Pictures, casework.SheetPicture{At: at, Subject: who, Kind: kind, Flags: append([]string{}, flags...), URL: fmt.Sprintf("/api/v1/cases/STAGE/sheet/%d.jpg", len(v.Pictures))})
		s.jpeg[fmt.Sprint(len(v.Pictures)-1)] = s.jpeg[pic]
	}
	switch {
	case cp.Mode == subject.BlurEverything:
		return v, nil
	case cp.Media == incident.MediaPicture:
		add(4, -1, "still", "whole")
		return v, nil
	}
	if cp.Flagged.Spans > 0 {
		add(2, 1, "subject", "b", "crowded", "cut")
		add(2.5, 1, "subject", "c", "crowded")
		add(8.5, 0, "subject", "c", "grown")
		v.Flagged = []casework.SheetFlag{{From: 2, To: 3, Flags: []string{"crowded", "cut"}, Subjects: []int{1}}, {From: 8.4, To: 8.8, Flags: []string{"grown"}, Subjects: []int{0}}}
	}
	for i := range 2 * stageLength {
		if at := float64(i) / 2; at < lostFrom || at >= lostTo {
			add(at, 0, "subject", "a")
		}
	}
	if cp.Scene {
		add(0, -1, "scene", "whole")
	}
	v.Unsure = []casework.ClipSpan{{From: lostFrom, To: lostTo}}
	return v, nil
}

func (s *stage) SheetPicture(_ context.Context, _ casework.Actor, _ incident.CaseID, n int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jpeg[fmt.Sprint(n)], nil
}

func (s *stage) Assess(_ context.Context, _ casework.Actor, _ incident.CaseID, v casework.Verdict) (casework.CaseView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdict = v
	return s.view(), nil
}

func (s *stage) Alerts(context.Context, casework.Actor) ([]casework.Alert, error) {
	return []casework.Alert{{ID: "SHARED", Sender: "Brugsen Torvet", What: "Tricktyveri ved kassen", Offence: incident.TrickTheft, When: stageNow.Add(-5 * time.Hour),
		Made: stageNow.Add(-2 * time.Hour), NotAfter: stageNow.AddDate(0, 0, 29), Media: s.media}}, nil
}
func (s *stage) View(context.Context, casework.Actor, incident.DisclosureID, string) (casework.Viewing, error) {
	ending := map[string]string{incident.MediaVideo: "mp4", incident.MediaPicture: "jpg"}[s.media]
	return casework.Viewing{ID: "V1", URL: "/api/v1/viewings/V1/copy." + ending, Media: s.media, Until: time.Now().Add(10 * time.Minute)}, nil
}
func (s *stage) ViewingMedia(context.Context, casework.Actor, string) (casework.Media, error) {
	return s.shown(), nil
}

func (s *stage) verdictOf() casework.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verdict
}

// setCookie gives the browser a session of the stage.
func setCookie(address string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCookie, network.SetCookieParams{Name: "__Host-veilbox", Value: "stage", URL: address + "/", Path: "/", Secure: new(true), HTTPOnly: new(true)})
		return err
	})
}

func (s *stage) ChangeCase(_ context.Context, _ casework.Actor, _ incident.CaseID, ch casework.Change) (casework.CaseView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.What, s.c.HappenedAt, s.c.Evidence = ch.What, ch.HappenedAt, ch.Evidence
	s.c.Version++
	return s.view(), nil
}
