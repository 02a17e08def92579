package ring

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

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
	os.Exit(m.Run())
}

// appendForever appends parts of two cameras and writes the start of each that
// was acknowledged to standard output.
func appendForever(dir, from string) error {
	k, err := keys.FromBytes(make([]byte, keys.Size))
	if err != nil {
		return err
	}
	r, err := Open(context.Background(), Options{Dir: dir, Key: k, Quota: 1 << 30, Clock: clock.NewFake(began), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	for i := first; ; i++ {
		p := part([]footage.CameraID{"a", "b"}[i%2], start()+footage.Ticks(i)*second, 2000+i%7*9000)
		if err := r.Append(context.Background(), p); err != nil {
			return err
		}
		if err := binary.Write(os.Stdout, binary.BigEndian, int64(p.Start)); err != nil {
			return err
		}
	}
}

func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(3, 4))
	acked := map[footage.Ticks]bool{}
	next := 0
	for round := range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprintf("%s_FROM=%d", crashDir, next))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(out)
		kill := 1 + rnd.IntN(40)
		for n := 0; ; n++ {
			var at int64
			if err := binary.Read(r, binary.BigEndian, &at); err != nil {
				break
			}
			acked[footage.Ticks(at)] = true
			next = int((footage.Ticks(at)-start())/second) + 3 // one beyond what may be half done
			if n == kill {
				// At some point of the appends that go on meanwhile.
				for range rnd.IntN(200_000) {
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer ended by itself")
		}
		k, err := keys.FromBytes(make([]byte, keys.Size))
		if err != nil {
			t.Fatal(err)
		}
		opt := testOptions(t, dir)
		opt.Key = k
		ring, err := Open(t.Context(), opt)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		found := map[footage.Ticks]bool{}
		for _, cam := range []footage.CameraID{"a", "b"} {
			infos, err := ring.Parts(t.Context(), cam, always())
			if err != nil {
				t.Fatal(err)
			}
			for _, info := range infos {
				i := int((info.Start - start()) / second)
				got, err := ring.Read(t.Context(), info)
				if err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				if !same(got, part(cam, info.Start, 2000+i%7*9000)) {
					t.Fatalf("round %d: part %d is not what was appended", round, i)
				}
				found[info.Start] = true
			}
		}
		for at := range acked {
			if !found[at] {
				t.Fatalf("round %d: the part at %v was acknowledged and is gone", round, (at - start()).Duration())
			}
		}
		// At most one unacknowledged part a round.
		if extra := len(found) - len(acked); extra > round+1 {
			t.Fatalf("round %d: %d parts beyond those acknowledged", round, extra)
		}
		if err := ring.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acked) < 24 {
		t.Errorf("only %d parts in all", len(acked))
	}
}
