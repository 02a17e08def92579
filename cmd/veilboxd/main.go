// Command veilboxd is the daemon of one box.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"veilbox/appliance/config"
	"veilbox/appliance/daemon"
	"veilbox/internal/clock"
	"veilbox/internal/logging"
)

var version = "dev" // set by the build

func main() {
	file := flag.String("config", "/etc/veilbox/veilbox.toml", "the box's settings, TOML")
	show := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *show {
		fmt.Println("veilboxd", version)
		return
	}
	if err := run(*file); err != nil {
		fmt.Fprintln(os.Stderr, "veilboxd:", err)
		os.Exit(1)
	}
}

func run(file string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := config.LoadBox(file)
	if err != nil {
		return err
	}
	log := logging.New(os.Stderr, cfg.Log.Level, cfg.Log.Format)
	d, err := daemon.New(ctx, cfg, daemon.Options{Clock: clock.System{}, Log: log, Version: version})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Run(ctx)
}
