package ctl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"veilbox/appliance/config"
)

const maxSecret = 4096 // bytes

// secret reads one secret: from path, from standard input where path is "-", or
// by asking what where a person is there.
func (e *env) secret(path, what string) (config.Secret, error) {
	switch path {
	case "":
		f, ok := e.In.(*os.File)
		if !ok {
			return config.Secret{}, usage("there is nobody to ask for the %s: give it in a file, or on standard input with \"-\"", what)
		}
		return e.prompt(f, what)
	case "-":
		b, err := io.ReadAll(io.LimitReader(e.In, maxSecret+1))
		if err != nil {
			return config.Secret{}, fmt.Errorf("ctl: standard input: %w", err)
		}
		return oneLine(string(b), "standard input", what)
	}
	f, err := os.Open(path)
	if err != nil {
		return config.Secret{}, fmt.Errorf("ctl: %s: %w", what, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return config.Secret{}, fmt.Errorf("ctl: %s: %w", what, err)
	}
	return oneLine(string(b), path, what)
}

func oneLine(s, from, what string) (config.Secret, error) {
	s = strings.TrimRight(s, "\r\n")
	if s == "" || len(s) > maxSecret || strings.ContainsAny(s, "\r\n\x00") {
		return config.Secret{}, fmt.Errorf("ctl: %s: the %s must be one line of 1 to %d bytes", from, what, maxSecret)
	}
	return config.NewSecret(s), nil
}

// prompt asks on the terminal, which does not show what is typed.
func (e *env) prompt(f *os.File, what string) (_ config.Secret, err error) {
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return config.Secret{}, usage("standard input is no terminal, so nobody can be asked for the %s: give it in a file, or on standard input with \"-\"", what)
	}
	silent := *old
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &silent); err != nil {
		return config.Secret{}, fmt.Errorf("ctl: terminal: %w", err)
	}
	defer func() { err = errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETS, old)) }()
	fmt.Fprintf(e.Err, "%s: ", what)
	line, err := bufio.NewReader(io.LimitReader(f, maxSecret+2)).ReadString('\n')
	fmt.Fprintln(e.Err)
	if err != nil && !errors.Is(err, io.EOF) {
		return config.Secret{}, fmt.Errorf("ctl: terminal: %w", err)
	}
	return oneLine(line, "terminal", what)
}
