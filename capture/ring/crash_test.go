package ring

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

const crashDir = "VEILBOX_RING_CRASH_DIR"

// TestMain makes the test program the one that is killed, where it is told so.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := appendForever(dir, os.Getenv(crashDir+"_FROM")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	// What is killed waits for the disk more than it works.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func crashKey() (keys.Key, error) { return keys.FromBytes(make([]byte, keys.Size)) }

// crashPart is the part i of the sequence that a killed program wrote.
func crashPart(i int) *footage.Part {
	p := part([]footage.CameraID{"a", "b", "c"}[i%3], start()+footage.Ticks(i)*second, 300+i%7*2000)
	if i%5 == 0 {
		sound(p, footage.PCMA)
	}
	return p
}

// appendForever appends one to four parts of three cameras at a time and writes
// how many were acknowledged to standard output.
func appendForever(dir, from string) error {
	k, err := crashKey()
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	r, err := Open(context.Background(), Options{Dir: dir, Key: k, Quota: MinQuota, Clock: clock.NewFake(began), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	for i := first; ; {
		var parts []*footage.Part
		for range 1 + i%4 {
			parts = append(parts, crashPart(i))
			i++
		}
		if n, err := r.AppendAll(context.Background(), parts); err != nil || n != len(parts) {
			return fmt.Errorf("%d of %d: %w", n, len(parts), err)
		}
		if err := binary.Write(os.Stdout, binary.BigEndian, int64(i)); err != nil {
			return err
		}
	}
}

// killed runs the writer from part first on, kills it, and returns the number of
// the part after the last acknowledged.
func killed(t *testing.T, rnd *rand.Rand, dir string, first int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprintf("%s_FROM=%d", crashDir, first))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := first
	r := bufio.NewReader(out)
	kill := rnd.IntN(12)
	if kill == 0 {
		// While it opens, perhaps.
		time.AfterFunc(time.Duration(rnd.IntN(30))*time.Millisecond, func() { _ = cmd.Process.Kill() }) // gone already is as good
	}
	for n := 1; ; n++ {
		var next int64
		if err := binary.Read(r, binary.BigEndian, &next); err != nil {
			break
		}
		acked = int(next)
		if n == kill {
			// At some point of the appends that go on meanwhile.
			for range rnd.IntN(2_000_000) {
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the writer ended by itself")
	}
	return acked
}

func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	const rings, rounds = 10, 20
	var recovered, total atomic.Int64
	t.Cleanup(func() {
		if total.Load() < 4*rings*rounds && !t.Failed() {
			t.Errorf("only %d parts in all", total.Load())
		}
		t.Logf("%d parts, %d of them recovered from the end of a file", total.Load(), recovered.Load())
	})
	for i := range rings {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			killAndLook(t, rand.New(rand.NewPCG(3, uint64(4+i))), rounds, &recovered, &total)
		})
	}
}

// killAndLook kills what appends to one ring again and again, and looks each time
// at what is there.
func killAndLook(t *testing.T, rnd *rand.Rand, rounds int, recovered, total *atomic.Int64) {
	dir, lost, next := t.TempDir(), map[int]bool{}, 0
	for round := range rounds {
		acked := killed(t, rnd, dir, next)
		total.Add(int64(acked - next))
		opt := testOptions(t, dir)
		opt.Quota = MinQuota
		var err error
		if opt.Key, err = crashKey(); err != nil {
			t.Fatal(err)
		}
		r, err := Open(t.Context(), opt)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		recovered.Add(r.recovered.Load())
		found := map[int]bool{}
		for _, cam := range []footage.CameraID{"a", "b", "c"} {
			infos, err := r.Parts(t.Context(), cam, always())
			if err != nil {
				t.Fatal(err)
			}
			for _, info := range infos {
				i := int((info.Start - start()) / second)
				got, err := r.Read(t.Context(), info)
				if err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				if want := crashPart(i); !same(got, want) || !sameAudio(got.Audio, want.Audio) || got.Camera != cam {
					t.Fatalf("round %d: part %d is not what was appended", round, i)
				}
				found[i] = true
			}
		}
		for i := range acked {
			if !found[i] && !lost[i] {
				t.Fatalf("round %d: part %d of %d was acknowledged and is gone", round, i, acked)
			}
		}
		// At most the batch that was not acknowledged, and none twice.
		for i := range found {
			if i >= acked+4 || lost[i] {
				t.Fatalf("round %d: part %d after %d, lost %v", round, i, acked, lost[i])
			}
		}
		for next = acked; found[next] || found[next+1] || found[next+2] || found[next+3]; next++ {
			lost[next] = !found[next]
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
