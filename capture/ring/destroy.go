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
	defer r.wdb.ExecContext(ctx, "PRAGMA busy_timeout = 10000") // what fails here fails the next transaction
	var busy, pages, moved int
	if err := r.wdb.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return fmt.Errorf("%d of %d pages moved: %w", moved, pages, errLogBusy)
	}
	return nil
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
