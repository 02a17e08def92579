package ring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"veilbox/internal/durable"
)

// files is what the ring asks of a file system; tests put faults in it. Paths
// are whole.
type files interface {
	// Create makes a file that must not be there yet, and its name last.
	Create(path string) (file, error)
	// Write opens a file that is there.
	Write(path string) (file, error)
	Read(path string) (readFile, error)
	// Remove removes a file and makes that last; one already gone is no error.
	Remove(path string) error
	MkdirAll(path string) error
	Size(path string) (int64, error)
}

type readFile interface {
	io.ReaderAt
	io.Closer
}

type file interface {
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	// Punch gives n bytes at off back to the disk, so that they read as zeros.
	Punch(off, n int64) error
}

type disk struct{}

func (disk) Read(path string) (readFile, error) { return os.Open(path) }
func (disk) Remove(path string) error           { return durable.Remove(path) }

// MkdirAll makes the names of the folder and of the one it is in last; what is
// above them is there since Open.
func (disk) MkdirAll(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	up := filepath.Dir(path)
	return errors.Join(durable.SyncDir(up), durable.SyncDir(filepath.Dir(up)))
}

func (disk) Create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return diskFile{f}, nil
}

func (disk) Write(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (disk) Size(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a file", path)
	}
	return info.Size(), nil
}

type diskFile struct{ *os.File }

// Sync makes the bytes and the size last; other attributes may wait.
func (f diskFile) Sync() error {
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return &fs.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

func (f diskFile) Punch(off, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return &fs.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
	zeros := make([]byte, min(n, 1<<20))
	for n > 0 {
		m, err := f.WriteAt(zeros[:min(n, int64(len(zeros)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(m), n-int64(m)
	}
	return nil
}
