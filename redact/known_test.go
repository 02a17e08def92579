//go:build linux

package redact

import (
	"veilbox/internal/problem"
	"veilbox/redact/work"
)

func known() []*problem.Problem {
	return append([]*problem.Problem{NoWorker, Crashed, TimedOut, Stalled, WrongClip, BadChoice, NoScene, Outdated, NotProven}, work.Known...)
}
