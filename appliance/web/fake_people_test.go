package web

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
)

var oneCeremony = account.Ceremony{ID: "C1", Options: json.RawMessage(`{"challenge":"AAAA","rpId":"veilbox.local"}`)}

func (b *fakeBox) PasskeyLoginOptions(context.Context, string) (account.Ceremony, error) {
	return oneCeremony, b.act("PasskeyLoginOptions")
}
func (b *fakeBox) PasskeyLogin(_ context.Context, ceremony string, _ json.RawMessage, _ string) (string, account.Session, error) {
	if err := b.act("PasskeyLogin"); err != nil {
		return "", account.Session{}, err
	}
	if ceremony != "C1" {
		return "", account.Session{}, account.ErrCeremony
	}
	return "staff", b.sessions["staff"], nil
}
func (b *fakeBox) Account(_ context.Context, a casework.Actor) (casework.AccountView, error) {
	v := b.own
	v.ID, v.Login, v.Name, v.Roles = a.Session.Person.ID, a.Session.Login, a.Session.Person.Name, a.Session.Roles
	v.Must = append([]account.Need{}, a.Session.Must...)
	v.Passkeys = append([]casework.PasskeyView{}, v.Passkeys...)
	v.Sessions = append([]account.SessionInfo{}, v.Sessions...)
	return v, b.act("Account")
}
func (b *fakeBox) NewPasskey(context.Context, casework.Actor) (account.Ceremony, error) {
	return oneCeremony, b.act("NewPasskey")
}
func (b *fakeBox) AddPasskey(_ context.Context, _ casework.Actor, _, name string, _ json.RawMessage) (casework.PasskeyView, error) {
	return casework.PasskeyView{ID: "K1", Name: name, KeyID: "k1", Made: b.clock.Now()}, b.act("AddPasskey")
}
func (b *fakeBox) RemovePasskey(context.Context, casework.Actor, string) error {
	return b.act("RemovePasskey")
}
func (b *fakeBox) NewTOTP(context.Context, casework.Actor) (account.TOTP, error) {
	return account.TOTP{Secret: "ABCD", URI: "otpauth://totp/x", QR: []byte{1}}, b.act("NewTOTP")
}
func (b *fakeBox) ConfirmTOTP(_ context.Context, _ casework.Actor, code string) error {
	return b.act("ConfirmTOTP " + code)
}
func (b *fakeBox) RemoveTOTP(context.Context, casework.Actor, string) error {
	return b.act("RemoveTOTP")
}
func (b *fakeBox) ApprovalKey(context.Context, casework.Actor, string) (account.Ceremony, error) {
	return oneCeremony, b.act("ApprovalKey")
}
func (b *fakeBox) RegisterApprovalKey(_ context.Context, _ casework.Actor, id, _ string, _ json.RawMessage) (casework.PasskeyView, error) {
	return casework.PasskeyView{ID: id, KeyID: "k1", Registered: new(b.clock.Now())}, b.act("RegisterApprovalKey")
}
func (b *fakeBox) EndSession(_ context.Context, _ casework.Actor, id string) error {
	return b.act("EndSession " + id)
}
func (b *fakeBox) EndOthers(context.Context, casework.Actor) error { return b.act("EndOthers") }
func (b *fakeBox) ReviewPeople(_ context.Context, a casework.Actor) ([]casework.ReviewView, error) {
	if err := a.Session.Allow(account.ManagePeople, testNow); err != nil {
		return nil, err
	}
	var all []casework.ReviewView
	for _, p := range b.people {
		all = append(all, casework.ReviewView{PersonView: p, Due: []string{account.DueEnds, account.DueIdle}})
	}
	return all, b.act("ReviewPeople")
}
func (b *fakeBox) ConfirmAuthorisation(_ context.Context, _ casework.Actor, id incident.PersonID, _ *time.Time) (casework.PersonView, error) {
	return casework.PersonView{ID: id}, b.act("ConfirmAuthorisation")
}
func (b *fakeBox) Acceptances(_ context.Context, a casework.Actor) ([]store.Acceptance, error) {
	if err := a.Session.Allow(account.ManagePeople, testNow); err != nil {
		return nil, err
	}
	return []store.Acceptance{{Person: "mette", Name: "Mette Sørensen", Version: casework.ConditionsVersion, At: testNow}}, b.act("Acceptances")
}
func (b *fakeBox) ExportAudit(_ context.Context, a casework.Actor, w io.Writer, format audit.Format, f audit.Filter) error {
	if err := a.Session.Allow(account.ReadAudit, testNow); err != nil {
		return err
	}
	b.mu.Lock()
	b.filter = f
	b.mu.Unlock()
	if err := b.act("ExportAudit " + string(format)); err != nil {
		return err
	}
	_, err := io.WriteString(w, "one\n")
	return err
}
