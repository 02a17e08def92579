package badinput

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/internal/problem"
)

// small mounts a disk of its own, of so many bytes. Where the machine lets no
// disk be mounted, the full disk is what capture and capture/ring test with
// their injected files.
func small(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("only root can mount a small disk; capture/ring tests a full one by injected errors")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes until the disk has no room left.
func fill(t *testing.T, path string) {
	t.Helper()
	f := must[*os.File](t)(os.Create(path))
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A full disk stops the recording and is said; nothing that a case holds is
// given up for it, and with room the recording goes on by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := small(t, "64m")
	cam, _ := camera(t, "", clip(t), false)
	b := newBox(t, filepath.Join(dir, "box"))
	b.start()
	b.record(at(cam.URL()))
	b.more(time.Second)
	k := b.keep()
	held := b.newCase(k.span, "Sagen holder optagelsen.")
	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	b.ill("camera:kasse-1", "ring.full")
	b.ill("disk", "disk.full")
	b.log.tells(t, "recording cannot be stored", "There is no room for more footage", "Free space on the disk")
	cams, err := b.call.Cameras(t.Context())
	if err != nil || len(cams) != 1 || cams[0].Problem == nil || cams[0].State != "storage" {
		t.Errorf("the page shows the cameras as %+v, %v", cams, err)
	}
	// What cannot be put on record is not done, and says why.
	for range 20 {
		if _, err := b.call.AddPerson(t.Context(), casework.NewPerson{Login: "ny", Name: "Ny"}); problem.Of(err).Code == "disk.full" {
			refused(t, "an act on a full disk", err, "disk.full")
		} else if problem.Of(err).Code == "internal" {
			t.Errorf("an act on a full disk: %v", err)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	b.well("camera:kasse-1")
	b.more(2 * time.Second)
	b.kept(k)
	m, err := b.call.CaseClip(t.Context(), held.ID)
	if err == nil {
		_, err = io.Copy(io.Discard, m)
		err = errors.Join(err, m.Close())
	}
	if err != nil {
		t.Errorf("the case's clip: %v", err)
	}
}

// A box that is started on a full disk says so and ends, and starts again once
// there is room.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := small(t, "8m")
	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	b := newBox(t, filepath.Join(dir, "box"))
	refused(t, "start", b.open(), "disk.full", "data.folder", "ring.full")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.well("ring")
}
