package story

import (
	"testing"
	"time"

	"veilbox/uplink/uplinktest"
)

// The operator of the demonstration has a passkey, and a password and codes beside
// it for a browser that offers none.
func TestOperatorWithCodes(t *testing.T) {
	w := uplinktest.New(t, time.Now())
	o, err := NewOperator(t.Context(), "https://"+w.Config.OperatorListen, w.Config.Dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := o.ConfirmAssessors(t.Context()); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	code, err := o.Login.Code(w.Clock.Advance(30 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Visitor()("POST", "/api/v1/login", map[string]string{"name": o.Login.Login, "password": o.Login.Password, "code": code}, nil); err != nil {
		t.Error(err)
	}
}
