package capture

import (
	"sync"

	"veilbox/capture/footage"
)

const (
	queueParts = 64
	peakDecay  = 16 // parts, in which a peak is forgotten by a good half
)

// A partQueue holds a camera's parts between the builder and the writer. What it holds is bounded in bytes: the
// part being filled, those that wait and those being stored.
type partQueue struct {
	limit int
	wake  chan struct{} // of the writer

	mu     sync.Mutex
	parts  []*footage.Part
	bytes  int // of parts that were given and are not done
	count  int
	peak   int // how big parts have been of late
	closed bool
}

func newPartQueue(limit int) *partQueue {
	return &partQueue{limit: limit, wake: make(chan struct{}, 1)}
}

func partBytes(p *footage.Part) int { return len(p.Data) + len(p.Audio.Data) }

// fits reports whether a part of n bytes may be held beside what waits.
func (q *partQueue) fits(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	// A picture that is bigger than all the room is taken where nothing waits.
	return q.count == 0 || q.count < queueParts && q.bytes+n <= q.limit
}

// take returns a part to fill.
func (q *partQueue) take() *footage.Part {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := spare.take(q.peak); p != nil {
		return p
	}
	// As big as those before, so that it does not grow in steps.
	return &footage.Part{Data: make([]byte, 0, q.peak+q.peak/8)}
}

// give queues a part. It never waits.
func (q *partQueue) give(p *footage.Part) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.parts = append(q.parts, p)
	q.bytes += partBytes(p)
	q.count++
	q.poke()
}

func (q *partQueue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close lets the writer end once it has what is left.
func (q *partQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.poke()
}

// next appends all that waits to batch. Where that leaves nothing, it waits; it
// returns an empty batch once the queue is closed.
func (q *partQueue) next(batch []*footage.Part) []*footage.Part {
	for {
		q.mu.Lock()
		batch = append(batch, q.parts...)
		clear(q.parts)
		q.parts = q.parts[:0]
		closed := q.closed
		q.mu.Unlock()
		if len(batch) > 0 || closed {
			return batch
		}
		<-q.wake
	}
}

// ended reports whether no more comes.
func (q *partQueue) ended() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && len(q.parts) == 0
}

// done takes a part back. Its buffers are used again unless they are much
// bigger than needed: a peak is not held for good.
func (q *partQueue) done(p *footage.Part) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(p.Data)
	q.bytes -= partBytes(p)
	q.count--
	q.peak = max(n, q.peak-q.peak/peakDecay)
	if cap(p.Data) <= roomFor(q.peak) {
		spare.give(p)
	}
}
