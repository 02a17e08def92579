package daemon

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage may lie beside what is in use. A recorder holds
// pictures and makes little garbage: Go's usual 100 would take twice the memory
// of a small box to save a few thousandths of a core.
const gcPercent = 40

// frugal keeps the process small, unless who started it said otherwise.
func frugal() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
