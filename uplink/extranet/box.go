package extranet

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
	"veilbox/uplink/wire"
)

// box is the caller.
type box struct {
	ID     wire.BoxID
	Member incident.MemberID
	Name   string
}

type boxCall func(ctx context.Context, b box, r *http.Request) (any, error)

// boxRoutes are the calls of a box, each by its certificate.
func (s *Server) boxRoutes() map[string]boxCall {
	return map[string]boxCall{
		"POST /v1/renew":                     s.renew,
		"GET /v1/members":                    s.directory,
		"POST /v1/assessors":                 s.registerAssessor,
		"POST /v1/disclosures":               s.submit,
		"GET /v1/disclosures":                s.inbox,
		"POST /v1/disclosures/{id}/complete": s.complete,
		"POST /v1/disclosures/{id}/viewings": s.view,
		"POST /v1/disclosures/{id}/withdraw": s.withdraw,
		"POST /v1/disclosures/{id}/report":   s.report,
		"POST /v1/disclosures/{id}/reassess": s.reassess,
		"POST /v1/disclosures/{id}/deleted":  s.deleted,
		"GET /v1/disclosures/{id}/accesses":  s.accesses,
		"POST /v1/heads":                     s.heads,
		"POST /v1/heartbeat":                 s.heartbeat,
	}
}

// boxStreams are those of a box's calls that are no JSON, and the one that it has
// no certificate for.
func (s *Server) boxStreams() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /v1/enrol": func(w http.ResponseWriter, r *http.Request) {
			a, err := s.enrol(r.Context(), r)
			s.answer(w, r, a, err)
		},
		"GET /v1/disclosures/{id}/content": s.content,
		"HEAD /v1/uploads/{id}":            s.upload,
		"PATCH /v1/uploads/{id}":           s.upload,
	}
}

func (s *Server) boxHandler() http.Handler {
	m := http.NewServeMux()
	for pattern, h := range s.boxRoutes() {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			b, err := s.caller(r)
			if err != nil {
				s.answer(w, r, nil, err)
				return
			}
			a, err := h(r.Context(), b, r)
			s.answer(w, r, a, err)
		})
	}
	for pattern, h := range s.boxStreams() {
		m.HandleFunc(pattern, h)
	}
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { problem.Write(w, errNotFound) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.met.requests.WithLabelValues("box").Inc()
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		m.ServeHTTP(w, r)
	})
}

// caller returns the box whose certificate the call carries.
func (s *Server) caller(r *http.Request) (box, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return box{}, errNoCert
	}
	leaf := r.TLS.VerifiedChains[0][0]
	var b box
	var revoked sql.NullInt64
	var active bool
	err := s.db.QueryRowContext(r.Context(), `SELECT b.id, b.member, b.name, b.revoked, m.active FROM certificate c
		JOIN box b ON b.id = c.box JOIN member m ON m.id = b.member WHERE c.serial = ?`, leaf.SerialNumber.String()).Scan(&b.ID, &b.Member, &b.Name, &revoked, &active)
	if errors.Is(err, sql.ErrNoRows) {
		return box{}, errNoCert
	}
	if err != nil {
		return box{}, fmt.Errorf("extranet: %w", err)
	}
	// A connection outlives a revocation and the end of a certificate, so each
	// call asks again.
	if revoked.Valid || !active || string(b.ID) != leaf.Subject.CommonName {
		return box{}, errRevoked
	}
	if now := s.o.Clock.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return box{}, errNoCert
	}
	if !s.calls.allow(string(b.ID), time.Now()) { // against a flood, so real time
		return box{}, errBusy
	}
	return b, nil
}

// A limits lets each caller make a few calls at once, and then only so many.
type limits struct {
	every rate.Limit
	burst int

	mu sync.Mutex
	by map[string]*rate.Limiter
}

func (l *limits) allow(who string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil || len(l.by) > 10_000 {
		l.by = map[string]*rate.Limiter{}
	}
	if l.by[who] == nil {
		l.by[who] = rate.NewLimiter(l.every, l.burst)
	}
	return l.by[who].AllowN(now, 1)
}

// A box may make this many calls a second, and as many more at once. A call reads
// or writes 1 MiB of video at most.
const (
	callsPerSecond = 50
	callsAtOnce    = 500
)

func (s *Server) answer(w http.ResponseWriter, r *http.Request, a any, err error) {
	if err != nil {
		p := problem.Of(err)
		if p.Status >= 500 {
			s.o.Log.Error("call failed", "method", r.Method, "path", r.URL.Path, "err", err)
		} else {
			s.o.Log.Info("call refused", "method", r.Method, "path", r.URL.Path, "code", p.Code, "err", p.Err)
		}
		s.met.refused.WithLabelValues(p.Code).Inc()
		problem.Write(w, p)
		return
	}
	b, err := json.Marshal(a)
	if err != nil {
		problem.Write(w, problem.Internal)
		s.o.Log.Error("encode an answer", "err", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// Who has gone cannot be told.
	_, _ = w.Write(b)
}

type checker interface{ Check() error }

// decode reads the body and checks it.
func decode(r *http.Request, limit int64, v any) error {
	if err := wire.Decode(r.Body, limit, v); err != nil {
		return errMessage.With(err)
	}
	if c, ok := v.(checker); ok {
		if err := c.Check(); err != nil {
			return errMessage.With(err)
		}
	}
	return nil
}

func disclosureID(r *http.Request) (incident.DisclosureID, error) {
	id := r.PathValue("id")
	if !wire.ValidID(id) {
		return "", errNotFound
	}
	return incident.DisclosureID(id), nil
}
