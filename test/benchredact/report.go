package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"veilbox/redact/mask"
)

// A Result is what one subject came to.
type Result struct {
	Name              string
	Seconds           float64 // of the clip
	Counted           int     // frames in which the subject can be seen
	Before, After     float64 // per cent of these in which it is shown
	Unflagged, Leaked int     // frames in which somebody else is shown: not flagged, all
	First             int     // the same as Unflagged, before any correction
	Flagged, Unsure   int     // frames that are shown with a flag, that are veiled as unsure
	Corrections       int
	PerMinute         float64
	Off, Off95, Fit   float64 // drift
	Again, AgainSpent float64 // median of a correction's time over the clip's, wall and processor
}

// result sums the rounds of one subject up.
func result(t *Truth, rounds []Round) Result {
	first, last := rounds[0], rounds[len(rounds)-1]
	r := Result{Name: t.Name, Seconds: float64(t.To-t.From) / float64(t.FPS), Corrections: len(last.Keys) - len(first.Keys)}
	r.PerMinute = float64(r.Corrections) * 60 / r.Seconds
	_, r.Before = shown(first.Frames)
	r.Counted, r.After = shown(last.Frames)
	for _, f := range first.Frames {
		if f.leaks() && !f.Flagged {
			r.First++
		}
	}
	var off, fit, again []float64
	for _, f := range last.Frames {
		if f.leaks() {
			r.Leaked++
			if !f.Flagged {
				r.Unflagged++
			}
		}
		if f.Flagged {
			r.Flagged++
		}
		if f.State == mask.Unsure {
			r.Unsure++
		}
		if f.Off >= 0 {
			off, fit = append(off, f.Off), append(fit, f.Fit)
		}
	}
	r.Off, r.Off95, r.Fit = quantile(off, 0.5), quantile(off, 0.95), quantile(fit, 0.5)
	for _, x := range rounds[1:] {
		again = append(again, x.Took.Seconds()/r.Seconds)
	}
	r.Again = quantile(again, 0.5)
	return r
}

// shown returns how many frames count and in how many per cent of these the
// subject is shown.
func shown(frames []Frame) (counted int, share float64) {
	n := 0
	for _, f := range frames {
		if f.Counts {
			counted++
		}
		if f.Shown {
			n++
		}
	}
	return counted, 100 * part(n, counted)
}

// quantile returns the value below which a part q of v lies, 0 of none.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// figures writes r as lines "bench-redact.NAME.figure value unit".
func (r Result) figures(w io.Writer) error {
	var b strings.Builder
	line := func(name string, value float64, unit string) {
		fmt.Fprintf(&b, "bench-redact.%s.%s %.4g %s\n", r.Name, name, value, unit)
	}
	line("shown_before", r.Before, "percent")
	line("shown", r.After, "percent")
	line("others_unflagged_before", float64(r.First), "frames")
	line("others_unflagged", float64(r.Unflagged), "frames")
	line("others", float64(r.Leaked), "frames")
	line("flagged", float64(r.Flagged), "frames")
	line("unsure", float64(r.Unsure), "frames")
	line("corrections", float64(r.Corrections), "times")
	line("corrections_rate", r.PerMinute, "per-minute")
	line("drift", r.Off, "heights")
	line("drift_p95", r.Off95, "heights")
	line("overlap", r.Fit, "iou")
	if r.Corrections > 0 {
		line("retrack_ratio", r.Again, "x")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table writes the results in Markdown.
func table(w io.Writer, results []Result, day time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s by `make bench-redact`, against boxes drawn by hand.\n\n", day.Format(time.DateOnly))
	b.WriteString("| subject | clip | shown with one box | shown after corrections | corrections | others shown, unflagged | others shown, flagged | flagged | unsure | drift, median and 95 % | overlap | re-track over clip |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		again := "–"
		if r.Corrections > 0 {
			again = fmt.Sprintf("%.3f", r.Again)
		}
		fmt.Fprintf(&b, "| %s | %.1f s | %.1f %% | %.1f %% of %d | %d (%.1f a minute) | %d | %d | %d | %d | %.3f, %.3f | %.2f | %s |\n",
			r.Name, r.Seconds, r.Before, r.After, r.Counted, r.Corrections, r.PerMinute,
			r.Unflagged, r.Leaked-r.Unflagged, r.Flagged, r.Unsure, r.Off, r.Off95, r.Fit, again)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
