package incident

import (
	"reflect"
	"testing"
	"time"
)

// fill sets every field below v to something, so that a field added later and
// forgotten by Clone is found.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1e9, 0)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	default:
		panic("no value for " + v.Type().String())
	}
}

// shared returns the path of a pointer or slice that a and b share.
func shared(a, b reflect.Value, path string) string {
	switch a.Kind() {
	case reflect.Pointer:
		if a.Pointer() == b.Pointer() {
			return path
		}
		return shared(a.Elem(), b.Elem(), path)
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[time.Time]() {
			return "" // its location is never written to
		}
		for i := range a.NumField() {
			if p := shared(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name); p != "" {
				return p
			}
		}
	case reflect.Slice:
		if a.Pointer() == b.Pointer() {
			return path
		}
		for i := range a.Len() {
			if p := shared(a.Index(i), b.Index(i), path); p != "" {
				return p
			}
		}
	}
	return ""
}

func TestClone(t *testing.T) {
	var c Case
	fill(reflect.ValueOf(&c).Elem())
	d := c.Clone()
	if !reflect.DeepEqual(c, d) {
		t.Fatalf("a clone differs:\n%+v\n%+v", c, d)
	}
	if p := shared(reflect.ValueOf(c), reflect.ValueOf(d), "Case"); p != "" {
		t.Errorf("%s is shared with the clone", p)
	}
	var zero Case
	if z := zero.Clone(); !reflect.DeepEqual(z, zero) {
		t.Errorf("%+v", z)
	}
}

func TestValidity(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(1, 0, 0)
	a := Authorisation{By: "b", Function: "f", Need: "n", From: from, To: to}
	q := Qualification{Education: "e", Experience: "x", Competences: []string{"law"}, From: from, To: to}
	for _, c := range []struct {
		at   time.Time
		want bool
	}{{from.Add(-1), false}, {from, true}, {to.Add(-1), true}, {to, false}} {
		if a.Valid(c.at) != c.want || q.Valid(c.at) != c.want {
			t.Errorf("%v: %v %v", c.at, a.Valid(c.at), q.Valid(c.at))
		}
	}
	if (Authorisation{By: "b", From: from, To: to}).Valid(from) || (Qualification{Education: "e", Experience: "x", From: from, To: to}).Valid(from) {
		t.Error("empty fields hold")
	}
}
