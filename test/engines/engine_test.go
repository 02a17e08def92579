package engines

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// An engine is a browser with one window.
type engine interface {
	open(url string) error
	// js runs the body of an async function on the page and returns its result.
	js(body string) (json.RawMessage, error)
	shot() (json.RawMessage, error)
}

// wrap makes a WebDriver async script of an async function's body: the last
// argument is what takes the result.
func wrap(body string) string {
	return `const done = arguments[arguments.length - 1];
(async () => {` + body + `})().then((v) => done({ok: v === undefined ? null : v}), (e) => done({error: String(e)}));`
}

// ask runs js and decodes what it returned.
func ask[T any](t *testing.T, e engine, body string) T {
	t.Helper()
	b, err := e.js(body)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		OK    T      `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if v.Error != "" {
		t.Fatalf("the page says: %s", v.Error)
	}
	return v.OK
}

func freePort(t *testing.T) int {
	t.Helper()
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	return n.Addr().(*net.TCPAddr).Port
}

// run starts a program that is ended, with all that it started, when the test
// ends.
func run(t *testing.T, cmd *exec.Cmd, env ...string) {
	t.Helper()
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make test installs it (scripts/setup.sh test)", err)
	}
	t.Cleanup(func() {
		// It may have ended by itself.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	})
}

// keep writes the window's picture to the folder VEILBOX_PICTURES.
func keep(t *testing.T, e engine, name string) {
	dir := os.Getenv("VEILBOX_PICTURES")
	if dir == "" {
		return
	}
	v, err := e.shot()
	if err != nil {
		t.Error(err)
		return
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		t.Error(err)
		return
	}
	png, err := base64.StdEncoding.DecodeString(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}
