package casework

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"veilbox/appliance/store"
)

// exported takes the span out as the manager.
func exported(b *box) CaseView {
	b.t.Helper()
	from, to := span()
	x, err := b.NewExport(b.t.Context(), b.people["manager"], till, NewExport{From: from, To: to, Purpose: "0700-1"}, true)
	if err != nil {
		b.t.Fatal(err)
	}
	b.export = x.ID
	return CaseView{}
}

func (b *box) accept(who string) {
	b.t.Helper()
	if err := b.AcceptConditions(b.t.Context(), b.people[who], ConditionsVersion); err != nil {
		b.t.Fatal(err)
	}
}

// state is all that an act could change but the audit log.
func (b *box) state() string {
	b.t.Helper()
	ctx := b.t.Context()
	var all []any
	add := func(v any, err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, v)
	}
	add(b.opt.Store.Cases(ctx))
	add(b.peopleNow())
	add(b.opt.Store.Acceptances(ctx))
	cams, err := b.opt.Store.Cameras(ctx)
	for _, c := range cams {
		type plain store.Camera // which prints
		add(plain(c), err)
	}
	add(b.opt.Ring.Holds(ctx))
	files, err := filepath.Glob(filepath.Join(b.opt.Dir, "copies", "*"))
	add(files, err)
	add(b.rec.added, nil)
	b.jobs.mu.Lock()
	add(fmt.Sprint(b.jobs.queue, b.jobs.state), nil)
	b.jobs.mu.Unlock()
	calls := slices.DeleteFunc(b.up.log(), func(s string) bool { return s == "alerts" })
	add([]any{fmt.Sprint(calls), b.red.count(), len(b.viewings.m)}, nil)
	text, err := json.Marshal(all)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// peopleNow is what is kept of the accounts, but when their passkeys were used:
// showing who one is comes before the record of what is then done.
func (b *box) peopleNow() (any, error) {
	all, err := b.opt.Store.People(b.t.Context())
	out := make([]any, 0, len(all))
	for _, p := range all {
		var body map[string]any
		if err := json.Unmarshal(p.Body, &body); err != nil {
			return nil, err
		}
		keys, _ := body["passkeys"].([]any)
		for _, k := range keys {
			m := k.(map[string]any)
			delete(m, "used")
			delete(m, "counter")
		}
		delete(body, "last_login")
		out = append(out, body)
	}
	return out, err
}
