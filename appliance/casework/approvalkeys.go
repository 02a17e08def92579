package casework

import (
	"context"
	"slices"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
)

// approvalKeys returns the passkeys that a person's approvals are taken from, the
// one used last in front: it is the one to hand.
func (s *Service) approvalKeys(ctx context.Context, id incident.PersonID) ([]account.Passkey, error) {
	p, err := s.o.Accounts.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	all := s.confirmKeys(ctx, p).Approving()
	used := func(k account.Passkey) time.Time {
		if k.Used == nil {
			return time.Time{}
		}
		return *k.Used
	}
	slices.SortStableFunc(all, func(a, b account.Passkey) int { return used(b).Compare(used(a)) })
	return all, nil
}
