package extranet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

// The register of essential changes and of the end of operation (S10): an essential
// change needs a new permission before it is made, and the end of operation is
// reported to the agency at once. Days are dates in Denmark.

const (
	kindChange = "change"
	kindEnd    = "end"
)

type changeRow struct {
	ID     int64  `json:"id"`
	Kind   string `json:"kind"` // change or end
	Day    string `json:"day"`  // when it takes effect
	What   string `json:"what"`
	Needed bool   `json:"needed"` // it needs a new permission
	// Permitted and Reported are days, Permission and Report the agency's numbers.
	Permitted  string `json:"permitted,omitempty"`
	Permission string `json:"permission,omitempty"`
	Reported   string `json:"reported,omitempty"`
	Report     string `json:"report,omitempty"`

	Recorded time.Time `json:"recorded,omitzero"`
	Operator string    `json:"operator,omitempty"`
	// Unreported: the agency has not been told. Unlawful: it has taken effect
	// without the permission that it needs.
	Unreported bool `json:"unreported"`
	Unlawful   bool `json:"unlawful"`
}

// changes is the register, the newest first, and how many of it are open.
type changes struct {
	Open    int         `json:"open"` // unreported, or without permission in effect
	Changes []changeRow `json:"changes"`
}

func (s *Server) listChanges(ctx context.Context, _ string, _ *http.Request) (any, error) {
	return s.changes(ctx)
}

func (s *Server) changes(ctx context.Context) (changes, error) {
	out := changes{Changes: []changeRow{}}
	today := s.now().In(clock.Copenhagen).Format(time.DateOnly)
	err := s.each(ctx, "SELECT id, kind, day, what, needed, permitted, permission, reported, report, recorded, operator FROM essential ORDER BY day DESC, id DESC LIMIT 1000", func(scan scanner) error {
		var c changeRow
		var at int64
		if err := scan(&c.ID, &c.Kind, &c.Day, &c.What, &c.Needed, &c.Permitted, &c.Permission, &c.Reported, &c.Report, &at, &c.Operator); err != nil {
			return err
		}
		c.Recorded = fromMS(at)
		c.Unreported = c.Reported == ""
		// A permission that came after the change did not cover its first days.
		c.Unlawful = c.Needed && (c.Permitted == "" && c.Day <= today || c.Permitted > c.Day)
		if c.Unreported || c.Needed && c.Permitted == "" && c.Day <= today {
			out.Open++
		}
		out.Changes = append(out.Changes, c)
		return nil
	})
	return out, err
}

func (s *Server) addChange(ctx context.Context, name string, r *http.Request) (any, error) {
	var in struct {
		Kind   string `json:"kind"`
		Day    string `json:"day"`
		What   string `json:"what"`
		Needed bool   `json:"needed"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	day, err := time.Parse(time.DateOnly, in.Day)
	if err != nil || day.Year() < 2020 || day.After(s.now().AddDate(5, 0, 0)) || in.Kind != kindChange && in.Kind != kindEnd || in.Kind == kindEnd && in.Needed || text(in.What, wire.MaxText) != nil {
		return nil, errors.Join(errInput, err)
	}
	_, err = s.db.ExecContext(ctx, "INSERT INTO essential (kind, day, what, needed, recorded, operator) VALUES (?,?,?,?,?,?)", in.Kind, in.Day, in.What, in.Needed, ms(s.now()), name)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, "change.add", operator(name), map[string]string{"kind": in.Kind, "day": in.Day}, in.What)
}

func (s *Server) permitChange(ctx context.Context, name string, r *http.Request) (any, error) {
	return s.settle(ctx, name, r, "change.permitted", "UPDATE essential SET permitted = ?, permission = ? WHERE id = ? AND needed = 1 AND permitted = ''")
}

func (s *Server) reportChange(ctx context.Context, name string, r *http.Request) (any, error) {
	return s.settle(ctx, name, r, "change.reported", "UPDATE essential SET reported = ?, report = ? WHERE id = ? AND reported = ''")
}

// settle records a day and a number of the agency's, once.
func (s *Server) settle(ctx context.Context, name string, r *http.Request, act, update string) (any, error) {
	var in struct {
		Day    string `json:"day"`
		Number string `json:"number"`
	}
	if err := input(r, &in); err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, errNotFound
	}
	if day, err := time.Parse(time.DateOnly, in.Day); err != nil || day.Year() < 2020 || day.After(s.now()) || text(in.Number, wire.MaxName) != nil {
		return nil, errors.Join(errInput, err)
	}
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM essential WHERE id = ?", id).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return errNotFound
		}
		res, err := tx.ExecContext(ctx, update, in.Day, in.Number, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errExists, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, act, operator(name), map[string]string{"change": strconv.FormatInt(id, 10), "day": in.Day}, in.Number)
}

// openChanges is how many of the register are open, for the metrics.
func (s *Server) openChanges() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := s.changes(ctx)
	if err != nil {
		s.o.Log.Warn("read the essential changes for the metrics", "err", err)
		return -1
	}
	return float64(c.Open)
}
