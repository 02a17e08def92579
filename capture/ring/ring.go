package ring

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

const (
	// MaxRetention is the longest that recordings may be kept without a concrete
	// case, tv-overvågningsloven § 4 c.
	MaxRetention = 30 * 24 * time.Hour
	// MinRetention leaves room for Ahead.
	MinRetention = time.Hour
	// MinQuota is the least that a ring works with, in bytes.
	MinQuota = 16 << 20
	// Ahead is how much before its time a part goes. Expire must run at least
	// this often, and then no part is kept longer than the retention.
	Ahead = 10 * time.Minute
	// Join is the longest gap, in ticks, that a time line does not show.
	Join = footage.TicksPerSecond

	maxSegment = 2 << 30
)

// Options say where and how much the ring keeps.
type Options struct {
	Dir       string
	Key       keys.Key
	Quota     int64         // bytes of segment files
	Retention time.Duration // 0 is MaxRetention
	Clock     clock.Clock
	// Confirm is what a second clock says, if it says anything; it is asked where
	// the first jumped, and answers at once. May be nil.
	Confirm func() (time.Time, bool)
	Log     *slog.Logger
}

// A Ring is an open ring.
type Ring struct {
	opt     Options
	files   files
	master  keys.Key
	wdb     *sql.DB // one connection, whose commits last at once
	fast    *sql.DB // one connection, whose commits last from the next of wdb on
	rdb     *sql.DB
	w       writes
	fastW   writes
	q       reads
	lock    *os.File
	segSize int64
	buffers chan []byte          // what parts are sealed in; no more than these at once
	mono    func() time.Duration // since Open, not bent by a clock step
	synced  atomic.Int64         // mono at the last lasting commit of an append
	hooks   hooks
	guard   guard

	writing   sync.Mutex // held during a transaction of wdb or fast
	newCamera sync.Mutex

	mu      sync.Mutex
	cameras map[footage.CameraID]*camera
	aeads   map[int64]cipher.AEAD
	formats map[int64]format
	broken  map[partKey]struct{} // parts found damaged since Open
	damage  error                // the last of them

	expire sync.Mutex // held while parts are chosen and deleted, and while holds change

	used, parts, segments        atomic.Int64
	torn, orphans, failedDeletes atomic.Int64
	missing, recovered           atomic.Int64
}

// hooks are for tests.
type hooks struct {
	committed func(last bool, err error)
	mono      func() time.Duration
	unsynced  bool // the index is not synced: a test stands for the disk
}

// sealers is how many parts are sealed at once; each needs a buffer.
const sealers = 2

type format struct {
	f   footage.Format
	raw []byte
}

// Open opens the ring in opt.Dir, which is made if it is missing, and repairs
// what a crash left.
func Open(ctx context.Context, opt Options) (*Ring, error) {
	return open(ctx, opt, disk{}, hooks{})
}

func open(ctx context.Context, opt Options, fl files, h hooks) (_ *Ring, err error) {
	if opt.Retention == 0 {
		opt.Retention = MaxRetention
	}
	switch {
	case opt.Dir == "" || opt.Key.IsZero() || opt.Clock == nil || opt.Log == nil:
		return nil, errors.New("ring: Options needs Dir, Key, Clock and Log")
	case opt.Retention > MaxRetention:
		return nil, fmt.Errorf("ring: a retention of %v is against the law: recordings are deleted after 30 days (tv-overvågningsloven § 4 c); set at most 720h, and hold what a case needs", opt.Retention)
	case opt.Retention < MinRetention:
		return nil, fmt.Errorf("ring: a retention of %v is too short: set at least %v", opt.Retention, MinRetention)
	case opt.Quota < MinQuota:
		return nil, fmt.Errorf("ring: a quota of %d bytes is too small: set at least %d", opt.Quota, MinQuota)
	}
	r := &Ring{
		opt: opt, files: fl, master: opt.Key.Derive("veilbox ring"),
		segSize: min(maxSegment, opt.Quota/16),
		cameras: map[footage.CameraID]*camera{},
		aeads:   map[int64]cipher.AEAD{}, formats: map[int64]format{},
		broken: map[partKey]struct{}{}, buffers: make(chan []byte, sealers), hooks: h, mono: h.mono,
	}
	for range sealers {
		r.buffers <- nil
	}
	if r.mono == nil {
		begun := opt.Clock.Now()
		r.mono = func() time.Duration { return opt.Clock.Now().Sub(begun) }
	}
	if err := os.MkdirAll(r.path(""), 0o700); err != nil {
		return nil, failure("make the folder", err)
	}
	if err := r.takeLock(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := r.openIndex(ctx); err != nil {
		return nil, err
	}
	if err := r.checkKey(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(r.w.prepare(ctx, r.wdb), r.fastW.prepare(ctx, r.fast)); err != nil {
		return nil, failure("prepare", err)
	}
	if err := r.q.prepare(ctx, r.rdb); err != nil {
		return nil, failure("prepare", err)
	}
	if err := r.loadClock(ctx); err != nil {
		return nil, err
	}
	if err := r.recover(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// takeLock keeps a second process away, which would append to the same files.
func (r *Ring) takeLock() error {
	f, err := os.OpenFile(filepath.Join(r.opt.Dir, "ring.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return failure("open the lock", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("ring: %s is in use by another process: stop it first (%w)", r.opt.Dir, err), f.Close())
	}
	r.lock = f
	return nil
}

// checkKey refuses a master key that is not the ring's, before anything is
// written that nobody could read together with the rest.
func (r *Ring) checkKey(ctx context.Context) error {
	var sealed []byte
	err := r.wdb.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'key'").Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = r.wdb.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ('key', ?)", r.master.Seal("ring key", []byte("ring")))
		if err != nil {
			return failure("write the index", err)
		}
		return nil
	}
	if err != nil {
		return failure("read the index", err)
	}
	if _, err := r.master.Open("ring key", sealed); err != nil {
		return fmt.Errorf("ring: the master key is not the one that %s was made with: restore that key from the backup, or move the folder away to begin a new ring: %w", r.opt.Dir, err)
	}
	return nil
}

// path returns the whole path of a file named below segments/.
func (r *Ring) path(name string) string { return filepath.Join(r.opt.Dir, "segments", name) }

// Close closes the ring. Nothing waits to be written.
func (r *Ring) Close() error {
	var errs []error
	r.mu.Lock()
	cams := r.cameras
	r.cameras = map[footage.CameraID]*camera{}
	r.mu.Unlock()
	for _, c := range cams {
		c.mu.Lock()
		errs = append(errs, r.closeSegment(context.Background(), c))
		c.ready, c.closed = false, true
		c.mu.Unlock()
	}
	for _, db := range []*sql.DB{r.rdb, r.fast, r.wdb} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if r.lock != nil {
		// Unlocked, not only closed: a child process that was just forked may have
		// it open too.
		errs = append(errs, syscall.Flock(int(r.lock.Fd()), syscall.LOCK_UN), r.lock.Close())
		r.lock = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ring: close: %w", err)
	}
	return nil
}

// Stats is what the ring holds, for metrics.
type Stats struct {
	Bytes, Quota    int64
	Parts, Segments int64
	Oldest, Newest  footage.Ticks // start of the first part, end of the last; 0 where there is none
	Damaged         int64         // parts and segments found damaged or missing since Open
	Damage          error         // the last part found damaged, as Read tells it; nil where there is none
	Recovered       int64         // parts that a power cut kept from the index, put into it at Open
	Torn            int64         // files cut back to their last whole part at Open
	Orphans         int64         // files without an index row, removed at Open
	FailedDeletes   int64         // at the last Expire
	Doubt           Doubt         // of the wall clock, at the last Expire
}

// Stats returns what the ring holds now.
func (r *Ring) Stats(ctx context.Context) (Stats, error) {
	r.mu.Lock()
	broken, damage := int64(len(r.broken)), r.damage
	r.mu.Unlock()
	s := Stats{
		Bytes: r.used.Load(), Quota: r.opt.Quota, Parts: r.parts.Load(), Segments: r.segments.Load(),
		Damaged: broken + r.missing.Load(), Damage: damage, Recovered: r.recovered.Load(), Torn: r.torn.Load(), Orphans: r.orphans.Load(), FailedDeletes: r.failedDeletes.Load(),
	}
	r.guard.mu.Lock()
	s.Doubt = r.guard.doubt
	r.guard.mu.Unlock()
	cams, err := r.Cameras(ctx)
	if err != nil {
		return Stats{}, err
	}
	for _, cam := range cams {
		id, _ := r.cameraID(cam)
		last := r.tailOf(cam)
		var first, run, end footage.Ticks
		if err := r.q.ends.QueryRowContext(ctx, id).Scan(&first, &run, &end); err != nil {
			return Stats{}, failure("read the index", err)
		}
		if run != 0 && run == last.run {
			end = max(end, last.end)
		}
		if first != 0 && (s.Oldest == 0 || first < s.Oldest) {
			s.Oldest = first
		}
		s.Newest = max(s.Newest, end)
	}
	return s, nil
}
