// Package seal is the sealed file: what is kept at rest, encrypted in chunks so
// that it can be written in one pass and read from any place.
//
// # Format
//
// All numbers are big endian.
//
//	header, 40 bytes
//	   0   7  magic, "VEILSEA"
//	   7   1  version, 1
//	   8  32  salt, random
//	chunks, one after the other
//	   0   n  ciphertext of n bytes of plaintext, AES-256-GCM
//	   n  16  tag
//
// n is 65536 for every chunk but the last, which holds 1 to 65536 bytes; only
// the last chunk of an empty file holds none. There is thus one encoding for a
// given plaintext and salt.
//
// The key of the file is HKDF-SHA256 (RFC 5869) of the given key with the salt
// and the info "veilbox seal 1", a zero byte and the context, 32 bytes. The
// context is a name for the place the file belongs to, such as "copy" and its
// identifier; a file moved to another place does not open there.
//
// The nonce of chunk i is 3 zero bytes, i in 8 bytes, and 1 for the last chunk
// or 0 (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár,
// 2015). The header is additional data of every chunk. So a file that was cut,
// lengthened, reordered, mixed with another or changed in any bit is found out:
// its reading fails with ErrDamaged.
//
// A Reader gives each chunk once that chunk has been verified; that the file is
// whole is known when it returns io.EOF. OpenAt verifies the last chunk first,
// so there a cut file fails at once.
package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"veilbox/internal/keys"
)

const (
	// ChunkSize is the plaintext of a full chunk, in bytes.
	ChunkSize = 64 << 10
	// MaxSize is the largest plaintext of a file, in bytes.
	MaxSize = 1 << 40

	tagSize    = 16
	sealedSize = ChunkSize + tagSize
	saltSize   = 32
	headerSize = 8 + saltSize
	maxContext = 256
)

var magic = [8]byte{'V', 'E', 'I', 'L', 'S', 'E', 'A', 1}

var (
	// ErrDamaged says that a file was changed or cut, or was sealed with another
	// key or for another place; which of these cannot be told.
	ErrDamaged = errors.New("the sealed file is damaged or belongs elsewhere: restore it from a backup, or make it again from its source")
	// ErrTooLarge says that more than MaxSize was written.
	ErrTooLarge = errors.New("more than a sealed file may hold")
	errClosed   = errors.New("seal: write to a closed file")
)

// SealedSize returns the size of the file that holds n bytes of plaintext.
func SealedSize(n int64) int64 {
	chunks := max(1, (n+ChunkSize-1)/ChunkSize)
	return headerSize + n + chunks*tagSize
}

// plainSize returns how much plaintext a file of size bytes holds, and in how
// many chunks.
func plainSize(size int64) (n, chunks int64, err error) {
	body := size - headerSize
	if body < tagSize || size > SealedSize(MaxSize) {
		return 0, 0, fmt.Errorf("seal: a file of %d bytes: %w", size, ErrDamaged)
	}
	chunks = (body + sealedSize - 1) / sealedSize
	last := body - (chunks-1)*sealedSize
	if last < tagSize || last == tagSize && chunks > 1 {
		return 0, 0, fmt.Errorf("seal: a file of %d bytes ends within a chunk: %w", size, ErrDamaged)
	}
	return body - chunks*tagSize, chunks, nil
}

// a box seals and opens the chunks of one file.
type box struct {
	aead   cipher.AEAD
	header [headerSize]byte
}

func newBox(k keys.Key, context string, header [headerSize]byte) (*box, error) {
	if k.IsZero() {
		return nil, errors.New("seal: the key was never set")
	}
	if context == "" || len(context) > maxContext {
		return nil, fmt.Errorf("seal: a context is 1 to %d bytes, got %d", maxContext, len(context))
	}
	if [8]byte(header[:8]) != magic {
		return nil, fmt.Errorf("seal: the header is not that of a sealed file of version %d: %w", magic[7], ErrDamaged)
	}
	b, err := hkdf.Key(sha256.New, k.Bytes(), header[8:], "veilbox seal 1\x00"+context, keys.Size)
	if err != nil {
		return nil, fmt.Errorf("seal: derive: %w", err)
	}
	fk, err := keys.FromBytes(b)
	if err != nil {
		return nil, fmt.Errorf("seal: derive: %w", err)
	}
	return &box{fk.AEAD(), header}, nil
}

func nonce(i int64, last bool) (n [12]byte) {
	binary.BigEndian.PutUint64(n[3:], uint64(i))
	if last {
		n[11] = 1
	}
	return n
}

// open verifies sealed and puts its plaintext in dst[:0].
func (b *box) open(dst, sealed []byte, i int64, last bool) ([]byte, error) {
	n := nonce(i, last)
	p, err := b.aead.Open(dst[:0], n[:], sealed, b.header[:])
	if err != nil {
		return nil, fmt.Errorf("seal: chunk %d: %w", i, ErrDamaged)
	}
	return p, nil
}

type writer struct {
	w     io.Writer
	b     *box
	i     int64
	plain []byte
	out   []byte
	err   error
}

// NewWriter returns a writer that seals what is written to it into w. The file
// is whole only when Close has returned nil; Close does not close w.
func NewWriter(w io.Writer, k keys.Key, context string) (io.WriteCloser, error) {
	var salt [saltSize]byte
	rand.Read(salt[:])
	return newWriter(w, k, context, salt)
}

func newWriter(w io.Writer, k keys.Key, context string, salt [saltSize]byte) (io.WriteCloser, error) {
	var header [headerSize]byte
	copy(header[:], magic[:])
	copy(header[8:], salt[:])
	b, err := newBox(k, context, header)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(header[:]); err != nil {
		return nil, fmt.Errorf("seal: write the header: %w", err)
	}
	return &writer{w: w, b: b, plain: make([]byte, 0, ChunkSize), out: make([]byte, 0, sealedSize)}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	written := 0
	for len(p) > 0 {
		// A full chunk is kept back until more comes, for it may be the last.
		if len(w.plain) == ChunkSize {
			if err := w.flush(false); err != nil {
				return written, err
			}
		}
		n := min(len(p), ChunkSize-len(w.plain))
		w.plain = append(w.plain, p[:n]...)
		p = p[n:]
		written += n
	}
	return written, nil
}

func (w *writer) flush(last bool) error {
	if w.i >= MaxSize/ChunkSize {
		w.err = fmt.Errorf("seal: %w", ErrTooLarge)
		return w.err
	}
	n := nonce(w.i, last)
	w.out = w.b.aead.Seal(w.out[:0], n[:], w.plain, w.b.header[:])
	clear(w.plain)
	w.plain = w.plain[:0]
	w.i++
	if _, err := w.w.Write(w.out); err != nil {
		w.err = fmt.Errorf("seal: write chunk %d: %w", w.i-1, err)
	}
	return w.err
}

// Close writes the last chunk. A second Close does nothing.
func (w *writer) Close() error {
	if errors.Is(w.err, errClosed) {
		return nil
	}
	if w.err != nil {
		return w.err
	}
	if err := w.flush(true); err != nil {
		return err
	}
	w.err = errClosed
	return nil
}
