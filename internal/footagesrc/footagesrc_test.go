package footagesrc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func whole(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, make([]byte, minSize), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindTakesTheFolderOfTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("VEILBOX_FOOTAGE", dir)
	if _, err := Find(); err == nil || !strings.Contains(err.Error(), "VEILBOX_FOOTAGE") {
		t.Fatalf("empty folder: %v", err)
	}
	whole(t, filepath.Join(dir, name))
	got, err := Find()
	if err != nil || got != filepath.Join(dir, name) {
		t.Fatalf("Find() = %q, %v", got, err)
	}
}

func TestFindTakesTheFolderBesideTheTree(t *testing.T) {
	top := t.TempDir()
	t.Setenv("VEILBOX_FOOTAGE", "")
	shared := filepath.Join(top, "shared", "footage")
	work := filepath.Join(top, "tree", "some", "package")
	for _, d := range []string{shared, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	whole(t, filepath.Join(shared, name))
	if err := os.WriteFile(filepath.Join(top, "tree", "go.mod"), []byte("module x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(work)
	got, err := Find()
	if err != nil || got != filepath.Join(shared, name) {
		t.Fatalf("Find() = %q, %v", got, err)
	}
}

func TestCacheIsFilledOnceByWhoeverAsksFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	var fetched atomic.Int32
	get := func(_ context.Context, tmp string) (string, error) {
		fetched.Add(1)
		path := filepath.Join(tmp, "got")
		return path, os.WriteFile(path, make([]byte, minSize), 0o644)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			path, err := fromCache(dir, get)
			if err != nil || !usable(path) {
				t.Errorf("fromCache = %q, %v", path, err)
			}
		})
	}
	wg.Wait()
	if n := fetched.Load(); n != 1 {
		t.Errorf("fetched %d times, want once", n)
	}
	left, err := filepath.Glob(filepath.Join(dir, "fetch-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary folders left: %v %v", left, err)
	}
}

func TestCacheRefusesAFailedOrShortFetch(t *testing.T) {
	for what, get := range map[string]func(context.Context, string) (string, error){
		"failed": func(context.Context, string) (string, error) { return "", errors.New("no network") },
		"short": func(_ context.Context, tmp string) (string, error) {
			path := filepath.Join(tmp, "got")
			return path, os.WriteFile(path, []byte("cut off"), 0o644)
		},
	} {
		dir := t.TempDir()
		_, err := fromCache(dir, get)
		if err == nil || !strings.Contains(err.Error(), "VEILBOX_FOOTAGE") {
			t.Errorf("%s: error %v names no remedy", what, err)
		}
		if usable(filepath.Join(dir, name)) {
			t.Errorf("%s: a file is in the cache", what)
		}
	}
}
