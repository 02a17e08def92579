package capture

// A sentQueue pairs pictures as they were sent with pictures as they are shown.
// It holds those whose place among the shown is not known yet.
type sentQueue struct {
	at    [maxReorder]int64 // when they arrived, in order
	shown [maxReorder]int64 // in order
	n     int
}

const maxReorder = 32 // pictures, twice as many as any codec reorders

// push takes a picture that is shown at pts. The queue must not be full, as it is
// not after pop said that there is no more.
func (q *sentQueue) push(pts, arrived int64) {
	q.at[q.n] = arrived
	i := q.n
	for ; i > 0 && q.shown[i-1] > pts; i-- {
		q.shown[i] = q.shown[i-1]
	}
	q.shown[i] = pts
	q.n++
}

// pop takes the first of each and returns how much the one is after the other,
// or false where a picture may yet be shown before: none is before the latest
// decode time.
func (q *sentQueue) pop(dts int64) (late int64, ok bool) {
	if q.n == 0 || q.shown[0] > dts && q.n < maxReorder {
		return 0, false
	}
	late = q.at[0] - q.shown[0]
	q.n--
	copy(q.at[:q.n], q.at[1:])
	copy(q.shown[:q.n], q.shown[1:])
	return late, true
}
