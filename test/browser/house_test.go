package browser

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/statement"
	"veilbox/appliance/store"
	"veilbox/appliance/web"
	"veilbox/capture"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/passkey"
)

// A house is a box's people and its log, as they are, without cameras and
// without the extranet.
type house struct {
	url      string // at rpID
	address  string // by number
	login    string // the first manager's
	password string
	clock    *clock.Fake
}

// alone is a box that belongs to no extranet and has no camera.
type alone struct {
	casework.Recorder
	casework.Redactor
	casework.Uplink
}

func (alone) Health() []capture.Health                           { return nil }
func (alone) KeyID(k passkey.Key) string                         { return "7f3a 91c2 0b5e" }
func (alone) Alerts(context.Context) ([]casework.Alert, error)   { return nil, nil }
func (alone) Members(context.Context) ([]casework.Member, error) { return nil, nil }
func (alone) Enrolment(context.Context) (casework.Enrolment, error) {
	return casework.Enrolment{Enrolled: true, Name: "Brugsen Torvet", URL: "https://extranet.example"}, nil
}
func (alone) AssessorConfirmed(context.Context, incident.PersonID, passkey.Key) (bool, error) {
	return false, nil
}
func (alone) Possession(context.Context, incident.PersonID, passkey.Key) ([]byte, error) {
	return make([]byte, 32), nil
}
func (alone) RegisterAssessor(context.Context, incident.Person, passkey.Key, passkey.Assertion) error {
	return nil
}

func newHouse(t *testing.T) *house {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, key, h := t.TempDir(), keys.New(), &house{clock: clock.NewFake(stageNow)}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	seed := ed25519.NewKeyFromSeed(make([]byte, 32))
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "box.db"), Key: key.Derive("s"), Clock: h.clock})
	must(err)
	t.Cleanup(func() { must(st.Close()) })
	record, err := audit.Open(t.Context(), audit.Options{Path: filepath.Join(dir, "audit.db"), Key: key.Derive("a"), Name: "test-box", Signing: seed, Clock: h.clock})
	must(err)
	t.Cleanup(func() { must(record.Close()) })
	signer, err := statement.NewSigner("test-box", seed)
	must(err)
	accounts, err := account.New(account.Options{Store: st, Clock: h.clock, Params: account.Params{MemoryKiB: 8, Time: 1, Threads: 1}, FirstLogin: "karen", FirstName: "Karen Holm", RPID: rpID, RPName: "Veilbox"})
	must(err)
	h.login, h.password, _, err = accounts.EnsureFirst(t.Context())
	must(err)
	all, err := accounts.People(t.Context())
	must(err)
	words := func(s string) *string { return &s }
	_, err = accounts.Change(t.Context(), all[0].ID, all[0].ID, account.Change{Function: words("butikschef"), Need: words("leder butikken og giver autorisationer")})
	must(err)
	r, err := ring.Open(t.Context(), ring.Options{Dir: filepath.Join(dir, "ring"), Key: key.Derive("r"), Quota: 64 << 20, Clock: h.clock, Log: log})
	must(err)
	t.Cleanup(func() { must(r.Close()) })
	work, err := casework.New(t.Context(), casework.Options{
		Dir: dir, Key: key, Clock: h.clock, Log: log, Store: st, Accounts: accounts, Audit: record, Ring: r, Recorder: alone{}, Redactor: alone{}, Uplink: alone{},
		Settings: policy.Settings{TwoPersons: true}, MaxClip: time.Minute, Signer: signer, Checks: func(context.Context) []casework.Check { return nil },
	})
	must(err)
	pages, err := web.New(web.Options{Box: work, Log: log, Clock: h.clock, Version: "1.0.0", Hosts: []string{rpID}, RPID: rpID})
	must(err)
	srv := httptest.NewTLSServer(pages)
	t.Cleanup(srv.Close)
	h.url, h.address = named(t, srv.URL), srv.URL
	return h
}
