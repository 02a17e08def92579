//go:build linux

// Command veil-redact veils one clip. veilboxd and veilctl start it; it shuts
// itself in before it reads, takes a job and a clip by its standard input and
// gives the copy by its standard output (see redact/work).
package main

import (
	"os"

	"veilbox/redact/work"
)

func main() {
	os.Exit(work.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
