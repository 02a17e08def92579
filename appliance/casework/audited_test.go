package casework

import (
	"io"
	"reflect"
	"slices"
	"testing"

	"veilbox/appliance/audit"
)

// unrecorded are the acts that hand out bytes without an entry of their own, and
// why that is right.
var unrecorded = map[string]string{
	"ExportStatement": "it says what footage.export and export.fetch have on record, and shows nobody",
	"Proof":           "figures about a copy, in which nobody is seen",
	"ViewingMedia":    "View, which gives the viewing's name, is on record as disclosure.view, here and at the extranet",
}

// handsOut reports whether a method of Service gives bytes to who calls it.
func handsOut(m reflect.Type) bool {
	media := []reflect.Type{reflect.TypeFor[Media](), reflect.TypeFor[[]byte](), reflect.TypeFor[Picture]()}
	for i := range m.NumOut() {
		if slices.Contains(media, m.Out(i)) {
			return true
		}
	}
	for i := range m.NumIn() {
		if m.In(i) == reflect.TypeFor[io.Writer]() {
			return true
		}
	}
	return false
}

func TestWhatHandsOutBytesRecordsIt(t *testing.T) {
	table := map[string][]act{}
	for _, a := range acts() {
		table[a.name] = append(table[a.name], a)
	}
	out := bytesOut()
	if len(out) < 12 {
		t.Fatalf("only %d acts hand out bytes: %v", len(out), out)
	}
	for name := range unrecorded {
		if !slices.Contains(out, name) {
			t.Errorf("%s is excepted and hands out nothing", name)
		}
	}
	for _, name := range out {
		if len(table[name]) == 0 {
			t.Errorf("%s hands out bytes and is not in the table of acts", name)
		}
		for _, a := range table[name] {
			if _, excepted := unrecorded[name]; excepted != (a.records == "") {
				t.Errorf("%s hands out bytes; on record: %q, excepted: %t", name, a.records, excepted)
			}
		}
	}
}

func bytesOut() (out []string) {
	s := reflect.TypeFor[*Service]()
	for i := range s.NumMethod() {
		if m := s.Method(i); handsOut(m.Type) {
			out = append(out, m.Name)
		}
	}
	return out
}

// Every act is on record before the first byte that it hands out: who, from
// where and, for those bytes, of what. That a log that cannot be written to refuses the act is
// TestWhatCannotBeRecordedIsNotDone.
func TestEveryRecordSaysWhoAndFromWhere(t *testing.T) {
	out := bytesOut()
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
			// What begin has put on record as a look must not help.
			b.clock.Advance(seenFor)
			before := len(b.acts())
			actor := b.people[a.who]
			actor.From = "192.0.2.77"
			got, err := a.do(b, actor, v)
			if err != nil {
				t.Fatal(err)
			}
			// Nothing was read yet.
			all, err := b.opt.Audit.Entries(t.Context(), audit.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			if m, ok := got.(Media); ok {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
			if len(all) <= before || got == nil && slices.Contains(out, a.name) {
				t.Fatalf("handed out %v; on record %+v", got, all[before:])
			}
			e := all[before]
			if e.Act != a.records || e.Who.ID != string(actor.Session.Person.ID) || e.Who.Name == "" || e.Who.Role == "" {
				t.Errorf("on record: %+v", e)
			}
			for _, e := range all[before:] {
				if e.Who.Role != clockWho.Role && e.From != "192.0.2.77" {
					t.Errorf("%s by %s: from %q", e.Act, e.Who.Name, e.From)
				}
				if len(e.About) == 0 && slices.Contains(out, a.name) {
					t.Errorf("%s does not say on what", e.Act)
				}
			}
		})
	}
}
