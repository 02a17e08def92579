package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sys/unix"

	"veilbox/appliance/casework"
	"veilbox/appliance/store"
	"veilbox/capture/live"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/detect"
)

// lastRun is when something last ran, and how it went.
type lastRun struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

func (l *lastRun) set(at time.Time, err error) {
	l.mu.Lock()
	l.at, l.err = at, err
	l.mu.Unlock()
}

func (l *lastRun) get() (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at, l.err
}

// sandboxState is what the last try of the sandbox found.
type sandboxState struct {
	lastRun
	status redact.Status
}

// sandboxEvery is how often the sandbox is tried: an update of ffmpeg or of the
// kernel may change what holds.
const sandboxEvery = time.Hour

func (d *Daemon) runSandboxCheck(ctx context.Context) error {
	for {
		status, err := d.worker.Check(ctx)
		if ctx.Err() != nil {
			return nil
		}
		d.sandbox.set(d.clock.Now(), err)
		d.sandbox.mu.Lock()
		d.sandbox.status = status
		d.sandbox.mu.Unlock()
		if err != nil {
			d.log.Error("no copy can be veiled on this box until this is mended", "error", err)
		} else {
			d.log.Info("the sandbox holds", "ffmpeg", status.FFmpeg, "landlock", status.Sandbox.Landlock, "seccomp", status.Sandbox.Seccomp, "netns", status.Sandbox.NetNS)
		}
		if clock.Sleep(ctx, d.clock, sandboxEvery) != nil {
			return nil
		}
	}
}

var (
	errDisk = problem.New(507, "disk.full",
		problem.Text{DA: "Disken er ved at være fuld.", EN: "The disk is nearly full."},
		problem.Text{DA: "Boksen sletter de ældste optagelser af sig selv; frigør plads, hvis det varer ved, eller sænk ring.quota.", EN: "The box deletes the oldest recordings by itself; free space if it lasts, or lower ring.quota."})
	errExpiry = problem.New(500, "ring.expiry",
		problem.Text{DA: "Gamle optagelser kunne ikke slettes.", EN: "Old recordings could not be deleted."},
		problem.Text{DA: "Boksen prøver igen hvert minut. Varer det ved, så kontakt driften: loven kræver sletning efter 30 dage.", EN: "The box tries again each minute. If it lasts, call the operator: the law asks deletion after 30 days."})
	errDamaged = problem.New(500, "ring.damaged",
		problem.Text{DA: "Noget af optagelsen er beskadiget.", EN: "A part of the recording is damaged."},
		problem.Text{DA: "Kør veilctl check for at se hvad; resten kan bruges.", EN: "Run veilctl check to see what; the rest is usable."})
)

func view(p *problem.Problem) *casework.ProblemView {
	return &casework.ProblemView{Code: p.Code, Cause: p.Cause, Remedy: p.Remedy}
}

func good(name, da, en string) casework.Check {
	return casework.Check{Name: name, OK: true, Text: problem.Text{DA: da, EN: en}}
}

func bad(name string, p *problem.Problem) casework.Check {
	return casework.Check{Name: name, Text: p.Cause, Problem: view(p)}
}

// diskLow is how little may be free before it is said, in bytes.
const diskLow = 512 << 20

// checks are the daemon's lines of the health page.
func (d *Daemon) checks(ctx context.Context) []casework.Check {
	var all []casework.Check
	if err := checkClock(d.clock.Now()); err != nil {
		all = append(all, bad("clock", problem.Of(err)))
	} else {
		all = append(all, good("clock", "Uret er stillet.", "The clock is set."))
	}
	all = append(all, d.diskCheck(), d.ringCheck(ctx), d.storeCheck(), d.sandboxCheck(), d.detectorCheck())
	if _, err := d.expiry.get(); err != nil {
		all = append(all, bad("expiry", errExpiry))
	} else {
		all = append(all, good("expiry", "Gamle optagelser slettes til tiden.", "Old recordings are deleted on time."))
	}
	return append(all, d.extranetCheck(ctx))
}

func (d *Daemon) diskCheck() casework.Check {
	var st unix.Statfs_t
	if err := unix.Statfs(d.cfg.DataDir, &st); err != nil {
		return bad("disk", errDataDir)
	}
	if int64(st.Bavail)*st.Bsize < diskLow {
		return bad("disk", errDisk)
	}
	free := problem.Numbers(float64(int64(st.Bavail)*st.Bsize) / 1e9)
	return good("disk", "Der er "+free.DA+" GB fri plads.", "There is "+free.EN+" GB of free space.")
}

func (d *Daemon) ringCheck(ctx context.Context) casework.Check {
	st, err := d.ring.Stats(ctx)
	switch {
	case err != nil:
		return bad("ring", problem.Of(err))
	case st.Damage != nil:
		return bad("ring", problem.Of(st.Damage)) // which names camera and time
	case st.Damaged > 0:
		return bad("ring", errDamaged)
	}
	held := problem.Numbers(float64(st.Bytes) / 1e9)
	return good("ring", "Optagelsen fylder "+held.DA+" GB.", "The recording takes "+held.EN+" GB.")
}

func (d *Daemon) storeCheck() casework.Check {
	if rows := d.store.Damaged(); len(rows) > 0 {
		return bad("store", store.ErrDamaged)
	}
	return good("store", "Boksens database kan læses.", "The box's database can be read.")
}

func (d *Daemon) sandboxCheck() casework.Check {
	at, err := d.sandbox.get()
	switch {
	case err != nil:
		return bad("sandbox", problem.Of(err))
	case at.IsZero():
		return good("sandbox", "Sløringens sandkasse bliver prøvet.", "The sandbox of the veiling is being tried.")
	}
	d.sandbox.mu.Lock()
	defer d.sandbox.mu.Unlock()
	if d.sandbox.status.Degraded {
		return good("sandbox", "Sløringen kører i en svækket sandkasse, som indstillingerne tillader.", "The veiling runs in a degraded sandbox, as the settings allow.")
	}
	return good("sandbox", "Sløringens sandkasse holder (ffmpeg "+d.sandbox.status.FFmpeg+").", "The sandbox of the veiling holds (ffmpeg "+d.sandbox.status.FFmpeg+").")
}

// detectorCheck tells of a missing detector, which is no fault: nothing that is
// veiled rests on it.
func (d *Daemon) detectorCheck() casework.Check {
	d.sandbox.mu.Lock()
	defer d.sandbox.mu.Unlock()
	switch {
	case !d.cfg.Redact.Detect:
		return good("detector", "Personer findes ikke automatisk: det er slået fra i indstillingerne.", "Persons are not looked for: the settings say so.")
	case d.sandbox.status.NoDetector:
		return good("detector", detect.NoDetector.Cause.DA+" "+detect.NoDetector.Remedy.DA, detect.NoDetector.Cause.EN+" "+detect.NoDetector.Remedy.EN)
	}
	return good("detector", "Personer i billedet findes automatisk, hvor det kan lade sig gøre.", "Persons in the picture are found where they can be.")
}

func (d *Daemon) extranetCheck(ctx context.Context) casework.Check {
	e, err := d.uplink.Enrolment(ctx)
	switch {
	case err != nil:
		return bad("extranet", problem.Of(err))
	case !e.Enrolled:
		return good("extranet", "Boksen er ikke tilmeldt et ekstranet endnu.", "The box is not enrolled with an extranet yet.")
	}
	if _, err := d.uplink.beat.get(); err != nil {
		return bad("extranet", problem.Of(err))
	}
	return good("extranet", "Forbindelsen til ekstranettet virker.", "The connection to the extranet works.")
}

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// registerGauges adds what the ring and the outbox hold.
func (d *Daemon) registerGauges() {
	stats := func(f func(ring.Stats) float64) func() float64 {
		return func() float64 {
			st, err := d.ring.Stats(context.Background())
			if err != nil {
				return -1
			}
			return f(st)
		}
	}
	gauge := func(name, help string, f func() float64) {
		d.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "veilbox", Name: name, Help: help}, f))
	}
	gauge("ring_bytes", "Bytes of segment files.", stats(func(s ring.Stats) float64 { return float64(s.Bytes) }))
	gauge("ring_quota_bytes", "Bytes that the ring may take.", stats(func(s ring.Stats) float64 { return float64(s.Quota) }))
	gauge("ring_parts", "Parts in the index.", stats(func(s ring.Stats) float64 { return float64(s.Parts) }))
	gauge("ring_damaged", "Parts and segments found damaged or missing since start.", stats(func(s ring.Stats) float64 { return float64(s.Damaged) }))
	gauge("ring_failed_deletes", "Deletions that failed at the last expiry.", stats(func(s ring.Stats) float64 { return float64(s.FailedDeletes) }))
	gauge("ring_recovered", "Parts that a power cut kept from the index and that the start put into it.", stats(func(s ring.Stats) float64 { return float64(s.Recovered) }))
	gauge("ring_clock_doubt_seconds", "How far the clock has jumped ahead of what is believed; 0 where it is believed.", stats(func(s ring.Stats) float64 { return s.Doubt.Jump.Seconds() }))
	gauge("live_viewers", "Open live views.", func() float64 { return float64(d.live.Viewers()) })
	counter := func(name, help string, f func(live.Stats) uint64) {
		d.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "veilbox", Name: name, Help: help},
			func() float64 { return float64(f(d.live.Stats())) }))
	}
	counter("live_views_total", "Live views begun.", func(s live.Stats) uint64 { return s.Views })
	counter("live_transcodes_total", "Transcodes begun for live views.", func(s live.Stats) uint64 { return s.Transcodes })
	counter("live_repairs_total", "Pictures that a browser said it had lost.", func(s live.Stats) uint64 { return s.Repairs })
	counter("live_lost_gops_total", "GOPs left out for viewers that are too slow.", func(s live.Stats) uint64 { return s.LostGOPs })
	gauge("sandbox_holds", "1 where the sandbox of the veiling holds.", func() float64 {
		if at, err := d.sandbox.get(); err != nil || at.IsZero() {
			return 0
		}
		return 1
	})
	gauge("extranet_reached", "1 where the last word to the extranet arrived.", func() float64 {
		if at, err := d.uplink.beat.get(); err != nil || at.IsZero() {
			return 0
		}
		return 1
	})
	d.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "veilbox", Name: "build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": d.version},
	}, func() float64 { return 1 }))
}
