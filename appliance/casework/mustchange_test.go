package casework

import (
	"testing"

	"veilbox/appliance/account"
	"veilbox/internal/problem"
)

// What is done with a password that somebody else knows is nobody's act.
func TestNothingIsDoneWithAPasswordThatOthersKnow(t *testing.T) {
	b := newBox(t)
	a := b.people["manager"]
	a.Session.Must = []account.Need{account.NeedPassword}
	for what, err := range map[string]error{
		"cameras": second(b.Cameras(t.Context(), a)),
		"people":  second(b.People(t.Context(), a)),
		"cases":   second(b.Cases(t.Context(), a)),
		"alerts":  second(b.Alerts(t.Context(), a)),
		"audit":   second(b.VerifyAudit(t.Context(), a)),
	} {
		if problem.Of(err).Code != "password.change" {
			t.Errorf("%s: %v, want password.change", what, err)
		}
	}
	if _, err := b.Cameras(t.Context(), b.people["manager"]); err != nil {
		t.Errorf("with an own password: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
