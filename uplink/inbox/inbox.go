// Package inbox is a box's view of what other members disclosed to it, and of
// what its own member sent.
//
// Nothing is kept: each list and each viewing asks the extranet, so that an
// ending works at once. What a signature does not hold for is listed with a
// fault and cannot be opened. An alert and a video that are not those that the
// assessor signed for are not shown, whatever key they were sealed with.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/seal"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/uplink/fleet"
	"veilbox/uplink/link"
	"veilbox/uplink/parcel"
	"veilbox/uplink/wire"
)

// Problems of a disclosure as it arrives.
var (
	ErrGone = problem.New(http.StatusNotFound, "inbox.gone",
		problem.Text{DA: "Delingen findes ikke, eller den er ikke til jer.", EN: "There is no such disclosure, or it is not for you."},
		problem.Text{DA: "Genindlæs listen.", EN: "Reload the list."})
	ErrFault = problem.New(http.StatusUnprocessableEntity, "inbox.fault",
		problem.Text{DA: "Delingens underskrifter holder ikke.", EN: "The signatures of the disclosure do not hold."},
		problem.Text{DA: "Åbn den ikke; giv operatøren besked.", EN: "Do not open it; tell the operator."})
)

// directoryAge is how long the member directory is used before it is asked for
// again.
const directoryAge = time.Minute

// Options of an Inbox.
type Options struct {
	Identity fleet.Identity
	Link     *link.Client
	Clock    clock.Clock
	Log      *slog.Logger
}

// An Inbox is safe for concurrent use.
type Inbox struct {
	o Options

	mu  sync.Mutex
	dir wire.Directory
	at  time.Time
}

// New returns an Inbox.
func New(o Options) *Inbox { return &Inbox{o: o} }

// Directory returns who is connected, a minute old at most.
func (b *Inbox) Directory(ctx context.Context) (wire.Directory, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := b.o.Clock.Now().Sub(b.at); !b.at.IsZero() && age >= 0 && age < directoryAge {
		return b.dir, nil
	}
	d, err := b.o.Link.Members(ctx)
	if err != nil {
		return wire.Directory{}, err
	}
	b.dir, b.at = d, b.o.Clock.Now()
	return d, nil
}

// Refresh asks for the member directory anew.
func (b *Inbox) Refresh(ctx context.Context) (wire.Directory, error) {
	d, err := b.o.Link.Members(ctx)
	if err != nil {
		return wire.Directory{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dir, b.at = d, b.o.Clock.Now()
	return d, nil
}

// Recipients returns the boxes of the members of a circle, other than the
// sender's own. A member without a box is an error of parcel.Seal. While the
// extranet is away the last directory serves: what is sealed waits in the outbox
// and is held against the register again when it arrives.
func (b *Inbox) Recipients(ctx context.Context, circle []incident.MemberID) ([]wire.Recipient, error) {
	d, err := b.Refresh(ctx)
	if err != nil {
		b.mu.Lock()
		old, at := b.dir, b.at
		b.mu.Unlock()
		if at.IsZero() {
			return nil, err
		}
		d = old
	}
	in := map[incident.MemberID]bool{}
	for _, id := range circle {
		in[id] = true
	}
	var out []wire.Recipient
	for _, m := range d.Members {
		if !in[m.ID] || !m.Active || m.ID == b.o.Identity.Member {
			continue
		}
		for _, x := range m.Boxes {
			if !x.Revoked {
				out = append(out, wire.Recipient{Member: m.ID, Box: x.Box, Key: x.HPKE})
			}
		}
	}
	return out, nil
}

// An Item is one disclosure as the page lists it.
type Item struct {
	Disclosure incident.DisclosureID `json:"disclosure"`
	Own        bool                  `json:"own"`
	State      wire.State            `json:"state"`
	SenderName string                `json:"sender_name"`
	Manifest   wire.Manifest         `json:"manifest"`
	Alert      *wire.Alert           `json:"alert,omitempty"` // nil: own, or ended
	Available  *time.Time            `json:"available,omitempty"`
	Ends       time.Time             `json:"ends"`
	ReportDue  time.Time             `json:"report_due"`
	Reported   *time.Time            `json:"reported,omitempty"`
	Viewings   int                   `json:"viewings"`
	Ended      *wire.Ending          `json:"ended,omitempty"`
	Dropped    []incident.Dropped    `json:"dropped,omitempty"` // own: whose access has ended, and who has deleted
	Deleted    *time.Time            `json:"deleted,omitempty"` // another's: when my member recorded that it has deleted
	Fault      bool                  `json:"fault"`             // signatures or alert do not hold: not to be opened
}

// List returns what the member may see and what it sent.
func (b *Inbox) List(ctx context.Context) ([]Item, error) {
	in, err := b.o.Link.Inbox(ctx)
	if err != nil {
		return nil, err
	}
	d, err := b.Directory(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Item, 0, len(in.Items))
	fresh := false
	for _, it := range in.Items {
		x := b.item(d, it)
		if x.Fault && !fresh {
			// The sender's keys may be newer than the directory at hand.
			b.forget()
			if d, err = b.Directory(ctx); err != nil {
				return nil, err
			}
			fresh = true
			x = b.item(d, it)
		}
		out = append(out, x)
	}
	return out, nil
}

func (b *Inbox) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = time.Time{}
}

func (b *Inbox) item(d wire.Directory, it wire.InboxItem) Item {
	out := Item{Disclosure: it.Disclosure, Own: it.Own, State: it.State, SenderName: it.SenderName, Available: it.Available,
		Ends: it.Ends, ReportDue: it.ReportDue, Reported: it.Reported, Viewings: it.Viewings, Ended: it.Ended, Dropped: it.Dropped, Deleted: it.Deleted}
	fault := func(err error) Item {
		b.o.Log.Error("disclosure does not hold", "disclosure", it.Disclosure, "err", err)
		out.Fault = true
		return out
	}
	if it.State == wire.StateEnded {
		m, err := it.Manifest.Parse()
		if err != nil {
			return fault(err)
		}
		out.Manifest = m
		return out
	}
	m, err := verify(d, it.Manifest, b.o.Clock.Now())
	if err != nil {
		return fault(err)
	}
	out.Manifest = m
	if m.Disclosure != it.Disclosure {
		return fault(errors.New("inbox: the manifest is another disclosure's"))
	}
	if len(it.AlertKey) == 0 {
		return out
	}
	a, err := parcel.OpenAlert(m, it.Alert, it.AlertKey, b.o.Identity.HPKE, b.o.Identity.Box)
	if err != nil {
		return fault(err)
	}
	out.Alert = &a
	return out
}

// verify finds the sender's and the assessor's key in the directory.
func verify(d wire.Directory, sm wire.SignedManifest, now time.Time) (wire.Manifest, error) {
	m, err := sm.Parse()
	if err != nil {
		return m, err
	}
	var k wire.Keys
	for _, mem := range d.Members {
		if mem.ID != m.Sender {
			continue
		}
		for _, x := range mem.Boxes {
			if x.Box == m.Box {
				k.Box = x.Signing
			}
		}
		for _, a := range mem.Assessors {
			switch {
			case a.ID != m.Assessor.Key || a.Person != m.Assessor.ID || a.State == wire.AssessorPending:
			case a.Key != nil:
				k.Assessor = *a.Key // Verify asks whether it has that name
			default:
				k.Ed25519 = a.Ed25519
			}
		}
	}
	return wire.Verify(sm, k, now)
}

// A Viewing is one logged look at one video.
type Viewing struct {
	Number   int64 // in the extranet's access log
	Manifest wire.Manifest
	Alert    *wire.Alert
	Expires  time.Time

	open func() (*seal.ReaderAt, error)
}

// Open returns a reader of the video. It asks the extranet before it answers,
// and reads through to it, so that an ending stops it at once; what one reader
// has fetched serves no other.
func (v *Viewing) Open() (*seal.ReaderAt, error) { return v.open() }

// whole reads the video to its end and refuses another one than the assessor has
// signed for: the sender's box could seal what it likes.
func whole(m wire.Manifest, open func() (*seal.ReaderAt, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	if err := parcel.VerifyCopy(m, io.NewSectionReader(r, 0, r.Size())); errors.Is(err, wire.ErrManifest) {
		return ErrFault.With(err)
	} else if err != nil {
		return err
	}
	return nil
}

// View asks for a viewing by a named person. When it returns, the viewing is in
// the extranet's access log, and the video is the one that was approved. ctx
// bounds the reads too.
func (b *Inbox) View(ctx context.Context, id incident.DisclosureID, r wire.ViewRequest) (*Viewing, error) {
	items, err := b.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.Disclosure != id {
			continue
		}
		if it.Fault {
			return nil, ErrFault
		}
		resp, err := b.o.Link.View(ctx, id, r)
		if err != nil {
			return nil, err
		}
		open := func() (*seal.ReaderAt, error) {
			content := b.o.Link.Content(ctx, id, resp.Token, it.Manifest.Content.Size)
			r, err := parcel.OpenContent(it.Manifest, resp.Key, b.o.Identity.HPKE, b.o.Identity.Box, content)
			if err != nil {
				return nil, fmt.Errorf("inbox: %w", err)
			}
			return r, nil
		}
		if err := whole(it.Manifest, open); err != nil {
			b.o.Log.Error("the video is not shown", "disclosure", id, "err", err)
			return nil, err
		}
		return &Viewing{Number: resp.Viewing, Manifest: it.Manifest, Alert: it.Alert, Expires: resp.Expires, open: open}, nil
	}
	return nil, ErrGone
}
