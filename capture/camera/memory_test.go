package camera

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
)

// hostileHeap is what a session may hold of a camera that does its worst, over
// the limit of a picture, which is held twice while it grows: the buffers of the
// connection, and what of the packets is made and not yet collected before the
// flood is noticed.
const (
	hostileHeap = 2*hostileUnit + 20<<20
	hostileUnit = 2 << 20
)

// worst are cameras that do their worst. They run in a process of their own, so
// that what they hold is not taken for ours.
var worst = map[string]script{
	"flood":             {sdp: videoSDP, play: flood},
	"flood over UDP":    {sdp: videoSDP, play: flood, udp: "only"},
	"small packets":     {sdp: videoSDP, play: drizzle},
	"endless picture":   {sdp: videoSDP, play: swell},
	"endless fragments": {sdp: videoSDP, play: shards},
	"parameter sets":    {sdp: videoSDP, play: sets},
	"changes":           {sdp: videoSDP, play: changing},
	"empty frames":      {sdp: videoSDP, play: endless("$\x00\x00\x00")},
	"foreign frames":    {sdp: videoSDP, play: endless("$\x09\x40\x00" + strings.Repeat("x", 1<<14))},
	"RTCP":              {sdp: videoSDP, play: endless("$\x01\x00\x40" + strings.Repeat("\x80\xc9\x00\x01abcd", 8))},
	"answers":           {sdp: videoSDP, play: mutter},
	"big answers":       {sdp: videoSDP, play: endless("RTSP/1.0 200 OK\r\nContent-Length: 130000\r\n" + strings.Repeat("X: "+strings.Repeat("y", 2000)+"\r\n", 200) + "\r\n")},
	"questions":         {sdp: videoSDP, play: pester},
	"nonsense":          {sdp: videoSDP, play: endless("no sense at all, and no line ends ")},
	"endless header":    {answer: func(r *request) string { return "RTSP/1.0 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<18) }},
	"endless line":      {answer: func(r *request) string { return "RTSP/1.0 200 " + strings.Repeat("x", 4<<20) }},
	"endless SDP":       {sdp: videoSDP + strings.Repeat("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", 2300), play: flood},
	"endless greeting":  {greet: strings.Repeat("RTSP/1.0 ", 1<<20)},
	"endless sound":     {sdp: soundSDP, play: noise},
}

// endless sends chunk for ever.
func endless(chunk string) func(func(int, []byte) error) error {
	return func(send func(int, []byte) error) error {
		_, err := first(send)
		b := []byte(strings.Repeat(chunk, max(1, 4096/len(chunk))))
		for err == nil {
			err = raw(send, b)
		}
		return err
	}
}

const asHostile = "VEILBOX_TEST_HOSTILE"

func TestMain(m *testing.M) {
	name := os.Getenv(asHostile)
	if name == "" {
		os.Exit(m.Run())
	}
	_, url, err := worst[name].listen()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(url)
	// Until the test closes it.
	_, err = io.Copy(io.Discard, os.Stdin)
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func hostile(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asHostile+"="+name)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// TestMemory runs a hostile camera of each kind beside a good one, which must go
// on undisturbed, and looks at the heap all the time.
func TestMemory(t *testing.T) {
	for name := range worst {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var good Stats
			goodURL := script{sdp: videoSDP, play: pictures}.start(t)
			done := make(chan error, 1)
			go func() {
				done <- Run(ctx, Source{URL: goodURL}, Options{Stats: &good}, &counting{})
			}()
			await(t, func() bool { return good.Units.Load() > 0 })
			// How fast it is alone, on a machine that may be busy with other things.
			begun, shown := time.Now(), good.Units.Load()
			await(t, func() bool { return good.Units.Load() >= shown+20 })
			alone := float64(good.Units.Load()-shown) / time.Since(begun).Seconds()

			url := hostile(t, name)
			before, top := heap(), uint64(0)
			stop := make(chan struct{})
			looked := make(chan struct{})
			go func() {
				defer close(looked)
				for {
					top = max(top, heap())
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			}()
			begun, shown = time.Now(), good.Units.Load()
			limits := Limits{Connect: time.Second, Stall: time.Second, FirstKeyframe: time.Second, AccessUnit: hostileUnit}
			hctx, end := context.WithTimeout(ctx, 1500*time.Millisecond)
			err := Run(hctx, Source{URL: url, Audio: true}, Options{Limits: limits}, &counting{})
			end()
			took := time.Since(begun)
			shown = good.Units.Load() - shown
			close(stop)
			<-looked
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("the good camera: %v", err)
			}
			t.Logf("the heap grew from %d KiB by %d KiB", before>>10, (max(top, before)-before)>>10)
			if top > before+hostileHeap {
				t.Errorf("the heap grew from %d KiB by %d KiB: %v", before>>10, (top-before)>>10, err)
			}
			if pace := float64(shown) / took.Seconds(); took > 500*time.Millisecond && pace < alone/4 {
				t.Errorf("the good camera gave %.0f pictures a second beside it, and %.0f alone", pace, alone)
			}
			if s := good.Dropped.Load() + good.Malformed.Load() + good.Lost.Load() + good.Rogue.Load(); s > 0 {
				t.Errorf("%d troubles of the good camera", s)
			}
		})
	}
}

// heap returns what is in use, after all that is not has been let go.
func heap() uint64 {
	runtime.GC()
	m := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(m)
	return m[0].Value.Uint64()
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to that in 10 s")
		}
	}
}

// counting keeps nothing.
type counting struct{}

func (*counting) Format(footage.Format)           {}
func (*counting) AccessUnit(footage.AccessUnit)   {}
func (*counting) AudioFormat(footage.AudioFormat) {}
func (*counting) AudioUnit(footage.AudioUnit)     {}
