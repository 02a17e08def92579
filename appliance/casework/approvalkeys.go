package casework

import (
	"context"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
)

// approvalKeys returns the passkeys with which a person may sign approvals: those
// that the operator has confirmed, the oldest first.
func (s *Service) approvalKeys(ctx context.Context, id incident.PersonID) ([]account.Passkey, error) {
	p, err := s.o.Accounts.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	if keys := p.Approving(); len(keys) > 0 {
		return keys, nil
	}
	// The operator may have confirmed one since the box last asked.
	for _, k := range p.InUse() {
		if k.Registered == nil {
			continue
		}
		if ok, err := s.o.Uplink.AssessorConfirmed(ctx, id, k.Key); err != nil || !ok {
			continue // an absent extranet confirms nothing
		}
		if p, err = s.o.Accounts.ConfirmPasskey(ctx, id, k.ID); err != nil {
			return nil, err
		}
	}
	return p.Approving(), nil
}
