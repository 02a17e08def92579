package onvif

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"veilbox/capture/camera/onvif/onviftest"
)

// apart runs the rest of the test in a network of its own, so that multicast
// reaches nobody else's machines: the test binary is started again, as root of its
// own namespaces. An interface called cams is 10.77.0.1/24 there; at the other end
// of its wire, in a namespace that program starts others in, is 10.77.0.2. It
// returns false in the outer process.
func apart(t *testing.T) bool {
	t.Helper()
	const mark = "VEILBOX_TEST_APART"
	if os.Getenv(mark) == t.Name() {
		far := exec.CommandContext(t.Context(), "sleep", "infinity")
		far.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		if err := far.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(far.Process.Kill(), ignore(far.Wait())); err != nil {
				t.Error(err)
			}
		})
		there = []string{"nsenter", "-t", strconv.Itoa(far.Process.Pid), "-n"}
		for _, line := range []string{
			"ip link set lo up", "ip link add cams type veth peer name wire", "ip link set wire netns " + strconv.Itoa(far.Process.Pid),
			"ip addr add 10.77.0.1/24 dev cams", "ip link set cams up", "ip route add 239.0.0.0/8 dev cams",
			"@ip link set lo up", "@ip addr add 10.77.0.2/24 dev wire", "@ip link set wire up", "@ip route add 239.0.0.0/8 dev wire",
		} {
			args := strings.Fields(strings.TrimPrefix(line, "@"))
			if line[0] == '@' {
				args = append(there, args...)
			}
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s (run \"make setup\")", line, err, out)
			}
		}
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 { // root needs no users of its own, which not every machine grants
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("in a network of its own: %v", err)
	}
	return false
}

// there is what runs a program at the other end of the wire.
var there []string

// ignore leaves out that a program was ended, or ended when it was to.
func ignore(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// program starts one that is not ours, until the test ends.
func program(t *testing.T, name string, args ...string) (stdin io.WriteCloser, out *lines) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: run \"make setup\"", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	args = append(append(there[1:], name), args...)
	cmd := exec.CommandContext(ctx, there[0], args...)
	out = newLines()
	cmd.Stdout, cmd.Stderr = out, out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := ignore(cmd.Wait()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return stdin, out
}

// lines is output that a test waits in.
type lines struct {
	in  chan []byte
	all bytes.Buffer
}

func newLines() *lines { return &lines{in: make(chan []byte, 1024)} }

func (l *lines) Write(b []byte) (int, error) {
	l.in <- bytes.Clone(b)
	return len(b), nil
}

// has waits until want is in the output.
func (l *lines) has(want string, most time.Duration) bool {
	late := time.After(most)
	for !strings.Contains(l.all.String(), want) {
		select {
		case b := <-l.in:
			l.all.Write(b)
		case <-late:
			return false
		}
	}
	return true
}

// wsdd is a discovery target that is not ours (of computers for Windows).
func TestDiscoverFindsWSDD(t *testing.T) {
	if !apart(t) {
		return
	}
	_, out := program(t, "wsdd", "-4", "-i", "wire", "-n", "till-pc", "-U", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "-v")
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		wsdp := `<d:Types xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof">wsdp:Device</d:Types>`
		got, err := discover(t.Context(), Options{Interfaces: []string{"cams"}, Wait: time.Second}, []string{wsdp}, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			continue
		}
		for _, f := range got {
			if f.Endpoint != "urn:uuid:aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee" || f.Interface != "cams" || f.XAddr != "" || f.LookAt() != "10.77.0.2" {
				t.Errorf("%+v", f)
			}
		}
		cameras, err := Discover(t.Context(), Options{Interfaces: []string{"cams"}, Wait: 500 * time.Millisecond})
		if err != nil || len(cameras) != 0 {
			t.Errorf("a computer is no camera: %+v, %v", cameras, err)
		}
		return
	}
	t.Fatalf("wsdd was not found; it says:\n%s", out.all.String())
}

func TestDiscoverByMulticast(t *testing.T) {
	if !apart(t) {
		return
	}
	r := onviftest.Responder{Endpoint: "urn:uuid:cccc", XAddrs: "http://10.77.0.1/onvif/device_service"}
	r.Serve(t, group, "cams")
	for name, o := range map[string]Options{"usual interfaces": {}, "named": {Interfaces: []string{"cams"}}} {
		o.Wait = 700 * time.Millisecond
		got, err := Discover(t.Context(), o)
		if err != nil || len(got) == 0 {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		for _, f := range got {
			if f.Interface != "cams" || f.Endpoint != "urn:uuid:cccc" || f.XAddr != "http://"+f.Address.String()+"/onvif/device_service" {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
	if _, err := Discover(t.Context(), Options{Interfaces: []string{"lo"}, Wait: 300 * time.Millisecond}); err != nil {
		t.Errorf("an interface without cameras: %v", err)
	}
}

// onvif-util (libonvif) is a client that is not ours: what it understands of our
// scripted device holds that device to the specification, and the box's client
// must understand the same.
func TestScriptedDeviceIsUnderstoodByONVIFUtil(t *testing.T) {
	if !apart(t) {
		return
	}
	d := &onviftest.Device{User: user, Password: "abc123def", Lax: true, Profiles: onviftest.Two()}
	addr := d.Serve(t, "10.77.0.1:80")
	r := onviftest.Responder{Endpoint: "urn:uuid:dddd", XAddrs: "http://10.77.0.1/onvif/device_service"}
	r.Serve(t, group, "cams")

	// It waits half a second for answers, which a busy machine may miss.
	const tries = 6
	var in io.Writer
	var out *lines
	for i := 0; ; i++ {
		in, out = program(t, "onvif-util", "-u", user, "-p", "abc123def", "10.77.0.1")
		if out.has("successfully connected", 5*time.Second) {
			break
		}
		if i == tries {
			t.Fatalf("it does not find the camera or cannot log in:\n%s", out.all.String())
		}
	}
	for _, step := range [][2]string{
		{"get rtsp", "rtsp://10.77.0.1:554/p0"},
		{"get profiles", "p1"},
		{"get profile 0", "1920"},
	} {
		if _, err := io.WriteString(in, step[0]+"\n"); err != nil {
			t.Fatal(err)
		}
		if !out.has(step[1], 20*time.Second) {
			t.Fatalf("%s: no %q in:\n%s", step[0], step[1], out.all.String())
		}
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Look(t.Context(), netip.MustParseAddr(host).String(), user, "abc123def", Limits{})
	if err != nil || got.Main().URL != "rtsp://10.77.0.1:554/p0" {
		t.Errorf("%+v, %v", got, err)
	}
}
