package story

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3" // reads the extranet's store

	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/internal/keys"
	"veilbox/uplink/fleet"
	"veilbox/uplink/inbox"
	"veilbox/uplink/link"
	"veilbox/uplink/wire"
)

// alert returns the alert of the story's case as box B lists it.
func (w *World) alert(ctx context.Context, b *client.Client) (casework.Alert, error) {
	c, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return casework.Alert{}, err
	}
	v, err := c.Case(ctx, w.runs.id)
	if err != nil {
		return casework.Alert{}, err
	}
	accepted, err := b.AcceptedConditions(ctx)
	if err == nil && !accepted.Accepted {
		err = b.AcceptConditions(ctx, casework.ConditionsVersion)
	}
	if err != nil {
		return casework.Alert{}, err
	}
	all, err := b.Alerts(ctx)
	if err != nil {
		return casework.Alert{}, err
	}
	for _, a := range all {
		if v.Disclosure != nil && a.ID == v.Disclosure.ID {
			return a, nil
		}
	}
	return casework.Alert{}, fmt.Errorf("story: box B does not list the disclosure among its %d alerts", len(all))
}

// Outsider enrols a box of a member outside the circle, and checks that it is
// shown nothing.
func (w *World) Outsider(ctx context.Context) error {
	code, err := w.Operator.Code(ctx, MemberC)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "veilbox-outsider-*")
	if err != nil {
		return fmt.Errorf("story: %w", err)
	}
	defer os.RemoveAll(dir)
	clk := shownClock{w}
	signing := ed25519.NewKeyFromSeed(keys.New().Bytes())
	log, err := audit.VerifierKey("veilbox-box-outsider", signing.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	id, err := fleet.Enrol(ctx, code, fleet.Options{
		Store: fleet.IdentityStore{Path: filepath.Join(dir, "identity"), Key: keys.New()}, Name: "outsider", Audit: log, Clock: clk,
	})
	if err != nil {
		return err
	}
	l := link.New(id.Credentials(), clk)
	defer l.Close()
	in := inbox.New(inbox.Options{Identity: id, Link: l, Clock: clk, Log: slog.New(slog.DiscardHandler)})
	items, err := in.List(ctx)
	if err != nil {
		return err
	}
	if len(items) > 0 {
		return fmt.Errorf("story: a member outside the circle sees %d disclosures", len(items))
	}
	c, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return err
	}
	v, err := c.Case(ctx, w.runs.id)
	if err != nil {
		return err
	}
	_, err = l.View(ctx, v.Disclosure.ID, wire.ViewRequest{Version: wire.Version, Person: "x", Name: "Xenia X", Function: "x", Purpose: "x"})
	if err == nil {
		return errors.New("story: a member outside the circle opened the disclosure")
	}
	_, err = fleet.Enrol(ctx, code, fleet.Options{
		Store: fleet.IdentityStore{Path: filepath.Join(dir, "again"), Key: keys.New()}, Name: "again", Audit: log, Clock: clk,
	})
	return refused("an enrolment code used twice", err, "enrol.used")
}

// shownClock is the clock that the machines of a world have.
type shownClock struct{ w *World }

func (c shownClock) Now() time.Time                         { return c.w.now() }
func (c shownClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Watch is a person at box B who sees the alert and plays the copy. The viewing
// is on record at both ends, by name, before the first byte is read.
func (w *World) Watch(ctx context.Context) error {
	c, err := w.B.As(ctx, w.B.Staff)
	if err != nil {
		return err
	}
	_, err = c.Alerts(ctx)
	if err := refused("a look at the alerts before the conditions are accepted", err, "conditions.accept"); err != nil {
		return err
	}
	a, err := w.alert(ctx, c)
	if err != nil {
		return err
	}
	if a.Sender != "Butik A" || !strings.Contains(a.What, "høretelefoner") {
		return fmt.Errorf("story: the alert reads %+v", a)
	}
	const purpose = "Vagten skal kunne genkende ham"
	viewing, err := c.View(ctx, a.ID, purpose)
	if err != nil {
		return err
	}
	if err := w.onRecord(ctx, a.ID, purpose); err != nil {
		return err
	}
	m, err := c.ViewingMedia(ctx, viewing.ID)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(m)
	if err := errors.Join(err, m.Close()); err != nil {
		return err
	}
	if !bytes.Equal(b, w.runs.copy) {
		return fmt.Errorf("story: box B plays %d bytes that are not the copy of %d bytes", len(b), len(w.runs.copy))
	}
	auditor, err := w.B.As(ctx, w.B.Auditor)
	if err != nil {
		return err
	}
	_, err = auditor.View(ctx, a.ID, purpose)
	return refused("a viewing by an auditor", err, "account.permission", "person.permission")
}

func (w *World) onRecord(ctx context.Context, id incident.DisclosureID, purpose string) error {
	log, err := w.Operator.AccessLog(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(log, func(a Access) bool {
		return a.Disclosure == id && a.Member == MemberB && a.Name == w.B.Staff.Name && a.Purpose == purpose
	}) {
		return fmt.Errorf("story: the extranet's access log does not name %s: %+v", w.B.Staff.Name, log)
	}
	auditor, err := w.B.As(ctx, w.B.Auditor)
	if err != nil {
		return err
	}
	entries, err := auditor.Audit(ctx, audit.Filter{Act: "disclosure.view"})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e audit.Entry) bool {
		return e.Who.Name == w.B.Staff.Name && e.About["disclosure"] == string(id)
	}) {
		return fmt.Errorf("story: box B's audit log does not have the viewing: %+v", entries)
	}
	return nil
}

// Gone checks that box B can no longer open the disclosure and sees why, and
// that the extranet holds neither ciphertext nor wrapped keys.
func (w *World) Gone(ctx context.Context, why string) error {
	c, err := w.B.As(ctx, w.B.Staff)
	if err != nil {
		return err
	}
	var a casework.Alert
	err = until(ctx, "the disclosure has ended", time.Minute, func() (bool, error) {
		a, err = w.alert(ctx, c)
		return a.Ended != nil, err
	})
	if err != nil {
		return err
	}
	if !strings.Contains(a.Why.DA, why) {
		return fmt.Errorf("story: box B sees %q as the reason, want %q", a.Why.DA, why)
	}
	if _, err := c.View(ctx, a.ID, "En gang til"); err == nil {
		return errors.New("story: an ended disclosure was opened")
	}
	if err := w.extranetEmpty(ctx); err != nil {
		return err
	}
	own, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return err
	}
	return until(ctx, "box A knows", time.Minute, func() (bool, error) {
		v, err := own.Case(ctx, w.runs.id)
		return v.State == incident.Withdrawn || v.State == incident.Expired, err
	})
}

func (w *World) extranetEmpty(ctx context.Context) error {
	for _, dir := range []string{"blobs", "uploads"} {
		files, err := os.ReadDir(filepath.Join(w.ExtranetDir, dir))
		if err != nil {
			return fmt.Errorf("story: %w", err)
		}
		if len(files) > 0 {
			return fmt.Errorf("story: the extranet still has %d files in %s", len(files), dir)
		}
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(w.ExtranetDir, "extranet.db")+"?mode=ro")
	if err != nil {
		return fmt.Errorf("story: %w", err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM wrapped").Scan(&n); err != nil {
		return fmt.Errorf("story: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("story: the extranet still has %d wrapped keys", n)
	}
	return nil
}

// Withdraw ends the disclosure at box A, with a viewing open at box B.
func (w *World) Withdraw(ctx context.Context) error {
	viewer, err := w.B.As(ctx, w.B.Staff)
	if err != nil {
		return err
	}
	a, err := w.alert(ctx, viewer)
	if err != nil {
		return err
	}
	viewing, err := viewer.View(ctx, a.ID, "Ser igen")
	if err != nil {
		return err
	}
	c, err := w.A.As(ctx, w.A.Manager)
	if err != nil {
		return err
	}
	const why = "Politiet har fundet manden."
	if _, err := c.Withdraw(ctx, w.runs.id, why); err != nil {
		return err
	}
	if err := w.Gone(ctx, why); err != nil {
		return err
	}
	m, err := viewer.ViewingMedia(ctx, viewing.ID)
	if err == nil {
		_, err = io.ReadAll(m)
		if cerr := m.Close(); err == nil && cerr == nil {
			return errors.New("story: a viewing that was open still plays after the withdrawal")
		}
	}
	return nil
}

// nothingInTheClear looks for pieces of video in the files below dir.
func nothingInTheClear(dir string, video []byte) error {
	at := bytes.Index(video, []byte("mdat"))
	if at < 0 {
		return errors.New("story: the recording is no MP4 file")
	}
	const piece, pieces = 24, 40
	body := video[at+4:]
	var want [][]byte
	for i := range pieces {
		off := len(body) / (pieces + 1) * (i + 1)
		want = append(want, body[off:off+piece])
	}
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return ignoreGone(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return ignoreGone(err)
		}
		for _, p := range want {
			if bytes.Contains(b, p) {
				return fmt.Errorf("story: %s holds video in the clear", e.Name())
			}
		}
		return nil
	})
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
