//go:build linux

package work

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/detect"
	"veilbox/redact/subject"
	"veilbox/redact/track"
)

// How persons are looked for while a clip is decoded small.
const (
	lookEach  = footage.TicksPerSecond / 2
	lookAhead = 32  // frames that wait for the detector
	detail    = 640 // of the scaled frame: a person of a seventh of its width and up
	// askDetail and askWidth are for one frame that a person looks at.
	askDetail = 1280
	askWidth  = 1280
)

// A look finds persons in some frames of a clip while others are decoded. A nil
// look sees nothing.
type look struct {
	d     *detect.Detector
	next  footage.Ticks
	in    chan looked
	done  chan struct{}
	found map[int][]track.Person
	err   error // read after done
}

type looked struct {
	frame int
	luma  []byte
}

// detector starts veil-detect for frames of width by height. Where there is none
// it is nil, and the copy gets a notice.
func (w *worker) detect(ctx context.Context, model *os.File, width, height, detail int) (*detect.Detector, error) {
	if !w.job.Detect.On {
		return nil, nil
	}
	if w.detector == "" || width < detect.MinSide || height < detect.MinSide {
		w.note(NoticeNoDetector)
		return nil, nil
	}
	d, err := detect.Start(ctx, detect.Options{Tool: detect.Tool{Path: w.detector}, Width: width, Height: height, Model: model,
		Detail: detail, Threads: max(1, runtime.GOMAXPROCS(0)/2)})
	if errors.Is(err, detect.NoDetector) {
		w.note(NoticeNoDetector)
		return nil, nil
	}
	return d, err
}

func (w *worker) look(ctx context.Context, model *os.File, width, height int) (*look, error) {
	d, err := w.detect(ctx, model, width, height, detail)
	if d == nil {
		return nil, err
	}
	l := &look{d: d, in: make(chan looked, lookAhead), done: make(chan struct{}), found: map[int][]track.Person{}}
	go func() {
		defer close(l.done)
		for f := range l.in {
			if l.err != nil {
				continue
			}
			boxes, err := d.Frame(f.luma)
			if err != nil {
				l.err = err
				continue
			}
			l.found[f.frame] = []track.Person{}
			for _, b := range boxes {
				if b.Kind == detect.Person {
					l.found[f.frame] = append(l.found[f.frame], track.Person{Rect: b.Rect, Score: b.Score})
				}
			}
		}
	}()
	return l, nil
}

// see hands a frame on, where it is time for one.
func (l *look) see(frame int, at footage.Ticks, luma []byte) {
	if l == nil || at < l.next {
		return
	}
	l.next = max(l.next+lookEach, at+lookEach/2)
	l.in <- looked{frame, slices.Clone(luma)}
}

// people waits for the last frame and returns whom it found, by frame.
func (l *look) people(w *worker) map[int][]track.Person {
	if l == nil {
		return nil
	}
	l.close()
	if l.err != nil {
		w.note(NoticeNoDetector)
	}
	return l.found
}

// close ends the detector, after the frames that wait. It may be called again.
func (l *look) close() {
	if l == nil || l.d == nil {
		return
	}
	close(l.in)
	<-l.done
	l.d.Close()
	l.d = nil
}

// around returns whom was found in the frames [from, to).
func around(found map[int][]track.Person, from, to int) []track.Person {
	for i := from; i < to; i++ {
		if p, ok := found[i]; ok {
			return p
		}
	}
	return nil
}

// small returns the even size of a picture of w by h of at most width pixels.
func small(i codec.Info, width int) (w, h int) {
	w, h = i.Width, i.Height
	if width >= 16 && w > width {
		w, h = width&^1, max(2, h*width/w&^1)
	}
	return w, h
}

// found returns boxes as an answer has them.
func found(boxes []detect.Box) []Person {
	out := make([]Person, 0, len(boxes))
	for _, b := range boxes {
		out = append(out, Person{Kind: b.Kind.String(), Rect: subject.Rect(b.Rect), Score: b.Score})
	}
	return out
}
