package field

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/capture/camera/simulate"
)

const (
	kills = 15
	// A part that is being filled is a second long at most here, and one waits
	// for the disk; the rest is the machine that runs the tests.
	mayBeLost = 4 * time.Second
)

// The box loses its power again and again, at any moment: while it starts, while
// it connects, while it writes. What the time line had shown stays; the page and
// the recording come back by themselves.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	cam, _ := simulated(t, simulate.Options{Files: []string{clip(t)}})
	other, _ := simulated(t, simulate.Options{Files: []string{clip(t)}, UDP: true})
	b := newBox(t, filepath.Join(t.TempDir(), "box"))
	b.add("kasse-1", cam)
	b.add("lager", other)
	b.more("kasse-1", 3*time.Second)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))

	var seen []casework.TimeSpan // all that the time line ever showed
	var slowest, page time.Duration
	look := func() []casework.TimeSpan {
		runs, err := b.timeline("kasse-1")
		if err == nil {
			seen = append(seen, runs...)
		}
		return runs
	}
	for n := range kills {
		if n%3 == 0 {
			// Once it records, it has kept all but what was under way.
			b.more("kasse-1", 2*time.Second)
			runs := look()
			if lag := time.Since(runs[len(runs)-1].To); lag > mayBeLost {
				t.Errorf("what was recorded %v ago is not stored yet", lag)
			}
		}
		for end := time.Now().Add(time.Duration(rnd.Int64N(int64(2500 * time.Millisecond)))); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
			look()
		}
		b.kill()
		b.start()
		if n%3 == 2 {
			page = max(page, b.up(8*time.Second))
			slowest = max(slowest, b.more("kasse-1", time.Millisecond))
		}
	}
	b.more("kasse-1", 2*time.Second)
	b.more("lager", time.Second)
	t.Logf("after a power cut the page was up within %v, and the recording within %v of that", page, slowest)
	if slowest > 12*time.Second {
		t.Errorf("recording took %v to come back", slowest)
	}
	look()
	b.kill()

	// As it was left, and again after the repair.
	for range 2 {
		var rep struct {
			OK             bool
			Parts, Damaged int64
			Faults         []any
		}
		if err := json.Unmarshal([]byte(b.ctl("--json", "check", b.dir)), &rep); err != nil {
			t.Fatal(err)
		}
		if !rep.OK || rep.Damaged != 0 || len(rep.Faults) > 0 || rep.Parts < kills {
			t.Errorf("veilctl check: %+v", rep)
		}
	}
	b.start()
	b.up(8 * time.Second)
	kept := b.runs("kasse-1")
	for _, s := range seen {
		if !covered(s, kept) {
			t.Errorf("%v to %v was shown as recorded, and is lost: there is %v", s.From, s.To, kept)
			break
		}
	}
	if len(kept) > kills+1 {
		t.Errorf("%d runs of recording after %d power cuts: %v", len(kept), kills, kept)
	}
	all := casework.TimeSpan{From: kept[0].From, To: kept[len(kept)-1].To}
	file, v := b.export("kasse-1", all)
	// Of which there are pictures, but for what is too short to be shown as a gap:
	// up to a second at each power cut that the time line does not show.
	sum := -time.Duration(kills+1-len(kept)) * time.Second
	for _, k := range kept {
		sum += k.To.Sub(k.From)
	}
	if v.duration < all.To.Sub(all.From)-time.Second || v.frames < int(sum.Seconds()*9) {
		t.Errorf("the recording over all power cuts is %+v, want %v with %v of pictures, 10 a second", v, all.To.Sub(all.From), sum)
	}
	pieces := piecesOf(cam)
	if n := inTheClear(t, file, pieces); n < len(pieces)/2 {
		t.Fatalf("only %d of %d pieces are in the exported video: the search finds nothing", n, len(pieces))
	}
	if n := inTheClear(t, b.dir, pieces); n > 0 {
		t.Errorf("%d pieces of video lie in the clear on the disk", n)
	}
}

// covered says whether what is recorded has all of s; parts join with no more
// than a tick between them.
func covered(s casework.TimeSpan, kept []casework.TimeSpan) bool {
	for _, k := range kept {
		if !k.From.After(s.From) && !k.To.Before(s.To) {
			return true
		}
	}
	return false
}

// piecesOf returns a piece of each picture that is long enough to be told from
// chance.
func piecesOf(cam *simulate.Camera) (all [][]byte) {
	for _, au := range cam.Main() {
		for _, n := range au {
			if len(n) > 200 {
				all = append(all, n[len(n)/2:len(n)/2+24])
			}
		}
	}
	return all
}

// inTheClear counts the pieces that are in a file, or in those below a folder.
func inTheClear(t *testing.T, root string, pieces [][]byte) int {
	t.Helper()
	found := map[int]bool{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for i, p := range pieces {
			if bytes.Contains(b, p) {
				found[i] = true
			}
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	return len(found)
}
