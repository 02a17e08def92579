package ctl

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/casework"
	"veilbox/appliance/statement"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

const theVideo = "an MP4"

var boxKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func boxVerifier(t testing.TB) string {
	t.Helper()
	k, err := note.NewEd25519VerifierKey("veilbox-box-k3x", boxKey.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// stated is a signed statement about a video.
func stated(t testing.TB, video string) []byte {
	t.Helper()
	signer, err := statement.NewSigner("veilbox-box-k3x", boxKey)
	if err != nil {
		t.Fatal(err)
	}
	span := statement.Span{From: at.Add(-2 * time.Minute), To: at}
	b, err := statement.Sign(statement.Statement{
		Box: "veilbox-box-k3x", Camera: "till-1", CameraName: "Kasse 1", Asked: span, Contained: statement.Span{From: span.From.Add(-time.Second), To: span.To},
		Codec: "H.264", Width: 1920, Height: 1080, Frames: 3000, Gaps: []statement.Span{{From: at.Add(-time.Minute), To: at.Add(-58 * time.Second)}},
		Size: int64(len(video)), SHA256: footage.ClipHash{Hash: sha256.Sum256([]byte(video))},
		Purpose: "police, case 0700-1", Person: "Mette Holm", Made: at, AuditEntry: 42,
	}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// exportAPI makes exports as the purpose says: "police" as they should be.
func exportAPI(t *testing.T, mux *http.ServeMux, sent map[string]string) {
	sum := sha256.Sum256([]byte(theVideo))
	v := casework.ExportView{VerifierKey: boxVerifier(t), Camera: "till-1", State: "ready", Size: int64(len(theVideo)), SHA256: fmt.Sprintf("%x", sum)}
	reply := func(w http.ResponseWriter, status int, v casework.ExportView) {
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("POST /api/v1/cameras/till-1/exports", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		sent["export"], sent["prefer"] = string(b), r.Header.Get("Prefer")
		var in casework.NewExport
		if err := json.Unmarshal(b, &in); err != nil {
			t.Error(err)
		}
		v := v
		v.ID = in.Purpose
		switch in.Purpose {
		case "slow", "fails":
			v.State, v.Done = "hashing", 0
		}
		reply(w, http.StatusAccepted, v)
	})
	mux.HandleFunc("GET /api/v1/exports/{id}", func(w http.ResponseWriter, r *http.Request) {
		v := v
		v.ID = r.PathValue("id")
		if v.ID == "fails" {
			v.State = "failed"
		}
		reply(w, http.StatusOK, v)
	})
	mux.HandleFunc("GET /api/v1/exports/{id}/clip.mp4", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("id") {
		case "cut":
			w.Header().Set("Content-Length", "1000")
			answer(w, "not whole")
		case "changed":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("an MP5"))
		default:
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(theVideo))
		}
	})
	mux.HandleFunc("GET /api/v1/exports/{id}/statement.txt", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("id") {
		case "other":
			answer(w, string(stated(t, "another")))
		case "rubbish":
			answer(w, "trust me")
		default:
			answer(w, string(stated(t, theVideo)))
		}
	})
}

func TestClipExportIsWholeOrNotThere(t *testing.T) {
	s, sent := loggedIn(t)
	out := filepath.Join(s.dir, "clip.mp4")
	args := func(purpose string, more ...string) []string {
		return append([]string{"clip", "export", "--camera", "till-1", "--from", "2m ago", "--to", "now", "-o", out, "--purpose", purpose}, more...)
	}
	for _, bad := range []string{"cut", "changed", "other", "rubbish", "fails"} {
		s.clock = clock.NewFake(at)
		if bad == "fails" {
			s.clock = clock.System{} // it waits
		}
		code, stdout, _ := s.run("", args(bad)...)
		if code != 1 || stdout != "" {
			t.Errorf("%s: status %d, %s", bad, code, stdout)
		}
		for _, f := range []string{out, statementFile(out)} {
			if _, err := os.Stat(f); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s left %s: %v", bad, f, err)
			}
		}
	}
	s.clock = clock.NewFake(at)
	code, stdout, errs := s.run("", args("police", "--key", boxVerifier(t))...)
	if b, err := os.ReadFile(out); code != 0 || err != nil || string(b) != theVideo {
		t.Fatalf("export: %d %q %v %s", code, b, err, errs)
	}
	if b, err := os.ReadFile(filepath.Join(s.dir, "clip.statement.txt")); err != nil || !bytes.Equal(b, stated(t, theVideo)) {
		t.Errorf("statement: %s %v", b, err)
	}
	if !strings.Contains(errs, "your own responsibility") || !strings.Contains(stdout, "holds") {
		t.Errorf("nothing is said of what follows: %s %s", errs, stdout)
	}
	if got, want := sent["export"], `{"from":"2026-02-03T11:58:00Z","to":"2026-02-03T12:00:00Z","purpose":"police"}`; got != want || sent["prefer"] != "respond-async" {
		t.Errorf("asked %s, want %s", got, want)
	}
	if code, out, errs := s.run("", args("police")...); code != 0 || !strings.Contains(errs, "audit.pub in the box's data folder: "+boxVerifier(t)) || !strings.Contains(out, "holds") {
		t.Errorf("with the key that the box tells: %d %s", code, errs)
	}
	other, err := note.NewEd25519VerifierKey("veilbox-box-k3x", ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs := s.run("", args("police", "--key", other)...); code != 1 || !strings.Contains(errs, "does not fit the box's key") {
		t.Errorf("another box's key: %d %s", code, errs)
	}
	s.clock = clock.System{} // it waits
	if code, _, errs := s.run("", args("slow")...); code != 0 || !strings.Contains(errs, "reads the footage: 0 %") {
		t.Errorf("slow: %d %s", code, errs)
	}
}

func TestClipVerifyGolden(t *testing.T) {
	s := newShell(t)
	video, text, key := s.file("v.mp4", theVideo), s.file("v.txt", string(stated(t, theVideo))), s.file("audit.pub", boxVerifier(t)+"\n")
	changed := s.file("c.mp4", "an MP5")
	tampered := s.file("t.txt", strings.Replace(string(stated(t, theVideo)), "Mette Holm", "Mette Kolm", 1))
	for _, c := range []struct {
		name string
		args []string
		code int
	}{
		{"holds", []string{video, text, "--key", key}, 0},
		{"changed-video", []string{changed, text, "--key", boxVerifier(t)}, 1},
		{"changed-statement", []string{video, tampered, "--key", key}, 1},
		{"no-key", []string{video, text}, 1},
	} {
		code, out, errs := s.run("", append([]string{"clip", "verify"}, c.args...)...)
		if code != c.code || c.code == 1 && !strings.HasPrefix(errs, "veilctl: ") {
			t.Errorf("%s: status %d: %s", c.name, code, errs)
		}
		if c.name == "no-key" && !strings.Contains(errs, "audit.pub in the box's data folder") {
			t.Errorf("where to get the key is not said: %s", errs)
		}
		golden(t, "verify-"+c.name+".txt", out)
	}
	if code, out, _ := s.run("", "clip", "verify", video, video, "--key", key); code != 1 || out != "" {
		t.Errorf("no statement: %d %s", code, out)
	}
	var v verified
	_, out, _ := s.run("", "--json", "clip", "verify", changed, text, "--key", key)
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Signature != holds || v.Video != notHolds || len(v.Why) != 1 || v.Statement.AuditEntry != 42 {
		t.Errorf("json: %s %v", out, err)
	}
}

// golden holds output against testdata; UPDATE_GOLDEN writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}
