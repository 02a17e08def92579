package web

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How much one caller may ask for: so many at once, and one more every so
// often. Whoever is logged in is counted by person, everybody else by address.
// The log-in has slower limits of its own, in account, for what fails.
var (
	paceAll   = pace{"all", 600, time.Second / 200} // all but the files of the pages
	paceEnter = pace{"enter", 40, time.Second}      // what needs no log-in and costs a password hash or a signature
	paceKey   = pace{"key", 60, time.Second}        // as enter, for passkeys: who guesses at passwords is not in their way
	paceHeavy = pace{"heavy", 40, time.Second}      // what keeps the box at work for seconds
)

type pace struct {
	name  string
	burst int
	every time.Duration
}

// heavy are the routes that keep the box at work.
var heavy = map[string]bool{
	"POST /api/v1/cameras/probe":          true,
	"POST /api/v1/cameras/find":           true,
	"POST /api/v1/cameras/look":           true,
	"POST /api/v1/cameras/{cam}/device":   true,
	"POST /api/v1/cameras/{cam}/exports":  true,
	"PUT /api/v1/cases/{id}/subject":      true,
	"POST /api/v1/cases/{id}/documents":   true,
	"GET /api/v1/cases/{id}/file.pdf":     true,
	"GET /api/v1/cases/{id}/file.json":    true,
	"GET /api/v1/cases/{id}/holdings":     true,
	"GET /api/v1/audit/verify":            true,
	"GET /api/v1/audit/export":            true,
	"POST /api/v1/people/{id}/password":   true,
	"POST /api/v1/session/password":       true,
	"POST /api/v1/session/totp":           true,
	"PUT /api/v1/session/totp":            true,
	"POST /api/v1/enrolment":              true,
	"POST /api/v1/cases/{id}/assessment":  true,
	"POST /api/v1/session/passkeys":       true,
	"DELETE /api/v1/session/totp":         true,
	"GET /api/v1/cases/{id}/deletion.txt": true,
	"POST /api/v1/cases/{id}/handout":     true,
	"POST /api/v1/rights/find":            true,
}

// paces are those that hold for a route.
func paces(rt route) []pace {
	switch {
	case rt.path == "/assets/{file...}":
		return nil
	case strings.HasPrefix(rt.path, "/api/v1/session/passkey") && rt.access == anyone:
		return []pace{paceAll, paceKey}
	case rt.access == anyone && rt.method != get:
		return []pace{paceAll, paceEnter}
	case heavy[rt.method+" "+rt.path]:
		return []pace{paceAll, paceHeavy}
	}
	return []pace{paceAll}
}

// maxCallers bounds what is remembered.
const maxCallers = 10_000

// limits holds the buckets in memory; a restart forgets them.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimits() *limits { return &limits{buckets: map[string]*rate.Limiter{}} }

// take takes a token of each pace from who, or says how long to wait.
func (l *limits) take(who string, now time.Time, all []pace) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken []*rate.Reservation
	for _, p := range all {
		key := p.name + "\x00" + who
		b := l.buckets[key]
		if b == nil {
			if len(l.buckets) >= maxCallers {
				l.prune(now)
			}
			b = rate.NewLimiter(rate.Every(p.every), p.burst)
			l.buckets[key] = b
		}
		r := b.ReserveN(now, 1)
		taken = append(taken, r)
		if wait := r.DelayFrom(now); wait > 0 {
			for _, r := range taken {
				r.CancelAt(now)
			}
			return wait
		}
	}
	return 0
}

// prune forgets full buckets, which say nothing; where that leaves too many, the
// callers are very many and all are forgotten.
func (l *limits) prune(now time.Time) {
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxCallers {
		clear(l.buckets)
	}
}

// slow refuses a caller who asks too often and says when to come back.
func slow(w http.ResponseWriter, wait time.Duration) error {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return errTooMany
}
