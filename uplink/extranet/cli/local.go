package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/uplink/extranet"
)

const maxAnswer = 16 << 20

// A Local calls an extranet that runs on this machine, over its socket.
type Local struct{ http *http.Client }

// Dial returns a Local for the socket at path, which may be called from root's and
// the service's account alone.
func Dial(path string) (*Local, error) {
	c, err := net.DialTimeout("unix", path, 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("%w: run it with sudo on the server, while the service runs (systemctl start veil-extranet)", err)
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	return &Local{&http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}, nil
}

// Call sends in as JSON and reads the answer into out.
func (l *Local) Call(ctx context.Context, method, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://local"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	a, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return problem.Decode(resp.StatusCode, a)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a, out)
}

// local does a command over the socket in dir.
func local(ctx context.Context, dir string, args []string, out io.Writer) error {
	want := map[string]int{"assessors": 1, "assessors confirm": 5, "assessors revoke": 5, "operators": 1, "operators add": 4, "operators reset": 4, "operators end": 4}
	verb := strings.Join(args[:min(len(args), 2)], " ")
	n, known := want[verb]
	if !known {
		return fmt.Errorf("unknown command %q; see --help", verb)
	}
	if len(args) != n {
		return fmt.Errorf("%s takes %d words, not %d; see --help", verb, n-strings.Count(verb, " ")-1, len(args)-strings.Count(verb, " ")-1)
	}
	l, err := Dial(filepath.Join(dir, extranet.LocalSocket))
	if err != nil {
		return err
	}
	post := func(path string, in, to any) error { return l.Call(ctx, "POST", path, in, to) }
	switch verb {
	case "assessors":
		return l.assessors(ctx, out)
	case "operators":
		return l.operators(ctx, out)
	case "assessors confirm", "assessors revoke":
		key := strings.ReplaceAll(args[3], " ", "")
		if err := post("/api/v1/assessors/"+url.PathEscape(args[2])+"/"+url.PathEscape(key)+"/"+args[1], map[string]string{"reason": args[4]}, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, "done")
		return err
	case "operators end":
		if err := post("/api/v1/operators/"+url.PathEscape(args[2])+"/remove", map[string]string{"reason": args[3]}, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, "done")
		return err
	}
	var made struct{ Name, Password string }
	if verb == "operators add" {
		err = post("/api/v1/operators", map[string]string{"name": args[2], "person": args[3]}, &made)
	} else {
		err = post("/api/v1/operators/"+url.PathEscape(args[2])+"/reset", map[string]string{"reason": args[3]}, &made)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s %s\nThe password is shown only now, and opens only the setting up of the account.\n", made.Name, made.Password)
	return err
}

// assessors lists the keys, those that wait first, each name in groups to be read
// aloud.
func (l *Local) assessors(ctx context.Context, out io.Writer) error {
	var all []struct {
		Member, Key, Host, Name, State, Operator string
		File, Expired                            bool
		Qualification                            incident.Qualification
		Next                                     *incident.Qualification
	}
	if err := l.Call(ctx, "GET", "/api/v1/assessors", nil, &all); err != nil {
		return err
	}
	errs := []error{}
	put := func(format string, a ...any) {
		_, err := fmt.Fprintf(out, format, a...)
		errs = append(errs, err)
	}
	for _, a := range all {
		put("%s  %s  %s\n  key   %s\n  made  for %s", a.State, a.Member, a.Name, a.Key, a.Host)
		if a.File {
			put(", a file on a computer")
		}
		put("\n  read  %s\n", groups(a.Key))
		qualification := func(what string, q incident.Qualification) {
			put("  %s  %s; %s; %s; %s to %s\n", what, q.Education, q.Experience, strings.Join(q.Competences, ", "), day(q.From), day(q.To))
		}
		qualification("holds", a.Qualification)
		if a.Next != nil {
			qualification("waits", *a.Next)
		}
	}
	if len(all) > 0 {
		put("\nBefore you confirm a key, call the person on a number that you know from elsewhere,\nand have the person read its whole name aloud from their own page.\n")
	}
	return errors.Join(errs...)
}

func (l *Local) operators(ctx context.Context, out io.Writer) error {
	var all []struct {
		Name, Person string
		Passkeys     []struct{ Name string }
		TOTP         bool
		Ended        *time.Time
	}
	if err := l.Call(ctx, "GET", "/api/v1/operators", nil, &all); err != nil {
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, a := range all {
		state := fmt.Sprintf("%d passkeys", len(a.Passkeys))
		if a.TOTP {
			state += ", authenticator app"
		}
		if a.Ended != nil {
			state = "ended " + day(*a.Ended)
		}
		if _, err := fmt.Fprintf(t, "%s\t%s\t%s\n", a.Name, a.Person, state); err != nil {
			return err
		}
	}
	return t.Flush()
}

func groups(id string) string {
	var b strings.Builder
	for i, r := range id {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func day(t time.Time) string { return t.In(clock.Copenhagen).Format(time.DateOnly) }
