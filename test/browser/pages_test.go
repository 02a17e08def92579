package browser

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/test/lab"
	"veilbox/test/story"
	"veilbox/uplink/inbox"
)

// A walk is what the steps hand on.
type walk struct {
	t        *testing.T
	w        *story.World
	l        *lab.Lab
	s        scene
	staff    *person
	assessor *person
	b        *person
	auditor  *person
	from, to time.Time // the picked span, whole seconds
	at       float64   // of the subject, in seconds from it
	caseURL  string
	third    *inbox.Inbox  // of a shop that has nothing but its keys
	key      authenticator // the assessor's
	tagged   day           // what it took until the copy was being made
	looked   day           // what it took to look at the page again, by the test alone
}

func TestPages(t *testing.T) {
	s := take(t)
	ctx := context.WithoutCancel(t.Context()) // the boxes outlive the test for a failure's pictures
	l, err := lab.Start(ctx, lab.Options{
		Dir: t.TempDir(), Worker: filepath.Join(bin, "veil-redact"), Footage: s.path,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	w := l.World
	from, _ := story.Window()
	w.Camera.Loop = s.loop
	w.Camera.Began = w.Camera.Began.Add(time.Duration((s.lead - from) * float64(time.Second)))
	if err := w.SetUp(ctx); err != nil {
		t.Fatal(err)
	}
	chrome := launch(t, pin(t, w.A.URL), pin(t, w.B.URL))
	a := newAlbum(t)
	k := &walk{
		t: t, w: w, l: l, s: s, third: thirdShop(t, w),
		staff:    newPerson(t, chrome, a, "staff", named(t, w.A.URL)),
		assessor: newPerson(t, chrome, a, "assessor", named(t, w.A.URL)),
		b:        newPerson(t, chrome, a, "staff-b", named(t, w.B.URL)),
		auditor:  newPerson(t, chrome, a, "auditor", named(t, w.A.URL)),
	}
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"2 log in", k.logIn}, {"2 live picture", k.live}, {"2 pick the span", k.pick}, {"2 create the case", k.create},
		{"3 mark the subject", k.mark}, {"4 progress, copy, reveal sheet", k.look},
		{"5 answer the nine conditions", k.answer}, {"5 refuse", k.refuse}, {"5 approve", k.approve}, {"8 watch at box B", k.watch},
		{"6 the report and its receipt", k.report}, {"7 narrow", k.narrow}, {"7 look again", k.reassess}, {"7 the police have charged", k.charge},
		{"9 audit", k.audit},
	} {
		began := time.Now()
		step.do()
		t.Logf("%-32s %.1f s", step.name, time.Since(began).Seconds())
		for _, p := range []*person{k.staff, k.assessor, k.b, k.auditor} {
			if bad := p.journal.complaints(); len(bad) > 0 {
				t.Errorf("after %q the pages of %s complain:\n%s", step.name, p.name, strings.Join(bad, "\n"))
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

func (k *walk) logIn() {
	p := k.staff
	a := p.ownKey(k.w.A, k.w.A.Staff, "Tabletten ved kassen")
	p.leave(a)
	p.shot("login")
	p.all("login")
	p.enter(a)
	p.accept()
	p.clicks, p.keys, p.chars = 0, 0, 0 // the day begins at the start page
}

func (k *walk) live() {
	p := k.staff
	p.sees(id("camera-" + story.CameraID))
	p.until("a live picture", soon, `['webrtc', 'still'].includes(document.querySelector('.live').dataset.shows)`)
	how := get[string](p, `document.querySelector('.live').dataset.shows`)
	k.t.Log("the live picture comes by", how)
	if how == "webrtc" {
		p.plays(".live video", soon)
	} else {
		// Each new still is another object: three within four seconds.
		seen := map[string]bool{}
		deadline := time.Now().Add(4 * time.Second)
		for len(seen) < 4 {
			if time.Now().After(deadline) {
				k.t.Fatalf("%d stills in 4 s, want one a second", len(seen))
			}
			seen[get[string](p, `document.querySelector('.live img').src`)] = true
		}
	}
	p.shot("start")
	p.all("start")
	p.plays(".live video", soon)
}

// plays waits until a video goes on by half a second, with pictures decoded.
func (p *person) plays(selector string, limit time.Duration) {
	p.t.Helper()
	v := node(selector)
	p.until("pictures in "+selector, limit, v+`?.videoWidth > 0 && `+v+`.readyState >= 2`)
	began := get[float64](p, v+`.currentTime`)
	p.until(selector+" plays", limit, fmt.Sprintf(`%[1]s.currentTime > %[2]f || (%[1]s.ended && %[1]s.currentTime > 0)`, v, began+0.5))
	if n := get[int](p, v+`.getVideoPlaybackQuality().totalVideoFrames`); n < 1 {
		p.t.Fatalf("%s: %s decoded %d frames", p.name, selector, n)
	}
}

// recorded waits until the span is in the ring.
func (k *walk) recorded() {
	c, err := k.w.A.As(k.t.Context(), k.w.A.Staff)
	k.staff.must("log in by the API", err)
	deadline := time.Now().Add(time.Until(k.to) + 30*time.Second)
	for !k.has(c) {
		if time.Now().After(deadline) {
			k.t.Fatalf("%v to %v is not recorded", k.from, k.to)
		}
		select {
		case <-k.t.Context().Done():
			k.t.Fatal(k.t.Context().Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (k *walk) has(c *client.Client) bool {
	line, err := c.Timeline(k.t.Context(), story.CameraID, k.from.Add(-time.Hour), k.to.Add(time.Hour))
	k.staff.must("time line", err)
	for _, r := range line.Recorded {
		if !r.From.After(k.from) && !r.To.Before(k.to) {
			return true
		}
	}
	return false
}

func local(t time.Time) string { return t.In(clock.Copenhagen).Format("2006-01-02T15:04:05") }

func (k *walk) pick() {
	p := k.staff
	p.click(id("camera-" + story.CameraID))
	p.sees(id("timeline"))
	p.until("the live picture on the camera's page", soon, `document.querySelector('.live').dataset.shows`)
	from, to := k.w.ClipSpan()
	from, to = from.Add(-time.Second), to.Add(time.Second)
	k.from, k.to = from, to
	k.recorded()
	k.span(from, to)
	k.at = from.Add(time.Second).Sub(k.from).Seconds() + k.s.at
	p.click(id("play"))
	p.plays(id("footage-player"), soon)
	// It begins with the keyframe before what was picked.
	if got := get[float64](p, node(id("footage-player"))+`.duration`) - k.to.Sub(k.from).Seconds(); got < -0.5 || got > 2.5 {
		k.t.Fatalf("%.2f s more play than the %v picked", got, k.to.Sub(k.from))
	}
	p.shot("camera")
	p.all("camera")
}

func (k *walk) create() {
	p := k.staff
	p.click(id("new-case"))
	p.types(id("what"), "En mand tog to høretelefoner og gik uden at betale.")
	p.sets(id("offence"), "theft")
	p.types(id("value"), "4200")
	p.click(id("new-basis-recording"))
	p.shot("new-case")
	p.click(id("create-case"))
	p.sees("body.page-case")
	p.sees(id("overlay"))
	k.caseURL = strings.TrimPrefix(strings.SplitN(p.where(), "#", 2)[0], p.base)
	// The clip begins with the keyframe before what was picked.
	c, err := k.w.A.As(k.t.Context(), k.w.A.Staff)
	p.must("log in by the API", err)
	v, err := c.Case(k.t.Context(), incident.CaseID(strings.TrimPrefix(k.caseURL, "/cases/")))
	p.must("the case", err)
	k.at += k.from.Sub(v.ClipFrom).Seconds()
}

func (k *walk) mark() {
	p := k.staff
	clip := node(id("clip"))
	p.until("the clip", soon, clip+`.readyState >= 2`)
	if get[bool](p, clip+`.paused`) == false {
		k.t.Fatal("the clip plays by itself")
	}
	// The slider first, then steps of a tenth.
	s := p.spot(id("seek"))
	length := get[float64](p, clip+`.duration`)
	thumb := 16.0
	p.clickAt(s.X+thumb/2+(s.W-thumb)*k.at/length, s.Y+s.H/2)
	p.until("the slider moves the clip", soon, clip+`.currentTime > 0.5 && !`+clip+`.seeking`)
	for range 12 {
		off := k.at - get[float64](p, clip+`.currentTime`)
		if math.Abs(off) <= 0.06 {
			break
		}
		button := "fwd-01"
		if off < 0 {
			button = "back-01"
		}
		p.click(id(button))
		p.until("the step", soon, `!`+clip+`.seeking`)
	}
	if at := get[float64](p, clip+`.currentTime`); math.Abs(at-k.at) > 0.06 {
		k.t.Fatalf("the clip stands at %.2f s, wanted %.2f", at, k.at)
	}
	p.shot("marking-before")
	o, r := p.spot(id("overlay")), k.s.rect
	p.drag(o.X+r.X*o.W, o.Y+r.Y*o.H, o.X+(r.X+r.W)*o.W, o.Y+(r.Y+r.H)*o.H)
	p.until("the box", soon, `document.querySelector('#overlay .box.here')?.checkVisibility() && document.querySelectorAll('#keyframes li[data-at]').length === 1`)
	got := get[rect](p, `(() => { const o = document.getElementById('overlay').getBoundingClientRect(), b = document.querySelector('.box.here').getBoundingClientRect();
		return { X: (b.left - o.left) / o.width, Y: (b.top - o.top) / o.height, W: b.width / o.width, H: b.height / o.height }; })()`)
	if math.Abs(got.X-r.X)+math.Abs(got.Y-r.Y)+math.Abs(got.W-r.W)+math.Abs(got.H-r.H) > 0.02 {
		k.t.Fatalf("the box is at %+v, drawn at %+v", got, r)
	}
	p.click(id("follow"))
	p.until("the person is followed", later, node(id("tracks"))+`?.checkVisibility() && document.querySelectorAll('.run.shown, .run.flagged').length > 0`)
	p.until("what will be shown", soon, `!document.getElementById('shapes').hidden`)
	p.shot("marking")
	p.all("marking")
	p.click(id("redact"))
	k.tagged = p.day()
}

func (k *walk) look() {
	p := k.staff
	p.until("progress", soon, node(id("progress"))+`.checkVisibility() && document.getElementById('bar').value > 0`)
	p.shot("progress")
	p.until("the copy", later, node(id("copy-player"))+`?.checkVisibility()`)
	k.inspect(p)
}

// inspect plays the copy and sees every picture of the reveal sheet.
func (k *walk) inspect(p *person) {
	p.click(id("copy-player"))
	p.plays(id("copy-player"), soon)
	p.until("the sheet", soon, `document.querySelectorAll('#sheet img').length >= 3`)
	// The pictures come as they are scrolled to.
	p.until("the sheet's pictures", soon, `[...document.querySelectorAll('#sheet img')].every((i) => i.complete && i.naturalWidth > 0 || void i.scrollIntoView({ block: 'nearest' }))`)
	p.spot("#sheet")
	if p == k.staff {
		p.scroll("#sheet", "center")
		p.shot("reveal-sheet")
		p.scroll("#copy", "start")
		k.shows(p, "copy", id("copy-player"))
	}
}

// shows takes a picture of a copy that plays, where pictures are kept at a
// moment at which the subject is to be seen.
func (k *walk) shows(p *person, name, player string) {
	p.t.Helper()
	if p.album.dir != "" {
		p.until("the subject in "+player, soon, fmt.Sprintf(`%[1]s.currentTime > %[2]f || %[1]s.ended`, node(player), k.at-0.7))
	}
	p.shot(name)
}

func missing(p *person) []string {
	p.t.Helper()
	return get[[]string](p, `[...document.querySelectorAll('#missing li a')].map((a) => a.textContent)`)
}

func (k *walk) answer() {
	p := k.staff
	was := p.day()
	p.click(id("step-submit"))
	p.sees(id("missing"))
	lacks := missing(p)
	for _, v := range []string{"V3", "V4", "V6"} {
		if !slices.ContainsFunc(lacks, func(s string) bool { return strings.HasPrefix(s, v) }) {
			k.t.Errorf("%s is not named as missing: %v", v, lacks)
		}
	}
	if !get[bool](p, node(id("submit"))+`.disabled`) {
		k.t.Error("a case can be handed over with conditions missing")
	}
	p.shot("conditions-missing")
	p.all("case")
	p.click(id("step-who"))
	k.looked = p.day().less(was)
	p.click(id("next-why"))
	p.types(id("repeat-reasons"), "Han har gjort det tre gange på to uger og gør det igen.")
	p.shot("step-why")
	p.click(id("next-report"))
	p.sees(id("today-next"))
	p.shot("step-report")
	p.click(id("today-next"))
	p.until("the own region", soon, node(id("area"))+`.value === 'region' && `+node(id("place"))+`.value === 'Syddanmark'`)
	p.types(id("area-reason"), "Han er set i tre byer i regionen og kører i bil.")
	p.types(id("trades-reason"), "Han går efter dyre høretelefoner, som kun de har.")
	for _, m := range []incident.MemberID{story.MemberB, thirdMember} {
		p.until("the member of the circle", soon, node(id("member-"+string(m)))+`?.checked`)
	}
	p.shot("step-circle")
	p.all("step-circle")
	p.click(id("next-submit"))
	p.until("nothing is missing", soon, `document.querySelector('#missing.none')`)
	p.until("the case can be handed over", soon, `!`+node(id("submit"))+`.disabled`)
	p.shot("conditions-filled")
	k.submit()
	k.measure()
}

func (k *walk) state(p *person, state string, limit time.Duration) {
	p.t.Helper()
	p.until("the case is "+state, limit, fmt.Sprintf(`document.getElementById('case')?.dataset.state === %q`, state))
}

func (k *walk) submit() {
	k.staff.click(id("submit"))
	k.state(k.staff, "submitted", soon)
}
