package ring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"veilbox/capture/footage"
)

// scrubMark in the table meta says that keys were deleted from the index and may
// still lie in its write-ahead log.
const scrubMark = "scrub"

// destroyKey deletes a day key that no segment needs any more. Its bytes are
// overwritten in the database (secure_delete), and in the log by scrub.
func (r *Ring) destroyKey(ctx context.Context, tx *sql.Tx, id int64) (int64, error) {
	res, err := tx.ExecContext(ctx, "DELETE FROM day_key WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM segment WHERE day_key = ?1)", id)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES (?, x'01') ON CONFLICT DO NOTHING", scrubMark)
	return n, err
}

var errLogBusy = errors.New("a reader is in the way; it is tried again")

// scrub empties the write-ahead log where deleted keys may lie in it.
func (r *Ring) scrub(ctx context.Context) error {
	var one int
	err := r.wdb.QueryRowContext(ctx, "SELECT 1 FROM meta WHERE name = ?", scrubMark).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return failure("read the index", err)
	}
	if err := r.emptyLog(ctx); err != nil {
		return failure("empty the log of the index", err)
	}
	err = r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM meta WHERE name = ?", scrubMark)
		return err
	})
	return failureOf("write the index", err)
}

func (r *Ring) emptyLog(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	// Recording waits meanwhile: for a reader that takes longer it is tried again.
	if _, err := r.wdb.ExecContext(ctx, "PRAGMA busy_timeout = 500"); err != nil {
		return err
	}
	var busy, pages, moved int
	err := r.wdb.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	_, back := r.wdb.ExecContext(ctx, "PRAGMA busy_timeout = 10000")
	if err == nil && busy != 0 {
		err = fmt.Errorf("%d of %d pages moved: %w", moved, pages, errLogBusy)
	}
	return errors.Join(err, back)
}

// forgetKeys deletes the keys of days before that for which no segment was made
// in the end.
func (r *Ring) forgetKeys(ctx context.Context, before footage.Ticks) (n int64, err error) {
	const unused = "FROM day_key WHERE day < ? AND NOT EXISTS (SELECT 1 FROM segment WHERE segment.day_key = day_key.id)"
	var one int
	day := int64(before / (24 * hour))
	err = r.rdb.QueryRowContext(ctx, "SELECT 1 "+unused+" LIMIT 1", day).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err == nil {
		err = r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, "SELECT id "+unused, day)
			if err != nil {
				return err
			}
			var ids []int64
			for rows.Next() {
				var id int64
				if err := rows.Scan(&id); err != nil {
					return errors.Join(err, rows.Close())
				}
				ids = append(ids, id)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
			for _, id := range ids {
				k, err := r.destroyKey(ctx, tx, id)
				if err != nil {
					return err
				}
				n += k
			}
			return nil
		})
	}
	return n, failureOf("write the index", err)
}

func (r *Ring) forgetHolds(ctx context.Context, before footage.Ticks) error {
	var one int
	err := r.rdb.QueryRowContext(ctx, "SELECT 1 FROM hold WHERE released > 0 AND released < ? LIMIT 1", before).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM hold WHERE released > 0 AND released < ?", before)
			return err
		})
	}
	return failureOf("write the index", err)
}
