// Command veil-extranet is the central server that members' boxes share through.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"veilbox/internal/clock"
	"veilbox/uplink/extranet/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr, clock.System{})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "veil-extranet:", err)
		os.Exit(1)
	}
}
