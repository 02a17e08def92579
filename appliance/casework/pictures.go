package casework

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/store"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// A Picture is one moment of a recording.
type Picture struct {
	JPEG []byte
	At   time.Time // of the keyframe that it is
}

const (
	picturesKept    = 16 << 20 // bytes of JPEG in memory
	pictureDecoders = 2        // at work at once
	pictureBatch    = 16       // pictures of one decoder
	picturesWaiting = 256
	pictureTime     = 30 * time.Second
	// thumbsEvery is how long one person's look at one camera's thumbnails
	// counts as the same look.
	thumbsEvery = time.Minute
)

// pictureWidths are the widths that are made, so that few sizes are kept.
var pictureWidths = []int{160, 320, 640}

// A pictureKey names a picture by the second that it was asked for.
type pictureKey struct {
	cam   footage.CameraID
	at    footage.Ticks
	width int
}

// pictures keeps the last pictures that were decoded, in memory alone, and
// gathers those that are waited for so that one decoder makes several.
type pictures struct {
	mu      sync.Mutex
	kept    map[pictureKey]*list.Element
	recent  list.List // of *keptPicture, the latest used in front
	bytes   int
	waiting map[pictureKey]*wanted
	queue   []*wanted
	slots   chan struct{}
}

type keptPicture struct {
	key pictureKey
	pic Picture
}

type wanted struct {
	key     pictureKey
	asked   footage.Ticks // by who asked first
	waiters int           // by mu
	done    chan struct{}
	pic     Picture
	err     error
}

func (p *pictures) init() {
	p.kept, p.waiting = map[pictureKey]*list.Element{}, map[pictureKey]*wanted{}
	p.slots = make(chan struct{}, pictureDecoders)
}

func (p *pictures) get(k pictureKey) (Picture, bool) {
	e, ok := p.kept[k]
	if !ok {
		return Picture{}, false
	}
	p.recent.MoveToFront(e)
	return e.Value.(*keptPicture).pic, true
}

func (p *pictures) keep(k pictureKey, pic Picture) {
	if _, ok := p.kept[k]; ok || len(pic.JPEG) > picturesKept {
		return
	}
	p.kept[k] = p.recent.PushFront(&keptPicture{k, pic})
	for p.bytes += len(pic.JPEG); p.bytes > picturesKept; {
		last := p.recent.Remove(p.recent.Back()).(*keptPicture)
		delete(p.kept, last.key)
		p.bytes -= len(last.pic.JPEG)
	}
}

// want finds a picture or begins to wait for it.
func (p *pictures) want(k pictureKey, asked footage.Ticks) (Picture, *wanted, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pic, ok := p.get(k); ok {
		return pic, nil, nil
	}
	if w, ok := p.waiting[k]; ok {
		w.waiters++
		return Picture{}, w, nil
	}
	if len(p.waiting) >= picturesWaiting {
		return Picture{}, nil, errPicturesBusy
	}
	w := &wanted{key: k, asked: asked, waiters: 1, done: make(chan struct{})}
	p.waiting[k] = w
	p.queue = append(p.queue, w)
	return Picture{}, w, nil
}

func (p *pictures) leave(w *wanted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.waiters--
}

// batch takes the first of the queue and others of the same camera and width, by
// time. What nobody waits for any more is dropped.
func (p *pictures) batch() []*wanted {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out, rest []*wanted
	for _, w := range p.queue {
		switch {
		case w.waiters <= 0:
			delete(p.waiting, w.key)
			w.err = context.Canceled
			close(w.done)
		case len(out) == 0, len(out) < pictureBatch && w.key.cam == out[0].key.cam && w.key.width == out[0].key.width:
			out = append(out, w)
		default:
			rest = append(rest, w)
		}
	}
	p.queue = rest
	slices.SortFunc(out, func(x, y *wanted) int { return cmp.Compare(x.key.at, y.key.at) })
	return out
}

// settle tells those who wait for a batch: its pictures, or what failed.
func (p *pictures) settle(batch []*wanted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range batch {
		if w.err == nil {
			p.keep(w.key, w.pic)
		}
		delete(p.waiting, w.key)
		close(w.done)
	}
}

var (
	errPicturesBusy = problem.New(503, "picture.busy",
		problem.Text{DA: "Boksen er ved at lave mange billeder.", EN: "The box is making many pictures."},
		problem.Text{DA: "Vent et øjeblik, og prøv igen.", EN: "Wait a moment and try again."})
	// ErrNoPicture is the problem of a time at which nothing was recorded.
	ErrNoPicture = problem.New(404, "picture.none",
		problem.Text{DA: "Der er ikke optaget noget på det tidspunkt.", EN: "Nothing was recorded at that time."},
		problem.Text{DA: "Vælg et tidspunkt, hvor tidslinjen er grøn.", EN: "Choose a time where the time line is green."})
)

var errBadPicture = problem.New(422, "picture.bad",
	problem.Text{DA: "Billedet er beskadiget og kan ikke vises.", EN: "The picture is damaged and cannot be shown."},
	problem.Text{DA: "Vælg et tidspunkt lige før eller efter.", EN: "Choose a time just before or after."})

// CameraPicture returns the keyframe that was current at a time, as a JPEG of
// about width pixels. It is decoded in the sandbox and never on a disk.
func (s *Service) CameraPicture(ctx context.Context, a Actor, cam footage.CameraID, at time.Time, width int) (Picture, error) {
	if err := s.allow(a, account.ViewFootage); err != nil {
		return Picture{}, err
	}
	if _, err := s.o.Store.Camera(ctx, cam); errors.Is(err, store.ErrNotFound) {
		return Picture{}, errNoCamera.With(err)
	} else if err != nil {
		return Picture{}, err
	}
	key := pictureKey{cam: cam, width: pictureWidths[0]}
	for _, w := range pictureWidths {
		if w <= width {
			key.width = w
		}
	}
	key.at = footage.TicksOf(at.Truncate(time.Second))
	if err := s.recordThumbs(ctx, a, cam); err != nil {
		return Picture{}, err
	}
	pic, w, err := s.pictures.want(key, footage.TicksOf(at))
	if err != nil || w == nil {
		return pic, err
	}
	go s.makePictures(context.WithoutCancel(ctx))
	select {
	case <-ctx.Done():
		s.pictures.leave(w)
		return Picture{}, context.Cause(ctx)
	case <-w.done:
		return w.pic, w.err
	}
}

// recordThumbs puts on record that a person looks through a camera's pictures,
// once a minute however many there are.
func (s *Service) recordThumbs(ctx context.Context, a Actor, cam footage.CameraID) error {
	key := strings.Join([]string{"thumbnails", string(a.Session.Person.ID), a.From, string(cam)}, "\x00")
	return s.recordOnce(ctx, a, key, thumbsEvery, "footage.view", "", map[string]string{"camera": string(cam), "what": "thumbnails"})
}

func (s *Service) makePictures(ctx context.Context) {
	s.pictures.slots <- struct{}{}
	defer func() { <-s.pictures.slots }()
	for {
		batch := s.pictures.batch()
		if len(batch) == 0 {
			return
		}
		limit, cancel := context.WithTimeout(ctx, pictureTime)
		s.decode(limit, batch)
		cancel()
		s.pictures.settle(batch)
	}
}

// decode fills a batch: one reading of the ring, and one decoder for each format
// that the camera had.
func (s *Service) decode(ctx context.Context, batch []*wanted) {
	times := make([]footage.Ticks, len(batch))
	for i, w := range batch {
		times[i] = w.asked
	}
	keyframes, err := clip.Keyframes(ctx, s.o.Ring, batch[0].key.cam, times)
	if err != nil {
		for _, w := range batch {
			w.err = fmt.Errorf("casework: %w", err)
		}
		return
	}
	var group []*wanted
	var album []clip.KeyframeAt
	flush := func() {
		if len(group) > 0 {
			s.decodeAlbum(ctx, group, album)
		}
		group, album = nil, nil
	}
	for i, k := range keyframes {
		switch {
		case k.Data == nil:
			batch[i].err = ErrNoPicture
			continue
		case len(album) > 0 && !album[0].Format.Equal(k.Format):
			flush()
		}
		group, album = append(group, batch[i]), append(album, k)
	}
	flush()
}

func (s *Service) decodeAlbum(ctx context.Context, group []*wanted, album []clip.KeyframeAt) {
	jpegs, err := func() ([][]byte, error) {
		movie, err := clip.Album(album)
		if err != nil {
			return nil, err
		}
		jpegs, err := s.o.Redactor.Stills(ctx, bytes.NewReader(movie), group[0].key.width, len(group))
		if err == nil && len(jpegs) != len(group) {
			err = errBadPicture.With(fmt.Errorf("casework: %d pictures of %d", len(jpegs), len(group)))
		}
		return jpegs, err
	}()
	if err != nil && len(group) > 1 && ctx.Err() == nil { // one bad picture costs no other
		for i := range group {
			s.decodeAlbum(ctx, group[i:i+1], album[i:i+1])
		}
		return
	}
	for i, w := range group {
		if w.err = err; err == nil {
			w.pic = Picture{JPEG: jpegs[i], At: album[i].At.Time()}
		}
	}
}
