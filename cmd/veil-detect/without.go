//go:build !(opencv && cgo)

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "veil-detect: this program was built without OpenCV, and detects nothing: run make setup, then make build, which builds it with CGO_ENABLED=1 go build -tags opencv ./cmd/veil-detect")
	os.Exit(1)
}
