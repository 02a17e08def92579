package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

// As the child of TestADraftIsNeverLost this saves the same draft over and over
// and says each version once it is acknowledged, until it is killed.
func TestSavesUntilKilled(t *testing.T) {
	path := os.Getenv("VEILBOX_SAVE_UNTIL_KILLED")
	if path == "" {
		return
	}
	key, err := keys.FromBytes([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{Path: path, Key: key, Clock: clock.NewFake(start)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Case(t.Context(), "DRAFT")
	if errors.Is(err, ErrNotFound) {
		c = newCase("DRAFT", start)
		c.Version = 1
		err = s.CreateCase(t.Context(), c)
	}
	for ; err == nil; c, err = s.UpdateCase(t.Context(), c) {
		fmt.Printf("saved %d %s\n", c.Version, c.What)
		c.What = fmt.Sprintf("answer-%d", c.Version+1)
	}
	t.Fatal(err)
}

// What was acknowledged to the page is there after the program was killed in the
// middle of the next save, every time; and the file opens.
func TestADraftIsNeverLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "box.db")
	key, err := keys.FromBytes([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for round := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSavesUntilKilled$")
		cmd.Env = append(os.Environ(), "VEILBOX_SAVE_UNTIL_KILLED="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acked, said := 0, bufio.NewScanner(out)
		for n := 0; said.Scan(); {
			v, ok := strings.CutPrefix(said.Text(), "saved ")
			if !ok {
				continue
			}
			v, _, _ = strings.Cut(v, " ")
			if acked, err = strconv.Atoi(v); err != nil {
				t.Fatal(err)
			}
			if n++; n == 3+7*round {
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
		if acked <= last {
			t.Fatalf("round %d: nothing was saved (%d)", round, acked)
		}
		last = acked
		s, err := Open(t.Context(), Options{Path: path, Key: key, Clock: clock.NewFake(start)})
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Case(t.Context(), "DRAFT")
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		// The save that was cut off may be there, as a whole; nothing less.
		if c.Version < acked || c.Version > acked+1 || c.State != incident.Draft || c.Version > 1 && c.What != fmt.Sprintf("answer-%d", c.Version) {
			t.Errorf("round %d: version %d (%q) is there, %d was acknowledged", round, c.Version, c.What, acked)
		}
	}
}
