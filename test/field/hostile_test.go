package field

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
)

// hostileRSS is what the daemon may hold with a good camera and all of the
// hostile ones at once, in bytes.
const hostileRSS = 160 << 20

// A door lets the box in to a good camera until it is turned, and then to what a
// camera that was taken over does.
type door struct {
	addr   string
	turned atomic.Bool
	mu     sync.Mutex
	open   map[net.Conn]struct{}
}

func newDoor(t *testing.T, good string, evil func(net.Conn)) *door {
	t.Helper()
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	d := &door{addr: ln.Addr().String(), open: map[net.Conn]struct{}{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				d.keep(c)
				defer d.drop(c)
				if d.turned.Load() {
					evil(c)
					return
				}
				in, err := net.Dial("tcp", good)
				if err != nil {
					return
				}
				d.keep(in)
				defer d.drop(in)
				// Either end may cut the other off.
				all.Go(func() { _, _ = io.Copy(in, c); d.drop(in) })
				_, _ = io.Copy(c, in)
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); d.cut(); all.Wait() }) // nothing is left to lose
	return d
}

func (d *door) keep(c net.Conn) { d.mu.Lock(); d.open[c] = struct{}{}; d.mu.Unlock() }
func (d *door) drop(c net.Conn) { d.mu.Lock(); delete(d.open, c); d.mu.Unlock(); c.Close() }

func (d *door) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		c.Close()
	}
}

func (d *door) turn() { d.turned.Store(true); d.cut() }

// What x264 writes for pictures of 320x240 and of 160x128, and a keyframe that
// only looks like one.
var (
	sps320 = []byte{0x67, 0x42, 0xc0, 0x0c, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x07, 0x83, 0xc5, 0x0a, 0xa8}
	sps160 = []byte{0x67, 0x42, 0xc0, 0x0a, 0xda, 0x0a, 0x11, 0xb0, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x1e, 0x0f, 0x12, 0x26, 0xa0}
	pps    = []byte{0x68, 0xce, 0x0f, 0xc8}
	idr    = []byte{0x65, 0x88, 0x84, 0x0a, 0xf2, 0x62, 0x80, 0x01}
)

// scripted speaks enough RTSP to be played, and then does what play does.
func scripted(play func(send func(mark bool, ts uint32, nalu []byte) error) error) func(net.Conn) {
	const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		method, cseq, ids := "", "", "0-1"
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSpace(line)
			if method == "" {
				method, _, _ = strings.Cut(line, " ")
			}
			if strings.HasPrefix(line, "CSeq:") {
				cseq = line
			}
			if _, x, ok := strings.Cut(line, "interleaved="); ok {
				ids, _, _ = strings.Cut(x, ";")
			}
			if line != "" {
				continue
			}
			body := ""
			switch method {
			case "DESCRIBE":
				body = fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
			case "SETUP":
				body = "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=" + ids + "\r\n\r\n"
			default:
				body = "Session: 1\r\n\r\n"
			}
			if _, err := fmt.Fprintf(c, "RTSP/1.0 200 OK\r\n%s\r\n%s", cseq, body); err != nil {
				return
			}
			if method == "PLAY" {
				break
			}
			method = ""
		}
		seq := uint16(0)
		buf := []byte{}
		_ = play(func(mark bool, ts uint32, nalu []byte) error { // ends when the box has had enough
			m := byte(96)
			if mark {
				m |= 0x80
			}
			buf = append(buf[:0], '$', 0)
			buf = binary.BigEndian.AppendUint16(buf, uint16(12+len(nalu)))
			buf = append(buf, 0x80, m)
			buf = binary.BigEndian.AppendUint16(buf, seq)
			buf = binary.BigEndian.AppendUint32(buf, ts)
			buf = append(append(buf, 0, 0, 0, 7), nalu...)
			seq++
			_, err := c.Write(buf)
			return err
		})
	}
}

type sendFunc = func(mark bool, ts uint32, nalu []byte) error

func flood(send sendFunc) error {
	err := errors.Join(send(false, 0, sps320), send(false, 0, pps), send(true, 0, idr))
	for i := uint32(1); err == nil; i++ {
		err = send(true, i*3000, append([]byte{0x41}, make([]byte, 1300)...))
	}
	return err
}

func changing(send sendFunc) (err error) {
	for i := uint32(0); err == nil; i++ {
		set := sps320
		if i%2 == 1 {
			set = sps160
		}
		err = errors.Join(send(false, i*3000, set), send(false, i*3000, pps), send(true, i*3000, idr))
		<-time.After(5 * time.Millisecond)
	}
	return err
}

// swelling sends one picture that never ends, just slowly enough not to be a
// flood.
func swelling(send sendFunc) error {
	err := errors.Join(send(false, 0, sps320), send(false, 0, pps), send(true, 0, idr))
	for err == nil {
		err = send(false, 9000, append([]byte{0x41}, make([]byte, 60_000)...))
		<-time.After(10 * time.Millisecond)
	}
	return err
}

// dribble answers a byte at a time, for ever.
func dribble(c net.Conn) {
	r := bufio.NewReader(c)
	if _, err := r.ReadString('\n'); err != nil {
		return
	}
	for _, b := range []byte("RTSP/1.0 200 OK\r\n" + strings.Repeat("X-Wait: a little\r\n", 1000)) {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		<-time.After(200 * time.Millisecond)
	}
}

func nonsense(c net.Conn) {
	for err := error(nil); err == nil; {
		_, err = c.Write([]byte(strings.Repeat("no sense at all, and no line ends ", 100)))
	}
}

// Cameras are taken over one after the other and do their worst beside a good
// one, which is recorded without a gap; the daemon stays small, and says of each
// what is wrong with it.
func TestHostileBesideGood(t *testing.T) {
	t.Parallel()
	cam, _ := simulated(t, simulate.Options{Files: []string{clip(t)}})
	b := newBox(t, t.TempDir())
	hostile := []struct {
		id   footage.CameraID
		evil func(net.Conn)
		code string
		d    time.Duration
		door *door
	}{
		{"flood", scripted(flood), "camera.flood", 20 * time.Second, nil},
		{"changing", scripted(changing), "camera.unsteady", 20 * time.Second, nil},
		{"nonsense", nonsense, "camera.notvideo", 20 * time.Second, nil},
		{"swelling", scripted(swelling), "camera.stall", 40 * time.Second, nil},
		{"dribble", dribble, "camera.unreachable", 40 * time.Second, nil},
	}
	at := must[*url.URL](t)(url.Parse(cam.URL()))
	t.Run("add", func(t *testing.T) {
		for i := range hostile {
			h := &hostile[i]
			h.door = newDoor(b.t, cam.Addr(), h.evil)
			t.Run(string(h.id), func(t *testing.T) {
				t.Parallel()
				b.in(t).addAt(h.id, "rtsp://"+h.door.addr+at.Path, "--transport", "tcp")
			})
		}
	})
	b.add("good", cam)
	b.more("good", 2*time.Second)
	began := time.Now()
	for _, h := range hostile {
		b.well(h.id, 10*time.Second)
	}
	calm := b.memory()
	b.peakAnew()
	for _, h := range hostile {
		h.door.turn()
	}
	t.Run("told", func(t *testing.T) {
		for _, h := range hostile {
			t.Run(string(h.id), func(t *testing.T) {
				t.Parallel()
				v := b.in(t).ill(h.id, h.d, h.code)
				if v.Problem.Cause.DA == "" || v.Problem.Remedy.DA == "" {
					t.Errorf("%+v says nothing to staff", v.Problem)
				}
			})
		}
	})
	most := b.peak()
	t.Logf("the daemon had %d MiB before and at most %d MiB while %d cameras did their worst for %v", calm>>20, most>>20, len(hostile), time.Since(began).Round(time.Second))
	if most > hostileRSS {
		t.Errorf("the daemon had %d MiB, want at most %d MiB", most>>20, hostileRSS>>20)
	}
	b.more("good", 2*time.Second)
	b.well("good", 5*time.Second)
	b.whole("good", began)
	good := b.runs("good")[0]
	if _, v := b.export("good", good); v.frames < int(good.To.Sub(good.From).Seconds()*10)-3 {
		t.Errorf("the good camera's video has %d pictures in %v, want 10 a second", v.frames, good.To.Sub(good.From))
	}
}

// memory returns what the daemon has in memory now.
func (b *box) memory() int64 { return b.status("VmRSS") }

// peak returns the most that it had since peakAnew.
func (b *box) peak() int64 { return b.status("VmHWM") }

func (b *box) peakAnew() {
	b.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", b.cmd.Process.Pid), []byte("5"), 0); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) status(key string) int64 {
	b.t.Helper()
	text := string(must[[]byte](b.t)(os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))))
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == key+":" {
			return must[int64](b.t)(strconv.ParseInt(f[1], 10, 64)) << 10
		}
	}
	b.t.Fatalf("no %s", key)
	return 0
}
