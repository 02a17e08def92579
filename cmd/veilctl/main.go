// Command veilctl is for installers, operators, auditors and scripts: what the
// pages do, without a page, and what needs no box at all (see appliance/ctl).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"veilbox/appliance/ctl"
	"veilbox/internal/clock"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := ctl.Main(ctx, os.Args[1:], ctl.World{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Clock: clock.System{}})
	stop()
	os.Exit(code)
}
