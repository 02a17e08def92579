package casework

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/store"
	"veilbox/internal/passkey/softkey"
)

// recorded returns what is on record of acts that begin with act, the oldest first.
func (b *box) recorded(act string) []audit.Entry {
	b.t.Helper()
	all, err := b.opt.Audit.Entries(b.t.Context(), audit.Filter{})
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e audit.Entry) bool { return !strings.HasPrefix(e.Act, act) })
}

// fresh is a new log-in of who, as the service gives it.
func (b *box) fresh(who string) Actor {
	b.t.Helper()
	_, s, err := b.Login(b.t.Context(), who, b.secrets[who], "", "192.0.2.1")
	if err != nil {
		b.t.Fatal(err)
	}
	return Actor{Session: s, From: "192.0.2.1"}
}

func (b *box) addKey(a Actor, k *softkey.Key) PasskeyView {
	b.t.Helper()
	c, err := b.NewPasskey(b.t.Context(), a)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := k.Create(c.Options)
	if err != nil {
		b.t.Fatal(err)
	}
	v, err := b.AddPasskey(b.t.Context(), a, c.ID, "Anders' telefon", response)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *box) tap(k *softkey.Key) (string, account.Session, error) {
	b.t.Helper()
	c, err := b.PasskeyLoginOptions(b.t.Context(), "192.0.2.9")
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := k.Get(c.Options)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.PasskeyLogin(b.t.Context(), c.ID, response, "192.0.2.9")
}

func TestPasskeysAreOnRecord(t *testing.T) {
	b := newBox(t)
	a, k := b.fresh("staff"), softkey.New("")
	v := b.addKey(a, k)
	second := b.addKey(a, softkey.New(""))
	if v.KeyID == "" || !v.File || v.Name != "Anders' telefon" {
		t.Errorf("%+v", v)
	}
	token, s, err := b.tap(k)
	if err != nil || s.How != account.ByPasskey {
		t.Fatal(err)
	}
	if got, err := b.Authenticate(t.Context(), token); err != nil || got.Person.Name != names["staff"] {
		t.Errorf("%+v %v", got, err)
	}
	if _, _, err := b.tap(b.keys["assessor"]); err != nil {
		t.Fatal(err)
	}
	if err := b.RemovePasskey(t.Context(), a, second.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, b.RemovePasskey(t.Context(), a, "x"), "account.passkey-missing")
	refused(t, b.RemovePasskey(t.Context(), a, v.ID), "account.last-factor")
	if _, _, err := b.PasskeyLogin(t.Context(), "x", json.RawMessage("{}"), "192.0.2.9"); err == nil {
		t.Fatal("logged in")
	}
	if n := b.count("passkey.add"); n != 2 {
		t.Errorf("%d passkeys are on record", n)
	}
	if n := b.count("passkey.remove"); n != 2 { // one was refused after it was recorded
		t.Errorf("%d removals are on record", n)
	}
	log := b.recorded("login")
	last := log[len(log)-1]
	if last.Act != "login.refused" || last.Who.ID != "unknown" || last.Why != "account.ceremony" {
		t.Errorf("%+v", last)
	}
	if in := log[len(log)-2]; in.About["how"] != "passkey" || in.Who.Name != names["assessor"] || in.From != "192.0.2.9" {
		t.Errorf("%+v", in)
	}
	for _, e := range b.recorded("") {
		if strings.Contains(fmt.Sprintf("%+v", e), "telefon") {
			t.Errorf("a person's own word is on record: %+v", e)
		}
	}
}

func TestCodesAreOnRecord(t *testing.T) {
	b := newBox(t)
	a := b.fresh("staff")
	n, err := b.NewTOTP(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(n.Secret, b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ConfirmTOTP(t.Context(), a, code); err != nil {
		t.Fatal(err)
	}
	before := len(b.recorded("login"))
	_, _, err = b.Login(t.Context(), "staff", b.secrets["staff"], "", "192.0.2.1")
	refused(t, err, "login.code")
	if got := len(b.recorded("login")); got != before {
		t.Error("asking for the code is on record as a failure")
	}
	_, _, err = b.Login(t.Context(), "staff", b.secrets["staff"], code, "192.0.2.1")
	refused(t, err, "login.code-wrong")
	log := b.recorded("login.refused")
	if last := log[len(log)-1]; last.Who.Name != names["staff"] || last.Why != "login.code-wrong" {
		t.Errorf("who had the password right is not on record: %+v", last)
	}
	now := b.clock.Advance(time.Minute)
	if code, err = totp.GenerateCode(n.Secret, now); err != nil {
		t.Fatal(err)
	}
	_, s, err := b.Login(t.Context(), "staff", b.secrets["staff"], code, "192.0.2.1")
	if err != nil || s.How != account.ByCode {
		t.Fatalf("%+v %v", s, err)
	}
	b.addKey(Actor{Session: s}, softkey.New(""))
	if err := b.RemoveTOTP(t.Context(), a, "x"); !errors.Is(err, account.ErrPassword) {
		t.Error(err)
	}
	if got := []int{b.count("totp.set"), b.count("totp.remove")}; !slices.Equal(got, []int{1, 1}) {
		t.Errorf("%v", got)
	}
	for _, e := range b.recorded("") {
		if strings.Contains(fmt.Sprintf("%+v", e), n.Secret) {
			t.Errorf("the secret is on record: %+v", e)
		}
	}
}

// The first log-in leads to the own account and to nothing else.
func TestSetUpFirst(t *testing.T) {
	b := newHouse(t)
	a := b.fresh("staff")
	_, err := b.Cameras(t.Context(), a)
	refused(t, err, "password.change")
	if err := b.ChangePassword(t.Context(), a, b.secrets["staff"], "otte grønne cykler"); err != nil {
		t.Fatal(err)
	}
	b.secrets["staff"] = "otte grønne cykler"
	a = b.fresh("staff")
	_, err = b.Cameras(t.Context(), a)
	refused(t, err, "factor.missing")
	v, err := b.Account(t.Context(), a)
	if err != nil || !slices.Equal(v.Must, []account.Need{account.NeedFactor}) || !v.HasPassword || v.Accepted || len(v.Sessions) != 2 || v.Sessions[0].Current || !v.Sessions[1].Current {
		t.Errorf("%+v %v", v, err)
	}
	k := softkey.New("")
	b.addKey(a, k)
	_, s, err := b.tap(k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Cameras(t.Context(), Actor{Session: s}); err != nil {
		t.Error(err)
	}
	if err := b.EndOthers(t.Context(), Actor{Session: s}); err != nil {
		t.Fatal(err)
	}
	if list, err := b.Sessions(t.Context(), Actor{Session: s}); err != nil || len(list) != 1 || b.count("session.end-others") != 1 {
		t.Errorf("%+v %v", list, err)
	}
}

func TestApprovalKey(t *testing.T) {
	b := newBox(t)
	ctx := t.Context()
	b.up.unconfirmed = true
	_, s, err := b.tap(b.keys["assessor"])
	if err != nil {
		t.Fatal(err)
	}
	a := Actor{Session: s, From: "192.0.2.9"}
	k := softkey.New("")
	v := b.addKey(a, k)
	c, err := b.ApprovalKey(ctx, a, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	response, err := k.Get(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	other := a
	if _, other.Session, err = b.tap(b.keys["assessor"]); err != nil {
		t.Fatal(err)
	}
	_, err = b.RegisterApprovalKey(ctx, other, v.ID, c.ID, response)
	refused(t, err, "account.ceremony")
	_, err = b.RegisterApprovalKey(ctx, a, v.ID, "x", response)
	refused(t, err, "account.ceremony")
	got, err := b.RegisterApprovalKey(ctx, a, v.ID, c.ID, response)
	if err != nil || got.Registered == nil || got.Confirmed != nil {
		t.Fatalf("%+v %v", got, err)
	}
	if n := b.recorded("passkey.register"); len(n) != 1 || n[0].About["key"] != v.KeyID {
		t.Errorf("%+v", n)
	}
	_, err = b.RegisterApprovalKey(ctx, a, v.ID, c.ID, response)
	refused(t, err, "account.ceremony")
	confirmed := func() *time.Time {
		t.Helper()
		x, err := b.Account(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(x.Passkeys, func(y PasskeyView) bool { return y.ID == v.ID })
		return x.Passkeys[i].Confirmed
	}
	if confirmed() != nil {
		t.Error("confirmed before the operator did")
	}
	b.up.unconfirmed = false
	if confirmed() == nil {
		t.Error("what the operator confirmed is not known")
	}

	b.up.unconfirmed = true // the operator has revoked it since
	if err := b.sweepPeople(ctx); err != nil {
		t.Fatal(err)
	}
	if confirmed() != nil || b.count("passkey.revoked") == 0 {
		t.Error("what the operator revoked still approves")
	}
	b.up.unconfirmed = false
	if err := b.sweepPeople(ctx); err != nil {
		t.Fatal(err)
	}
	if p, err := b.accounts.Person(ctx, a.Session.Person.ID); err != nil || len(p.Approving()) != 2 {
		t.Errorf("what the operator confirms is not asked for by itself: %+v %v", p.Passkeys, err)
	}

	// Another passkey's signature, too late, and who is no assessor.
	if c, err = b.ApprovalKey(ctx, a, v.ID); err != nil {
		t.Fatal(err)
	}
	login, err := b.PasskeyLoginOptions(ctx, "192.0.2.9")
	if err != nil {
		t.Fatal(err)
	}
	if response, err = k.Get(login.Options); err != nil {
		t.Fatal(err)
	}
	_, err = b.RegisterApprovalKey(ctx, a, v.ID, c.ID, response)
	refused(t, err, "account.passkey")
	if c, err = b.ApprovalKey(ctx, a, v.ID); err != nil {
		t.Fatal(err)
	}
	if response, err = k.Get(c.Options); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(account.CeremonyLife)
	_, err = b.RegisterApprovalKey(ctx, a, v.ID, c.ID, response)
	refused(t, err, "account.ceremony")
	_, err = b.ApprovalKey(ctx, b.people["staff"], v.ID)
	refused(t, err, "account.permission")
	_, err = b.ApprovalKey(ctx, b.people["lawyer"], v.ID)
	refused(t, err, "account.passkey-missing")
}

func TestReviewIsOnRecord(t *testing.T) {
	b := newBox(t)
	chief := b.people["manager"]
	list, err := b.ReviewPeople(t.Context(), chief)
	if err != nil || len(list) != len(names) {
		t.Fatal(len(list), err)
	}
	until := start.AddDate(0, 6, 0)
	p, err := b.ConfirmAuthorisation(t.Context(), chief, b.people["staff"].Session.Person.ID, &until)
	if err != nil || p.Reviewed == nil || p.Reviewed.Name != names["manager"] || !p.Authorisation.To.Equal(until) {
		t.Errorf("%+v %v", p, err)
	}
	if n := b.recorded("person.review"); len(n) != 1 || n[0].Who.Name != names["manager"] || n[0].About["name"] != names["staff"] {
		t.Errorf("%+v", n)
	}
	_, err = b.ReviewPeople(t.Context(), b.people["auditor"])
	refused(t, err, "account.permission")
}

// The conditions are asked again when they change, and who accepted is on record.
func TestAcceptanceIsOfOneVersion(t *testing.T) {
	b := newHouse(t)
	ctx, a := t.Context(), b.people["staff"]
	p := a.Session.Person
	if err := b.opt.Store.PutAcceptance(ctx, store.Acceptance{Person: p.ID, Name: p.Name, Version: "2019-1", At: start}); err != nil {
		t.Fatal(err)
	}
	if ok, err := b.AcceptedConditions(ctx, a); err != nil || ok {
		t.Error("an older version's acceptance counts", err)
	}
	refused(t, b.AcceptConditions(ctx, a, "2019-1"), "conditions.version")
	if err := b.AcceptConditions(ctx, a, ConditionsVersion); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Hour)
	if err := b.AcceptConditions(ctx, a, ConditionsVersion); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"auditor", "manager"} {
		list, err := b.Acceptances(ctx, b.people[who])
		if err != nil || len(list) != 2 || list[1].Version != ConditionsVersion || list[1].Name != names["staff"] || !list[1].At.Equal(start) {
			t.Errorf("%s: %+v %v", who, list, err)
		}
	}
	_, err := b.Acceptances(ctx, a)
	refused(t, err, "account.permission")
}
