// Package cli is the command line of veil-extranet:
//
//	veil-extranet [--config FILE]           serve
//	veil-extranet [--config FILE] check     read the settings and say what they are
//	veil-extranet --version
//
// and by root on the server, over the socket of an extranet that runs, each act in
// its audit log:
//
//	veil-extranet assessors                                  list the keys, and their names in groups
//	veil-extranet assessors confirm|revoke MEMBER KEY REASON
//	veil-extranet operators                                  list the operators
//	veil-extranet operators add LOGIN NAME                   make an account, print its first password
//	veil-extranet operators reset|end LOGIN REASON           reset: every way in is lost
//
// Everything else is done on the operator's pages or their API. The exit status
// is 0 where all went well, else 1, with cause and remedy on standard error.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"runtime/debug"
	"time"

	"veilbox/appliance/config"
	"veilbox/internal/clock"
	"veilbox/internal/logging"
	"veilbox/internal/version"
	"veilbox/uplink/extranet"
)

// Main runs the program; args are without its name.
func Main(ctx context.Context, args []string, out, errw io.Writer, clk clock.Clock) error {
	flags := flag.NewFlagSet("veil-extranet", flag.ContinueOnError)
	flags.SetOutput(errw)
	file := flags.String("config", "/etc/veilbox/extranet.toml", "the extranet's settings, TOML; empty: the defaults")
	show := flags.Bool("version", false, "print the version and exit")
	flags.Usage = func() {
		fmt.Fprint(errw, `veil-extranet [--config FILE] [COMMAND]

Serves the extranet. Commands:
  check                                        read the settings and exit
  assessors                                    list the keys
  assessors confirm|revoke MEMBER KEY REASON
  operators                                    list the operators
  operators add LOGIN NAME
  operators reset|end LOGIN REASON
`)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	if *show {
		_, err := fmt.Fprintln(out, "veil-extranet", version.Version)
		return err
	}
	cfg, err := config.LoadExtranet(*file)
	if err != nil {
		return err
	}
	switch {
	case flags.NArg() == 1 && flags.Arg(0) == "check":
		_, err := fmt.Fprintf(out, "ok: boxes %s, operators %s, data %s\n", cfg.BoxListen, cfg.OperatorListen, cfg.DataDir)
		return err
	case flags.NArg() > 0:
		return local(ctx, cfg.DataDir, flags.Args(), out)
	}
	// The register is small and uploads are streamed; a soft limit keeps a flood
	// of calls from taking the machine's memory.
	debug.SetMemoryLimit(1 << 30)
	s, err := extranet.New(ctx, extranet.Options{Config: from(cfg), Clock: clk, Log: logging.New(errw, cfg.Log.Level, cfg.Log.Format)})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// from turns the settings file into the server's configuration.
func from(c config.Extranet) extranet.Config {
	prefixes := func(ps []config.Prefix) []netip.Prefix {
		var out []netip.Prefix
		for _, p := range ps {
			out = append(out, p.Prefix)
		}
		return out
	}
	return extranet.Config{
		Dir: c.DataDir, BoxListen: c.BoxListen, OperatorListen: c.OperatorListen, URL: c.PublicURL, Hosts: c.Hostnames,
		AllowBoxes: prefixes(c.AllowBoxes), AllowOperators: prefixes(c.AllowOperators), MaxContent: int64(c.Limits.Upload),
		CodeLife: time.Duration(c.Limits.CodeLife), ViewingLife: time.Duration(c.Limits.ViewingLife),
		KeepAccess: time.Duration(c.Duties.KeepAccess), PentestEvery: time.Duration(c.Duties.PentestEvery),
	}
}
