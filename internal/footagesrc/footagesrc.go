// Package footagesrc finds the footage that the demonstration, the benchmarks
// and the tests run on: vtest.avi, a street with people walking, 768x576 at
// 10 frames a second for 79 s, from Debian's package opencv-doc.
//
// It looks in this order and never writes into the source tree:
//
//  1. the folder that VEILBOX_FOOTAGE names;
//  2. shared/footage in the folder that holds the source tree;
//  3. veilbox/footage in the user's cache folder, which is filled from the
//     package once, whoever asks first.
//
// Errors name what was tried and what to do next.
package footagesrc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	name       = "vtest.avi"
	pkg        = "opencv-doc"
	inPackage  = "usr/share/doc/opencv-doc/examples/data/" + name
	minSize    = 1 << 20 // bytes; a cut-off file is smaller
	fetchLimit = 10 * time.Minute
)

// Find returns the path of vtest.avi, fetching it into the cache if need be.
func Find() (string, error) {
	if dir := os.Getenv("VEILBOX_FOOTAGE"); dir != "" {
		path := filepath.Join(dir, name)
		if !usable(path) {
			return "", fmt.Errorf("footagesrc: VEILBOX_FOOTAGE is %s, which has no %s: point it at a folder that has, or unset it", dir, name)
		}
		return path, nil
	}
	if root, ok := moduleRoot(); ok {
		path := filepath.Join(filepath.Dir(root), "shared", "footage", name)
		if usable(path) {
			return path, nil
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		// A service or a bare container may have no HOME; the fetched file is
		// public and is checked for size, so a folder per user in TMPDIR will do.
		cache = filepath.Join(os.TempDir(), fmt.Sprintf("veilbox-cache-%d", os.Getuid()))
	}
	return fromCache(filepath.Join(cache, "veilbox", "footage"), fetch)
}

func usable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() >= minSize
}

// moduleRoot walks up from the working folder, which for a test is its
// package's folder, to the one with go.mod.
func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// fromCache returns dir/vtest.avi. Where it is missing, one process at a time
// fetches it; the others wait and then find it.
func fromCache(dir string, fetch func(ctx context.Context, tmp string) (string, error)) (_ string, err error) {
	path := filepath.Join(dir, name)
	if usable(path) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("footagesrc: no cache folder: %w: set VEILBOX_FOOTAGE to a folder with %s", err, name)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", fmt.Errorf("footagesrc: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // closing lets the lock go
	if err := flock(lock); err != nil {
		return "", fmt.Errorf("footagesrc: lock %s: %w", lock.Name(), err)
	}
	if usable(path) {
		return path, nil
	}
	tmp, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return "", fmt.Errorf("footagesrc: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	ctx, cancel := context.WithTimeout(context.Background(), fetchLimit)
	defer cancel()
	got, err := fetch(ctx, tmp)
	if err != nil {
		return "", fmt.Errorf("footagesrc: %s cannot be had from Debian's package %s: %w: run \"apt-get update\" as root and try again, or set VEILBOX_FOOTAGE to a folder with %s", name, pkg, err, name)
	}
	if !usable(got) {
		return "", fmt.Errorf("footagesrc: Debian's package %s came without a whole %s: set VEILBOX_FOOTAGE to a folder with %s", pkg, inPackage, name)
	}
	if err := os.Rename(got, path); err != nil {
		return "", fmt.Errorf("footagesrc: %w", err)
	}
	return path, nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// fetch gets the package into tmp, unpacks it there and returns the path of the
// footage. It installs nothing.
func fetch(ctx context.Context, tmp string) (string, error) {
	if err := run(ctx, tmp, "apt-get", "-q", "download", pkg); err != nil {
		// A fresh machine has no package lists yet.
		if upErr := run(ctx, tmp, "apt-get", "-q", "update"); upErr != nil {
			return "", errors.Join(err, upErr)
		}
		if err := run(ctx, tmp, "apt-get", "-q", "download", pkg); err != nil {
			return "", err
		}
	}
	debs, err := filepath.Glob(filepath.Join(tmp, pkg+"_*.deb"))
	if err != nil {
		return "", err
	}
	if len(debs) != 1 {
		return "", fmt.Errorf("apt-get left %d packages, want 1", len(debs))
	}
	out := filepath.Join(tmp, "out")
	if err := run(ctx, tmp, "dpkg", "-x", debs[0], out); err != nil {
		return "", err
	}
	return filepath.Join(out, filepath.FromSlash(inPackage)), nil
}

func run(ctx context.Context, dir string, args ...string) error {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	out, err := c.CombinedOutput()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not here: this needs Debian or a system made from it", args[0])
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, tail(string(out)))
	}
	return nil
}

func tail(s string) string {
	s = strings.TrimSpace(s)
	const most = 400
	if len(s) > most {
		s = "..." + s[len(s)-most:]
	}
	return strings.ReplaceAll(s, "\n", "; ")
}
