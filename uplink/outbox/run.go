package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/durable"
	"veilbox/internal/problem"
	"veilbox/uplink/link"
	"veilbox/uplink/wire"
)

// errCancelled says that a withdrawal took the item out of the queue.
var errCancelled = errors.New("outbox: cancelled by a withdrawal")

type row struct {
	id    int64
	kind  Kind
	disc  incident.DisclosureID
	body  []byte
	tries int
}

// The two workers: uploads are long, and a withdrawal must not wait for one.
var workers = [2]string{"kind = 'disclose'", "kind <> 'disclose'"}

// Run sends what is queued until ctx ends.
func (b *Outbox) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			if err := b.work(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (b *Outbox) work(ctx context.Context, worker int) error {
	for {
		r, wait, err := b.next(ctx, worker)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if r == nil {
			select {
			case <-ctx.Done():
				return nil
			case <-b.wake[worker]:
			case <-b.o.Clock.After(wait):
			}
			continue
		}
		err = b.send(ctx, *r)
		if ctx.Err() != nil {
			return nil
		}
		if err := b.settle(ctx, *r, err); err != nil {
			return err
		}
	}
}

// next returns the first item that is due, or how long to wait. An item that is
// to wait for longer than the longest backoff was put there by a clock that has
// since been set back, so it is due.
func (b *Outbox) next(ctx context.Context, worker int) (*row, time.Duration, error) {
	now := b.o.Clock.Now()
	var r row
	// Reports and reassessments follow their own disclosure.
	err := b.db.QueryRowContext(ctx, `SELECT id, kind, disclosure, body, tries FROM item AS i
		WHERE state = 'queued' AND `+workers[worker]+` AND (next <= ? OR next > ?)
		AND (kind IN ('disclose', 'withdraw') OR NOT EXISTS (SELECT 1 FROM item AS d WHERE d.disclosure = i.disclosure AND d.kind = 'disclose' AND d.state = 'queued'))
		ORDER BY kind = 'withdraw' DESC, id LIMIT 1`, ms(now), ms(now.Add(backoffMost+time.Minute))).
		Scan(&r.id, &r.kind, &r.disc, &r.body, &r.tries)
	if err == nil {
		return &r, 0, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("outbox: %w", err)
	}
	var next sql.NullInt64
	if err := b.db.QueryRowContext(ctx, "SELECT min(next) FROM item WHERE state = 'queued' AND next > ? AND "+workers[worker], ms(now)).Scan(&next); err != nil {
		return nil, 0, fmt.Errorf("outbox: %w", err)
	}
	wait := backoffMost
	if next.Valid {
		wait = min(wait, time.Duration(next.Int64-ms(now))*time.Millisecond)
	}
	return nil, max(wait, time.Millisecond), nil
}

func (b *Outbox) open(r row, v any) error {
	j, err := b.o.Key.Open(label(r.kind, r.disc), r.body)
	if err != nil {
		return fmt.Errorf("outbox: item %d: %w", r.id, err)
	}
	if err := json.Unmarshal(j, v); err != nil {
		return fmt.Errorf("outbox: item %d: %w", r.id, err)
	}
	return nil
}

func (b *Outbox) send(ctx context.Context, r row) error {
	c, err := b.o.Link()
	if err != nil {
		// Not enrolled is a state to wait in, not an answer to this item.
		p := *problem.Of(err)
		p.Status = http.StatusServiceUnavailable
		return &p
	}
	switch r.kind {
	case Disclose:
		return b.disclose(ctx, c, r)
	case Withdraw:
		var q wire.WithdrawRequest
		if err := b.open(r, &q); err != nil {
			return err
		}
		err := c.Withdraw(ctx, r.disc, q)
		if p := problem.Of(err); err != nil && p.Status == http.StatusNotFound {
			return nil // it never arrived: there is nothing to withdraw
		}
		return err
	case Report:
		var q wire.ReportRequest
		if err := b.open(r, &q); err != nil {
			return err
		}
		return c.Report(ctx, r.disc, q)
	case Reassess:
		var q wire.ReassessRequest
		if err := b.open(r, &q); err != nil {
			return err
		}
		return c.Reassess(ctx, r.disc, q)
	case Deleted:
		var q wire.DeletedRequest
		if err := b.open(r, &q); err != nil {
			return err
		}
		return c.Deleted(ctx, r.disc, q)
	}
	return fmt.Errorf("outbox: item %d is of unknown kind %q", r.id, r.kind)
}

func (b *Outbox) disclose(ctx context.Context, c *link.Client, r row) error {
	var d disclosure
	if err := b.open(r, &d); err != nil {
		return err
	}
	m, err := d.Manifest.Parse()
	if err != nil {
		return err
	}
	req := wire.SubmitRequest{Version: wire.Version, Manifest: d.Manifest, Envelope: d.Envelope}
	if req.Report, err = b.queuedReport(ctx, r.disc); err != nil {
		return err
	}
	resp, err := c.Submit(ctx, req)
	if err != nil {
		return err
	}
	if resp.State == wire.StateUploading {
		if err := b.upload(ctx, c, r, resp.Upload, m.Content.Size); err != nil {
			return err
		}
	}
	if resp.State == wire.StateUploading {
		if err := b.narrowFirst(ctx, c, r.disc); err != nil {
			return err
		}
	}
	done, err := c.Complete(ctx, r.disc)
	if err != nil {
		return err
	}
	if b.o.OnReceipt != nil {
		if err := b.o.OnReceipt(ctx, Receipt{r.disc, done.Available, done.Ends}); err != nil {
			return fmt.Errorf("outbox: keep the receipt: %w", err)
		}
	}
	return nil
}

// queuedReport returns a report that was documented while the disclosure waited,
// so that it arrives with it: the extranet would refuse a disclosure whose day
// has ended without one.
func (b *Outbox) queuedReport(ctx context.Context, id incident.DisclosureID) (*wire.ReportRequest, error) {
	r := row{kind: Report, disc: id}
	err := b.db.QueryRowContext(ctx, "SELECT id, body FROM item WHERE kind = 'report' AND disclosure = ? AND state = 'queued' ORDER BY id DESC LIMIT 1", id).Scan(&r.id, &r.body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	q := new(wire.ReportRequest)
	return q, b.open(r, q)
}

// narrowFirst sends what takes members out of the circle before the disclosure can
// be seen. The items stay queued and are sent once more, which changes nothing.
func (b *Outbox) narrowFirst(ctx context.Context, c *link.Client, id incident.DisclosureID) error {
	rows, err := b.db.QueryContext(ctx, "SELECT id, body FROM item WHERE kind = 'reassess' AND disclosure = ? AND state = 'queued' ORDER BY id", id)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	defer rows.Close()
	var all []wire.ReassessRequest
	for rows.Next() {
		r := row{kind: Reassess, disc: id}
		var q wire.ReassessRequest
		if err := rows.Scan(&r.id, &r.body); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		if err := b.open(r, &q); err != nil {
			return err
		}
		all = append(all, q)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	for _, q := range all {
		if len(q.Drop) == 0 {
			continue
		}
		if err := c.Reassess(ctx, id, q); err != nil {
			return err
		}
	}
	return nil
}

func (b *Outbox) upload(ctx context.Context, c *link.Client, r row, upload string, size int64) error {
	f, err := os.Open(b.path(r.disc))
	if err != nil {
		return fmt.Errorf("outbox: the ciphertext is gone; withdraw the case and disclose it anew: %w", err)
	}
	defer f.Close()
	off, err := c.UploadOffset(ctx, upload)
	if err != nil {
		return err
	}
	buf := make([]byte, wire.ChunkSize)
	for off < size {
		var state State
		if err := b.db.QueryRowContext(ctx, "UPDATE item SET sent = ? WHERE id = ? RETURNING state", off, r.id).Scan(&state); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		if state == Cancelled {
			return errCancelled
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-off)], off)
		if err != nil && err != io.EOF {
			return fmt.Errorf("outbox: read the ciphertext: %w", err)
		}
		next, err := c.UploadChunk(ctx, upload, off, buf[:n])
		if err != nil {
			return err
		}
		if next <= off || next > off+int64(n) {
			return link.ErrAnswer.With(fmt.Errorf("outbox: offset %d after %d+%d", next, off, n))
		}
		off = next
	}
	_, err = b.db.ExecContext(ctx, "UPDATE item SET sent = ? WHERE id = ?", off, r.id)
	return err
}

// settle writes down how sending went.
func (b *Outbox) settle(ctx context.Context, r row, err error) error {
	now := b.o.Clock.Now()
	if err == nil {
		return b.finish(ctx, r, Done, "")
	}
	if errors.Is(err, errCancelled) {
		return b.removeFile(r)
	}
	p := problem.Of(err)
	note, jerr := json.Marshal(waiting{p.Code, p.Status, p.Cause, p.Remedy})
	if jerr != nil {
		return fmt.Errorf("outbox: %w", jerr)
	}
	if again(r.kind, p) {
		wait := backoffFirst << min(r.tries, 10)
		wait = min(wait, backoffMost)
		b.o.Log.Warn("not sent, will try again", "kind", r.kind, "disclosure", r.disc, "try", r.tries+1, "in", wait, "err", err)
		_, err := b.db.ExecContext(ctx, "UPDATE item SET tries = tries + 1, next = ?, waiting = ? WHERE id = ? AND state = 'queued'", ms(now.Add(wait)), string(note), r.id)
		if err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		return nil
	}
	b.o.Log.Error("refused", "kind", r.kind, "disclosure", r.disc, "code", p.Code, "err", err)
	if b.o.OnRefused != nil {
		if err := b.o.OnRefused(ctx, Refusal{r.kind, r.disc, p}); err != nil {
			return b.settle(ctx, r, problem.Internal.With(fmt.Errorf("outbox: keep the refusal: %w", err)))
		}
	}
	return b.finish(ctx, r, Refused, string(note))
}

// again reports whether trying again can help: the other end or the way there is
// at fault, the box is not let in, or the offset of the upload moved. A
// withdrawal is never given up while what it ends may be there.
func again(k Kind, p *problem.Problem) bool {
	switch p.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusLocked:
		return true
	}
	for _, way := range []string{"extranet.", "box.", "enrol."} {
		if strings.HasPrefix(p.Code, way) {
			return true
		}
	}
	return k == Withdraw || p.Status >= 500 || p.Code == "http" // an answer that is no problem is tus's, or a proxy's
}

func (b *Outbox) finish(ctx context.Context, r row, s State, note string) error {
	_, err := b.db.ExecContext(ctx, "UPDATE item SET state = ?, body = NULL, waiting = ?, ended = ? WHERE id = ? AND state = 'queued'", s, note, ms(b.o.Clock.Now()), r.id)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if r.kind == Withdraw || r.kind == Disclose {
		if err := b.removeFile(r); err != nil {
			return err
		}
	}
	if r.kind == Disclose {
		b.Wake() // what waited for it may go
	}
	return nil
}

func (b *Outbox) removeFile(r row) error {
	if err := durable.Remove(b.path(r.disc)); err != nil {
		return fmt.Errorf("outbox: remove the ciphertext: %w", err)
	}
	return nil
}
