package web

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

func (b *fakeBox) ChangeCamera(_ context.Context, _ casework.Actor, id footage.CameraID, ch casework.CameraChange) (casework.CameraView, error) {
	v := b.cameras[0]
	v.ID = id
	if ch.Name != nil {
		v.Name = *ch.Name
	}
	return v, b.act("ChangeCamera")
}
func (b *fakeBox) FindCameras(context.Context, casework.Actor) ([]casework.CameraFound, error) {
	return b.found, b.act("FindCameras")
}
func (b *fakeBox) LookForStreams(_ context.Context, _ casework.Actor, l casework.CameraLook) (casework.CameraFound, error) {
	return casework.CameraFound{Address: l.Address}, b.act("LookForStreams " + l.Address + " " + l.Username)
}
func (b *fakeBox) TrustCamera(context.Context, casework.Actor, footage.CameraID) error {
	return b.act("TrustCamera")
}
func (b *fakeBox) LookAtCamera(context.Context, casework.Actor, footage.CameraID) (casework.CameraView, error) {
	return b.cameras[0], b.act("LookAtCamera")
}
func (b *fakeBox) AcceptDevice(context.Context, casework.Actor, footage.CameraID) error {
	return b.act("AcceptDevice")
}
func (b *fakeBox) Timeline(_ context.Context, _ casework.Actor, cam footage.CameraID, from, to time.Time, px int) (casework.Timeline, error) {
	third := to.Sub(from) / 3
	return casework.Timeline{Camera: cam, Name: "Kasse 1", Gaps: 1, Cases: []casework.TimelineCase{{ID: "CASE1", Span: casework.TimeSpan{From: from.Add(third * 2), To: from.Add(third * 9 / 4)}}},
		Recorded: []casework.TimeSpan{{From: from.Add(third / 4), To: from.Add(third)}, {From: from.Add(third * 5 / 4), To: to}}}, b.act(fmt.Sprintf("Timeline %d", px))
}
func (b *fakeBox) Timelines(ctx context.Context, a casework.Actor, from, to time.Time, px int) ([]casework.Timeline, error) {
	var all []casework.Timeline
	for _, c := range b.cameras {
		t, err := b.Timeline(ctx, a, c.ID, from, to, px)
		if err != nil {
			return nil, err
		}
		t.Name = c.Name
		all = append(all, t)
	}
	return all, b.act("Timelines")
}
func (b *fakeBox) Footage(_ context.Context, _ casework.Actor, _ footage.CameraID, w casework.Wanted) (casework.Media, error) {
	m, err := b.media(fmt.Sprintf("Footage %v %s", w.Export, w.Purpose))
	return b.made(m, err, w.As)
}
func (b *fakeBox) CaseClip(_ context.Context, _ casework.Actor, _ incident.CaseID, as string) (casework.Media, error) {
	m, err := b.media("CaseClip")
	return b.made(m, err, as)
}

// made answers that the video is being made, a few times.
func (b *fakeBox) made(m casework.Media, err error, as string) (casework.Media, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && as != "" && b.making > 0 {
		b.making--
		return nil, casework.NotReady{Progress: casework.Progress{Running: true, Stage: "write", Done: 100 - 20*b.making, Total: 100}}
	}
	return m, err
}

// CameraPicture draws the minute as a shade, so that a strip can be told apart.
func (b *fakeBox) CameraPicture(_ context.Context, _ casework.Actor, _ footage.CameraID, at time.Time, width int) (casework.Picture, error) {
	m := image.NewRGBA(image.Rect(0, 0, 160, 90))
	for y := range 90 {
		for x := range 160 {
			m.Set(x, y, color.RGBA{uint8(x + at.Minute()*4), uint8(y * 2), uint8(at.Second() * 4), 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, nil); err != nil {
		return casework.Picture{}, err
	}
	return casework.Picture{JPEG: out.Bytes(), At: at}, b.act(fmt.Sprintf("CameraPicture %d", width))
}

var errNoExport = problem.New(404, "export.missing", problem.Text{DA: "Findes ikke.", EN: "None."}, problem.Text{DA: "Igen.", EN: "Again."})

func (b *fakeBox) NewExport(_ context.Context, a casework.Actor, cam footage.CameraID, n casework.NewExport, wait bool) (casework.ExportView, error) {
	v := casework.ExportView{ID: "EXPORT1", Camera: cam, From: n.From, To: n.To, Made: testNow, By: a.Session.Person.Name, Purpose: n.Purpose,
		State: "hashing", Size: 4 << 20, Gaps: []casework.TimeSpan{}, Kept: n.Keep}
	b.mu.Lock()
	b.export = &v
	b.mu.Unlock()
	if wait {
		return b.Export(context.Background(), a, v.ID)
	}
	return v, b.act("NewExport " + n.Purpose)
}

// Export is ready when it has been looked at a few times.
func (b *fakeBox) Export(_ context.Context, _ casework.Actor, id string) (casework.ExportView, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.export == nil || b.export.ID != id {
		return casework.ExportView{}, errNoExport
	}
	if b.making--; b.making > 0 {
		b.export.Done += b.export.Size / 4
		return *b.export, b.err
	}
	b.export.State, b.export.Done, b.export.Frames = "ready", b.export.Size, 1500
	b.export.SHA256, b.export.Statement = fmt.Sprintf("%064d", 7), "Veilbox: erklæring\n"
	b.export.Gaps = []casework.TimeSpan{{From: b.export.From.Add(time.Second), To: b.export.From.Add(3 * time.Second)}}
	return *b.export, b.err
}
func (b *fakeBox) ExportClip(ctx context.Context, a casework.Actor, id string) (casework.Media, casework.ExportView, error) {
	m, err := b.media("ExportClip")
	return m, casework.ExportView{ID: id, Camera: "kasse-1", From: testNow}, err
}
func (b *fakeBox) ExportStatement(context.Context, casework.Actor, string) ([]byte, error) {
	return []byte("Veilbox: erklæring\n"), b.act("ExportStatement")
}
func (b *fakeBox) Holds(context.Context, casework.Actor) ([]casework.HoldView, error) {
	return b.holds, b.act("Holds")
}
func (b *fakeBox) ExtendHold(_ context.Context, _ casework.Actor, id string, ch casework.HoldChange) (casework.HoldView, error) {
	return casework.HoldView{ID: id, Review: ch.Review}, b.act("ExtendHold " + id + " " + ch.Reason)
}
func (b *fakeBox) ReleaseHold(_ context.Context, _ casework.Actor, id, reason string) error {
	return b.act("ReleaseHold " + id + " " + reason)
}
func (b *fakeBox) ConfirmClock(context.Context, casework.Actor) error { return b.act("ConfirmClock") }
