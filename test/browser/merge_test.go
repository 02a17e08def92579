package browser

import (
	"encoding/json"
	"reflect"
	"testing"
)

// The merge of two people's answers, asked in a real browser: what does not meet
// is kept of both, what does is left to a person, and nothing is lost.
func TestMergeOfAnswers(t *testing.T) {
	_, address := newStage(t)
	p := newPerson(t, launch(t, pin(t, address)), newAlbum(t), "staff", address)
	p.open("/healthz")
	get[bool](p, `Boolean(import('/assets/merge.js').then(({ merge }) => { window.mergeAnswers = merge; }))`)
	p.until("the merge", soon, `window.mergeAnswers`)
	type m = map[string]any
	list := func(s ...string) []any {
		out := []any{}
		for _, x := range s {
			out = append(out, x)
		}
		return out
	}
	says := func(who, words string) m { return m{"witness": who, "words": words} }
	for name, c := range map[string]struct {
		base, mine, theirs, answers m
		both, taken                 []any
	}{
		"nothing changed":           {m{"what": "a"}, m{"what": "a"}, m{"what": "a"}, m{"what": "a"}, list(), list()},
		"mine alone":                {m{"what": "a"}, m{"what": "b"}, m{"what": "a"}, m{"what": "b"}, list(), list()},
		"theirs alone":              {m{"what": "a"}, m{"what": "a"}, m{"what": "b"}, m{"what": "b"}, list(), list("what")},
		"both alike":                {m{"what": "a"}, m{"what": "b"}, m{"what": "b"}, m{"what": "b"}, list(), list()},
		"each another":              {m{"what": "a", "value_dkk": "1"}, m{"what": "b", "value_dkk": "1"}, m{"what": "a", "value_dkk": "2"}, m{"what": "b", "value_dkk": "2"}, list(), list("value_dkk")},
		"the same one":              {m{"what": "a"}, m{"what": "b"}, m{"what": "c"}, m{"what": "b"}, []any{list("what")}, list()},
		"one emptied":               {m{"what": "a"}, m{"what": ""}, m{"what": "c"}, m{"what": ""}, []any{list("what")}, list()},
		"a tick is an answer":       {m{"attempt": false}, m{"attempt": false}, m{"attempt": true}, m{"attempt": true}, list(), list("attempt")},
		"absent is none":            {m{}, m{"what": "a"}, m{}, m{"what": "a"}, list(), list()},
		"the circle is one answer":  {circle("town", "Odense"), circle("town", "Vejle"), circle("region", "Fyn"), circle("town", "Vejle"), []any{list("area", "place", "trades", "chains", "members")}, list()},
		"the circle of theirs":      {circle("town", "Odense"), circle("town", "Odense"), circle("region", "Fyn"), circle("region", "Fyn"), list(), list("area", "place")},
		"number and time belong":    {m{"report_number": "", "report_at": ""}, m{"report_number": "1", "report_at": "x"}, m{"report_number": "2", "report_at": "x"}, m{"report_number": "1", "report_at": "x"}, []any{list("report_number", "report_at")}, list()},
		"statements of both":        {m{"statements": []any{}}, m{"statements": []any{says("a", "1")}}, m{"statements": []any{says("b", "2")}}, m{"statements": []any{says("a", "1"), says("b", "2")}}, list(), list("statements")},
		"one taken away, one added": {m{"statements": []any{says("a", "1")}}, m{"statements": []any{}}, m{"statements": []any{says("a", "1"), says("b", "2")}}, m{"statements": []any{says("b", "2")}}, list(), list("statements")},
		"one rewritten by both":     {m{"links": []any{says("a", "1")}}, m{"links": []any{says("a", "2")}}, m{"links": []any{says("a", "3")}}, m{"links": []any{says("a", "2"), says("a", "3")}}, list(), list("links")},
	} {
		in, err := json.Marshal([]m{c.base, c.mine, c.theirs})
		if err != nil {
			t.Fatal(err)
		}
		got := get[m](p, `window.mergeAnswers(...`+string(in)+`)`)
		want := m{"answers": c.answers, "both": anyList(c.both), "taken": anyList(c.taken)}
		if a, b := plain(t, got), plain(t, want); !reflect.DeepEqual(a, b) {
			t.Errorf("%s:\n got %v\nwant %v", name, a, b)
		}
	}
}

func anyList(l []any) []any {
	if l == nil {
		return []any{}
	}
	return l
}

func circle(area, place string) map[string]any {
	return map[string]any{"area": area, "place": place, "trades": []any{}, "chains": []any{}, "members": []any{}}
}

// plain is v as JSON has it.
func plain(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
