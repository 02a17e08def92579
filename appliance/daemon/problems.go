package daemon

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"veilbox/internal/durable"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
)

// Problems of a start.
var (
	errClock = problem.New(503, "clock.unset",
		problem.Text{DA: "Boksens ur er ikke stillet.", EN: "The box's clock is not set."},
		problem.Text{DA: "Tilslut boksen til netværket, så uret stilles (NTP), og start den igen; optagelser uden rigtig tid kan ikke bruges.", EN: "Connect the box to the network so that its clock is set (NTP) and start it again; recordings without the right time are of no use."})
	errDataDir = problem.New(500, "data.folder",
		problem.Text{DA: "Boksen kan ikke skrive i sin datamappe.", EN: "The box cannot write in its data folder."},
		problem.Text{DA: "Ret data_dir i indstillingerne, eller giv tjenesten adgang til mappen.", EN: "Correct data_dir in the settings, or give the service access to the folder."})
	errPort = problem.New(500, "port.taken",
		problem.Text{DA: "Adressen er optaget af et andet program.", EN: "The address is taken by another program."},
		problem.Text{DA: "Stop det andet program (ss -ltnp viser hvilket), eller vælg en anden port i indstillingerne.", EN: "Stop the other program (ss -ltnp shows which), or choose another port in the settings."})
	errListen = problem.New(500, "port.address",
		problem.Text{DA: "Boksen kan ikke lytte på adressen i indstillingerne.", EN: "The box cannot listen on the address in the settings."},
		problem.Text{DA: "Ret listen eller metrics i indstillingerne.", EN: "Correct listen or metrics in the settings."})
)

// before this no box was made: a clock that shows it is not set.
var earliest = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func checkClock(now time.Time) error {
	if now.Before(earliest) {
		return errClock.With(fmt.Errorf("daemon: the clock shows %s", now.UTC().Format(time.RFC3339)))
	}
	return nil
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, errPort.With(fmt.Errorf("daemon: %w", err))
	}
	if err != nil {
		return nil, errListen.With(fmt.Errorf("daemon: %w", err))
	}
	return l, nil
}

// reserve is kept free on the disk for all that is not the ring, in parts of
// the whole.
const reservePart, reserveLeast = 10, 2 << 30

// quotaOf returns what the disk has for the ring: what is free and what the
// ring has already, less a reserve.
func quotaOf(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, errDataDir.With(fmt.Errorf("daemon: %w", err))
	}
	total, free := int64(st.Blocks)*st.Bsize, int64(st.Bavail)*st.Bsize
	used, err := sizeOf(dir)
	if err != nil {
		return 0, errDataDir.With(err)
	}
	return quotaFrom(total, free, used), nil
}

func quotaFrom(total, free, used int64) int64 {
	return max(free+used-max(total/reservePart, reserveLeast), 1<<30)
}

func sizeOf(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("daemon: %w", err)
	}
	return n, nil
}

// auditName is the name of a box's log: it follows from the key that signs it.
// auditSigning is the key that signs heads of the audit log, and what is said
// of footage that leaves the box.
func auditSigning(master keys.Key) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(master.Derive("veilbox audit signing v1").Bytes())
}

func auditName(k ed25519.PrivateKey) string {
	h := sha256.Sum256(k.Public().(ed25519.PublicKey))
	return "veilbox-box-" + strings.ToLower(base32.StdEncoding.EncodeToString(h[:5]))
}

// keepText writes a small file unless it holds that text already.
func keepText(path, text string, mode os.FileMode) error {
	if b, err := os.ReadFile(path); err == nil && string(b) == text {
		return nil
	}
	return durable.WriteFile(path, []byte(text), mode)
}
