package capture

import (
	"runtime"
	"testing"

	"veilbox/capture/footage"
)

func TestQueueIsBoundInBytesAndParts(t *testing.T) {
	q := newPartQueue(1000)
	fill := func(n int) *footage.Part {
		p := q.take()
		// It may be the spare of another camera, with sound.
		p.Data, p.Samples, p.Audio = append(p.Data[:0], make([]byte, n)...), nil, footage.Audio{}
		q.give(p)
		return p
	}
	if !q.fits(5000) {
		t.Error("a picture that is bigger than the room is refused where nothing waits")
	}
	a := fill(600)
	if q.fits(401) || !q.fits(400) {
		t.Error("600 bytes wait of 1000")
	}
	if got := q.next(nil); len(got) != 1 || got[0] != a {
		t.Fatalf("%v", got)
	}
	if q.fits(401) {
		t.Error("a part that is being stored is still held")
	}
	q.done(a)
	if !q.fits(1000) {
		t.Error("a part that is done is still held")
	}
	for range queueParts {
		if !q.fits(1) {
			t.Fatal("full too early")
		}
		fill(1)
	}
	if q.fits(1) {
		t.Errorf("more than %d parts", queueParts)
	}
	if got := q.next(nil); len(got) != queueParts {
		t.Errorf("%d parts at once", len(got))
	}
	q.close()
	if got := q.next(nil); len(got) != 0 || !q.ended() {
		t.Errorf("%d parts after the end", len(got))
	}
}

// A peak's buffers are given back, and a steady stream's used again.
func TestQueueGivesBuffersBack(t *testing.T) {
	q := newPartQueue(usualPending)
	cycle := func(n int) *footage.Part {
		p := q.take()
		p.Data = append(p.Data[:0], make([]byte, n)...)
		q.give(p)
		for _, p := range q.next(nil) {
			q.done(p)
		}
		return p
	}
	for range 4 {
		cycle(4 << 20)
	}
	for range 200 {
		cycle(100 << 10)
	}
	if p := cycle(100 << 10); cap(p.Data) > 512<<10 {
		t.Errorf("%d bytes are held for parts of 100 KiB", cap(p.Data))
	}
	if a, b := cycle(100<<10), cycle(100<<10); a != b {
		t.Error("a part is not used again")
	}
	// After an outage there are many, of whatever size; they are not kept.
	var many []*footage.Part
	for range 40 {
		p := q.take()
		p.Data = append(p.Data[:0], make([]byte, 1<<20)...)
		q.give(p)
	}
	for _, p := range q.next(many) {
		q.done(p)
	}
	spare.mu.Lock()
	defer spare.mu.Unlock()
	sum := 0
	for _, p := range spare.free {
		sum += cap(p.Data)
	}
	if sum > spareBytes || sum != spare.bytes {
		t.Errorf("%d bytes are kept, counted as %d", sum, spare.bytes)
	}
}

// Sixteen cameras of 4 Mbit/s hold two parts each at most, whatever came before.
func TestMemoryOfSixteenCameras(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const cameras, fps, size = 16, 25, 4_000_000 / 8 / 25
	before := heap()
	units := [][]byte{make([]byte, size)}
	var all [cameras]*builder
	var queues [cameras]*partQueue
	for i := range all {
		q := newPartQueue(usualPending)
		b := &builder{cam: "c", fits: q.fits, take: q.take}
		var writing []*footage.Part
		b.give = func(p *footage.Part) {
			q.give(p)
			// Stored while the next one is filled.
			for _, p := range writing {
				q.done(p)
			}
			writing = q.next(writing[:0])
		}
		all[i], queues[i] = b, q
	}
	for n := range 60 * fps {
		for _, b := range all {
			au := footage.AccessUnit{DTS: int64(n) * footage.TicksPerSecond / fps, Key: n%fps == 0, NALUs: units}
			au.PTS = au.DTS
			b.add(&au, wall0+footage.Ticks(au.DTS), au.DTS)
		}
	}
	grown := heap() - before
	runtime.KeepAlive(all)
	if limit := int64(cameras * 2 * 4_000_000 / 8 * 5 / 4); grown > limit {
		t.Errorf("%d KiB for %d cameras, want at most %d", grown>>10, cameras, limit>>10)
	} else {
		t.Logf("%d KiB a camera", grown>>10/cameras)
	}
}
