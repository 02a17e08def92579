package browser

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/statement"
	"veilbox/internal/clock"
)

// fetched clicks a download and returns what the browser saved.
func (r *round) fetched(selector string) []byte {
	r.t.Helper()
	dir := r.t.TempDir()
	window := chromedp.FromContext(r.p.ctx)
	_, err := cdp.Call(r.p.ctx, window.Browser, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: window.BrowserContextID, DownloadPath: dir})
	r.p.must("let files be saved", err)
	r.p.click(selector)
	deadline := time.Now().Add(soon)
	for {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err == nil && len(files) == 1 && !strings.HasSuffix(files[0], ".crdownload") {
			b, err := os.ReadFile(files[0])
			r.p.must("read the download", err)
			return b
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("nothing was saved: %q, %v", files, err)
		}
		select {
		case <-r.p.ctx.Done():
			r.t.Fatal("the browser ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (r *round) export() {
	p := r.p
	p.open("/cameras/doeren-ved-gaden")
	p.sees(id("timeline"))
	r.pick(p)
	p.click(id("open-export"))
	p.types(id("export-purpose"), "Politiet, journalnummer 0700-12345-00001-26")
	p.sets(id("export-review"), time.Now().In(clock.Copenhagen).AddDate(0, 0, 5).Format("2006-01-02"))
	p.shot("export-form")
	p.all("export-form")
	p.notes("#exported")
	p.click(id("export"))
	p.sees(id("export-video"))
	p.noted("Regner videoens kontroltal ud")
	p.shot("exported")
	p.all("exported")
	video, text := r.fetched(id("export-video")), r.fetched(id("export-statement"))
	audited, err := os.ReadFile(filepath.Join(r.l.World.A.Dir, "audit.pub"))
	p.must("the box's key", err)
	key, err := note.NewVerifier(strings.TrimSpace(string(audited)))
	p.must("the box's key", err)
	s, err := statement.Verify(text, key)
	p.must("the statement", err)
	p.must("the video is what is stated", s.Matches(bytes.NewReader(video)))
	if sum := sha256.Sum256(video); fmt.Sprintf("%x", sum) != get[string](p, node(id("export-hash"))+`.textContent`) {
		r.t.Errorf("the page shows another hash than %x", sum)
	}
	if got := get[string](p, node(id("export-key"))+`.textContent`); got != strings.TrimSpace(string(audited)) {
		r.t.Errorf("the page tells the key %q", got)
	}
	if s.Person != "Mette Mikkelsen" || s.Camera != "doeren-ved-gaden" || !strings.Contains(s.Purpose, "0700-12345") {
		r.t.Errorf("stated: %+v", s)
	}
}

// cut breaks the network while a video plays; it goes on where it broke off.
func (r *round) cut() {
	w, base := newWire(r.t, r.l.World.A.URL)
	p := newPerson(r.t, r.chrome, r.album, "on-a-bad-line", base)
	p.carries(r.api.Token())
	p.open("/cameras/doeren-ved-gaden")
	p.sees(id("timeline"))
	p.until("a live picture", soon, `document.querySelector('.live').dataset.shows`)
	r.pick(p)
	p.notes("#player-making")
	w.breakAfter(300<<10, 3*time.Second)
	p.click(id("play"))
	v := node(id("footage-player"))
	deadline := time.Now().Add(soon)
	for !w.broken() {
		if time.Now().After(deadline) {
			r.t.Fatal("the video needs no more of the wire: it is too small for this test")
		}
		p.until("the page", soon, `true`)
	}
	// What came before the break is under half a second of video.
	p.until("the video goes on", later, v+`.currentTime > 3`)
	if n := get[float64](p, v+`.duration`); n < 7 {
		r.t.Errorf("%.1f s play, want 8", n)
	}
	p.noted("Venter på videoen fra boksen")
	p.shot("cut")
}

// trust: a camera that shows another certificate is not recorded until a person
// says that it is meant.
func (r *round) trust() {
	p := r.p
	p.open("/")
	p.must("stop the camera", r.stopSafe())
	deadline := time.Now().Add(soon)
	for { // the port is free when the server has gone
		l, err := net.Listen("tcp", r.secure.Listen)
		if err == nil {
			p.must("free the port", l.Close())
			break
		}
		if time.Now().After(deadline) {
			r.t.Fatal(err)
		}
	}
	r.simulate(r.secure)
	deadline = time.Now().Add(later)
	for !get[bool](p, `Boolean(document.querySelector('[data-testid=alarms]'))`) {
		if time.Now().After(deadline) {
			r.t.Fatal("another certificate is no alarm")
		}
		p.open("/")
	}
	if n := get[int](p, `document.querySelectorAll('.checks .bad').length`); n != 1 {
		r.t.Errorf("the alarm is told %d times", n)
	}
	p.shot("alarm-start")
	p.all("alarm-start")
	p.click(id("see-alarm:kasse"))
	p.sees(id("accept-pin"))
	p.shot("alarm-camera")
	p.all("alarm-camera")
	p.click(id("accept-pin"))
	p.sees(id("sure"))
	p.shot("alarm-sure")
	p.click(id("sure"))
	p.until("no alarm any more", soon, `document.readyState === 'complete' && document.querySelector('[data-state-of]') && !document.querySelector('[data-testid=alarm-pin]')`)
	p.until("it is recorded", later, `document.querySelector('.chip.cam-recording')`)
}

// jump: the box was off for ten days, or so its clock says.
func (r *round) jump() {
	p := r.p
	p.do("leave the page", chromedp.Navigate("about:blank"))
	p.must("stop the box", r.l.StopBox("a"))
	r.l.Clock.Shift(10 * 24 * time.Hour)
	p.must("start the box", r.l.StartBox("a"))
	p = newPerson(r.t, launch(r.t, pin(r.t, r.l.World.A.URL)), r.album, "manager-later", p.base) // its certificate had run out
	r.p = p
	p.holds(r.l.World.A.Manager)
	p.open("/")
	p.sees("body.page-start")
	p.appears("the doubt", id("clock-doubt"))
	p.sees(id("holds-due"))
	p.shot("clock-doubt")
	p.all("clock-doubt")
	p.click(id("confirm-clock"))
	p.click(id("sure"))
	p.until("no doubt any more", soon, `document.readyState === 'complete' && document.querySelector('body.page-start') && !document.querySelector('[data-testid=clock-doubt]')`)
	hold := get[string](p, `document.querySelector('[data-hold]').dataset.hold`)
	p.click(id("extend-open-" + hold))
	p.types(id("extend-reason-"+hold), "Retssagen kører endnu")
	p.shot("hold-extend")
	p.all("hold-extend")
	p.click(id("extend-" + hold))
	p.until("nothing is due", soon, `document.readyState === 'complete' && document.querySelector('body.page-start') && !document.querySelector('[data-testid=holds-due]')`)
}
