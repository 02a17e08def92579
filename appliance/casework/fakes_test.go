package casework

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/redact"
)

// A recorder is a Recorder without cameras.
type recorder struct {
	mu    sync.Mutex
	added []footage.CameraID
	from  []camera.Source // of added, and all before
	well  []capture.Health
	fail  error
	key   *footage.Part
}

func (r *recorder) Add(id footage.CameraID, src camera.Source) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.added = append(r.added, id)
	r.from = append(r.from, src)
	return nil
}

func (r *recorder) Remove(id footage.CameraID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.added = slices.DeleteFunc(r.added, func(x footage.CameraID) bool { return x == id })
	return nil
}

func (r *recorder) Health() []capture.Health { return r.well }

// last is how the camera was reached that was added last, and how often one was.
func (r *recorder) last() (camera.Source, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.from) == 0 {
		return camera.Source{}, 0
	}
	return r.from[len(r.from)-1], len(r.from)
}

func (r *recorder) LastKeyframe(footage.CameraID) (footage.Format, footage.AccessUnit, bool) {
	if r.key == nil {
		return footage.Format{}, footage.AccessUnit{}, false
	}
	var au footage.AccessUnit
	for data := r.key.Data[:r.key.Samples[0].Size]; len(data) > 0; {
		n := 4 + binary.BigEndian.Uint32(data)
		au.NALUs = append(au.NALUs, data[4:n])
		data = data[n:]
	}
	return r.key.Format, au, true
}

// A redactor veils with the real worker once a clip and subject; the same again
// is the same copy, read and checked anew.
type redactor struct {
	// before runs ahead of each copy; its error is the copy's.
	before func(ctx context.Context, progress func(redact.Progress)) error
	// fail looks at a job; its error is the copy's. instead is the error of all.
	fail    func(redact.Job) error
	instead error
	mu      sync.Mutex
	made    int
	job     redact.Job // the last
	// albums is how many pictures each call of stills was for.
	albums []int
	// hold, where it is set, keeps stills and playable at work until it is closed.
	hold         chan struct{}
	bad          error // of stills and playable
	atOnce, most int
}

// begin counts who is at work at once.
func (r *redactor) begin(ctx context.Context) (end func(), err error) {
	r.mu.Lock()
	r.atOnce++
	r.most = max(r.most, r.atOnce)
	hold, bad := r.hold, r.bad
	r.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			bad = ctx.Err()
		}
	}
	return func() { r.mu.Lock(); r.atOnce--; r.mu.Unlock() }, bad
}

// Stills answers pictures that name their place in the album.
func (r *redactor) Stills(ctx context.Context, movie io.Reader, width, n int) ([][]byte, error) {
	end, err := r.begin(ctx)
	defer end()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(movie)
	if err != nil || !bytes.Contains(b, []byte("moov")) {
		return nil, fmt.Errorf("no movie of %d bytes: %v", len(b), err)
	}
	r.mu.Lock()
	r.albums = append(r.albums, n)
	r.mu.Unlock()
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "picture %d of %d, %d wide", i, n, width)
	}
	return out, nil
}

// Playable copies the movie, so that it can be told whose it is.
func (r *redactor) Playable(ctx context.Context, movie io.Reader, to redact.Storage, progress func(redact.Progress)) error {
	progress(redact.Progress{Stage: "write", Done: 40, Total: 100})
	end, err := r.begin(ctx)
	defer end()
	if err != nil {
		return err
	}
	w, err := to.Create()
	if err != nil {
		return err
	}
	_, err = io.Copy(w, movie)
	return errors.Join(err, w.Close())
}

var copies struct {
	sync.Mutex
	m map[string]copyMade
}

type copyMade struct {
	record redact.Record
	video  []byte
}

func (r *redactor) Produce(ctx context.Context, job redact.Job, clip io.Reader, to redact.Storage, progress func(redact.Progress)) (redact.Copy, error) {
	r.mu.Lock()
	r.made++
	r.job = job
	bad := r.instead
	if bad == nil && r.fail != nil {
		bad = r.fail(job)
	}
	r.mu.Unlock()
	if bad != nil {
		return redact.Copy{}, errors.Join(bad, to.Remove())
	}
	if r.before != nil {
		if err := r.before(ctx, progress); err != nil {
			return redact.Copy{}, errors.Join(err, to.Remove())
		}
	}
	key, err := json.Marshal(job)
	if err != nil {
		return redact.Copy{}, err
	}
	copies.Lock()
	defer copies.Unlock()
	m, ok := copies.m[string(key)]
	if !ok {
		w := redact.Worker{Path: program}
		c, err := w.Produce(ctx, job, clip, to, progress)
		if err != nil {
			return c, err
		}
		f, err := c.Open()
		if err != nil {
			return c, err
		}
		m.video, err = io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return c, err
		}
		m.record = c.Record()
		if copies.m == nil {
			copies.m = map[string]copyMade{}
		}
		copies.m[string(key)] = m
		return c, nil
	}
	w, err := to.Create()
	if err != nil {
		return redact.Copy{}, err
	}
	_, err = w.Write(m.video)
	if err = errors.Join(err, w.Close()); err != nil {
		return redact.Copy{}, err
	}
	return redact.Reopen(m.record, to)
}

func (r *redactor) Still(ctx context.Context, clip io.Reader, at float64, width int) ([]byte, error) {
	r.mu.Lock()
	r.made++
	r.mu.Unlock()
	return (&redact.Worker{Path: program}).Still(ctx, clip, at, width)
}

func (r *redactor) Check(context.Context) (redact.Status, error) { return redact.Status{}, nil }

func (r *redactor) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.made
}
