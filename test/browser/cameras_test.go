package browser

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/capture/camera/onvif/onviftest"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/test/lab"
	"veilbox/test/story"
)

// A round is what the steps of the round of the cameras hand on.
type round struct {
	t        *testing.T
	ctx      context.Context
	l        *lab.Lab
	chrome   context.Context
	album    *album
	p        *person // the manager
	api      *client.Client
	door     *simulate.Camera // H.264, found by ONVIF
	device   *onviftest.Device
	secure   simulate.Options // rtsps; it comes back with another certificate
	stopSafe func() error
	from     time.Time
	to       time.Time
}

const doorPassword = "kamera-4711-hemmelig"

// TestCameras goes round the cameras as the manager does: finds one, sees what is
// recorded, hands the original to the police, and answers the box's alarms.
func TestCameras(t *testing.T) {
	began := time.Now()
	ctx := context.WithoutCancel(t.Context())
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	scene := filepath.Join(t.TempDir(), "scene.mp4")
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=10:d=3", "-vf", "noise=alls=15:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "10", scene).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s: install Debian's ffmpeg (scripts/setup.sh does)", err, out)
	}
	r := &round{t: t, ctx: ctx, album: newAlbum(t)}
	o := simulate.Options{Files: []string{scene}, Listen: "127.0.0.1:0", Username: "admin", Password: doorPassword, AsFound: true, Clock: clock.System{}, Log: log}
	r.door, _ = r.simulate(o)
	o.Codec, o.Size = footage.H265, simulate.Size{}
	store, _ := r.simulate(o)
	o.Codec, o.TLS = footage.H264, true
	safe, stop := r.simulate(o)
	r.secure, r.stopSafe = o, stop
	r.secure.Listen = safe.Addr()

	r.device = &onviftest.Device{User: "admin", Password: doorPassword, Profiles: onviftest.Two()}
	for i, url := range []string{r.door.URL(), r.door.SubURL()} {
		r.device.Profiles[i].URI, r.device.Profiles[i].GOP = url, 250
	}
	at := r.device.Serve(t, "127.0.0.1:0")
	asked := onviftest.Responder{XAddrs: "http://" + at + "/onvif/device_service", Endpoint: "urn:uuid:1"}.Serve(t, netip.MustParseAddrPort("127.0.0.1:0"), "")

	r.l, err = lab.Start(ctx, lab.Options{Dir: t.TempDir(), Worker: filepath.Join(bin, "veil-redact"), Camera: &story.Camera{}, Log: log, Ask: []string{asked.String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.l.Close(); err != nil {
			t.Error(err)
		}
	})
	a := r.l.World.A
	if r.api, err = a.FirstManager(ctx, "Mette Mikkelsen"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []casework.NewCamera{
		{ID: "lager", Name: "Lageret", URL: store.URL(), Username: "admin", Password: doorPassword},
		{ID: "kasse", Name: "Kassen", URL: safe.URL(), Username: "admin", Password: doorPassword},
	} {
		if _, err := r.api.AddCamera(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	r.chrome = launch(t, pin(t, a.URL))
	r.p = newPerson(t, r.chrome, r.album, "manager", named(t, a.URL))
	t.Logf("%-28s %.1f s", "set up", time.Since(began).Seconds())
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"log in", r.logIn}, {"find a camera", r.find}, {"edit it", r.edit}, {"H.265 live", r.live}, {"overview and thumbnails", r.overview},
		{"play H.265", r.play}, {"mark on H.265", r.mark}, {"hand to the police", r.export}, {"a video that breaks off", r.cut},
		{"another certificate", r.trust}, {"the clock jumps", r.jump},
	} {
		began := time.Now()
		step.do()
		t.Logf("%-28s %.1f s", step.name, time.Since(began).Seconds())
		bad := slices.DeleteFunc(r.p.journal.complaints(), func(s string) bool { return strings.Contains(s, "/api/v1/members") }) // this box is no member
		if len(bad) > 0 {
			t.Fatalf("after %q the pages complain:\n%s", step.name, strings.Join(bad, "\n"))
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// simulate starts a camera, and returns how to stop it.
func (r *round) simulate(o simulate.Options) (*simulate.Camera, func() error) {
	r.t.Helper()
	cam, err := simulate.New(r.ctx, o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	done := make(chan error, 1)
	go func() { done <- cam.Run(ctx) }()
	stop := func() error {
		cancel()
		select {
		case err := <-done:
			done <- err
			return nil // it says why it was stopped
		case <-time.After(soon):
			return fmt.Errorf("the camera does not stop")
		}
	}
	r.t.Cleanup(func() {
		if err := stop(); err != nil {
			r.t.Error(err)
		}
	})
	return cam, stop
}

func (r *round) logIn() {
	a := r.p.ownKey(r.l.World.A, r.l.World.A.Manager, "Kontorets pc")
	r.p.leave(a)
	r.p.enter(a)
	r.p.accept()
}

// find looks for cameras, gives the log-in to the one chosen and adds it.
func (r *round) find() {
	p := r.p
	p.click(id("nav-admin"))
	p.sees(id("find"))
	p.scroll("#h-find", "start")
	p.shot("find-before")
	p.click(id("find"))
	p.sees(id("choose-0"))
	for _, verb := range r.device.Asked() {
		if verb == "GetProfiles" || verb == "GetStreamUri" {
			r.t.Errorf("%s was asked without a log-in", verb)
		}
	}
	p.shot("find-list")
	p.all("find-list")
	p.click(id("choose-0"))
	p.types(id("look-username-0"), "admin")
	p.types(id("look-password-0"), doorPassword)
	p.shot("find-login")
	p.all("find-login")
	p.click(id("look-0"))
	p.until("the form filled in", soon, `document.querySelector('`+id("camera-url")+`').value.startsWith('rtsp://')`)
	if got := get[string](p, node(id("camera-url"))+`.value`); got != r.door.URL() {
		r.t.Fatalf("the address is %q, want %q", got, r.door.URL())
	}
	if !get[bool](p, `Boolean(document.querySelector('#found .warn'))`) {
		r.t.Error("a keyframe every 10 seconds is no warning")
	}
	p.until("the camera was tried", soon, node(id("probed"))+`.querySelector('.good')`)
	p.clears(id("camera-name"))
	p.types(id("camera-name"), "Døren ved gaden")
	if got := get[string](p, node(id("camera-id"))+`.value`); got != "doeren-ved-gaden" {
		r.t.Fatalf("the name in the system is %q", got)
	}
	p.shot("find-chosen")
	p.all("find-chosen")
	p.click(id("add-camera"))
	p.sees(id("edit-camera-doeren-ved-gaden"))
}

func (r *round) edit() {
	p := r.p
	p.click(id("edit-camera-doeren-ved-gaden"))
	p.sees(id("doeren-ved-gaden-name"))
	p.clears(id("doeren-ved-gaden-name"))
	p.types(id("doeren-ved-gaden-name"), "Døren")
	p.sets(id("doeren-ved-gaden-transport"), "tcp")
	p.shot("camera-edit")
	p.all("camera-edit")
	p.click(id("doeren-ved-gaden-save"))
	p.until("the new name", soon, `[...document.querySelectorAll('#cameras a')].some((x) => x.textContent === 'Døren')`)
	cams, err := r.api.Cameras(r.ctx)
	p.must("cameras", err)
	i := slices.IndexFunc(cams, func(c casework.CameraView) bool { return c.ID == "doeren-ved-gaden" })
	if i < 0 || cams[i].Transport != "tcp" || cams[i].Username != "admin" {
		r.t.Fatalf("%+v", cams)
	}
	p.click(id("nav-start"))
	p.sees(id("camera-kasse"))
	p.until("every camera is recorded", soon, `document.querySelectorAll('.chip.cam-recording').length === 3`)
}

// live: what the browser cannot play comes as H.264.
func (r *round) live() {
	p := r.p
	p.open("/cameras/lager")
	p.until("a live picture", later, `document.querySelector('.live').dataset.shows === 'webrtc'`)
	p.plays(".live video", soon)
	if says := get[string](p, node(id("live-says"))+`.textContent`); !strings.Contains(says, "H.264") {
		r.t.Errorf("the live picture is %q", says)
	}
	p.shot("live-h265")
}

// await returns once 8 s of all cameras are recorded.
func (r *round) await() {
	r.to = time.Now().Truncate(time.Second)
	r.from = r.to.Add(-8 * time.Second)
	deadline := time.Now().Add(later)
	for {
		n := 0
		for _, cam := range []footage.CameraID{"doeren-ved-gaden", "lager", "kasse"} {
			line, err := r.api.Timeline(r.ctx, cam, r.from.Add(-time.Hour), r.to.Add(time.Hour))
			r.p.must("time line", err)
			for _, run := range line.Recorded {
				if run.To.After(r.to) && !run.From.After(r.from) {
					n++
				}
			}
			if len(line.Recorded) == 1 && line.Recorded[0].From.After(r.from) {
				r.from, r.to = r.from.Add(time.Second), r.to.Add(time.Second)
			}
		}
		if n == 3 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%v to %v is not recorded", r.from, r.to)
		}
		select {
		case <-r.p.ctx.Done():
			r.t.Fatal("the browser ended")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// clears takes away what a field holds.
func (p *person) clears(selector string) {
	p.t.Helper()
	get[bool](p, fmt.Sprintf(`((e) => { e.value = ''; e.dispatchEvent(new Event('input', { bubbles: true })); return true; })(%s)`, node(selector)))
}

type piece struct{ From, To, At, Left, Width float64 }

func (r *round) overview() {
	p := r.p
	r.await()
	p.click(id("nav-timeline"))
	p.until("three time lines with a recording", soon, `document.querySelectorAll('.line .rec').length >= 3`)
	p.click(id("range-360"))
	p.until("six hours", soon, node(id("range-360"))+`.getAttribute('aria-pressed') === 'true'`)
	p.shot("overview")
	p.all("overview")
	line := p.spot(id("line-lager"))
	p.clickAt(line.X+line.W-2, line.Y+line.H/2)
	p.sees("body.page-camera")
	p.until("the place that was pressed", soon, `document.getElementById('from').value`)
	p.click(id("range-10"))
	p.click(id("to-now"))
	pictures := `[...document.querySelectorAll('#strip .thumb img')]`
	p.until("pictures in the strip", later, pictures+`.length > 0 && `+pictures+`.every((x) => x.complete && x.naturalWidth > 0)`)
	shades := get[int](p, `(() => { const c = document.createElement('canvas'); [c.width, c.height] = [32, 18]; const g = c.getContext('2d');
		g.drawImage(`+pictures+`[0], 0, 0, 32, 18); return new Set([...g.getImageData(0, 0, 32, 18).data]).size; })()`)
	if shades < 40 {
		r.t.Errorf("the picture in the strip has %d shades; it shows nothing", shades)
	}
	// A picture lies at its time, on what is recorded and nowhere else.
	recorded, err := r.api.Timeline(r.ctx, "lager", time.Now().Add(-time.Hour), time.Now().Add(time.Minute))
	p.must("time line", err)
	pieces := get[[]piece](p, `(() => { const box = document.getElementById('strip').getBoundingClientRect();
		return [...document.querySelectorAll('#strip .thumb')].map((x) => { const b = x.getBoundingClientRect();
			return { From: Number(x.dataset.from), To: Number(x.dataset.to), At: Number(x.dataset.at ?? x.dataset.from), Left: (b.left - box.left) / box.width, Width: b.width / box.width }; }); })()`)
	for _, x := range pieces {
		inside := slices.ContainsFunc(recorded.Recorded, func(s casework.TimeSpan) bool {
			return x.From >= float64(s.From.UnixMilli())-1 && x.To <= float64(s.To.UnixMilli())+1
		})
		if !inside || x.At < x.From || x.At > x.To {
			r.t.Errorf("a picture of %v lies at %v to %v, recorded is %v", x.At, x.From, x.To, recorded.Recorded)
		}
		if want := (x.To - x.From) / 600e3; x.Width-want > 0.004 || want-x.Width > 0.004 {
			r.t.Errorf("a picture is %.4f of the strip wide, for %.4f of the time", x.Width, want)
		}
	}
	p.shot("strip")
}

// pick gives the span that all cameras have.
func (r *round) pick(p *person) {
	p.sets(id("from"), local(r.from))
	p.sets(id("to"), local(r.to))
	p.until("a span", soon, node(id("play"))+`.disabled === false`)
}

// notes keeps all that an element ever says, as a person may look away.
func (p *person) notes(selector string) {
	p.t.Helper()
	get[bool](p, fmt.Sprintf(`(() => { const e = document.querySelector(%q), note = () => { window.noted = (window.noted ?? '') + e.innerText + '\n'; };
		window.noted = ''; new MutationObserver(note).observe(e, { subtree: true, childList: true, characterData: true }); return true; })()`, selector))
}

func (p *person) noted(words string) {
	p.t.Helper()
	if said := get[string](p, `window.noted`); !strings.Contains(said, words) {
		p.t.Errorf("%s: nothing was said of %q: %q", p.name, words, said)
	}
}

func (r *round) play() {
	p := r.p
	p.open("/cameras/lager")
	p.sees(id("timeline"))
	r.pick(p)
	p.notes("#player-making")
	p.click(id("play"))
	p.plays(id("footage-player"), later)
	p.noted("Gør klar til din browser")
	if src := get[string](p, node(id("footage-player"))+`.currentSrc`); !strings.Contains(src, "as=h264") {
		r.t.Errorf("it plays %s", src)
	}
	p.shot("play-h265")
	p.all("play-h265")
}

func (r *round) mark() {
	p := r.p
	c, err := r.api.NewCase(r.ctx, casework.NewCase{Camera: "lager", From: r.from, To: r.to, What: "En mand tog en kasse.", HappenedAt: r.from, Offence: "theft"})
	p.must("new case", err)
	p.open("/cases/" + string(c.ID))
	p.until("the clip", later, node(id("clip"))+`.readyState >= 2 && !document.getElementById('clip-making').childElementCount`)
	if src := get[string](p, node(id("clip"))+`.currentSrc`); !strings.Contains(src, "as=h264") {
		r.t.Errorf("the marker shows %s", src)
	}
	o := p.spot(id("overlay"))
	p.drag(o.X+0.3*o.W, o.Y+0.2*o.H, o.X+0.5*o.W, o.Y+0.8*o.H)
	p.until("a box", soon, `document.querySelectorAll('.keyframes .goto').length === 1`)
	p.shot("mark-h265")
	p.all("mark-h265")
}
