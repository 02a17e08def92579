package web

import (
	"context"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/redact"
	"veilbox/redact/subject"
)

func (b *fakeBox) marking() casework.MarkingView {
	return casework.MarkingView{State: "ready", Detects: true, Run: 1, Tracks: &casework.TracksView{Length: 10, Frames: 100, Walked: 40, Took: 0.4,
		Subjects: []redact.Track{{Spans: []redact.TrackSpan{{From: 0, To: 10, What: redact.SpanShown, Reasons: []string{}, Flags: []string{}}}, Places: []redact.Place{}}}}}
}
func (b *fakeBox) OpenMarking(context.Context, casework.Actor, incident.CaseID) (casework.MarkingView, error) {
	return b.marking(), b.act("OpenMarking")
}
func (b *fakeBox) Marking(context.Context, casework.Actor, incident.CaseID) (casework.MarkingView, error) {
	return b.marking(), b.act("Marking")
}
func (b *fakeBox) CloseMarking(context.Context, casework.Actor, incident.CaseID) error {
	return b.act("CloseMarking")
}
func (b *fakeBox) Follow(context.Context, casework.Actor, incident.CaseID, []subject.Subject) (casework.MarkingView, error) {
	return b.marking(), b.act("Follow")
}
func (b *fakeBox) PeopleAt(context.Context, casework.Actor, incident.CaseID, float64) ([]redact.Person, error) {
	return []redact.Person{{Kind: "person", Rect: subject.Rect{X: 0.1, Y: 0.1, W: 0.1, H: 0.3}, Score: 0.8}}, b.act("PeopleAt")
}
func (b *fakeBox) Shapes(context.Context, casework.Actor, incident.CaseID, float64, float64) (casework.ShapesView, error) {
	return casework.ShapesView{Run: 1, Width: 640, Height: 360, Block: 4, Frames: []casework.FrameShapes{{At: 0, Subjects: [][]int{{3, 4, 9}}}}}, b.act("Shapes")
}
func (b *fakeBox) Preview(context.Context, casework.Actor, incident.CaseID) ([]byte, error) {
	return b.pictures[0], b.act("Preview")
}
func (b *fakeBox) KeepSound(_ context.Context, a casework.Actor, id incident.CaseID, ch casework.SoundChange) (casework.CaseView, error) {
	return b.change(a, "KeepSound", id, ch.Version, func(c *incident.Case) { c.State, c.Choice.Sound = incident.Tagged, ch.Reason })
}
func (b *fakeBox) SetVeiled(_ context.Context, _ casework.Actor, _ footage.CameraID, ch casework.VeiledChange) (casework.CameraView, error) {
	v := b.cameras[0]
	v.Veiled = ch.Veiled
	return v, b.act("SetVeiled")
}
