package casework

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
)

func TestViewAsksForTheConditionsFirst(t *testing.T) {
	b := newHouse(t)
	staff := b.people["staff"]
	if ok, err := b.AcceptedConditions(t.Context(), staff); err != nil || ok {
		t.Fatal("accepted by nobody", err)
	}
	_, err := b.View(t.Context(), staff, "SHARED", "genkende")
	refused(t, err, "conditions.accept")
	refused(t, b.AcceptConditions(t.Context(), staff, "2019-1"), "conditions.version")
	if n := b.count("disclosure.view") + b.count("conditions.accept"); n != 0 || b.up.viewed != 0 {
		t.Errorf("%d on record, %d viewed", n, b.up.viewed)
	}
	b.accept("staff")
	_, err = b.View(t.Context(), b.people["second"], "SHARED", "genkende")
	refused(t, err, "conditions.accept") // each accepts for himself
	all, err := b.opt.Store.Acceptances(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != names["staff"] || all[0].Version != ConditionsVersion || !all[0].At.Equal(start) {
		t.Errorf("%+v, %v", all, err)
	}

	for name, tc := range map[string]struct{ code, purpose string }{
		"none": {"view.purpose", " "}, "endless": {"input.words", strings.Repeat("x", maxName+1)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.View(t.Context(), staff, "SHARED", tc.purpose)
			refused(t, err, tc.code)
		})
	}
	if b.up.viewed != 0 {
		t.Errorf("%d viewed", b.up.viewed)
	}
}

func TestAViewingIsOnePersonsAndEnds(t *testing.T) {
	b := newBox(t)
	b.accept("staff")
	v, err := b.View(t.Context(), b.people["staff"], "SHARED", "genkende")
	if err != nil || !v.Until.Equal(b.up.until) || !strings.Contains(v.URL, v.ID) {
		t.Fatalf("%+v, %v", v, err)
	}
	all, err := b.opt.Audit.Entries(t.Context(), audit.Filter{Act: "disclosure.view"})
	if err != nil || len(all) != 1 || all[0].Why != "genkende" || all[0].Who.Name != names["staff"] || all[0].About["disclosure"] != "SHARED" {
		t.Errorf("on record: %+v, %v", all, err)
	}
	open := func(who, id string) error {
		m, err := b.ViewingMedia(t.Context(), b.people[who], id)
		if err != nil {
			if m != nil {
				t.Error("an error with media")
			}
			return err
		}
		if text, err := io.ReadAll(m); err != nil || string(text) != "0000ftyp shared copy" {
			t.Errorf("%q, %v", text, err)
		}
		return m.Close()
	}
	for range 2 { // a browser asks in ranges
		if err := open("staff", v.ID); err != nil {
			t.Error(err)
		}
	}
	refused(t, open("second", v.ID), "viewing.over")
	refused(t, open("manager", v.ID), "viewing.over")
	refused(t, open("staff", "another"), "viewing.over")
	b.at(v.Until.Add(-time.Second))
	if err := open("staff", v.ID); err != nil {
		t.Error(err)
	}
	b.at(v.Until)
	refused(t, open("staff", v.ID), "viewing.over")

	// What the extranet refuses is no viewing.
	b.up.fail = fmt.Errorf("ended")
	if v, err := b.View(t.Context(), b.people["staff"], "SHARED", "genkende"); err == nil || v.ID != "" {
		t.Errorf("%+v", v)
	}
}

func TestViewingsAreBounded(t *testing.T) {
	b := newBox(t)
	b.accept("staff")
	view := func() error {
		_, err := b.View(t.Context(), b.people["staff"], "SHARED", "genkende")
		return err
	}
	for range maxViewings {
		if err := view(); err != nil {
			t.Fatal(err)
		}
	}
	if err := view(); err == nil {
		t.Error("there is no bound")
	}
	b.at(b.up.until.Add(time.Second))
	b.up.until = b.up.until.Add(time.Hour)
	if err := view(); err != nil {
		t.Errorf("those that have run out still count: %v", err)
	}
}

// Nobody submits, approves or lets a disclosure go on who has not accepted the
// conditions; to end one asks for nothing.
func TestDisclosingAsksForTheConditionsFirst(t *testing.T) {
	b := newHouse(t)
	_, err := b.Submit(t.Context(), b.people["staff"], "CASE", 1)
	refused(t, err, "conditions.accept")
	_, err = b.PrepareApproval(t.Context(), b.people["assessor"], "CASE", Verdict{Decision: incident.Approve, Reasons: "alle ni holder"})
	refused(t, err, "conditions.accept")
	_, err = b.Assess(t.Context(), b.people["assessor"], "CASE", Verdict{Decision: incident.Refuse, Reasons: "det holder ikke"})
	refused(t, err, "conditions.accept")
	_, err = b.Reassess(t.Context(), b.people["assessor"], "CASE", Reassess{Reasons: "det holder stadig"})
	refused(t, err, "conditions.accept")
	_, err = b.Withdraw(t.Context(), b.people["manager"], "CASE", "det var en anden")
	refused(t, err, "case.missing")
}
