package browser

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"veilbox/appliance/incident"
	"veilbox/redact/subject"
)

// act is a person on a stage, logged in.
func act(t *testing.T) (*stage, *person) {
	t.Helper()
	s, address := newStage(t)
	p := newPerson(t, launch(t, pin(t, address)), newAlbum(t), "staff", address)
	t.Cleanup(func() {
		if bad := p.journal.complaints(); len(bad) > 0 {
			t.Errorf("the pages complain:\n%s", strings.Join(bad, "\n"))
		}
	})
	p.do("log in", setCookie(address))
	return s, p
}

// at shows the clip at a second.
func (p *person) at(second float64) {
	p.t.Helper()
	clip := node(id("clip"))
	p.until("the clip", soon, clip+`.readyState >= 2`)
	get[bool](p, fmt.Sprintf(`(%s.currentTime = %f, true)`, clip, second))
	p.until("the picture", soon, fmt.Sprintf(`!%[1]s.seeking && Math.abs(%[1]s.currentTime - %[2]f) < 0.1`, clip, second))
}

// marks draws a box on the clip.
func (p *person) marks(r subject.Rect) {
	p.t.Helper()
	o := p.spot(id("overlay"))
	p.drag(o.X+r.X*o.W, o.Y+r.Y*o.H, o.X+(r.X+r.W)*o.W, o.Y+(r.Y+r.H)*o.H)
}

func TestMarkingPage(t *testing.T) {
	s, p := act(t)
	p.open("/cases/STAGE")
	p.at(4)
	if !get[bool](p, node(id("redact"))+`.disabled && `+node(id("follow"))+`.disabled`) {
		t.Error("a copy of nobody can be made")
	}
	p.marks(whereIs(walkers[2], 4))
	p.until("the box", soon, `document.querySelectorAll('#keyframes li[data-at]').length === 1`)
	// Who the box has found can be pressed.
	p.until("who is found", soon, `document.querySelectorAll('.found').length === 3`)
	p.until("the next thing to do is told", soon, `!`+node(id("follow-says"))+`.textContent.includes('læser')`)
	p.shot("marker-found")
	p.click(id("follow"))
	p.sees(id("tracks"))
	p.until("one doubt", soon, `document.querySelectorAll('[data-testid=doubt-unsure]').length === 1`)

	// A second suspect: pressed, not drawn. It is more than the least.
	p.click(id("add-person"))
	p.at(4)
	p.until("who is found", soon, `document.querySelectorAll('.found').length === 3`)
	p.click(id("found-0"))
	p.until("two people", soon, `document.querySelectorAll('.box').length >= 2 && document.querySelector('.box[data-who="2"]')`)
	p.sees("#more")
	if !get[bool](p, node(id("redact"))+`.disabled`) {
		t.Error("two people are shown without a word")
	}
	p.click(id("follow"))
	p.until("both are followed", soon, `document.querySelectorAll('.trackrow').length === 2 && document.querySelectorAll('.run.flagged').length === 1`)
	p.until("their shapes", soon, `!document.getElementById('shapes').hidden`)
	p.at(5)
	p.scroll("#stage-box", "start")
	p.shot("marker-two")
	p.all("marker-two")

	// The doubt: pressed, answered with one box, followed again at once.
	p.click(id("doubt-unsure"))
	p.sees(id("doubt"))
	now := get[float64](p, node(id("clip"))+`.currentTime`)
	if math.Abs(now-(lostFrom+lostTo)/2) > 0.1 {
		t.Errorf("the clip stands at %.2f s", now)
	}
	p.scroll("#stage-box", "start")
	p.shot("marker-doubt")
	asked := len(s.asked)
	p.until("the picture", soon, `!`+node(id("clip"))+`.seeking`)
	p.marks(whereIs(walkers[2], now))
	p.until("no doubt is left", soon, `document.querySelectorAll('[data-testid=doubt-unsure]').length === 0`)
	s.mu.Lock()
	if len(s.asked) != asked+1 || len(s.asked[asked]) != 2 || len(s.asked[asked][0].Keyframes) != 2 {
		t.Errorf("asked %d times more: %+v", len(s.asked)-asked, s.asked[asked:])
	}
	s.mu.Unlock()
	p.until("how long it took", soon, node(id("follow-says"))+`.textContent.includes('0,3')`)
	p.click(id("doubt-flagged"))
	p.sees(id("doubt"))
	p.shot("marker-flag")
	p.click(id("doubt-leave"))

	// What the copy is to be.
	p.click(id("mode-still-scene"))
	p.click(id("stamp"))
	p.click(id("form-still"))
	p.click(id("still-crop"))
	p.marks(subject.Rect{X: 0.2, Y: 0.4, W: 0.5, H: 0.55})
	p.until("the crop", soon, node(id("still-says"))+`.textContent.length > 10`)
	p.scroll(id("choices"), "start")
	p.shot("marker-choices")
	p.all("marker-choices")
	if !get[bool](p, node(id("redact"))+`.disabled`) {
		t.Error("the scene and two people are shown without a word")
	}
	p.click(id("show-more"))
	p.until("the copy can be made", soon, `!`+node(id("redact"))+`.disabled`)
	p.click(id("redact"))
	p.until("the preview", soon, node(id("preview"))+`?.checkVisibility() && `+node(id("preview"))+`.naturalWidth > 0`)
	p.spot(id("preview"))
	p.shot("progress-preview")
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.redact
	if len(ch.Subjects) != 2 || !ch.ShowMore || ch.Choice.Mode != subject.StillScene || ch.Choice.Still == nil || ch.Choice.Still.Crop == nil || ch.Choice.Stamp == nil || ch.Choice.Stamp.Place != "Kasse 1" || ch.Choice.Sound != "" {
		t.Errorf("asked for %+v", ch)
	}
	if c := ch.Choice.Still.Crop; c != nil && math.Abs(c.X-0.2)+math.Abs(c.Y-0.4)+math.Abs(c.W-0.5)+math.Abs(c.H-0.55) > 0.02 {
		t.Errorf("the crop is %+v", c)
	}
}

// The least is the default, and what is shown is one person before a veil.
func TestTheLeastIsTheDefault(t *testing.T) {
	s, p := act(t)
	p.open("/cases/STAGE")
	p.at(4)
	p.marks(whereIs(walkers[2], 4))
	p.until("the copy can be made", soon, `!`+node(id("redact"))+`.disabled`)
	p.click(id("redact"))
	p.sees(id("progress"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.redact; len(ch.Subjects) != 1 || ch.ShowMore || ch.Choice.Mode != subject.SubjectOnly || ch.Choice.Still != nil || ch.Choice.Stamp != nil {
		t.Errorf("asked for %+v", ch)
	}
}

func TestSheetPage(t *testing.T) {
	s, p := act(t)
	s.copied(incident.Submitted, incident.Copy{Media: incident.MediaVideo, Mode: subject.StillScene, Scene: true, Subjects: 2, Flagged: incident.Flagged{Spans: 2, Frames: 20},
		Sound: &incident.Sound{Reason: "Han truer ekspedienten, og det skal høres.", Name: "Jens Bæk"}, Notices: []string{"no-detector"}})
	p.open("/cases/STAGE")
	p.until("the flags", soon, `document.querySelectorAll('#flags section.flagged').length === 2 && document.querySelectorAll('#sheet .pic').length > 10`)
	first := get[bool](p, `(() => { const f = document.querySelector('#flags .flagged').getBoundingClientRect().top; return [...document.querySelectorAll('#sheet .pic')].every((x) => x.getBoundingClientRect().top > f); })()`)
	if !first {
		t.Error("the flags are not first")
	}
	p.until("the pictures", soon, `[...document.querySelectorAll('#flags img, #sheet img')].every((i) => i.complete && i.naturalWidth > 0 || void i.scrollIntoView({ block: 'nearest' }))`)
	p.scroll("#copy", "start")
	p.shot("sheet-copy")
	p.scroll("#flags", "start")
	p.shot("sheet-flags")
	p.all("sheet")
	p.scroll(id("assess-form"), "start")
	p.click(id("assess-seen"))
	p.types(id("assess-reasons"), "Gerningen ses tydeligt.")
	p.click(id("approve"))
	p.until("it asks for the flags", soon, `document.querySelector('#assess .problem')?.dataset.code === 'unflagged'`)
	if s.verdict.Decision != "" {
		t.Error("approved without a look at the flags")
	}
	p.scroll(id("assess-form"), "start")
	p.shot("assess-flags")
	p.click(id("assess-flagged"))
	p.click(id("approve"))
	p.sees(id("sign")) // what is signed comes before the signature
	deadline := 100
	for ; s.verdictOf().SawFlagged != 2 && deadline > 0; deadline-- {
		p.until("the page", soon, `true`)
	}
	if v := s.verdictOf(); v.SawFlagged != 2 || v.Decision != incident.Approve || v.Sheet != s.c.Copy.Sheet {
		t.Errorf("%+v", v)
	}
}

func TestTrainingPage(t *testing.T) {
	s, p := act(t)
	s.copied(incident.Redacted, incident.Copy{Media: incident.MediaVideo, Mode: subject.BlurEverything})
	p.open("/cases/STAGE#who")
	p.sees(id("training"))
	p.sees(id("download"))
	if get[bool](p, node(id("submit"))+`?.disabled === false`) {
		t.Error("a copy for training can be handed over")
	}
	p.scroll("#copy", "start")
	p.shot("training")
}

func TestStillPages(t *testing.T) {
	s, p := act(t)
	s.copied(incident.Redacted, incident.Copy{Media: incident.MediaPicture, Mode: subject.SubjectOnly, Subjects: 1, Outdated: true})
	p.open("/cases/STAGE#who")
	p.until("the picture", soon, node(id("copy-still"))+`?.naturalWidth > 0`)
	p.sees(id("outdated"))
	p.scroll("#copy", "start")
	p.shot("still-copy")
	p.open("/alerts/SHARED")
	p.types(id("purpose"), "Vagten skal kunne genkende ham")
	p.click(id("view"))
	p.until("the shared picture", soon, node(id("alert-still"))+`?.checkVisibility() && `+node(id("alert-still"))+`.naturalWidth > 0`)
	if get[bool](p, node(id("alert-player"))+`.checkVisibility()`) {
		t.Error("there is a player for a picture")
	}
	p.shot("alert-still")
	p.all("alert-still")
}

func TestAlwaysVeiledPage(t *testing.T) {
	s, p := act(t)
	p.open("/cameras/kasse-1")
	p.click(id("veiled-open"))
	p.until("the picture", soon, `document.querySelector('#veiled-stage img').naturalWidth > 0`)
	p.scroll("#veiled", "start")
	o := p.spot(id("veiled-overlay"))
	for _, r := range []subject.Rect{{X: 0.8, Y: 0.53, W: 0.12, H: 0.12}, {X: 0.1, Y: 0.1, W: 0.2, H: 0.2}} {
		p.drag(o.X+r.X*o.W, o.Y+r.Y*o.H, o.X+(r.X+r.W)*o.W, o.Y+(r.Y+r.H)*o.H)
	}
	p.until("two regions", soon, `document.querySelectorAll('.box.veil').length === 2`)
	p.click(id("veil-remove-1"))
	p.until("one region", soon, `document.querySelectorAll('.box.veil').length === 1`)
	p.shot("always-veiled")
	p.click(id("veiled-save"))
	p.until("it is saved", soon, node(id("veiled-save"))+`.disabled && document.getElementById('veiled-says').textContent.includes('1')`)
	p.all("always-veiled")
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.cam.Veiled; len(v) != 1 || math.Abs(v[0].X-0.8)+math.Abs(v[0].W-0.12) > 0.02 {
		t.Errorf("%+v", v)
	}
}
