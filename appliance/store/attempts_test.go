package store

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

func TestAttempts(t *testing.T) {
	s, o := open(t)
	ctx := t.Context()
	at := o.Clock.Now().UTC().Truncate(time.Microsecond)
	var list []Attempt
	for i := range 10 {
		list = append(list, Attempt{Name: fmt.Sprint("h mette 10.0.0.", i), At: at.Add(time.Duration(i) * time.Minute), Body: []byte{byte('0' + i)}})
	}
	if err := s.SaveAttempts(ctx, list); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveAttempts(ctx, []Attempt{{Name: list[3].Name, At: at.Add(time.Hour), Body: []byte("again")}, {Name: list[4].Name}, {Name: "never there"}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Attempts(ctx, 100)
	if err != nil || len(got) != 9 || string(got[0].Body) != "again" || !got[0].At.Equal(at.Add(time.Hour)) || got[0].Name != "" || string(got[8].Body) != "0" {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := s.Attempts(ctx, 2); err != nil || len(got) != 2 || string(got[1].Body) != "9" {
		t.Errorf("%+v %v", got, err)
	}
	if err := s.DropAttempts(ctx, at.Add(2*time.Minute), 4); err != nil {
		t.Fatal(err)
	}
	var left []byte
	if got, err = s.Attempts(ctx, 100); err != nil {
		t.Fatal(err)
	}
	for _, a := range got {
		left = append(left, a.Body...)
	}
	if !bytes.Equal(left, []byte("again987")) {
		t.Errorf("%q is left", left)
	}
	if err := s.DropAttempts(ctx, at.Add(2*time.Hour), 4); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Attempts(ctx, 100); err != nil || len(got) != 0 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestSessionsOfAPerson(t *testing.T) {
	s, o := open(t)
	ctx := t.Context()
	at := o.Clock.Now().UTC().Truncate(time.Microsecond)
	if err := s.CreatePerson(ctx, Person{ID: "p1", Login: "bo", Body: []byte("bo")}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		x := Session{Token: [32]byte{byte(i + 1)}, Person: "p1", Created: at.Add(-time.Duration(i) * time.Minute), Used: at, Body: []byte{byte('a' + i)}}
		if err := s.CreateSession(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Sessions(ctx, "p1")
	if err != nil || len(got) != 3 || got[0].Token != [32]byte{3} || string(got[0].Body) != "c" || !got[2].Created.Equal(at) || !got[2].Used.Equal(at) {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := s.Sessions(ctx, "nobody"); err != nil || len(got) != 0 {
		t.Errorf("%+v %v", got, err)
	}
}
