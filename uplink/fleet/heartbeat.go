package fleet

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/appliance/audit"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/uplink/link"
	"veilbox/uplink/wire"
)

// An AuditLog is the box's own; *audit.Log is one.
type AuditLog interface {
	Head(ctx context.Context) (audit.Head, error)
	ConsistencyProof(ctx context.Context, oldSize, newSize int64) (tlog.TreeProof, error)
}

// Heart beats for a box.
type Heart struct {
	Link    *link.Client
	Audit   AuditLog
	Program string                   // version of the program
	Health  func() map[string]string // a few words a part, no names
	// People, Accepted and Conditions are as in wire.HeartbeatRequest.
	People, Accepted int
	Conditions       string
	Clock            clock.Clock
	// OnRenew is called where the certificate ends soon, to Renew it and go on
	// with a new link.
	OnRenew func(context.Context) error
	// OnTime, where it is set, is told the extranet's clock at each answer.
	OnTime func(time.Time)
}

// Beat sends one heartbeat and, where the audit log has grown or its head is asked
// for, the head with the proof that it extends the last one that the extranet saw.
func (h *Heart) Beat(ctx context.Context) error {
	resp, err := h.Link.Heartbeat(ctx, wire.HeartbeatRequest{Version: wire.Version, Program: h.Program, At: h.Clock.Now().UTC(), Health: h.Health(), People: h.People, Accepted: h.Accepted, Conditions: h.Conditions})
	if err != nil {
		return err
	}
	if h.OnTime != nil {
		h.OnTime(resp.At)
	}
	head, err := h.Audit.Head(ctx)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	if head.Size != resp.HeadSize || resp.HeadDue && head.Size > 0 {
		if err := h.showHead(ctx, head, resp.HeadSize); err != nil {
			return err
		}
	}
	if resp.Renew && h.OnRenew != nil {
		return h.OnRenew(ctx)
	}
	return nil
}

func (h *Heart) showHead(ctx context.Context, head audit.Head, from int64) error {
	q := wire.HeadRequest{Version: wire.Version, Head: string(head.Note), From: from}
	// A log that is shorter than the extranet knows it has no proof; showing it
	// is what raises the alarm.
	if from > 0 && head.Size >= from {
		proof, err := h.Audit.ConsistencyProof(ctx, from, head.Size)
		if err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
		for _, p := range proof {
			q.Proof = append(q.Proof, footage.Hash(p))
		}
	}
	return h.Link.Head(ctx, q)
}
