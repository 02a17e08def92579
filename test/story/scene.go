package story

import "time"

// Window returns from when to when in the footage the story's clip lasts, in
// seconds.
func Window() (from, to float64) { return subjectFrom, subjectTo }

// ClipSpan returns the first wall time, after the recording began, in which the
// subject is in the picture. It holds once SetUp is done.
func (w *World) ClipSpan() (from, to time.Time) { return w.clipSpan() }
