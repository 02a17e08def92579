package daemon

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pquerna/otp/totp"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/internal/passkey/softkey"
)

func TestNothingPersonalAtRestInTheClear(t *testing.T) {
	dir := t.TempDir()
	config := settings(dir)
	config.Hostnames = []string{"boks.example", "127.0.0.1"} // passkeys are made for a name
	d := open(t, config)
	ctx := t.Context()
	first, err := os.ReadFile(filepath.Join(dir, "first-login"))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(first))
	var secrets []string // of authenticator apps
	// logIn replaces the password that was made for a person and adds an
	// authenticator app, without which nothing else is open.
	logIn := func(login, made, own string) casework.Actor {
		t.Helper()
		a := casework.Actor{From: "198.51.100.77"}
		token, session, err := d.work.Login(ctx, login, made, "", a.From)
		if err != nil {
			t.Fatal(err)
		}
		a.Session = session
		if err := d.work.ChangePassword(ctx, a, made, own); err != nil {
			t.Fatal(err)
		}
		app, err := d.work.NewTOTP(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		code, err := totp.GenerateCode(app.Secret, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.work.ConfirmTOTP(ctx, a, code); err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, app.Secret)
		if a.Session, err = d.accounts.Authenticate(ctx, token); err != nil {
			t.Fatal(err)
		}
		return a
	}
	boss := logIn(words[0], words[1], "fire grønne regnjakker")
	s := boss.Session
	name, function, need := "Karla Vestergaard", "butikschef-funktion", "behov-for-adgang"
	if _, err := d.work.ChangePerson(ctx, boss, s.Person.ID, casework.PersonChange{Name: &name, Function: &function, Need: &need}); err != nil {
		t.Fatal(err)
	}
	now, err := d.accounts.Person(ctx, s.Person.ID)
	if err != nil {
		t.Fatal(err)
	}
	boss.Session.Person = now.Incident()
	added, err := d.work.AddPerson(ctx, boss, casework.NewPerson{Login: "birgitte.sandholm", Name: "Birgitte Sandholm", Roles: []account.Role{account.Staff}, Function: function, Need: need})
	if err != nil {
		t.Fatal(err)
	}
	staff := logIn(added.Login, added.Password, "syv gule sydvester")
	cam := store.Camera{ID: "till-1", Name: "Kassen ved indgangen", URL: "rtsp://198.51.100.88/stream", Username: "kamerabruger", Password: "kamera-hemmelighed-42", Added: time.Now()}
	if err := d.store.PutCamera(ctx, cam); err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Add(-time.Minute).Truncate(time.Second)
	parts := mp4test.Parts(t, footage.H264, "till-1", footage.TicksOf(begin), 3)
	for _, p := range parts {
		if err := d.ring.Append(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	value := 1234
	v, err := d.work.NewCase(ctx, staff, casework.NewCase{
		Camera: "till-1", From: begin, To: begin.Add(2 * time.Second), What: "Manden i den blå regnjakke tog tre skruemaskiner.",
		ValueDKK: &value, HappenedAt: begin, Offence: incident.Theft,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := v.Evidence
	e.BasisWords, e.RepeatReasons = "Set af kassedamen ved bagdøren.", "Kom igen tirsdag med tom kuffert."
	e.Report = &incident.Report{Number: "0700-99887-66554", At: begin}
	e.Statements = []incident.Statement{{Witness: "Asta fra blomsterdisken", Words: "Han løb mod parkeringspladsen.", At: begin}}
	changed, err := d.work.ChangeCase(ctx, staff, v.ID, casework.Change{Version: v.Version, What: v.What, HappenedAt: begin, Evidence: e})
	if err != nil {
		t.Fatal(err)
	}
	// A document, one that is cut off on its way and one that is taken out again.
	body := "%PDF-1.4\n% kvittering til Kamma Lindegaard\n"
	paper := fmt.Appendf(nil, "%sxref\ntrailer\nstartxref\n%d\n%%%%EOF\n", body, len(body))
	doc := casework.NewDocument{Kind: incident.DocumentReceipt, Name: "kvittering-kamma.pdf"}
	if changed, err = d.work.AddDocument(ctx, staff, v.ID, doc, bytes.NewReader(paper)); err != nil {
		t.Fatal(err)
	}
	cut := io.MultiReader(bytes.NewReader(paper), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := d.work.AddDocument(ctx, staff, v.ID, doc, cut); err == nil {
		t.Error("a document that was cut off was taken")
	}
	gone, err := d.work.AddDocument(ctx, staff, v.ID, doc, bytes.NewReader(bytes.Replace(paper, []byte("Kamma"), []byte("Karen"), 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.work.RemoveDocument(ctx, staff, v.ID, gone.Documents[1].ID, casework.DocumentRemoval{Reason: "Hører til en andens kuffert."}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.work.Inform(ctx, staff, v.ID, casework.NewInformed{How: casework.InformedLetter, Words: "Brev til Piledamsvej."}); err != nil {
		t.Fatal(err)
	}
	var pdf bytes.Buffer
	if err := d.work.CaseFilePDF(ctx, boss, v.ID, "da", &pdf); err != nil {
		t.Fatal(err)
	}
	if _, err := d.work.FindCases(ctx, boss, casework.FindQuery{From: begin.Add(-time.Hour), To: begin.Add(time.Hour), Why: "henvendelse fra Kamma"}); err != nil {
		t.Fatal(err)
	}
	// A passkey of a key file.
	making, err := d.work.NewPasskey(ctx, staff)
	if err != nil {
		t.Fatal(err)
	}
	soft := softkey.New("kun til prøven her")
	response, err := soft.Create(making.Options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.work.AddPasskey(ctx, staff, making.ID, "Birgittes nøglering", response); err != nil {
		t.Fatal(err)
	}
	if err := d.work.AcceptConditions(ctx, staff, casework.ConditionsVersion); err != nil {
		t.Fatal(err)
	}
	m, err := d.work.Footage(ctx, boss, "till-1", casework.Wanted{From: begin, To: begin.Add(time.Second), Export: true})
	if err == nil {
		t.Error("an export with no purpose", m)
	}
	if m, err = d.work.Footage(ctx, staff, "till-1", casework.Wanted{From: begin, To: begin.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, m); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}

	needles := map[string][]byte{}
	for _, s := range []string{
		"Karla", "Vestergaard", "Birgitte", "Sandholm", "sandholm", function, need, "regnjakke", "skruemaskiner", "kassedamen", "kuffert",
		"blomsterdisken", "parkeringspladsen", "kvittering", "Kamma", "kamma", "Karen", "Lindegaard", "Piledamsvej", "nøglering", "andens",
		"99887", "kamerabruger", "kamera-hemmelighed-42", "198.51.100.88", "198.51.100.77", "Kassen ved", added.Password,
	} {
		needles[s] = []byte(s)
	}
	for i, secret := range secrets {
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
		if err != nil {
			t.Fatal(err)
		}
		needles[fmt.Sprintf("secret of app %d", i)], needles[fmt.Sprintf("secret of app %d in letters", i)] = raw, []byte(secret)
	}
	keys, err := d.accounts.Person(ctx, staff.Session.Person.ID)
	if err != nil || len(keys.Passkeys) != 1 || len(changed.Documents) != 1 {
		t.Fatalf("%+v, %v", keys.Passkeys, err)
	}
	needles["a passkey's public half"], needles["a passkey's name"] = keys.Passkeys[0].Key.Public, keys.Passkeys[0].Key.ID
	for i, p := range parts {
		needles[fmt.Sprintf("video of second %d", i)] = p.Data[len(p.Data)/2:][:24]
	}
	scan := func(when string) {
		t.Helper()
		files := 0
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil || rel == "first-login" || rel == "audit.pub" {
				return err
			}
			files++
			b, err := os.ReadFile(path)
			for what, n := range needles {
				if bytes.Contains(b, n) || bytes.Contains(bytes.ToLower([]byte(rel)), bytes.ToLower(n)) {
					t.Errorf("%s: %s holds %q in the clear", when, rel, what)
				}
			}
			if info, ierr := e.Info(); ierr != nil || info.Mode().Perm()&0o077 != 0 && filepath.Ext(rel) == ".key" {
				t.Errorf("%s: %v, %v", rel, info.Mode(), ierr)
			}
			return err
		})
		if err != nil || files < 6 {
			t.Errorf("%s: %d files, %v", when, files, err)
		}
	}
	scan("running")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	scan("closed")

	// The search itself works: the words are there for who has the key.
	d = open(t, config)
	all, err := d.store.Cases(ctx)
	if err != nil || !slices.ContainsFunc(all, func(c incident.Case) bool { return strings.Contains(c.What, "regnjakke") }) {
		t.Errorf("%d cases, %v", len(all), err)
	}
	if got, err := d.store.Camera(ctx, "till-1"); err != nil || got.Password != cam.Password {
		t.Errorf("the camera's password is lost: %v", err)
	}
}
