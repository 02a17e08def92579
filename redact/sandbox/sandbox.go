//go:build linux

// Package sandbox shuts a process in before it reads a hostile byte: nothing of
// the file system but the programs and libraries it must run, no network, no
// new processes but those programs, no privileges, bounded memory and time.
//
// It has two halves. Command, on the outside, starts a program in new network,
// IPC, UTS and PID namespaces where the kernel lets it (user_namespaces(7)),
// with an empty environment, to be killed with its parent. Enter, on the
// inside, is the program's first act: it locks its thread, applies resource
// limits, Landlock, an empty set of capabilities and seccomp to it, and then
// executes the same program anew, so that every thread of what runs next was
// born inside. Confirm, called there, tries what must fail and says which
// layers really hold.
//
// Layers stand alone: seccomp refuses sockets where the namespace could not be
// had, Landlock refuses them by port where its ABI knows ports. Without
// Landlock, or without seccomp, the sandbox is degraded, and Enter refuses it
// unless Options.AllowDegraded.
//
// Sources: landlock(7), seccomp(2), capabilities(7), setrlimit(2) and
// Documentation/userspace-api/landlock.rst of Linux.
package sandbox

import (
	"errors"
	"fmt"
	"net/http"

	"veilbox/internal/problem"
)

// Degraded is the problem of a kernel that lacks a layer.
var Degraded = problem.New(http.StatusServiceUnavailable, "redact.sandbox",
	problem.Text{DA: "Sløringen kan ikke lukkes sikkert inde på denne maskine: kernen mangler Landlock eller seccomp.",
		EN: "The redaction cannot be shut in safely on this machine: its kernel lacks Landlock or seccomp."},
	problem.Text{DA: "Brug en kerne på mindst 5.13 med begge slået til, eller tillad en svækket sandkasse i opsætningen.",
		EN: "Use a kernel of 5.13 or later with both turned on, or allow a degraded sandbox in the configuration."})

// Options are what Enter does. They travel as arguments of the program.
type Options struct {
	// Programs may be executed; the loader that each asks for is added.
	Programs []string
	// ReadOnly are files and folders that may be read besides the libraries.
	ReadOnly []string
	// AllowDegraded goes on without Landlock or seccomp.
	AllowDegraded bool
	Limits        Limits
}

// Limits are resource limits of each process in the sandbox. 0 leaves a limit
// as it is.
type Limits struct {
	AddressSpace uint64 // bytes
	CPU          uint64 // seconds
	FileSize     uint64 // bytes, of a file in memory: there is no other
	OpenFiles    uint64
	Processes    uint64 // threads count as processes; of the same user
}

// Status says which layers hold. It is measured from within.
type Status struct {
	Landlock       int  `json:"landlock"`        // ABI version, 0 = none
	Seccomp        bool `json:"seccomp"`         // a filter is loaded, and refuses a socket
	NoNewPrivs     bool `json:"no_new_privs"`    //
	NoCapabilities bool `json:"no_capabilities"` // no capability, effective or permitted
	NetNS          bool `json:"netns"`           // a network namespace of its own
	PIDNS          bool `json:"pidns"`           // a PID namespace of its own: children die with it
	Limits         bool `json:"limits"`          // address space and CPU time are bounded
	// Attempts is what was tried and must fail: the error, or "" where it did
	// not fail.
	Attempts map[string]string `json:"attempts"`
}

// Degraded reports whether a layer that is asked for is missing.
func (s Status) Degraded() bool {
	return s.Landlock < 1 || !s.Seccomp || !s.NoNewPrivs
}

// Holds reports whether everything that was tried failed.
func (s Status) Holds() error {
	for what, got := range s.Attempts {
		if got == "" {
			return fmt.Errorf("sandbox: %s was possible", what)
		}
	}
	if len(s.Attempts) == 0 {
		return errors.New("sandbox: nothing was tried")
	}
	return nil
}
