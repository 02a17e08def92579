//go:build opencv && cgo

// Command veil-detect finds persons and faces in frames. veil-redact starts it
// within its sandbox, hands it frames by its standard input and reads boxes from
// its standard output (see redact/detect).
package main

import (
	"os"

	"veilbox/redact/detect/opencv"
	"veilbox/redact/detect/serve"
)

func main() {
	os.Exit(serve.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, opencv.New))
}
