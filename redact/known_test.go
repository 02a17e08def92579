//go:build linux

package redact

import (
	"veilbox/internal/problem"
	"veilbox/redact/work"
)

func known() []*problem.Problem {
	return append([]*problem.Problem{NoWorker, Crashed, TimedOut, WrongClip, NotProven}, work.Known...)
}
