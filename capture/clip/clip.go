// Package clip is a span of the ring as one MP4, without re-encoding and
// without a file: the structure is computed from the ring's index, the bytes
// are read and unsealed as they are asked for.
//
// The movie begins at a keyframe, as decoding must; an edit list makes players
// begin at the picture that was current when the span began, and end where the
// span ends. What lies behind the span is not in the movie, but for pictures
// that reordering (B-frames) puts before the last one shown. Media time stays
// true to the wall clock: where parts are missing, the picture before stands
// still for as long. So second n of the movie is second n after Span().From.
//
// The same span of an unchanged ring gives the same bytes. Errors that a person
// can act on are *problem.Problem; those of the ring are passed on.
package clip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sort"
	"sync"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// MaxSpan is the longest clip.
const MaxSpan = 2 * time.Hour

// A Source is where parts come from: a *ring.Ring.
type Source interface {
	Parts(context.Context, footage.CameraID, footage.Span) ([]ring.PartInfo, error)
	Read(context.Context, ring.PartInfo) (*footage.Part, error)
}

var (
	// ErrSpan is the problem of a span that is empty, turned round or too long.
	ErrSpan = problem.New(http.StatusBadRequest, "clip.span",
		problem.Text{DA: "Tidsrummet er tomt eller længere end 2 timer.", EN: "The time span is empty or longer than 2 hours."},
		problem.Text{DA: "Vælg et tidsrum på højst 2 timer, eller del det op.", EN: "Choose a span of at most 2 hours, or divide it."})
	// ErrNone is the problem of a span with no footage.
	ErrNone = problem.New(http.StatusNotFound, "clip.none",
		problem.Text{DA: "Der er ingen optagelse fra kameraet i det tidsrum.", EN: "There is no footage of the camera in that time."},
		problem.Text{DA: "Vælg et tidsrum, hvor tidslinjen viser optagelser. Optagelser slettes efter 30 dage.", EN: "Choose a time where the time line shows footage. Footage is deleted after 30 days."})
	// ErrFormat has the code of the problem of a camera that changed its format.
	ErrFormat = formatChange(0)
)

func formatChange(at footage.Ticks) *problem.Problem {
	t := at.Time().In(clock.Copenhagen).Format("2006-01-02 15:04:05")
	return problem.New(http.StatusConflict, "clip.format",
		problem.Text{DA: "Kameraet skiftede billedformat " + t + ", midt i tidsrummet.", EN: "The camera changed its picture format at " + t + ", within the span."},
		problem.Text{DA: "Lav et klip før og et klip efter det tidspunkt.", EN: "Make one clip before and one after that time."})
}

// A Movie is the MP4 of a span. ReadAt and Hash are safe for concurrent use;
// Read and Seek share one position and are not.
type Movie struct {
	ctx    context.Context
	src    Source
	span   footage.Span
	lead   footage.Ticks
	header []byte
	chunks []chunk
	size   int64
	pos    int64

	mu    sync.Mutex
	cache [2]cached // the most recent first
}

// chunk is the part of the movie's data that one part gives: the first size
// bytes of its data, at offset at of the movie.
type chunk struct {
	info     ring.PartInfo
	at, size int64
}

type cached struct {
	i    int // index of chunk + 1, 0 for none
	data []byte
}

// Open computes the movie of span. ctx also bounds the reading: where it ends,
// ReadAt and Read fail.
func Open(ctx context.Context, src Source, cam footage.CameraID, span footage.Span) (*Movie, error) {
	if span.Empty() || span.From <= 0 || span.To-span.From > footage.TicksIn(MaxSpan) {
		return nil, ErrSpan
	}
	parts, err := src.Parts(ctx, cam, span)
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if len(parts) == 0 {
		return nil, ErrNone
	}
	for i := range parts {
		if !parts[i].Format.Equal(parts[0].Format) {
			return nil, formatChange(parts[i].Start)
		}
	}
	m := &Movie{ctx: ctx, src: src}
	tables := m.cut(parts, span)
	if len(tables) == 0 {
		return nil, ErrNone
	}
	// Presentation lags decoding by a constant where the camera reorders; the
	// wall clock counts from what is shown first.
	opt := mp4.Options{EditStart: m.lead + delay(parts), EditDuration: m.span.To - m.span.From}
	var data int64
	m.header, data, err = mp4.Header(parts[0].Format, func(yield func([]footage.Sample) bool) {
		for _, t := range tables {
			if !yield(t) {
				return
			}
		}
	}, opt)
	if err != nil {
		return nil, fmt.Errorf("clip: camera %s: %w", cam, err)
	}
	m.size = int64(len(m.header)) + data
	at := int64(len(m.header))
	for i := range m.chunks {
		m.chunks[i].at = at
		at += m.chunks[i].size
	}
	return m, nil
}

// maxDelay bounds what a camera can make of its reordering, in ticks.
const maxDelay = 2 * footage.TicksPerSecond

// delay returns by how much presentation lags decoding, in ticks. A picture
// that is shown within the span may be decoded as much later.
func delay(parts []ring.PartInfo) footage.Ticks {
	d := footage.Ticks(parts[0].Samples[0].Offset)
	if d < 0 || d > maxDelay {
		return 0
	}
	return d
}

// cut fills m's chunks, span and lead, and returns the sample table of each
// chunk on a time line without holes.
func (m *Movie) cut(parts []ring.PartInfo, span footage.Span) [][]footage.Sample {
	total := 0
	for i := range parts {
		total += len(parts[i].Samples)
	}
	all := make([]footage.Sample, 0, total)
	var tables [][]footage.Sample
	first := parts[0].Start
	from, end := first, first
	stop := span.To + delay(parts)
	for i := range parts {
		p := &parts[i]
		limit := stop
		if i+1 < len(parts) {
			limit = min(limit, parts[i+1].Start)
		}
		at, n, size := p.Start, len(all), int64(0)
		for _, s := range p.Samples {
			if at >= stop {
				break
			}
			if at <= span.From {
				from = at
			}
			next := at + footage.Ticks(s.Duration)
			s.Duration = uint32(max(0, min(next, limit)-at))
			all = append(all, s)
			size += int64(s.Size)
			at = next
		}
		if len(all) == n {
			break
		}
		t := all[n:len(all):len(all)]
		end = min(at, limit, span.To)
		if i+1 < len(parts) && limit > at {
			t[len(t)-1].Duration += uint32(limit - at) // stands still over the gap
		}
		tables = append(tables, t)
		m.chunks = append(m.chunks, chunk{info: *p, size: size})
	}
	m.span = footage.Span{From: from, To: end}
	m.lead = from - first
	return tables
}

// Size returns the size of the movie in bytes.
func (m *Movie) Size() int64 { return m.size }

// Span returns what the movie really shows: from the picture that was current
// when the span asked for began, or the first there is, to its end or the last
// there is.
func (m *Movie) Span() footage.Span { return m.span }

// Format returns the format of the video.
func (m *Movie) Format() footage.Format { return m.chunks[0].info.Format }

// ReadAt implements io.ReaderAt.
func (m *Movie) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("clip: read at %d", off)
	}
	n := 0
	if off < int64(len(m.header)) {
		n = copy(p, m.header[off:])
	}
	for n < len(p) {
		at := off + int64(n)
		if at >= m.size {
			return n, io.EOF
		}
		i := sort.Search(len(m.chunks), func(i int) bool { return m.chunks[i].at+m.chunks[i].size > at })
		data, err := m.chunk(i)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at-m.chunks[i].at:])
	}
	return n, nil
}

func (m *Movie) chunk(i int) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, c := range m.cache {
		if c.i == i+1 {
			m.cache[0], m.cache[k] = c, m.cache[0]
			return c.data, nil
		}
	}
	data, err := m.load(m.ctx, i)
	if err != nil {
		return nil, err
	}
	m.cache[1], m.cache[0] = m.cache[0], cached{i + 1, data}
	return data, nil
}

func (m *Movie) load(ctx context.Context, i int) ([]byte, error) {
	c := &m.chunks[i]
	p, err := m.src.Read(ctx, c.info)
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if int64(len(p.Data)) < c.size {
		return nil, fmt.Errorf("clip: a part of %d bytes where its table says %d", len(p.Data), c.size)
	}
	return p.Data[:c.size], nil
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
	for i := range m.chunks {
		data, err := m.load(ctx, i)
		if err != nil {
			return footage.ClipHash{}, err
		}
		h.Write(data)
	}
	return footage.ClipHash{Hash: footage.Hash(h.Sum(nil))}, nil
}
