//go:build cgo

package main

import (
	"fmt"
	"os"
)

// With cgo the restrictions would have to be laid on threads that the C library
// started, which can wait for ever. The program that is shipped has no C in it.
func init() {
	fmt.Fprintln(os.Stderr, "veil-redact: this program was built with cgo: build it with CGO_ENABLED=0, as make build does")
	os.Exit(1)
}
