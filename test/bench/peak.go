package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// peaks are the most memory that processes had, in MiB.
type peaks struct {
	worker float64 // veil-redact, VmHWM of proc(5)
	codecs float64 // its children, what they share counted once
	all    float64 // both at once, likewise
}

// watchMemory looks at this process's children until what it returns is called.
func watchMemory(ctx context.Context) func() peaks {
	ctx, cancel := context.WithCancel(ctx)
	var p peaks
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			p.look()
			// Its end is the end of the watch.
			_ = pause(ctx, 20*time.Millisecond)
		}
	}()
	return func() peaks {
		cancel()
		<-done
		return p
	}
}

// look takes one sample. A process that ends on the way is none.
func (p *peaks) look() {
	var workers, codecs float64
	for _, pid := range below(os.Getpid()) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		share, err := proportional(pid)
		if err != nil {
			continue
		}
		const mib = 1 << 20
		if name, _, _ := strings.Cut(strings.TrimPrefix(string(b), "Name:\t"), "\n"); name == "veil-redact" || name == "exe" {
			workers += float64(share) / mib
			if kb, err := number(b, "VmHWM:", "kB"); err == nil {
				p.worker = max(p.worker, float64(kb)/1024)
			}
		} else {
			codecs += float64(share) / mib
		}
	}
	p.codecs, p.all = max(p.codecs, codecs), max(p.all, workers+codecs)
}

// below returns the children of a process and theirs.
func below(pid int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var out []int
	for _, l := range lists {
		b, err := os.ReadFile(l)
		if err != nil {
			continue // the thread has ended
		}
		for _, f := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(append(out, n), below(n)...)
			}
		}
	}
	return out
}
