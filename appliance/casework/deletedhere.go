package casework

import (
	"context"
	"strings"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
)

// DeletedHere records that this shop has deleted what it had taken out of
// another's disclosure, and tells the sender through the extranet.
func (s *Service) DeletedHere(ctx context.Context, a Actor, id incident.DisclosureID, words string) error {
	if err := s.allow(a, account.ViewShared); err != nil {
		return err
	}
	if strings.TrimSpace(words) == "" {
		return badInput("deleted.words", "Skriv, hvad der er slettet, eller at I intet havde.", "Write what was deleted, or that you had nothing.")
	}
	if err := checkWords("words", words, audit.MaxText); err != nil {
		return err
	}
	if err := s.record(ctx, a, "alert.deleted", words, map[string]string{"disclosure": string(id)}); err != nil {
		return err
	}
	return s.o.Uplink.DeletedHere(ctx, id, a.Session.Person, strings.TrimSpace(words))
}
