// Command benchredact measures how well a subject is followed, against truth
// that was made by hand, and prints one line a figure,
// "bench-redact.SUBJECT.figure value unit", to standard output and nothing
// else; a table in Markdown, and what happened in which frame, go to standard
// error. It exits 0 only if every figure could be had.
//
// # The truth
//
// The folder truth has one file a subject: in every tenth frame, and oftener
// where people cross, the box of the subject, how much of it can be seen, and
// the boxes of everybody within about a body's width of it. It was made on
// 2026-11-22 by eye, from frames enlarged three to four times under a grid of
// ten pixels; a difference from the median picture suggested boxes where people
// stand alone, and every box was drawn back on its frame, looked at and
// corrected. Nothing of redact/track was used.
//
// A side of a box is right to 3 pixels in a mark (median 1). Between two marks,
// where it is a straight line, the middle is right to 3 pixels and a side to 4
// in the median, to 11 where legs swing: measured against what differs from the
// median picture, where that is one person.
//
// A box holds head, trunk, legs and hanging or swinging arms, not what is
// carried nor an arm that is stretched out. What is hidden for a moment behind a
// sign or a person is in the box, what the frame's edge or the goods in the
// aisle cut off is not.
//
// free, crossing and far are of vtest.avi, 768x576 at 10 frames a second; the
// three of the aisle of store-aisle-detection.gif, 480x270 at 15.
//
// # The person
//
// A simulated person begins with one box, the first mark in which the subject
// is seen whole, and if possible with nobody near, has the clip tracked, looks,
// and mends the first fault with the truth: the subject veiled for more than a
// second although it can be seen, or something else shown, flagged or not. A
// keyframe is a box where nobody stands before the subject. Where somebody does
// and is shown, or the subject cannot be seen, one keyframe says "gone", which
// veils it, and another where it is as soon as nobody is in the way. Then, while
// the subject is shown in less than 95 % of those frames, a box goes into the
// longest run in which it is veiled. Each time the clip is tracked again, up to
// twenty times. Every keyframe counts as one
// correction. All of it is done in a redact.Session by veil-redact; at the end
// the copy is made and proven, and must show what was tracked.
//
// # The figures
//
//	shown_before, shown       percent  of the frames in which the subject can be seen: at least half of the core of its box is shown, with the first box alone, and at the end; where who stands before it hides more than half of that core, it cannot be seen
//	others_unflagged          frames   in which somebody else, or a place where the subject is not, is shown without a flag, at the end; …_before with the first box alone
//	others                    frames   the same, flagged or not
//	flagged, unsure           frames   that are shown with a flag; that are veiled because the track was unsure
//	corrections, _rate        times    keyframes after the first; per minute of clip
//	drift, drift_p95          heights  distance of the region's middle from the subject's, where nobody stands before it, in heights of its body
//	overlap                   iou      median of intersection over union of the region's rectangle and the subject's
//	retrack_ratio             x        median time of a correction's tracking over the clip's length
//
// score.go states the rules.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder of the programs")
	flag.StringVar(&o.only, "only", "", "these subjects alone, with commas between")
	flag.StringVar(&o.table, "table", "", "write the table to this file too")
	flag.StringVar(&o.draw, "draw", "", "write frames in which something is wrong to this folder, after the first box and at the end")
	flag.BoolVar(&o.drawAll, "all", false, "draw all frames")
	flag.BoolVar(&o.detect, "detect", false, "look for persons too")
	flag.Float64Var(&o.loose, "loose", 0, "part of its sides by which the person draws a box larger at each end, 0.05 for instance")
	flag.BoolVar(&o.direct, "direct", false, "the tracker alone, in this process: for work on it, not for the figures")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
