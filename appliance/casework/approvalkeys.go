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
	return s.confirmKeys(ctx, p).Approving(), nil
}
