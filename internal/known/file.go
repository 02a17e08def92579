package known

import (
	"bytes"
	"crypto/sha1" // the form of Pwned Passwords; nothing rests on it
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxLine is the longest line of a File: 40 digits, a colon, a count, CR, LF.
const maxLine = 64

// A File is a sorted list of the SHA-1 of known passwords on disk. The zero File
// holds none.
type File struct {
	r    io.ReaderAt
	size int64
}

// Open opens the list at path, and looks whether it is one, whole and in order; an empty path is the
// zero File. The file must stay as it is while it is open.
func Open(path string) (*File, error) {
	if path == "" {
		return &File{}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("known: list of known passwords: %w: give the file, or leave the setting out", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	var l *File
	if err == nil {
		l = &File{f, info.Size()}
		err = l.check()
	}
	if err != nil {
		_ = f.Close() // the first error is the one to act on
		return nil, fmt.Errorf("known: list of known passwords: %s: %w: give a sorted file of SHA-1 and count, as Pwned Passwords is", path, err)
	}
	return l, nil
}

// Of a list that is not sorted, as the one by count, nothing would be found: looks
// places all through it must be in order. A list of the size of Pwned Passwords
// reaches the end of all hashes, unless the download was cut short.
const (
	looks = 256
	whole = 1 << 30
)

var (
	errOrder = errors.New("it is not in order of the SHA-1")
	errShort = errors.New("it ends too early")
)

// check looks at the first line, the last and some between.
func (f *File) check() error {
	if f.size == 0 {
		return errShort
	}
	before, last, err := "", int64(0), error(nil)
	for i := range int64(looks) {
		at := f.size / looks * i
		if at, err = f.next(at); err != nil {
			return err
		}
		if at >= f.size || i > 0 && at <= last {
			continue // a short list: the same line again
		}
		hash, err := f.line(at)
		if err != nil {
			return err
		}
		if hash < before {
			return errOrder
		}
		before, last = hash, at
	}
	for at := max(last, f.size-2*maxLine); ; {
		if at, err = f.next(at); err != nil {
			return err
		}
		if at >= f.size {
			break
		}
		hash, err := f.line(at)
		if err != nil {
			return fmt.Errorf("%w: %w", errShort, err)
		}
		if hash < before {
			return errOrder
		}
		before = hash
		at++
	}
	if f.size >= whole && before < "FFFF" {
		return errShort
	}
	return nil
}

// Contains reports whether password is on the list.
func (f *File) Contains(password string) (bool, error) {
	if f.r == nil {
		return false, nil
	}
	h := sha1.Sum([]byte(password))
	want := strings.ToUpper(hex.EncodeToString(h[:]))
	// low and high bound where the line begins that is looked for.
	low, high := int64(0), f.size
	for low < high {
		at, err := f.next(low + (high-low)/2)
		if err != nil {
			return false, err
		}
		if at >= high {
			// No line begins in the upper half: only the first one is left.
			if at, err = f.next(low); err != nil || at >= high {
				return false, err
			}
		}
		got, err := f.line(at)
		if err != nil {
			return false, err
		}
		switch strings.Compare(want, got) {
		case 0:
			return true, nil
		case -1:
			high = at
		default:
			low = at + 1
		}
	}
	return false, nil
}

// next returns where the first line at or after at begins.
func (f *File) next(at int64) (int64, error) {
	if at == 0 {
		return 0, nil
	}
	b, err := f.read(at-1, maxLine+1)
	if err != nil {
		return 0, err
	}
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		if at-1+int64(len(b)) >= f.size {
			return f.size, nil
		}
		return 0, f.bad(at)
	}
	return at + int64(i), nil
}

// line returns the hash on the line that begins at at.
func (f *File) line(at int64) (string, error) {
	b, err := f.read(at, maxLine)
	if err != nil {
		return "", err
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if len(b) < 40 || len(b) > 40 && b[40] != ':' && b[40] != '\r' {
		return "", f.bad(at)
	}
	hash := strings.ToUpper(string(b[:40]))
	if _, err := hex.DecodeString(hash); err != nil {
		return "", f.bad(at)
	}
	return hash, nil
}

func (f *File) read(at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := f.r.ReadAt(b, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("known: list of known passwords: %w", err)
	}
	return b[:got], nil
}

func (f *File) bad(at int64) error {
	return fmt.Errorf("known: list of known passwords: no line of SHA-1 and count at byte %d: download the file anew", at)
}
