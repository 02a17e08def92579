// Package config reads the settings file of a box (veilbox.toml) and of the
// extranet (extranet.toml), TOML 1.0.
//
// Every key is optional; the shipped examples, which this package embeds, show
// every key with its default and say what it does. Unknown keys, wrong types and
// values out of bounds are refused with file, line, key and remedy: an error
// from here is for the person who edited the file. Durations are written
// "720h" or "30d", sizes "500GiB"; both are typed values here.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"veilbox/systemd"
)

// MaxFile is the longest settings file, in bytes.
const MaxFile = 256 << 10

// An Error is what is wrong in a settings file. All that is found is told at
// once where the file can be read at all.
type Error struct {
	File   string
	Faults []Fault
}

// A Fault is one thing wrong, at a line counted from 1; 0 is the whole file.
type Fault struct {
	Line   int
	Key    string
	Cause  string
	Remedy string
}

func (e *Error) Error() string {
	var b strings.Builder
	for i, f := range e.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
		if f.Key != "" {
			b.WriteString(f.Key + ": ")
		}
		b.WriteString(f.Cause + ": " + f.Remedy)
	}
	return b.String()
}

// LoadBox reads a box's settings. An empty path gives the defaults.
func LoadBox(path string) (Box, error) {
	c := DefaultBox()
	err := load(path, &c, c.check)
	return c, err
}

// LoadExtranet reads the extranet's settings. An empty path gives the defaults.
func LoadExtranet(path string) (Extranet, error) {
	c := DefaultExtranet()
	err := load(path, &c, c.check)
	return c, err
}

// ExampleBox returns the shipped veilbox.toml.
func ExampleBox() string { return systemd.Box }

// ExampleExtranet returns the shipped extranet.toml.
func ExampleExtranet() string { return systemd.Extranet }

func load(path string, into any, check func(*checker)) (err error) {
	if path == "" {
		return finish("settings", nil, check)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("config: %w: give the settings file's path with --config, or leave the flag away for the defaults", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return fmt.Errorf("config: read %s: %w", path, err)
	}
	return parse(path, b, into, check)
}

func parse(file string, b []byte, into any, check func(*checker)) error {
	if len(b) > MaxFile {
		return &Error{file, []Fault{{Cause: fmt.Sprintf("the file is over %d bytes", MaxFile), Remedy: "it does not look like a settings file; start from the shipped example"}}}
	}
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return decodeFault(file, b, into, err)
	}
	return finish(file, b, check)
}

func finish(file string, b []byte, check func(*checker)) error {
	c := &checker{text: b}
	check(c)
	if len(c.faults) > 0 {
		return &Error{file, c.faults}
	}
	return nil
}

func decodeFault(file string, b []byte, into any, err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		e := &Error{File: file}
		for i := range strict.Errors {
			row, _ := strict.Errors[i].Position()
			key := strings.Join(strict.Errors[i].Key(), ".")
			e.Faults = append(e.Faults, Fault{Line: row, Key: key, Cause: "there is no such key", Remedy: unknownRemedy(key, keysOf(into))})
		}
		return e
	}
	var dec *toml.DecodeError
	if errors.As(err, &dec) {
		row, _ := dec.Position()
		f := Fault{Line: row, Key: keyAt(b, row), Cause: strings.TrimPrefix(dec.Error(), "toml: "), Remedy: "write it as in the shipped example"}
		if strings.HasPrefix(f.Cause, "cannot decode TOML") || strings.HasPrefix(f.Cause, "cannot store") {
			f.Cause = "the value is of another kind than this key takes" // the library names our Go types
		}
		if f.Key == "" {
			f.Remedy = "correct the TOML: strings in quotes, one key = value a line"
		}
		return &Error{file, []Fault{f}}
	}
	return &Error{file, []Fault{{Cause: strings.TrimPrefix(err.Error(), "toml: "), Remedy: "write it as in the shipped example"}}}
}

func lastOf(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }
