package extranet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"veilbox/appliance/audit"
)

func ms(t time.Time) int64     { return t.UnixMilli() }
func fromMS(n int64) time.Time { return time.UnixMilli(n).UTC() }
func hashOf(s string) string   { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
func msPtr(t *time.Time) any {
	if t == nil {
		return nil
	}
	return ms(*t)
}

func timePtr(n sql.NullInt64) *time.Time {
	if !n.Valid {
		return nil
	}
	t := fromMS(n.Int64)
	return &t
}

func secret() string {
	return rand.Text() // 130 bits of A-Z, 2-7
}

// now is the clock, but never earlier than it has been: a clock that was set back
// must not lengthen a disclosure. While it lags, time goes on from the latest
// seen by what has passed since, which the system clock counts monotonically.
func (s *Server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.o.Clock.Now()
	passed := t.Sub(s.last)
	s.last = t
	wall := t.UTC().Round(0)
	switch behind := s.high.Sub(wall); {
	case behind <= 0:
		s.high = wall
	case behind > smallStep && passed > 0:
		s.high = s.high.Add(passed)
	}
	return s.high
}

// smallStep is how far the clock may be set back with no more said than that
// time stands still until it has caught up.
const smallStep = 5 * time.Second

// acceptClock makes the clock count as it is now, where it had been ahead by
// mistake. What ended meanwhile stays ended.
func (s *Server) acceptClock(ctx context.Context, name string, r *http.Request) (any, error) {
	why, err := reason(r)
	if err != nil {
		return nil, err
	}
	from := s.now()
	s.mu.Lock()
	s.high = s.o.Clock.Now().UTC().Round(0)
	to := s.high
	s.mu.Unlock()
	if _, err := s.db.ExecContext(ctx, "UPDATE meta SET value = ? WHERE key = 'high'", ms(to)); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, "clock.accept", operator(name), map[string]string{"from": from.Format(time.RFC3339), "to": to.Format(time.RFC3339)}, why)
}

// behind is how far the clock lags the latest time seen.
func (s *Server) behind() time.Duration {
	now := s.now()
	return now.Sub(s.o.Clock.Now())
}

func (s *Server) loadHigh(ctx context.Context) error {
	var n int64
	err := s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = 'high'").Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	s.high, s.last = fromMS(n), s.o.Clock.Now()
	return nil
}

func (s *Server) keepHigh(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES ('high', ?) ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)", ms(s.now()))
	if err != nil {
		return fmt.Errorf("extranet: keep the time: %w", err)
	}
	return nil
}

func (s *Server) seal(context string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return s.key.Seal("extranet/"+context, b), nil
}

func (s *Server) unseal(context string, b []byte, v any) error {
	p, err := s.key.Open("extranet/"+context, b)
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	if err := json.Unmarshal(p, v); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	return nil
}

const roleOperator = "operator"

// AuditName is the name of the extranet's own audit log.
const AuditName = "veilbox-extranet"

func (s *Server) openAudit(ctx context.Context) error {
	seed := s.key.Derive("audit signing").Bytes()
	l, err := audit.Open(ctx, audit.Options{Path: filepath.Join(s.o.Dir, "audit.db"), Key: s.key.Derive("audit"), Name: AuditName, Signing: ed25519.NewKeyFromSeed(seed), Clock: s.o.Clock})
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	s.audit = l
	return nil
}

// byClock and byBox are who acted where no person did.
func byClock() audit.Who    { return audit.Who{ID: "clock", Name: "clock", Role: "clock"} }
func byBox(b box) audit.Who { return audit.Who{ID: string(b.ID), Name: b.Name, Role: "box"} }

// operator is the operator of that log-in name; note adds the person's. Who acts on
// the machine itself has a name that is no account's.
func operator(name string) audit.Who {
	if strings.HasPrefix(name, localPrefix) {
		return audit.Who{ID: name, Name: strings.TrimPrefix(name, localPrefix) + " at the server", Role: "root"}
	}
	return audit.Who{ID: name, Name: name, Role: roleOperator}
}

func (s *Server) note(ctx context.Context, act string, who audit.Who, about map[string]string, why string) error {
	if who.Role == roleOperator {
		if a, err := s.account(ctx, s.db, who.ID); err == nil && a.Person != "" {
			who.Name = a.Person
		}
	}
	if len(why) > audit.MaxText {
		why = why[:audit.MaxText]
	}
	if _, err := s.audit.Append(ctx, audit.Entry{Act: act, Who: who, About: about, Why: why}); err != nil {
		return fmt.Errorf("extranet: audit log: %w", err)
	}
	return nil
}

// listen listens, and closes at once what comes from outside allow.
func listen(addr string, allow []netip.Prefix) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, ErrPort.With(fmt.Errorf("extranet: listen on %s: %w", addr, err))
	}
	if len(allow) == 0 {
		return l, nil
	}
	return &allowListener{l, allow}, nil
}

type allowListener struct {
	net.Listener
	allow []netip.Prefix
}

func (l *allowListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			ip := a.AddrPort().Addr().Unmap()
			for _, p := range l.allow {
				if p.Contains(ip) {
					return c, nil
				}
			}
		}
		// A stranger gets no answer, and has nobody to tell about an error.
		_ = c.Close()
	}
}
