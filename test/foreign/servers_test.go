package foreign

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const setup = "install what scripts/setup.sh test names"

// begin runs a program that is ended, with all that it started, when the test is.
func begin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var log bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &log
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; %s", err, setup)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
		_ = cmd.Wait()                                      // the kill is its end
		if t.Failed() && log.Len() > 0 {
			t.Logf("%s says: %s", filepath.Base(cmd.Path), log.Bytes()[max(0, log.Len()-2000):])
		}
	})
}

// gstreamer starts the server and returns its host and port.
func gstreamer(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", append([]string{filepath.Join("testdata", "server.py")}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin(t, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("GStreamer's RTSP server does not start: %v; %s", err, setup)
	}
	return "127.0.0.1:" + strings.TrimSpace(line)
}

// certificate makes a key and a certificate of its own, as a camera does, and
// returns their file and the fingerprint.
func certificate(t *testing.T) (file, pin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "camera"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	priv, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(pub)
	b := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: priv})...)
	file = filepath.Join(t.TempDir(), "camera.pem")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, hex.EncodeToString(sum[:])
}

// vlc streams a drawn clip, over UDP, which is all that VLC knows, and returns its
// address.
func vlc(t *testing.T, encoder ...string) string {
	t.Helper()
	// VLC does not run as root, and others cannot look into the test's folder.
	dir, err := os.MkdirTemp("", "foreign")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	clip := filepath.Join(dir, "clip.mp4")
	draw := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=20"}, encoder...)
	if out, err := exec.Command("ffmpeg", append(draw, clip)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s; %s", err, out, setup)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "rtsp://" + ln.Addr().String() + "/stream"
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	args := []string{"cvlc", "-I", "dummy", clip, "--loop", "--sout", "#rtp{sdp=" + url + "}", "--sout-keep"}
	if os.Getuid() == 0 {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	begin(t, cmd)
	host := strings.TrimSuffix(strings.TrimPrefix(url, "rtsp://"), "/stream")
	for end := time.Now().Add(20 * time.Second); ; {
		if describes(host, url) {
			return url
		}
		if time.Now().After(end) {
			t.Fatalf("VLC does not start; %s", setup)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// describes reports whether a server describes a stream: VLC listens before it has
// one.
func describes(host, url string) bool {
	c, err := net.DialTimeout("tcp", host, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return false
	}
	if _, err := fmt.Fprintf(c, "DESCRIBE %s RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n", url); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "RTSP/1.0 200")
}

func text(out []byte) string { return fmt.Sprintf("%.2000s", out) }
