package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the kernel's USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// processorTime returns what a process has used, its children not counted:
// utime and stime, proc(5).
func processorTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(b)
}

func parseStat(b []byte) (time.Duration, error) {
	// The name is in brackets and may hold anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	user, uerr := strconv.ParseInt(f[11], 10, 64)
	system, serr := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(uerr, serr)
}

// resident returns the bytes of a process that are in memory.
func resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseStatus(b)
}

func parseStatus(b []byte) (int64, error) {
	n, err := number(b, "VmRSS:", "kB")
	return n << 10, err
}

// familyTime returns what a process and its children have used, those that have
// ended too.
func familyTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	d, err := parseStat(b)
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	for _, ended := range f[13:15] {
		n, err := strconv.ParseInt(ended, 10, 64)
		if err != nil {
			return 0, err
		}
		d += time.Duration(n) * tick
	}
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, c := range children {
		list, err := os.ReadFile(c)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread has ended
		}
		if err != nil {
			return 0, err
		}
		for _, child := range strings.Fields(string(list)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				return 0, err
			}
			t, err := familyTime(n)
			if errors.Is(err, os.ErrNotExist) {
				continue // its time is the parent's soon
			}
			if err != nil {
				return 0, err
			}
			d += t
		}
	}
	return d, nil
}

// proportional returns the bytes of a process in memory, its share of what
// several processes share: the fair sum over many of the same program.
func proportional(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	n, err := number(b, "Pss:", "kB")
	return n << 10, err
}

// writtenBytes returns what a process has caused to be written to disk: pages
// that it made dirty, each counted again once it was written.
func writtenBytes(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	return number(b, "write_bytes:", "")
}

// number reads a line of a file below /proc.
func number(b []byte, name, unit string) (int64, error) {
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), unit)), 10, 64)
		}
	}
	return 0, fmt.Errorf("there is no %s", name)
}

// forget takes the files of a folder out of the kernel's cache.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		// What is not on the disk yet would stay.
		return errors.Join(unix.Fdatasync(int(f.Fd())), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
}

// folderSize returns what the files of a folder take on the disk.
func folderSize(dir string) (total int64, err error) {
	return total, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		s, ok := i.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("the system does not say what a file takes")
		}
		total += s.Blocks * 512
		return nil
	})
}
