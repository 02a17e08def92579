package capture

import "veilbox/capture/footage"

const (
	maxSoundUnits = 1024 // that wait for the end of a part
	maxSoundBytes = 512 << 10
)

// A soundQueue holds the sound that came while a part is filled. When the part
// ends, what begins before that end goes into it; the rest is for the next one.
// Sound that came too late for its part goes into the next as well, with its own
// time.
//
// Units follow each other in time whatever the pictures' tie to the wall clock
// does: what would overlap by more than half of itself is left out and counted.
type soundQueue struct {
	format *footage.AudioFormat // of what comes
	units  []soundUnit
	data   []byte
	ended  footage.Ticks // where the last unit that was given ended

	stored, dropped uint64
}

type soundUnit struct {
	pts      int64
	duration uint32
	size     uint32
	format   *footage.AudioFormat
}

func (q *soundQueue) bytes() int { return len(q.data) }

// reformat takes the format of what comes next.
func (q *soundQueue) reformat(f footage.AudioFormat) {
	if q.format == nil || !q.format.Equal(f) {
		q.format = &f
	}
}

func (q *soundQueue) add(u *footage.AudioUnit) {
	if q.format == nil || len(u.Data) == 0 || len(q.units) == maxSoundUnits || len(q.data)+len(u.Data) > maxSoundBytes {
		q.dropped++
		return
	}
	q.units = append(q.units, soundUnit{pts: u.PTS, duration: u.Duration, size: uint32(len(u.Data)), format: q.format})
	q.data = append(q.data, u.Data...)
}

// fill moves the units of one format that begin before the stream time end to p.
func (q *soundQueue) fill(p *footage.Part, base footage.Ticks, end int64) {
	a := &p.Audio
	used, from := 0, 0
	var before footage.Ticks
	for used < len(q.units) {
		u := &q.units[used]
		if u.pts >= end || u.format != q.units[0].format {
			break
		}
		used++
		b := q.data[from : from+int(u.size)]
		from += int(u.size)
		at := base + footage.Ticks(u.pts)
		if over := q.ended - at; over > footage.Ticks(u.duration/2) {
			q.dropped++
			continue
		} else if over > 0 {
			at = q.ended
		}
		if n := len(a.Samples); n == 0 {
			a.Format, a.Start = *u.format, at
		} else {
			a.Samples[n-1].Duration = uint32(at - before)
		}
		before, q.ended = at, at+footage.Ticks(u.duration)
		a.Samples = append(a.Samples, footage.AudioSample{Size: u.size, Duration: u.duration})
		a.Data = append(a.Data, b...)
		q.stored++
	}
	q.units = q.units[:copy(q.units, q.units[used:])]
	q.data = q.data[:copy(q.data, q.data[from:])]
}

// forget leaves out what waits.
func (q *soundQueue) forget() {
	q.dropped += uint64(len(q.units))
	q.units, q.data = q.units[:0], q.data[:0]
}
