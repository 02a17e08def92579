package account

import (
	"errors"
	"testing"
)

func TestRecover(t *testing.T) {
	f := open(t)
	told := 0
	tell := func(Person) error { told++; return nil }
	if p, password, err := f.Recover(t.Context(), "", tell); err != nil || p.ID != f.manager.ID || told != 1 {
		t.Fatalf("the only manager: %+v %v", p, err)
	} else if _, s := f.in(t, p.Login, password); len(s.Must) != 2 {
		t.Errorf("must %v", s.Must)
	}
	f.add(t, "bo", "Bo Dam", Staff)
	other, _ := f.add(t, "eva", "Eva Friis", Manager)
	for _, login := range []string{"", "bo", "nobody", "eva bo"} {
		_, _, err := f.Recover(t.Context(), login, tell)
		wants(t, login, err, ErrRecover)
	}
	broken := errors.New("the log is broken")
	if _, _, err := f.Recover(t.Context(), "eva", func(Person) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("what cannot be recorded: %v", err)
	}
	if p, _, err := f.Recover(t.Context(), "EVA", tell); err != nil || p.ID != other.ID || told != 2 {
		t.Errorf("one of two: %+v %v, told %d", p, err, told)
	}
	active := false
	if _, err := f.Change(t.Context(), f.manager.ID, other.ID, Change{Active: &active}); err != nil {
		t.Fatal(err)
	}
	_, _, err := f.Recover(t.Context(), "eva", tell)
	wants(t, "a closed account", err, ErrRecover)
}
