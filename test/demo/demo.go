package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/footagesrc"
	"veilbox/test/lab"
	"veilbox/test/rig"
	"veilbox/test/story"
)

func run(ctx context.Context, bin string, check bool) (err error) {
	begun := time.Now()
	dir, err := os.MkdirTemp("", "veilbox-demo-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	footage, err := footagesrc.Find()
	if err != nil {
		return err
	}
	r, err := rig.Start(ctx, rig.Options{Dir: dir, Bin: bin, Footage: footage, Fixed: !check, Codes: !check})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.World.SetUp(ctx); err != nil {
		return errors.Join(err, r.Logs(os.Stderr))
	}
	fmt.Printf("up after %.1f s\n", time.Since(begun).Seconds())
	if !check {
		if err := errors.Join(show(r.World), tell(os.Stdout, r.World)); err != nil {
			return err
		}
		return wait(ctx, r)
	}
	if err := walk(ctx, r, bin, dir); err != nil {
		return errors.Join(err, r.Logs(os.Stderr))
	}
	fmt.Printf("every step held, %.0f s in all\n", time.Since(begun).Seconds())
	return nil
}

// wait tells the codes anew whenever a person asks, until Ctrl-C.
func wait(ctx context.Context, r *rig.Rig) error {
	asked := make(chan struct{})
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			asked <- struct{}{}
		}
	}()
	fmt.Println("\nA code is good for 30 seconds and for one log-in: Enter shows the next. Ctrl-C stops everything and removes the data.")
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.Died:
			return errors.Join(err, r.Logs(os.Stderr))
		case <-asked:
			if err := tell(os.Stdout, r.World); err != nil {
				return err
			}
		}
	}
}

// everybody is who can log in.
func everybody(w *story.World) []story.Login {
	var all []story.Login
	for _, b := range []*story.Box{w.A, w.B} {
		all = append(all, b.Staff, b.Assessor, b.Manager, b.Auditor)
	}
	return append(all, w.Operator.Login)
}

// tell writes the codes of the moment.
func tell(out io.Writer, w *story.World) error {
	now := time.Now()
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "\ncodes at %s\n", now.Format("15:04:05"))
	for _, l := range everybody(w) {
		code, err := l.Code(now)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		fmt.Fprintf(t, "  %s\t%s\n", l.Name, code)
	}
	return t.Flush()
}

// keep writes the assessors' passkeys as veilctl reads them.
func keep(w *story.World) error {
	for _, b := range []*story.Box{w.A, w.B} {
		var sealed bytes.Buffer
		if err := b.Assessor.Key.Write(&sealed); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if err := os.WriteFile(keyFile(b), sealed.Bytes(), 0o600); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return nil
}

func keyFile(b *story.Box) string {
	return filepath.Join(filepath.Dir(b.Dir), filepath.Base(b.Dir)+"-assessor.key")
}

// byName is an address under the name that passkeys are made for.
func byName(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }

func show(w *story.World) error {
	if err := keep(w); err != nil {
		return err
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "\nbox A, a shop with a camera\t%s\n", byName(w.A.URL))
	people(t, w.A)
	fmt.Fprintf(t, "\nbox B, another shop\t%s\n", byName(w.B.URL))
	people(t, w.B)
	fmt.Fprintf(t, "\nthe extranet, for its operator\t%s\n", byName(w.ExtranetURL))
	fmt.Fprintf(t, "  operator\t%s\t%s\t%s\n", w.Operator.Login.Login, w.Operator.Login.Password, w.Operator.Login.Name)
	fmt.Fprintf(t, "\nthe camera\t%s\n  \t%s\t%s\n", w.Camera.URL, w.Camera.Username, w.Camera.Password)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	fmt.Println("\nThe boxes have certificates of their own, so the browser will warn, and offers no passkeys; to trust them, import")
	fmt.Printf("  %s\n  %s\n", filepath.Join(w.A.Dir, "tls", "ca.pem"), filepath.Join(w.B.Dir, "tls", "ca.pem"))
	fmt.Println("An approval is signed with a passkey: the browser's, which the assessor adds under the own name and the operator confirms, or the file's,")
	fmt.Printf("  bin/veilctl case assess --approve --key %s   (passphrase %s)\n", keyFile(w.A), w.A.Assessor.Passphrase)
	return nil
}

func people(t *tabwriter.Writer, b *story.Box) {
	for _, p := range []struct {
		role string
		story.Login
	}{{"staff", b.Staff}, {"assessor", b.Assessor}, {"manager", b.Manager}, {"auditor", b.Auditor}} {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", p.role, p.Login.Login, p.Password, p.Name)
	}
}

type step struct {
	name string
	do   func(context.Context) error
}

// walk goes through the story, a line a step.
func walk(ctx context.Context, r *rig.Rig, bin, dir string) (err error) {
	w := r.World
	veilctl := filepath.Join(bin, "veilctl")
	// The clocks are shown on a second set of boxes, whose clock can be moved,
	// with the same camera; it records from now on beside the first.
	clocks, err := lab.Start(ctx, lab.Options{
		Dir: filepath.Join(dir, "clocks"), Worker: filepath.Join(bin, "veil-redact"), Camera: &w.Camera, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clocks.Close()) }()
	c := clocks.World
	again := func(reported bool) func(context.Context) error {
		return func(ctx context.Context) error {
			ask := func(ctx context.Context) error { return c.Ask(ctx, reported) }
			return inTurn(ctx, c.Tag, c.Veil, ask, c.Approve, c.Arrive)
		}
	}
	return steps(ctx, []step{
		{"0 set up a second world whose clock can be moved", c.SetUp},
		{"1 record; no video in the clear on the disk", w.Record},
		{"2 log in, see the camera, play a recorded span", w.Look},
		{"2 create the incident", w.Tag},
		{"3-4 mark the subject; copy, progress and reveal sheet", w.Veil},
		{"5 ask the nine conditions; what is missing is named", func(ctx context.Context) error { return w.Ask(ctx, true) }},
		{"6 kill the extranet", func(context.Context) error { return r.Kill("extranet") }},
		{"5-6 refuse, then approve with the assessor's signature", w.Approve},
		{"6 kill box A with the copy in its outbox", func(context.Context) error { return r.Kill("box-a") }},
		{"6 start both again", func(ctx context.Context) error { return errors.Join(r.StartBox(ctx, "box-a"), r.StartExtranet(ctx)) }},
		{"6-7 the copy arrives and is checked", w.Arrive},
		{"7 a member outside the circle is shown nothing", w.Outsider},
		{"8 view at box B, on record at both ends first", w.Watch},
		{"9 withdraw; gone everywhere, with the reason", w.Withdraw},
		{"9 record, veil, approve with the report promised", func(ctx context.Context) error { return inTurn(ctx, c.Record, again(false)) }},
		{"9 the day ends without a police report", func(ctx context.Context) error {
			if err := clocks.Shift(clock.EndOfDay(clocks.Clock.Now()).Sub(clocks.Clock.Now()) + time.Second); err != nil {
				return err
			}
			return c.Gone(ctx, "anmeld")
		}},
		{"9 veil and approve with the report made", again(true)},
		{"9 30 days go by", func(ctx context.Context) error {
			if err := clocks.Shift(30*24*time.Hour + time.Second); err != nil {
				return err
			}
			return c.Gone(ctx, "30")
		}},
		{"10 the logs verify, and one changed byte is found", func(ctx context.Context) error { return w.Records(ctx, veilctl, dir) }},
	})
}

func inTurn(ctx context.Context, do ...func(context.Context) error) error {
	for _, f := range do {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

func steps(ctx context.Context, all []step) error {
	for _, s := range all {
		begun := time.Now()
		if err := s.do(ctx); err != nil {
			fmt.Printf("FAILED %6.1f s  %s\n", time.Since(begun).Seconds(), s.name)
			return err
		}
		fmt.Printf("ok     %6.1f s  %s\n", time.Since(begun).Seconds(), s.name)
	}
	return nil
}
