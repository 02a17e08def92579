package field

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/internal/footagetest"
	"veilbox/internal/passkey/softkey"
	"veilbox/internal/testrun"
	"veilbox/test/story"
)

var bin string

// The tests wait for cameras more than they compute.
func TestMain(m *testing.M) { testrun.With(m, 32, &bin, "veil-redact", "veilctl", "veilboxd") }

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// within polls until ok, and returns how long that took.
func within(t *testing.T, d time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > d {
			t.Fatalf("%s: not within %v", what, d)
		}
		<-time.After(50 * time.Millisecond)
	}
	return time.Since(began)
}

// A journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// A box is a veilboxd that runs.
type box struct {
	t       *testing.T
	dir     string // data folder
	conf    string
	addr    string
	log     *journal
	cmd     *exec.Cmd
	done    chan struct{} // closed when cmd has ended
	call    *client.Client
	session string // of veilctl

	key *softkey.Key
}

// newBox starts a box on a folder, which need not be there, and logs in.
func newBox(t *testing.T, dir string) *box {
	t.Helper()
	b := &box{t: t, dir: dir, addr: free(t), log: &journal{}, session: filepath.Join(t.TempDir(), "session.json")}
	b.conf = filepath.Join(t.TempDir(), "veilbox.toml")
	text := fmt.Sprintf("data_dir = %q\nlisten = %q\nhostnames = [\"localhost\", \"127.0.0.1\"]\nmetrics = \"\"\n\n[ring]\nquota = \"1GiB\"\n", dir, b.addr)
	if err := os.WriteFile(b.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.cmd != nil {
			b.kill()
		}
		if t.Failed() {
			log := b.log.String()
			t.Logf("the box's log ends:\n%s", log[max(0, len(log)-6000):])
		}
	})
	b.start()
	b.up(20 * time.Second)
	trust := must[client.Trust](t)(client.TrustFile(filepath.Join(dir, "tls", "ca.pem")))
	b.call = must[*client.Client](t)(client.New("https://"+b.addr, trust))
	t.Cleanup(b.call.Close)
	b.firstLogin()
	return b
}

func free(t *testing.T) string {
	t.Helper()
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func (b *box) start() {
	b.t.Helper()
	b.cmd = exec.Command(filepath.Join(bin, "veilboxd"), "--config", b.conf)
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	cmd, done := b.cmd, make(chan struct{})
	b.done = done
	go func() {
		// How it ended is asked of ProcessState by who ended it.
		_ = cmd.Wait()
		close(done)
	}()
}

// page asks for pages before the box's certificate is known.
var page = http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// in returns b for a test within the test that started it.
func (b *box) in(t *testing.T) *box {
	c := *b
	c.t = t
	return &c
}

// up waits until the box shows its first page.
func (b *box) up(d time.Duration) time.Duration {
	b.t.Helper()
	return within(b.t, d, "the box to answer", func() bool {
		select {
		case <-b.done:
			b.t.Fatalf("the box ended by itself: %v", b.cmd.ProcessState)
		default:
		}
		r, err := page.Get("https://" + b.addr + "/login")
		return err == nil && r.StatusCode == http.StatusOK && r.Body.Close() == nil
	})
}

// kill ends the box at once, as a power cut would.
func (b *box) kill() {
	b.t.Helper()
	if err := b.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.t.Error(err)
	}
	<-b.done
}

// stop ends the box in order.
func (b *box) stop() {
	b.t.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Error(err)
	}
	select {
	case <-b.done:
	case <-time.After(20 * time.Second):
		b.t.Fatal("the box does not end")
	}
	if s := b.cmd.ProcessState; !s.Success() {
		b.t.Errorf("the box ended with %v", s)
	}
}

// firstLogin makes a passkey in the first password's place, gives the manager all that the tests
// do, and logs veilctl in too.
func (b *box) firstLogin() {
	t, ctx := b.t, b.t.Context()
	t.Helper()
	lines := strings.Fields(string(must[[]byte](t)(os.ReadFile(filepath.Join(b.dir, "first-login")))))
	passphrase := rand.Text()
	b.key = must[*softkey.Key](t)(story.FirstKey(ctx, b.call, lines[0], lines[1], passphrase))
	s := must[client.Session](t)(b.call.Session(ctx))
	name, function, need := "Mette Mikkelsen", "Butikschef", "Har ansvaret for overvågningen"
	roles := []account.Role{account.Manager, account.Staff}
	must[casework.PersonView](t)(b.call.ChangePerson(ctx, s.Person.ID, casework.PersonChange{Name: &name, Function: &function, Need: &need, Roles: &roles}))
	must[client.Session](t)(b.call.LogInPasskey(ctx, b.key))
	if err := b.call.AcceptConditions(ctx, casework.ConditionsVersion); err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	if err := b.key.Write(&sealed); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, pass := filepath.Join(dir, "key"), filepath.Join(dir, "passphrase")
	for file, b := range map[string][]byte{key: sealed.Bytes(), pass: []byte(passphrase + "\n")} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.ctl("login", "--box", "https://"+b.addr, "--ca", filepath.Join(b.dir, "tls", "ca.pem"), "--key", key, "--passphrase-file", pass)
}

// veilctl runs the program to its end, and returns what it printed and how it
// ended.
func (b *box) veilctl(args ...string) (out, errs string, status int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.t.Context()), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "veilctl"), append([]string{"--session", b.session}, args...)...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		b.t.Fatalf("veilctl %s: %v", strings.Join(args, " "), err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// ctl runs veilctl, which must succeed, and returns what it printed.
func (b *box) ctl(args ...string) string {
	b.t.Helper()
	out, errs, status := b.veilctl(args...)
	if status != 0 {
		b.t.Fatalf("veilctl %s: exit status %d\n%s%s", strings.Join(args, " "), status, out, errs)
	}
	return out
}

// add adds a simulated camera to the box.
func (b *box) add(id footage.CameraID, cam *simulate.Camera, more ...string) {
	b.t.Helper()
	b.addAt(id, cam.URL(), more...)
}

func (b *box) addAt(id footage.CameraID, url string, more ...string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "camera")
	if err := os.WriteFile(file, []byte(camPassword+"\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.ctl(append([]string{"camera", "add", string(id), url, "--user", "demo", "--password-file", file}, more...)...)
}

// runs returns what is recorded of a camera.
func (b *box) runs(id footage.CameraID) []casework.TimeSpan {
	b.t.Helper()
	return must[[]casework.TimeSpan](b.t)(b.timeline(id))
}

func (b *box) timeline(id footage.CameraID) ([]casework.TimeSpan, error) {
	now := time.Now()
	v, err := b.call.Timeline(b.t.Context(), id, now.Add(-time.Hour), now.Add(time.Hour))
	return v.Recorded, err
}

func (b *box) recorded(id footage.CameraID) (d time.Duration) {
	b.t.Helper()
	for _, r := range b.runs(id) {
		d += r.To.Sub(r.From)
	}
	return d
}

// more waits until so much more of a camera is recorded.
func (b *box) more(id footage.CameraID, d time.Duration) time.Duration {
	b.t.Helper()
	was := b.recorded(id)
	return within(b.t, d+25*time.Second, fmt.Sprintf("%v more of %s", d, id), func() bool { return b.recorded(id) >= was+d })
}

// camera returns how a camera is.
func (b *box) camera(id footage.CameraID) casework.CameraView {
	b.t.Helper()
	for _, c := range must[[]casework.CameraView](b.t)(b.call.Cameras(b.t.Context())) {
		if c.ID == id {
			return c
		}
	}
	b.t.Fatalf("the box has no camera %s", id)
	return casework.CameraView{}
}

func code(v casework.CameraView) string {
	if v.Problem == nil {
		return ""
	}
	return v.Problem.Code
}

// ill waits until the health of a camera tells a problem, and returns how the
// camera is then.
func (b *box) ill(id footage.CameraID, d time.Duration, want string) (v casework.CameraView) {
	b.t.Helper()
	seen := map[string]bool{}
	defer func() {
		if b.t.Failed() {
			b.t.Logf("%s was told to be %v", id, seen)
		}
	}()
	within(b.t, d, fmt.Sprintf("%s to be %s", id, want), func() bool {
		v = b.camera(id)
		seen[v.State+" "+code(v)] = true
		return code(v) == want
	})
	return v
}

func (b *box) well(id footage.CameraID, d time.Duration) {
	b.t.Helper()
	within(b.t, d, fmt.Sprintf("%s to be well", id), func() bool {
		v := b.camera(id)
		return v.State == "recording" && v.Problem == nil
	})
}

// export takes a span out as the police get it, checks it against its statement
// and lets ffmpeg decode it.
func (b *box) export(id footage.CameraID, s casework.TimeSpan) (file string, v video) {
	b.t.Helper()
	file = filepath.Join(b.t.TempDir(), string(id)+".mp4")
	key := filepath.Join(b.dir, "audit.pub")
	args := []string{"clip", "export", "--camera", string(id), "--from", s.From.Format(time.RFC3339Nano), "--to", s.To.Format(time.RFC3339Nano),
		"-o", file, "--purpose", "politiet, prøve", "--key", key}
	within(b.t, 20*time.Second, "the export", func() bool {
		out, errs, status := b.veilctl(args...)
		if status != 0 && !strings.Contains(errs, "The box is making several exports.") {
			b.t.Fatalf("veilctl %q: exit status %d\n%s%s", args, status, out, errs)
		}
		return status == 0
	})
	b.ctl("clip", "verify", file, strings.TrimSuffix(file, ".mp4")+".statement.txt", "--key", key)
	return file, decode(b.t, file)
}

// A video is what ffprobe says of a file.
type video struct {
	codec, audio  string
	width, height int
	frames        int
	duration      time.Duration
}

// decode decodes a file with ffmpeg, which may find nothing wrong.
func decode(t *testing.T, file string) (v video) {
	t.Helper()
	// In the file's own units of time: of two pictures in one unit of another,
	// ffmpeg would complain.
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "warning", "-xerror", "-i", file, "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-")
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(bytes.ToLower(out), []byte("error")) || bytes.Contains(out, []byte("non monoton")) {
		times, _ := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,dts_time,flags", "-of", "csv=p=0", file).Output() // as a help
		t.Errorf("%s does not decode: %v\n%s\npictures at\n%s", filepath.Base(file), err, out, times[:min(len(times), 1500)])
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", file).Output()
	if err != nil {
		t.Fatalf("ffprobe: %v: install Debian's ffmpeg (make setup does)", err)
	}
	var a struct {
		Streams []struct {
			Type   string `json:"codec_type"`
			Codec  string `json:"codec_name"`
			Width  int
			Height int
			Frames int `json:"nb_read_frames,string"`
		}
		Format struct {
			Duration string
		}
	}
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatal(err)
	}
	for _, s := range a.Streams {
		switch s.Type {
		case "video":
			v.codec, v.width, v.height, v.frames = s.Codec, s.Width, s.Height, s.Frames
		case "audio":
			v.audio = s.Codec
		}
	}
	v.duration = must[time.Duration](t)(time.ParseDuration(a.Format.Duration + "s"))
	return v
}

const camPassword = "kamera-kode"

// clip is the footage that the simulated cameras send.
func clip(t *testing.T) string {
	return footagetest.Synthetic(t, footagetest.Options{Duration: 3 * time.Second, FPS: 10})
}

// simulated runs a camera until stop or the test's end.
func simulated(t *testing.T, o simulate.Options) (cam *simulate.Camera, stop func()) {
	t.Helper()
	o.Username, o.Password = "demo", camPassword
	o.AsFound = o.Size == simulate.Size{}
	cam = must[*simulate.Camera](t)(simulate.New(t.Context(), o))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := cam.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("camera: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return cam, stop
}

// whole checks that a camera was recorded without a gap from an instant on.
func (b *box) whole(id footage.CameraID, from time.Time) {
	b.t.Helper()
	runs := b.runs(id)
	if n := len(runs); n != 1 || runs[0].From.After(from) || time.Since(runs[0].To) > 6*time.Second {
		b.t.Errorf("%s was recorded %v, want one run from before %v until now (%v)", id, runs, from, time.Now())
	}
}

// drain reads m to its end.
func drain(m *client.Media, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, m)
	return n, errors.Join(err, m.Close())
}
