package capture

import (
	"sync"

	"veilbox/capture/footage"
)

// spareBytes bounds what the spares hold together.
const spareBytes = 8 << 20

// spares are the buffers of parts that are done, of all cameras together: a
// camera needs a second part for the moment of storing the first alone, and
// cameras seldom end their GOPs at the same moment.
type spares struct {
	mu    sync.Mutex
	free  []*footage.Part
	bytes int
}

var spare spares

// roomFor returns the most room that a buffer for n bytes may have: what a peak
// left behind is not held for good.
func roomFor(n int) int { return 2*n + 64<<10 }

// take returns the smallest part with room for n bytes and not much more, nil
// if there is none.
func (s *spares) take(n int) *footage.Part {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, p := range s.free {
		if c := cap(p.Data); c >= n && c <= roomFor(n) && (best < 0 || c < cap(s.free[best].Data)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	p, last := s.free[best], len(s.free)-1
	s.free[best], s.free[last] = s.free[last], nil
	s.free = s.free[:last]
	s.bytes -= cap(p.Data)
	return p
}

// give keeps p for the next, in place of the oldest where there are too many.
func (s *spares) give(p *footage.Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cap(p.Data) > spareBytes/2 {
		return
	}
	s.bytes += cap(p.Data)
	s.free = append(s.free, p)
	for s.bytes > spareBytes {
		s.bytes -= cap(s.free[0].Data)
		n := copy(s.free, s.free[1:])
		s.free[n] = nil
		s.free = s.free[:n]
	}
}
