// Package story is the main job of Veilbox from camera to another shop's page,
// driven through the HTTP API that the pages use. The demonstration runs it on
// programs of their own, the end-to-end test within one process.
package story

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/internal/passkey/softkey"
	"veilbox/redact/subject"
)

// A Login is how a person logs in: with a passkey kept in a file.
type Login struct {
	Login, Name string
	Key         *softkey.Key
	Passphrase  string // of the key, where it is kept in a file
	// Password and Secret are of who can log in without the key: the password,
	// and the secret of the codes beside it (RFC 6238, base32).
	Password, Secret string
}

// Code returns the code that an authenticator app shows at a time.
func (l Login) Code(at time.Time) (string, error) { return totp.GenerateCode(l.Secret, at) }

// A Box is one box that runs.
type Box struct {
	URL string
	Dir string // data folder
	// Codes gives everybody a password and codes beside the passkey.
	Codes bool

	Manager, Staff, Assessor, Auditor Login
}

// A Camera is the camera of box A.
type Camera struct {
	URL, SubURL, Username, Password string
	// Began is when the footage began to play.
	Began time.Time
	// Loop is how long the footage is before it begins again.
	Loop time.Duration
}

// A World is a camera, two boxes and an extranet.
type World struct {
	A, B        *Box
	ExtranetURL string // the operator's
	ExtranetDir string
	Camera      Camera
	Operator    *Operator
	// Now is the time that the machines have; nil: the system's.
	Now func() time.Time
	// FFprobe is the program's path.
	FFprobe string

	recording time.Time // when the camera was added
	runs      runs
}

func (w *World) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

// Loop is how long vtest.avi is: 795 pictures, 10 a second.
const Loop = 79500 * time.Millisecond

// CameraID is what the story calls its camera.
const CameraID = "kasse-1"

// Who acts in the story.
const (
	MemberA incident.MemberID = "butik-a"
	MemberB incident.MemberID = "butik-b"
	MemberC incident.MemberID = "butik-c" // outside the circle
)

// dial returns a client of b that trusts b's own authority.
func (b *Box) dial() (*client.Client, error) {
	trust, err := client.TrustFile(filepath.Join(b.Dir, "tls", "ca.pem"))
	if err != nil {
		return nil, err
	}
	return client.New(b.URL, trust)
}

// As logs in.
func (b *Box) As(ctx context.Context, l Login) (*client.Client, error) {
	c, err := b.dial()
	if err != nil {
		return nil, err
	}
	if _, err := c.LogInPasskey(ctx, l.Key); err != nil {
		return nil, fmt.Errorf("story: log in as %s: %w", l.Login, err)
	}
	return c, nil
}

// begin makes a person's passkey.
func (b *Box) begin(ctx context.Context, login, name, password string) (Login, error) {
	c, err := b.dial()
	if err != nil {
		return Login{}, err
	}
	defer c.Close()
	l := Login{Login: login, Name: name, Passphrase: rand.Text()}
	if b.Codes {
		if l.Password, l.Secret, err = fallBack(ctx, c, login, password); err != nil {
			return l, err
		}
		l.Key = softkey.New(l.Passphrase)
		return l, c.AddPasskey(ctx, l.Key, "Nøglefil")
	}
	l.Key, err = FirstKey(ctx, c, login, password, l.Passphrase)
	return l, err
}

// FirstManager logs in with the first log-in, makes a passkey and gives the
// manager a name and an authorisation.
func (b *Box) FirstManager(ctx context.Context, name string) (*client.Client, error) {
	text, err := os.ReadFile(filepath.Join(b.Dir, "first-login"))
	if err != nil {
		return nil, fmt.Errorf("story: %w", err)
	}
	lines := strings.Fields(string(text))
	if len(lines) != 2 {
		return nil, errors.New("story: first-login is not a log-in and a password")
	}
	if b.Manager, err = b.begin(ctx, lines[0], name, lines[1]); err != nil {
		return nil, err
	}
	c, err := b.As(ctx, b.Manager)
	if err != nil {
		return nil, err
	}
	s, err := c.Session(ctx)
	if err != nil {
		return nil, err
	}
	function, need := "Butikschef", "Har ansvaret for butikkens overvågning"
	_, err = c.ChangePerson(ctx, s.Person.ID, casework.PersonChange{Name: &name, Function: &function, Need: &need})
	return c, err
}

// add makes an account, and a passkey for it.
func (b *Box) add(ctx context.Context, manager *client.Client, p casework.NewPerson) (Login, error) {
	v, err := manager.AddPerson(ctx, p)
	if err != nil {
		return Login{}, err
	}
	return b.begin(ctx, p.Login, p.Name, v.Password)
}

func (w *World) people(ctx context.Context, b *Box, m *client.Client, names [3]string) (err error) {
	now := w.now()
	b.Staff, err = b.add(ctx, m, casework.NewPerson{
		Login: "medarbejder", Name: names[0], Roles: []account.Role{account.Staff},
		Function: "Salgsassistent", Need: "Markerer hændelser ved kassen og ser advarsler",
	})
	if err != nil {
		return err
	}
	b.Assessor, err = b.add(ctx, m, casework.NewPerson{
		Login: "fagperson", Name: names[1], Roles: []account.Role{account.Assessor},
		Function: "Sikkerhedschef", Need: "Vurderer de ni vilkår",
		Qualification: &incident.Qualification{
			Education: "Cand.jur.", Experience: "12 år med sager om butikstyveri",
			Competences: []string{"law", "security", "property-crime"}, From: now.Add(-time.Hour), To: now.AddDate(1, 0, 0),
		},
	})
	if err != nil {
		return err
	}
	a, err := b.As(ctx, b.Assessor)
	if err != nil {
		return err
	}
	if err := a.RegisterApprovalKey(ctx, b.Assessor.Key); err != nil {
		return err
	}
	b.Auditor, err = b.add(ctx, m, casework.NewPerson{
		Login: "revisor", Name: names[2], Roles: []account.Role{account.Auditor},
		Function: "Intern revisor", Need: "Kontrollerer loggen",
	})
	return err
}

// SetUp registers the members, enrols both boxes by one-time codes, makes the
// people and adds the camera.
func (w *World) SetUp(ctx context.Context) (err error) {
	if w.Operator, err = NewOperator(ctx, w.ExtranetURL, w.ExtranetDir, w.A.Codes); err != nil {
		return err
	}
	members := []Member{
		{ID: MemberA, Name: "Butik A", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Elektronik", Chain: "Eksempelkæden"},
		{ID: MemberB, Name: "Butik B", Town: "Svendborg", Region: "Syddanmark", Country: "DK", Trade: "Elektronik", Chain: "Eksempelkæden"},
		{ID: MemberC, Name: "Butik C", Town: "Aalborg", Region: "Nordjylland", Country: "DK", Trade: "Blomster"},
	}
	codes := map[incident.MemberID]string{}
	for _, m := range members {
		if codes[m.ID], err = w.Operator.AddMember(ctx, m); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		box   *Box
		id    incident.MemberID
		names [4]string
	}{
		{w.A, MemberA, [4]string{"Mette Mikkelsen", "Simon Sørensen", "Frida Friis", "Rasmus Rask"}},
		{w.B, MemberB, [4]string{"Bo Bertelsen", "Signe Skov", "Freja Falk", "Rikke Ravn"}},
	} {
		manager, err := x.box.FirstManager(ctx, x.names[0])
		if err != nil {
			return err
		}
		if _, err := manager.Enrol(ctx, codes[x.id]); err != nil {
			return err
		}
		if err := w.people(ctx, x.box, manager, [3]string(x.names[1:])); err != nil {
			return err
		}
	}
	n, err := w.Operator.ConfirmAssessors(ctx)
	if err != nil {
		return err
	}
	if n != 2 {
		return fmt.Errorf("story: %d assessors waited for the operator, want 2", n)
	}
	manager, err := w.A.As(ctx, w.A.Manager)
	if err != nil {
		return err
	}
	_, err = manager.AddCamera(ctx, casework.NewCamera{
		ID: CameraID, Name: "Indgangen", URL: w.Camera.URL, SubURL: w.Camera.SubURL,
		Username: w.Camera.Username, Password: w.Camera.Password,
	})
	w.recording = time.Now().Add(3 * time.Second) // the first keyframe is in the ring by then
	return err
}

// The subject of the story, in vtest.avi padded to 16:9: a man in a jacket who
// walks across the square.
const (
	subjectAt   = 37.0 // seconds into the footage
	subjectFrom = 32.5
	subjectTo   = 39.5
)

var subjectRect = subject.Rect{X: 0.700, Y: 0.345, W: 0.047, H: 0.18}

// clipSpan returns the first wall time, after the recording began, in which the
// subject walks.
func (w *World) clipSpan() (from, to time.Time) {
	from = w.Camera.Began.Add(secs(subjectFrom))
	for from.Before(w.recording) {
		from = from.Add(w.Camera.Loop)
	}
	return from, from.Add(secs(subjectTo - subjectFrom))
}

func secs(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
