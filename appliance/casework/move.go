package casework

import (
	"veilbox/appliance/account"
	"veilbox/appliance/incident"
)

// movers is what each role is in the table of moves. An auditor and an operator
// move nothing.
var movers = map[account.Role]incident.Mover{
	account.Staff: incident.ByStaff, account.Manager: incident.ByManager, account.Assessor: incident.ByAssessor,
}

// move makes one of incident.Moves in the name of a: in the first of a's roles
// that may.
func (s *Service) move(c *incident.Case, a Actor, act incident.Act) error {
	err := c.Move(act, "")
	for _, r := range a.Session.Roles {
		if by, ok := movers[r]; ok && err != nil {
			err = c.Move(act, by)
		}
	}
	return err
}
