package seal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"

	"veilbox/internal/keys"
)

type reader struct {
	r     *bufio.Reader
	b     *box
	i     int64
	chunk []byte // sealed
	plain []byte
	rest  []byte // of plain, not yet read
	err   error
}

// NewReader returns a reader of the plaintext of the file that r gives. It
// returns io.EOF only where the file was whole.
func NewReader(r io.Reader, k keys.Key, context string) (io.Reader, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, readError("the header", err)
	}
	b, err := newBox(k, context, header)
	if err != nil {
		return nil, err
	}
	return &reader{
		r: bufio.NewReaderSize(r, sealedSize+1), b: b,
		chunk: make([]byte, sealedSize), plain: make([]byte, 0, ChunkSize),
	}, nil
}

// readError tells a file that ends too soon from a disk that cannot be read.
func readError(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("seal: the file ends within %s: %w", what, ErrDamaged)
	}
	return fmt.Errorf("seal: read %s: %w", what, err)
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.next()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *reader) next() {
	n, err := io.ReadFull(r.r, r.chunk)
	last := errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !last {
		r.err = readError(fmt.Sprintf("chunk %d", r.i), err)
		return
	}
	if !last {
		if _, err := r.r.Peek(1); errors.Is(err, io.EOF) {
			last = true
		} else if err != nil {
			r.err = readError(fmt.Sprintf("chunk %d", r.i+1), err)
			return
		}
	}
	if n < tagSize || n == tagSize && r.i > 0 || r.i >= MaxSize/ChunkSize {
		r.err = fmt.Errorf("seal: chunk %d has %d bytes: %w", r.i, n, ErrDamaged)
		return
	}
	p, err := r.b.open(r.plain, r.chunk[:n], r.i, last)
	if err != nil {
		r.err = err
		return
	}
	r.plain, r.rest = p, p
	r.i++
	if last {
		r.err = io.EOF
	}
}

// A ReaderAt reads the plaintext of a sealed file at any place. It is safe for
// concurrent use; it keeps one chunk.
type ReaderAt struct {
	r      io.ReaderAt
	b      *box
	size   int64 // of the plaintext
	file   int64 // of the file
	chunks int64

	mu     sync.Mutex
	have   int64 // the chunk that plain holds, or -1
	sealed []byte
	plain  []byte
}

// OpenAt opens a sealed file of size bytes.
func OpenAt(r io.ReaderAt, size int64, k keys.Key, context string) (*ReaderAt, error) {
	n, chunks, err := plainSize(size)
	if err != nil {
		return nil, err
	}
	var header [headerSize]byte
	if _, err := readFullAt(r, header[:], 0); err != nil {
		return nil, readError("the header", err)
	}
	b, err := newBox(k, context, header)
	if err != nil {
		return nil, err
	}
	a := &ReaderAt{r: r, b: b, size: n, file: size, chunks: chunks, have: -1, sealed: make([]byte, sealedSize), plain: make([]byte, 0, ChunkSize)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(chunks - 1); err != nil {
		return nil, err
	}
	return a, nil
}

// Size returns the size of the plaintext in bytes.
func (a *ReaderAt) Size() int64 { return a.size }

// ReadAt implements io.ReaderAt on the plaintext.
func (a *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("seal: read at %d", off)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for n < len(p) {
		if off >= a.size {
			return n, io.EOF
		}
		if err := a.load(off / ChunkSize); err != nil {
			return n, err
		}
		m := copy(p[n:], a.plain[off%ChunkSize:])
		n += m
		off += int64(m)
	}
	return n, nil
}

// load makes a.plain chunk i.
func (a *ReaderAt) load(i int64) error {
	if a.have == i {
		return nil
	}
	a.have = -1
	at := headerSize + i*sealedSize
	sealed := a.sealed[:min(sealedSize, a.file-at)]
	if _, err := readFullAt(a.r, sealed, at); err != nil {
		return readError(fmt.Sprintf("chunk %d", i), err)
	}
	p, err := a.b.open(a.plain, sealed, i, i == a.chunks-1)
	if err != nil {
		return err
	}
	a.plain, a.have = p, i
	return nil
}

func readFullAt(r io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		err = nil
	}
	return n, err
}
