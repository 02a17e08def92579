//go:build linux

package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"veilbox/redact/sandbox"
)

// A Model is an operator's own model, by the file and what it must be.
type Model struct {
	Path    string `json:"path"`
	SHA256  string `json:"sha256"`            // of the file, hexadecimal
	Persons []int  `json:"persons,omitempty"` // classes, see Options
	Faces   []int  `json:"faces,omitempty"`
}

// Open reads the model into a sealed file in memory and compares it with its
// hash, so that what is used is what was hashed. It is called outside the
// sandbox; the file goes in by Keep and Kept. The error is BadModel.
func (m Model) Open() (*os.File, error) {
	want, err := hex.DecodeString(strings.TrimSpace(m.SHA256))
	if err != nil || len(want) != sha256.Size {
		return nil, BadModel.With(fmt.Errorf("detect: the SHA-256 of %s is no 64 hexadecimal digits", m.Path))
	}
	f, err := sealed(m.Path, MaxModel)
	if err != nil {
		return nil, BadModel.With(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, MaxModel)); err != nil {
		f.Close() // nothing was written by us
		return nil, BadModel.With(fmt.Errorf("detect: %w", err))
	}
	if got := h.Sum(nil); string(got) != string(want) {
		f.Close() // likewise
		return nil, BadModel.With(fmt.Errorf("detect: %s has the SHA-256 %x, the configuration says %x", m.Path, got, want))
	}
	return f, nil
}

// OpenCascade reads the text of a cascade, such as
// /usr/share/opencv4/haarcascades/haarcascade_frontalface_alt2.xml, into a
// sealed file in memory.
func OpenCascade(path string) (*os.File, error) { return sealed(path, MaxCascade) }

func sealed(path string, limit int64) (*os.File, error) {
	// O_NONBLOCK: a pipe by that name would otherwise wait for a writer.
	from, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	defer from.Close() // read only
	info, err := from.Stat()
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("detect: %s is no file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("detect: %s is over %d MiB", path, limit>>20)
	}
	f, n, err := sandbox.Input(from, limit)
	switch {
	case errors.Is(err, sandbox.ErrTooMuch): // it grew
		return nil, fmt.Errorf("detect: %s is over %d MiB", path, limit>>20)
	case err != nil:
		return nil, fmt.Errorf("detect: %s: %w", path, err)
	case n == 0:
		f.Close() // nothing is in it
		return nil, fmt.Errorf("detect: %s is empty", path)
	}
	return f, nil
}

// Keep lets f stay open when this program executes another in its place, and
// returns its number for Kept.
func Keep(f *os.File) (int, error) {
	fd := int(f.Fd())
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
		return 0, fmt.Errorf("detect: keep a file open: %w", err)
	}
	return fd, nil
}

// Kept returns the file that Keep left open. Anything but a sealed file in
// memory is refused.
func Kept(fd int) (*os.File, error) {
	const all = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK
	if fd < 3 {
		return nil, fmt.Errorf("detect: file %d is none that was kept", fd)
	}
	if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || seals&all != all {
		return nil, fmt.Errorf("detect: file %d is not sealed: %w", fd, errors.Join(err, os.ErrInvalid))
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "kept"), nil
}
