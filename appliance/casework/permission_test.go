package casework

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

func TestEveryActIsInTheTable(t *testing.T) {
	have := map[string]bool{}
	for _, a := range acts() {
		have[a.name] = true
	}
	actor := reflect.TypeFor[Actor]()
	s := reflect.TypeFor[*Service]()
	n := 0
	for i := range s.NumMethod() {
		m := s.Method(i)
		for j := range m.Type.NumIn() {
			if m.Type.In(j) == actor {
				if n++; !have[m.Name] {
					t.Errorf("%s takes an Actor and is not in the table of this test", m.Name)
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d acts were found", n)
	}
}

func TestPermissions(t *testing.T) {
	b := newBox(t)
	v := redacted(b)
	b.accept("staff")
	before, log := b.state(), len(b.acts())
	for _, role := range account.Roles {
		for what, valid := range map[string]incident.Authorisation{
			"authorised": {By: "Mette Holm", Function: "vagt", Need: "ser optagelser", From: start.Add(-time.Hour), To: start.Add(time.Hour)},
			"never":      {},
			"no longer":  {By: "Mette Holm", Function: "vagt", Need: "ser optagelser", From: start.Add(-time.Hour), To: start},
			"not yet":    {By: "Mette Holm", Function: "vagt", Need: "ser optagelser", From: start.Add(time.Second), To: start.Add(time.Hour)},
		} {
			actor := b.people["staff"]
			actor.Session.Roles, actor.Session.Person.Authorisation = []account.Role{role}, valid
			for _, a := range acts() {
				want := ""
				switch {
				case a.perm == "":
					continue
				case !account.Can(role, a.perm) && !account.Can(role, orNeeds[a.name]), andNeeds[a.name] != "" && !account.Can(role, andNeeds[a.name]):
					want = account.ErrPermission.Code
				case what != "authorised" && (account.NeedsAuthorisation(a.perm) || andNeeds[a.name] != "" || slices.Contains(butAuditors, a.name) && role != account.Auditor):
					want = account.ErrAuthorisation.Code
				default:
					continue
				}
				got, err := a.do(b, actor, v)
				if err == nil || problem.Of(err).Code != want || got != nil {
					t.Errorf("%s, %s, %s (%s): %v, %v; it must be refused with %s", role, what, a.name, a.perm, got, err, want)
				}
			}
		}
	}
	if after := b.state(); after != before {
		t.Errorf("refused acts have changed something:\n%s\n%s", before, after)
	}
	if n := len(b.acts()); n != log {
		t.Errorf("refused acts are on record as if they were done: %s", b.acts()[log:])
	}
}

func TestWhoMayDoes(t *testing.T) {
	for _, a := range acts() {
		t.Run(a.name+" "+a.records, func(t *testing.T) {
			b := newBox(t)
			var v CaseView
			if a.begin != nil {
				v = a.begin(b)
			}
			before, log := b.state(), len(b.acts())
			actor := b.people[a.who]
			if a.perm != "" && actor.Session.Allow(a.perm, start) != nil {
				t.Fatalf("%s may not", a.who)
			}
			if _, err := a.do(b, actor, v); err != nil {
				t.Fatal(err)
			}
			switch added := b.acts()[log:]; {
			case a.records == "" && (len(added) > 0 || b.state() != before):
				t.Errorf("it is held to change nothing, but did (%s)", added)
			case a.records != "" && (len(added) == 0 || added[0] != a.records):
				t.Errorf("on record: %s, want %s", added, a.records)
			}
		})
	}
}

func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	for _, a := range acts() {
		if a.records == "" {
			continue
		}
		t.Run(a.name+" "+a.records, func(t *testing.T) {
			b := newBox(t)
			var v CaseView
			if a.begin != nil {
				v = a.begin(b)
			}
			// What the act before has put on record as a look must not help.
			b.clock.Advance(seenFor)
			before := b.state()
			if err := b.opt.Audit.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := a.do(b, b.people[a.who], v)
			if err == nil || got != nil {
				t.Errorf("it was done without a record: %v", got)
			} else if !strings.Contains(err.Error(), "could not be recorded") {
				t.Errorf("it failed for another reason: %v", err)
			}
			if after := b.state(); after != before {
				t.Errorf("something has changed:\n%s\n%s", before, after)
			}
		})
	}
}

func TestClocksActOnlyOnRecord(t *testing.T) {
	b := newBox(t)
	v := b.released()
	b.clock.Advance(31 * 24 * time.Hour)
	before := b.state()
	if err := b.opt.Audit.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Sweep(t.Context()); err == nil {
		t.Error("a deadline was acted on without a record")
	}
	if err := b.Delivered(t.Context(), v.Disclosure.ID, start); err == nil {
		t.Error("a delivery was taken up without a record")
	}
	if after := b.state(); after != before {
		t.Errorf("something has changed:\n%s\n%s", before, after)
	}
}

func TestLoginIsOnRecord(t *testing.T) {
	b := newBox(t)
	token, _, err := b.Login(t.Context(), "staff", b.secrets["staff"], "", "192.0.2.5")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := b.Authenticate(t.Context(), token); err != nil || s.Person.Name != names["staff"] {
		t.Errorf("%+v, %v", s, err)
	}
	// What is typed as a name may be a password.
	if _, _, err = b.Login(t.Context(), "min hemmelige kode", "x", "", "192.0.2.5"); err == nil {
		t.Fatal("logged in")
	}
	all, err := b.opt.Audit.Entries(t.Context(), audit.Filter{})
	if err != nil || len(all) != 2 || all[0].Act != "login" || all[1].Act != "login.refused" || all[1].Why != "account.login" {
		t.Errorf("on record: %+v, %v", all, err)
	}
	if text := fmt.Sprintf("%+v", all); strings.Contains(text, "hemmelige") || strings.Contains(text, b.secrets["staff"]) {
		t.Error("the record holds what was typed")
	}
	if err := b.opt.Audit.Close(); err != nil {
		t.Fatal(err)
	}
	if token, _, err = b.Login(t.Context(), "staff", b.secrets["staff"], "", "192.0.2.5"); err == nil || token != "" {
		t.Error("logged in without a record")
	}
}

func TestStartFailsClosed(t *testing.T) {
	b := newBox(t)
	bad := b.opt
	bad.Dir = filepath.Join(b.opt.Dir, "file")
	if err := os.WriteFile(bad.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder that cannot be made: %v", err)
	}
	if err := b.opt.Store.SetSetting(t.Context(), highWaterSetting, []byte("not a time")); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), b.opt); err == nil {
		t.Error("a latest time that cannot be read was taken for none")
	}
}

func TestCamerasStart(t *testing.T) {
	b := newBox(t)
	if err := b.StartCameras(t.Context()); err != nil || !slices.Equal(b.rec.added, []footage.CameraID{till}) {
		t.Errorf("recording %s, %v", b.rec.added, err)
	}
	views, err := b.Cameras(t.Context(), b.people["staff"])
	if text := fmt.Sprintf("%+v", views); err != nil || len(views) != 1 || strings.Contains(text, "hemmelighed") {
		t.Errorf("%s, %v", text, err)
	}
	b.rec.fail = fmt.Errorf("no room")
	n := NewCamera{ID: "door-1", URL: "rtsp://192.0.2.9/main"}
	if _, err := b.AddCamera(t.Context(), b.people["operator"], n); err == nil {
		t.Error("a camera that is not recorded was added")
	}
	b.rec.fail = nil
	if _, err := b.AddCamera(t.Context(), b.people["operator"], n); err != nil {
		t.Errorf("once there is room it can be added: %v", err)
	}
	_, err = b.AddCamera(t.Context(), b.people["operator"], n)
	refused(t, err, "camera.taken")
	_, err = b.AddCamera(t.Context(), b.people["operator"], NewCamera{ID: "../x", URL: n.URL})
	refused(t, err, "camera.id")
	refused(t, b.RemoveCamera(t.Context(), b.people["operator"], "gone-1"), "camera.missing")
}
