// Package ctl is veilctl: the box's work from a command line.
//
// What needs a box goes through its JSON API (package client) with a session
// that "veilctl login" keeps; "camera simulate", "camera probe", "camera find
// --here", "clip verify", "verify", "redact", "key new", "audit check" and what takes a data
// folder (check, audit verify, prove and prune) need none. Results go to standard
// output, as a table or with --json as JSON; progress and notices go to standard
// error. Secrets come from files, standard input or a prompt, never from flags.
//
// A key file signs an approval only after veilctl has found for itself that the
// box asks for a signature of the statement that it shows, of the copy and sheet
// that the person named.
//
// The exit status is 0 where it worked, 1 where it failed (cause and remedy are
// on standard error) and 2 where the command line cannot be used.
package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/internal/version"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// A World is what a program is given from outside.
type World struct {
	In       io.Reader
	Out, Err io.Writer
	Clock    clock.Clock
}

type commands struct {
	JSON    bool             `help:"Write results as JSON." name:"json"`
	Session string           `help:"Where the log-in is kept (default: veilbox/session.json in your configuration folder)." placeholder:"FILE" type:"path" env:"VEILCTL_SESSION"`
	Version kong.VersionFlag `help:"Print the version and stop."`

	Login    loginCmd    `cmd:"" help:"Log in to a box and keep the session for the commands that follow." group:"session"`
	Logout   logoutCmd   `cmd:"" help:"End the session." group:"session"`
	Password passwordCmd `cmd:"" help:"Change your own password." group:"session"`
	Key      keyCmd      `cmd:"" help:"Key files: passkeys for work without a browser." group:"session"`
	Code     codeCmd     `cmd:"" help:"Add an authenticator app to your account, for log-ins with password and code." group:"session"`
	Camera   cameraCmd   `cmd:"" help:"Cameras: find, probe, add, change, list, trust, remove, simulate." group:"footage"`
	Clip     clipCmd     `cmd:"" help:"Recorded footage: export, verify." group:"footage"`
	Redact   redactCmd   `cmd:"" help:"Make a veiled copy of any video file, without a box." group:"footage"`
	Case     caseCmd     `cmd:"" help:"Cases: from the incident to the disclosure and its end." group:"cases"`
	Verify   verifyCmd   `cmd:"" help:"Check a case file or a proof of deletion. Needs no box: for the agency, the police, a court." group:"cases"`
	Alert    alertCmd    `cmd:"" help:"What other members have disclosed to this one." group:"cases"`
	People   peopleCmd   `cmd:"" help:"Personal accounts on the box." group:"system"`
	Enrol    enrolCmd    `cmd:"" help:"Join an extranet with a one-time code." group:"system"`
	Member   memberCmd   `cmd:"" help:"The connected members." group:"system"`
	Audit    auditCmd    `cmd:"" help:"The audit log: verify, export, prove, prune." group:"system"`
	Check    checkCmd    `cmd:"" help:"Read the whole recording of a stopped box and say what is damaged." group:"system"`
	Health   healthCmd   `cmd:"" help:"How the box is; exit status 1 if a check fails." group:"system"`
}

// An env is what a command works with.
type env struct {
	World
	ctx     context.Context
	json    bool
	session string
	log     *slog.Logger
}

// A stop is how kong's wish to end the program reaches Main.
type stop int

// Main runs veilctl and returns its exit status.
func Main(ctx context.Context, args []string, w World) (code int) {
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(stop)
			if !ok {
				panic(r)
			}
			code = int(s)
		}
	}()
	var c commands
	parser, err := kong.New(&c, kong.Name("veilctl"),
		kong.Description("Work with a Veilbox from a command line. \"veilctl COMMAND --help\" says more."),
		kong.Writers(w.Out, w.Err), kong.Exit(func(n int) { panic(stop(n)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "session", Title: "Log-in"}, {Key: "footage", Title: "Cameras and footage"},
			{Key: "cases", Title: "Cases and alerts"}, {Key: "system", Title: "The box"}}),
		kong.Vars{"version": "veilctl " + version.Version, "installed": installed, "sound": sound})
	if err != nil {
		return report(w.Err, err, exitFailed)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(w.Err, "veilctl: %v\nTry \"veilctl%s --help\".\n", err, commandOf(err))
		return exitUsage
	}
	e := &env{World: w, ctx: ctx, json: c.JSON, session: c.Session,
		log: slog.New(slog.NewTextHandler(w.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := k.Run(e); err != nil {
		var u usageError
		if errors.As(err, &u) {
			return report(w.Err, err, exitUsage)
		}
		var s statusError
		if errors.As(err, &s) {
			return report(w.Err, err, s.code)
		}
		return report(w.Err, err, exitFailed)
	}
	return exitOK
}

// commandOf is the command that a parse error came from, for the hint.
func commandOf(err error) string {
	var p *kong.ParseError
	if !errors.As(err, &p) || p.Context == nil || p.Context.Command() == "" {
		return ""
	}
	var words []string
	for _, w := range strings.Fields(p.Context.Command()) {
		if !strings.HasPrefix(w, "<") && !strings.HasPrefix(w, "[") {
			words = append(words, w)
		}
	}
	return " " + strings.Join(words, " ")
}

// A statusError has an exit status of its own.
type statusError struct {
	error
	code int
}

func (s statusError) Unwrap() error { return s.error }

// A usageError is a command line that parses and still makes no sense.
type usageError string

func (u usageError) Error() string { return string(u) }

func usage(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// report writes cause and remedy. Standard error that cannot be written to
// leaves the exit status to tell.
func report(w io.Writer, err error, code int) int {
	var p *problem.Problem
	if !errors.As(err, &p) {
		fmt.Fprintf(w, "veilctl: %v\n", err)
		return code
	}
	fmt.Fprintf(w, "veilctl: %s\n%s\n", p.Cause.EN, p.Remedy.EN)
	if p.Err != nil {
		fmt.Fprintf(w, "(%s: %v)\n", p.Code, p.Err)
	}
	return code
}

// notice is a line for the person, not for a script.
func (e *env) notice(format string, args ...any) { fmt.Fprintf(e.Err, format+"\n", args...) }

// A table is rows of columns; the first row is the heading.
type table [][]string

// show writes v as JSON or t as a table.
func (e *env) show(v any, t table) error {
	var b bytes.Buffer
	if e.json {
		j := json.NewEncoder(&b)
		j.SetIndent("", "  ")
		if err := j.Encode(v); err != nil {
			return fmt.Errorf("ctl: %w", err)
		}
	} else {
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range t {
			for i, cell := range row {
				row[i] = printable(cell)
			}
			fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
		if err := tw.Flush(); err != nil {
			return fmt.Errorf("ctl: %w", err)
		}
	}
	if _, err := e.Out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("ctl: standard output: %w", err)
	}
	return nil
}

// printable keeps what others wrote from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
