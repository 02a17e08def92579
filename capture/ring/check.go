package ring

import (
	"context"
	"errors"

	"veilbox/capture/footage"
)

// Damage is one part that did not read.
type Damage struct {
	Camera footage.CameraID
	Span   footage.Span
	Err    error
}

// Report is what Check found.
type Report struct {
	Parts   int64 // read
	Bytes   int64 // of data, read
	Damaged []Damage
	// More is how many damaged parts there are beyond those in Damaged.
	More int64
}

// maxDamage bounds Report.Damaged.
const maxDamage = 1000

// Check reads every part. It fails only where the index does; a damaged part is
// in the report.
func (r *Ring) Check(ctx context.Context) (Report, error) {
	var rep Report
	cams, err := r.Cameras(ctx)
	if err != nil {
		return rep, err
	}
	for _, cam := range cams {
		if err := r.checkCamera(ctx, cam, &rep); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

func (r *Ring) checkCamera(ctx context.Context, cam footage.CameraID, rep *Report) error {
	id, _ := r.cameraID(cam)
	from := footage.Ticks(0)
	for {
		// A window at a time, so that no reader holds the index for long.
		var batch []PartInfo
		rows, err := r.rdb.QueryContext(ctx, "SELECT "+partColumns+" WHERE p.camera = ? AND p.start > ? ORDER BY p.start LIMIT 256", id, from)
		if err != nil {
			return failure("read the index", err)
		}
		for rows.Next() {
			p, err := scan(cam, id, rows)
			if err != nil {
				return errors.Join(err, rows.Close())
			}
			batch = append(batch, p)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return failure("read the index", err)
		}
		if len(batch) == 0 {
			return nil
		}
		for _, p := range batch {
			from = p.Start
			err := r.complete(ctx, &p)
			if err == nil {
				_, err = r.Read(ctx, p)
			}
			switch {
			case err == nil:
				rep.Parts++
				rep.Bytes += p.Size
			case errors.Is(err, ErrGone):
			case errors.Is(err, ErrDamaged):
				rep.Parts++
				if len(rep.Damaged) < maxDamage {
					rep.Damaged = append(rep.Damaged, Damage{cam, p.Span(), err})
				} else {
					rep.More++
				}
			default:
				return err
			}
		}
	}
}
