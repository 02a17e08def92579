package ring

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// A refusal is an error that offering the part again cannot mend.
type refusal string

func (e refusal) Error() string { return string(e) }

// Permanent tells the recorder to leave the part out.
func (refusal) Permanent() bool { return true }

// Errors of the ring. What a person can see of them is a *problem.Problem that
// wraps one of these.
var (
	// ErrFull: no room on the disk or within the quota.
	ErrFull = errors.New("no room for the part")
	// ErrStorage: the disk or the index failed.
	ErrStorage = errors.New("the storage failed")
	// ErrOrder: the part starts before the camera's last part ends.
	ErrOrder error = refusal("the part starts before the last one ends")
	// ErrChain: the part continues one that the ring does not have.
	ErrChain error = refusal("the part continues one that is not there; the next must begin with a keyframe")
	// ErrPart: the part is malformed or beyond the bounds.
	ErrPart error = refusal("the part cannot be kept")
	// ErrDamaged: a part is not what was written.
	ErrDamaged = errors.New("the part is damaged")
	// ErrGone: the part has been deleted since its index row was read.
	ErrGone = errors.New("the part has been deleted")
	// ErrNone: there is no footage.
	ErrNone = errors.New("there is no footage")
	// ErrHold: a hold is malformed, twice the same, or not there.
	ErrHold = errors.New("the hold cannot be done")
)

var (
	full = problem.New(http.StatusInsufficientStorage, "ring.full",
		problem.Text{DA: "Der er ikke plads til flere optagelser.", EN: "There is no room for more footage."},
		problem.Text{DA: "Frigør plads på disken, sæt kvoten op, eller ophæv tilbageholdelser, der ikke længere er brug for.", EN: "Free space on the disk, raise the quota, or release holds that are no longer needed."})
	storage = problem.New(http.StatusServiceUnavailable, "ring.storage",
		problem.Text{DA: "Optagelsen kunne ikke gemmes eller læses; disken svarer med en fejl.", EN: "Footage could not be stored or read; the disk answers with an error."},
		problem.Text{DA: "Kontrollér disken og dens tilslutning. Bliver fejlen ved, skal disken skiftes.", EN: "Check the disk and its connection. If the error stays, replace the disk."})
	gone = problem.New(http.StatusGone, "ring.gone",
		problem.Text{DA: "Optagelsen er slettet.", EN: "The footage has been deleted."},
		problem.Text{DA: "Vælg et senere tidsrum. Optagelser slettes efter 30 dage, hvis de ikke holdes tilbage til en sag.", EN: "Choose a later time. Footage is deleted after 30 days unless it is held for a case."})
)

// failure sorts an error of the disk or the index.
func failure(what string, err error) error {
	var s sqlite3.Error
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.As(err, &s) && s.Code == sqlite3.ErrFull {
		return full.With(fmt.Errorf("ring: %s: %w: %w", what, ErrFull, err))
	}
	return storage.With(fmt.Errorf("ring: %s: %w: %w", what, ErrStorage, err))
}

func failureOf(what string, err error) error {
	if err == nil {
		return nil
	}
	return failure(what, err)
}

func damaged(cam footage.CameraID, at footage.Ticks, err error) error {
	t := at.Time().In(clock.Copenhagen).Format("2006-01-02 15:04:05")
	return problem.New(http.StatusUnprocessableEntity, "ring.damaged",
		problem.Text{DA: fmt.Sprintf("Optagelsen fra kamera %s kl. %s er beskadiget.", cam, t), EN: fmt.Sprintf("The footage of camera %s at %s is damaged.", cam, t)},
		problem.Text{DA: "Vælg et tidsrum uden om. Kontrollér disken med veilctl check; flere skader tyder på, at den skal skiftes.", EN: "Choose a time around it. Check the disk with veilctl check; more damage means that it should be replaced."},
	).With(fmt.Errorf("ring: camera %s, %s: %w: %w", cam, at.Time().Format("2006-01-02T15:04:05.000Z"), ErrDamaged, err))
}

func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
