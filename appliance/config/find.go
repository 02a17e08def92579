package config

import (
	"bytes"
	"reflect"
	"strings"
)

// eachKey calls f with the line, from 1, and the dotted key of each setting. It
// follows table headers and dotted keys, which is what people write; one that it
// misses costs a message its line or key and nothing else.
func eachKey(b []byte, f func(line int, key string)) {
	table := ""
	for i, l := range bytes.Split(b, []byte("\n")) {
		s := strings.TrimSpace(string(l))
		if strings.HasPrefix(s, "[") {
			if end := strings.IndexByte(s, ']'); end > 0 {
				table = strings.TrimSpace(strings.Trim(s[1:end], "["))
			}
			continue
		}
		key, _, ok := strings.Cut(s, "=")
		if !ok || strings.HasPrefix(s, "#") {
			continue
		}
		key = strings.ReplaceAll(strings.TrimSpace(key), `"`, "")
		if table != "" {
			key = table + "." + key
		}
		f(i+1, key)
	}
}

// lineOf returns the line where a key is set, 0 where it is not.
func lineOf(b []byte, key string) (at int) {
	eachKey(b, func(line int, k string) {
		if k == key && at == 0 {
			at = line
		}
	})
	return at
}

// keyAt returns the key that is set at a line, empty where none is.
func keyAt(b []byte, line int) (key string) {
	eachKey(b, func(l int, k string) {
		if l == line {
			key = k
		}
	})
	if len(key) > 128 {
		return ""
	}
	return key
}

// keysOf returns the dotted keys of a settings struct.
func keysOf(v any) []string {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("toml")
		if name == "" || name == "-" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			for _, k := range keysOf(reflect.Zero(f.Type).Interface()) {
				keys = append(keys, name+"."+k)
			}
			continue
		}
		keys = append(keys, name)
	}
	return keys
}

// unknownRemedy names the key that was probably meant.
func unknownRemedy(key string, known []string) string {
	best, least := "", len(key)/2+1
	for _, k := range known {
		d := distance(key, k)
		if table, _, ok := strings.Cut(k, "."); ok {
			if dt := distance(key, table); dt < d {
				k, d = table, dt
			}
		}
		if lastOf(k) == lastOf(key) {
			d = min(d, 1) // right name, wrong table
		}
		if d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return "did you mean " + best + "? Otherwise take the line out"
	}
	return "take the line out; the shipped example has every key"
}

// distance is Levenshtein's, on at most 64 bytes of each: a key from a file may
// be of any length.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
