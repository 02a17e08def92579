package badinput

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve answers each connection with f until the test ends, and returns where.
func serve(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // nothing is left to lose
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); f(c) }()
		}
	}()
	return ln.Addr().String()
}

// soundOnly is an RTSP server whose only track is sound.
func soundOnly(c net.Conn) {
	const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\n"
	r := bufio.NewReader(c)
	method, cseq := "", ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		switch {
		case method == "":
			method, _, _ = strings.Cut(line, " ")
		case strings.HasPrefix(line, "CSeq: "):
			cseq = line
		case line == "" && method == "DESCRIBE":
			fmt.Fprintf(c, "RTSP/1.0 200 OK\r\n%s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", cseq, len(sdp), sdp)
			method = ""
		case line == "":
			fmt.Fprintf(c, "RTSP/1.0 200 OK\r\n%s\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n", cseq)
			method = ""
		}
	}
}

// A camera that cannot be recorded is refused when it is tried and when it is
// added, in the box and by veilctl, and says why.
func TestCameraThatCannotBe(t *testing.T) {
	t.Parallel()
	cam, _ := camera(t, "", clip(t), false)
	page := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	noise := serve(t, func(c net.Conn) { fmt.Fprint(c, strings.Repeat("\x00\xff\x13garbage\r\n", 400)) })
	sound := serve(t, soundOnly)
	closed := closedPort(t)
	b := newBox(t, t.TempDir())
	b.start()
	right := write(t, filepath.Join(t.TempDir(), "right"), camPassword+"\n", 0o600)
	wrong := write(t, filepath.Join(t.TempDir(), "wrong"), "gættet\n", 0o600)
	for name, c := range map[string]struct {
		url, password string
		codes         []string
	}{
		"wrong scheme":    {"ftp://" + cam.Addr() + "/main", "", []string{"camera.url"}},
		"no address":      {"rtsp:///main", "", []string{"camera.url"}},
		"host not there":  {"rtsp://kamera.invalid/main", "", []string{"camera.url", "camera.unreachable"}},
		"port closed":     {"rtsp://" + closed + "/main", "", []string{"camera.unreachable"}},
		"wrong path":      {"rtsp://" + cam.Addr() + "/nothing", "", []string{"camera.notfound"}},
		"wrong password":  {cam.URL(), "gættet", []string{"camera.auth"}},
		"a web page":      {"rtsp://" + page.Listener.Addr().String() + "/main", "", []string{"camera.notvideo"}},
		"garbage":         {"rtsp://" + noise + "/main", "", []string{"camera.notvideo"}},
		"sound, no video": {"rtsp://" + sound + "/main", "", []string{"camera.notrack"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, file := at(c.url), right
			if c.password != "" {
				n.Password, file = c.password, wrong
			}
			n.ID = strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", "")
			_, err := b.call.ProbeCamera(t.Context(), n)
			p := refused(t, "probe", err, c.codes...)
			_, err = b.call.AddCamera(t.Context(), n)
			refused(t, "add", err, c.codes...)
			b.log.tells(t, p.Code)
			program(t, "veilctl", "camera", "probe", c.url, "--user", "demo", "--password-file", file).tells(t, 1, p)
		})
	}
	t.Cleanup(func() {
		if cams, err := b.call.Cameras(t.Context()); err == nil && len(cams) != 0 {
			t.Errorf("a camera that was refused is recorded: %+v", cams)
		}
		if log := b.log.String(); strings.Contains(log, camPassword) || strings.Contains(log, "gættet") {
			t.Error("the log holds a password")
		}
	})
}

// closedPort returns an address at which nobody listens, and which nobody else
// can take while the test runs: its socket is bound, and no more.
func closedPort(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	a, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", a.(*unix.SockaddrInet4).Port)
}

// A camera that goes away is shown, comes back by itself, and what was recorded
// stays.
func TestCameraGone(t *testing.T) {
	t.Parallel()
	file := clip(t)
	cam, stop := camera(t, "", file, false)
	b := newBox(t, t.TempDir())
	b.start()
	b.record(at(cam.URL()))
	k := b.keep()
	addr := cam.Addr()
	stop()
	gone := time.Now()
	b.ill("camera:kasse-1", "camera.unreachable")
	b.log.tells(t, "camera session ended", "camera.unreachable", "camera=kasse-1")
	cams, err := b.call.Cameras(t.Context())
	if err != nil || len(cams) != 1 || cams[0].Problem == nil {
		t.Fatalf("the page shows the cameras as %+v, %v", cams, err)
	}
	complete(t, cams[0].Problem.Code, cams[0].Problem.Cause, cams[0].Problem.Remedy)
	b.kept(k)

	camera(t, addr, file, false)
	b.well("camera:kasse-1")
	b.more(2 * time.Second)
	b.kept(k)
	runs := b.runs()
	if len(runs) != 2 || runs[1].From.Before(gone.Add(-2*time.Second)) {
		t.Errorf("the time line shows %v, want two runs and the gap after %v", runs, gone)
	}
}

// The camera's password is changed: the box says so and does not lock itself
// out by guessing.
func TestPasswordChangedAtTheCamera(t *testing.T) {
	t.Parallel()
	file := clip(t)
	cam, stop := camera(t, "", file, false)
	b := newBox(t, t.TempDir())
	b.start()
	n := at(cam.URL())
	b.record(n)
	k := b.keep()
	addr := cam.Addr()
	stop()
	camera(t, addr, file, true)
	b.ill("camera:kasse-1", "camera.auth")
	b.log.tells(t, "camera.auth")
	b.kept(k)
}
