package field

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"veilbox/capture/camera/simulate"
)

// hanging mounts a disk of its own that can be made to hang: what writes to it
// waits until it is let go.
func hanging(t *testing.T) (dir string, hang, release func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a disk that hangs; capture tests one by a store that does")
	}
	image := filepath.Join(t.TempDir(), "disk")
	dir = t.TempDir()
	f := must[*os.File](t)(os.Create(image))
	if err := f.Truncate(96 << 20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("this machine mounts no file as a disk: %s: %v: %s", args[0], err, out)
		}
	}
	call := func(request uint) {
		t.Helper()
		d := must[*os.File](t)(os.Open(dir))
		defer d.Close()
		if err := unix.IoctlSetInt(int(d.Fd()), request, 0); err != nil {
			t.Error(err)
		}
	}
	const freeze, thaw = 0xc0045877, 0xc0045878 // FIFREEZE and FITHAW of linux/fs.h
	release = func() {}
	let := func() { release() }
	t.Cleanup(func() {
		let()
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	hang = func() {
		call(freeze)
		release = sync.OnceFunc(func() { call(thaw) })
	}
	return dir, hang, let
}

// The disk hangs for seconds, as worn flash does. What comes meanwhile waits in
// memory: nothing of it is missing afterwards.
func TestDiskHangs(t *testing.T) {
	t.Parallel()
	cam, _ := simulated(t, simulate.Options{Files: []string{clip(t)}})
	mount, hang, release := hanging(t)
	b := newBox(t, filepath.Join(mount, "box"))
	t.Cleanup(release) // before the box is ended, which could not end
	b.add("kasse-1", cam)
	b.more("kasse-1", 3*time.Second)
	began := time.Now()

	hang()
	// Pages that look into the index may wait with the disk; the box itself does not.
	for end := time.Now().Add(9 * time.Second); time.Now().Before(end); <-time.After(500 * time.Millisecond) {
		b.up(3 * time.Second)
	}
	release()
	b.more("kasse-1", 11*time.Second)
	b.well("kasse-1", 10*time.Second)
	b.whole("kasse-1", began)
	for _, c := range b.camera("kasse-1").Counts {
		if c.Code == "dropped" || c.Code == "dropped-parts" || c.Code == "unstored" {
			t.Errorf("%s: %d", c.Code, c.Count)
		}
	}
}
