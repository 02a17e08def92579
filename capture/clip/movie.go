package clip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
)

// A Movie is the MP4 of a span. ReadAt, Hash and WriteFragments are safe for
// concurrent use; Read and Seek share one position and are not.
type Movie struct {
	ctx     context.Context
	src     Source
	cam     footage.CameraID
	parts   []ring.PartInfo
	tail    *ring.PartInfo // the part behind, where that has the last of the sound
	formats []footage.Format
	format  []uint8 // of each part, index into formats
	sound   *sound  // nil where the movie has none
	audio   Sound
	frames  int
	keys    int

	first footage.Ticks // decode time of the first sample
	stop  footage.Ticks // nothing is decoded from here on
	next  footage.Ticks // start of the part behind the last, 0 for none
	lead  footage.Ticks // what is skipped at the start
	span  footage.Span

	header []byte
	pieces []piece
	size   int64
	pos    int64

	mu    sync.Mutex
	cache [2]cached // the most recent first
}

type cached struct {
	i    int // index of the part + 1, 0 for none
	part *footage.Part
}

// Size returns the size of the movie in bytes.
func (m *Movie) Size() int64 { return m.size }

// Span returns what the movie really shows: from the picture that was current
// when the span asked for began, or the first there is, to its end or the last
// there is.
func (m *Movie) Span() footage.Span { return m.span }

// Format returns the format of the video, the first where it changes.
func (m *Movie) Format() footage.Format { return m.formats[0] }

// ReadAt implements io.ReaderAt.
func (m *Movie) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("clip: read at %d", off)
	}
	n := 0
	if off < int64(len(m.header)) {
		n = copy(p, m.header[off:])
	}
	i := -1
	for n < len(p) {
		at := off + int64(n)
		if at >= m.size {
			return n, io.EOF
		}
		if i < 0 {
			i = sort.Search(len(m.pieces), func(i int) bool { return m.pieces[i].at+m.pieces[i].size > at })
		}
		x := &m.pieces[i]
		k, err := m.copyPiece(p[n:], x, at-x.at)
		if err != nil {
			return n, err
		}
		n += k
		i++
	}
	return n, nil
}

// copyPiece copies what x has from off on.
func (m *Movie) copyPiece(p []byte, x *piece, off int64) (int, error) {
	p = p[:min(int64(len(p)), x.size-off)]
	switch x.kind {
	case silence:
		for i := range p {
			p[i] = m.sound.fill[(off+int64(i))%int64(len(m.sound.fill))]
		}
		return len(p), nil
	case params:
		return copy(p, m.paramsOf(int(x.part))[off:]), nil
	}
	part, err := m.part(int(x.part))
	if err != nil {
		return 0, err
	}
	b, err := m.bytesOf(part, x)
	if err != nil {
		return 0, err
	}
	return copy(p, b[off:]), nil
}

// bytesOf returns the bytes of x, a piece of a part's pictures or sound.
func (m *Movie) bytesOf(part *footage.Part, x *piece) ([]byte, error) {
	b := part.Data
	if x.kind == heard {
		b = part.Audio.Data
	}
	if int64(len(b)) < x.off+x.size {
		return nil, m.failed(int(x.part), fmt.Errorf("%d bytes where the table says %d: %w", len(b), x.off+x.size, ring.ErrDamaged))
	}
	return b[x.off:][:x.size], nil
}

// info returns part i; the tail comes behind the others.
func (m *Movie) info(i int) ring.PartInfo {
	if i == len(m.parts) {
		return *m.tail
	}
	return m.parts[i]
}

func (m *Movie) part(i int) (*footage.Part, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, c := range m.cache {
		if c.i == i+1 {
			m.cache[0], m.cache[k] = c, m.cache[0]
			return c.part, nil
		}
	}
	p, err := m.src.Read(m.ctx, m.info(i))
	if err != nil {
		return nil, m.failed(i, err)
	}
	m.cache[1], m.cache[0] = m.cache[0], cached{i + 1, p}
	return p, nil
}

// Read implements io.Reader.
func (m *Movie) Read(p []byte) (int, error) {
	if m.pos >= m.size {
		return 0, io.EOF
	}
	n, err := m.ReadAt(p[:min(int64(len(p)), m.size-m.pos)], m.pos)
	m.pos += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (m *Movie) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += m.pos
	case io.SeekEnd:
		off += m.size
	case io.SeekStart:
	default:
		return 0, fmt.Errorf("clip: seek from %d", whence)
	}
	if off < 0 {
		return 0, errors.New("clip: seek before the start")
	}
	m.pos = off
	return off, nil
}

// Hash reads the movie once and returns its SHA-256.
func (m *Movie) Hash(ctx context.Context) (footage.ClipHash, error) {
	h := sha256.New()
	h.Write(m.header)
	l := loader{m: m, ctx: ctx}
	for i := range m.pieces {
		if err := l.write(h, &m.pieces[i]); err != nil {
			return footage.ClipHash{}, err
		}
	}
	return footage.ClipHash{Hash: footage.Hash(h.Sum(nil))}, nil
}

// A loader reads pieces in order, each part once.
type loader struct {
	m    *Movie
	ctx  context.Context
	last cached
	buf  []byte
}

func (l *loader) write(w io.Writer, x *piece) error {
	if x.kind == silence || x.kind == params {
		if l.buf == nil {
			l.buf = make([]byte, 32<<10)
		}
		for off := int64(0); off < x.size; {
			n, err := l.m.copyPiece(l.buf, x, off)
			if err != nil {
				return err
			}
			if _, err := w.Write(l.buf[:n]); err != nil {
				return fmt.Errorf("clip: write: %w", err)
			}
			off += int64(n)
		}
		return nil
	}
	if err := l.need(int(x.part)); err != nil {
		return err
	}
	b, err := l.m.bytesOf(l.last.part, x)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("clip: write: %w", err)
	}
	return nil
}

// need reads part i.
func (l *loader) need(i int) error {
	if l.last.i == i+1 {
		return nil
	}
	p, err := l.m.src.Read(l.ctx, l.m.info(i))
	if err != nil {
		return l.m.failed(i, err)
	}
	l.last = cached{i + 1, p}
	return nil
}
