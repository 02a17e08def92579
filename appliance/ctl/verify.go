package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/statement"
	"veilbox/internal/problem"
)

const (
	maxStatement = 64 << 10 // bytes
	maxKey       = 1024

	holds      = "holds"
	notHolds   = "DOES NOT HOLD"
	notChecked = "not checked"
)

// verifierKey reads a box's verifier key, which is given as text or in a file;
// nil where none is given.
func verifierKey(given string) (note.Verifier, error) {
	if given == "" {
		return nil, nil
	}
	text, err := readVerifier(given)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, usage("--key is neither a verifier key (NAME+HASH+KEY) nor a file with one, such as audit.pub of the box's data folder")
	}
	return v, nil
}

// readVerifier returns a verifier key's text, which is given itself or in a file.
func readVerifier(given string) (string, error) {
	text := given
	if b, err := os.ReadFile(given); err == nil && len(b) <= maxKey {
		text = string(b)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) && !strings.Contains(given, "+") {
		return "", fmt.Errorf("ctl: the verifier key: %w", err)
	}
	return strings.TrimSpace(text), nil
}

// readStatement returns what text states, and whether its signature was checked.
func readStatement(text []byte, key note.Verifier) (statement.Statement, string, error) {
	if key == nil {
		s, _, err := statement.Read(text)
		return s, notChecked, err
	}
	s, err := statement.Verify(text, key)
	return s, holds, err
}

type clipVerifyCmd struct {
	Video     string `arg:"" help:"The exported video." type:"existingfile"`
	Statement string `arg:"" help:"Its statement." type:"existingfile"`
	Key       string `help:"The box's verifier key, or a file with it (audit.pub). Have it from the box's owner by another way than the video came." placeholder:"KEY"`
}

// verified is what --json says.
type verified struct {
	Signature string               `json:"signature"` // "holds", "DOES NOT HOLD", "not checked"
	SignedBy  string               `json:"signed_by"` // the key that the statement names
	Video     string               `json:"video"`     // "holds" or "DOES NOT HOLD"
	Why       []problem.Text       `json:"why,omitempty"`
	Statement *statement.Statement `json:"statement,omitempty"`
}

var errNotVerified = errors.New("the video and its statement are not verified: each line above that does not hold says why")

func (c *clipVerifyCmd) Run(e *env) error {
	key, err := verifierKey(c.Key)
	if err != nil {
		return err
	}
	text, err := e.readFile(c.Statement, maxStatement)
	if err != nil {
		return err
	}
	v := verified{Signature: notChecked, Video: notHolds}
	s, name, err := statement.Read(text)
	if err != nil {
		return err // it says nothing that could be checked
	}
	v.SignedBy, v.Statement = name, &s
	failed := func(err error) {
		p := problem.Of(err)
		v.Why = append(v.Why, problem.Text{DA: p.Cause.DA + " " + p.Remedy.DA, EN: p.Cause.EN + " " + p.Remedy.EN})
	}
	if key != nil {
		v.Signature = holds
		if _, err := statement.Verify(text, key); err != nil {
			v.Signature = notHolds
			failed(err)
		}
	}
	f, err := os.Open(c.Video)
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	err = s.Matches(f)
	errClose := f.Close()
	switch {
	case errors.Is(err, statement.ErrSize), errors.Is(err, statement.ErrHash):
		failed(err)
	case err != nil || errClose != nil:
		return fmt.Errorf("ctl: %w", errors.Join(err, errClose))
	default:
		v.Video = holds
	}
	if err := e.show(v, v.table()); err != nil {
		return err
	}
	if v.Signature == notChecked {
		return errors.New("the signature was not checked, so nothing shows who wrote the statement: give the box's verifier key with --key. It is audit.pub in the box's data folder; ask the box's owner for it, by another way than the video came")
	}
	if v.Signature != holds || v.Video != holds {
		return errNotVerified
	}
	return nil
}

func (v verified) table() table {
	s := v.Statement
	t := table{
		{"signature", v.Signature + " (" + v.SignedBy + ")"},
		{"video", v.Video + " (SHA-256 " + s.SHA256.String() + ")"},
	}
	for _, w := range v.Why {
		t = append(t, []string{"", w.EN})
	}
	if v.Signature != holds {
		t = append(t, []string{"", "What follows is what the text says; nothing shows that a box wrote it."})
	}
	span := func(p statement.Span) string { return local(p.From) + " to " + local(p.To) }
	camera := string(s.Camera)
	if s.CameraName != "" {
		camera += " (" + s.CameraName + ")"
	}
	t = append(t, table{
		{"box", s.Box}, {"camera", camera}, {"asked", span(s.Asked)}, {"shows", span(s.Contained)},
		{"gaps", fmt.Sprint(int64(len(s.Gaps)) + s.MoreGaps)}}...)
	for _, g := range s.Gaps {
		t = append(t, []string{"  gap", span(g)})
	}
	audio := s.Audio
	if audio == "" {
		audio = "none"
	}
	t = append(t, table{{"picture", fmt.Sprintf("%s %dx%d, %d pictures", s.Codec, s.Width, s.Height, s.Frames)}, {"sound", audio},
		{"purpose", s.Purpose}, {"taken out by", s.Person}, {"taken out", local(s.Made)}, {"audit entry", fmt.Sprint(s.AuditEntry)}}...)
	if s.ClockNote != "" {
		t = append(t, []string{"box's clock", s.ClockNote})
	}
	return t
}
