package engines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// webkit speaks W3C WebDriver with WebKitGTK's MiniBrowser.
type webkit struct{ base string }

func startWebKit(t *testing.T) engine {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/webkit2gtk-4.*/MiniBrowser")
	if err != nil || len(found) == 0 {
		t.Fatal("WebKit's MiniBrowser is missing: make test installs it (scripts/setup.sh test)")
	}
	display := ":" + strconv.Itoa(freePort(t))
	home := t.TempDir()
	run(t, exec.Command("Xvfb", display, "-screen", "0", "1280x900x24", "-nolisten", "tcp"))
	port := freePort(t)
	run(t, exec.Command("WebKitWebDriver", "--port="+strconv.Itoa(port)), "DISPLAY="+display, "HOME="+home,
		"XDG_RUNTIME_DIR="+home, "WEBKIT_DISABLE_COMPOSITING_MODE=1", "LIBGL_ALWAYS_SOFTWARE=1", "NO_AT_BRIDGE=1")
	w := &webkit{base: fmt.Sprintf("http://127.0.0.1:%d", port)}
	capabilities := map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"acceptInsecureCerts":      true,
		"webkitgtk:browserOptions": map[string]any{"binary": found[len(found)-1], "args": []string{"--automation"}},
		"timeouts":                 map[string]any{"script": 60_000, "pageLoad": 60_000},
	}}}
	deadline := time.Now().Add(60 * time.Second)
	for {
		v, err := w.ask(http.MethodPost, "/session", capabilities)
		if err == nil {
			var s struct {
				SessionID string `json:"sessionId"`
			}
			if err := json.Unmarshal(v, &s); err != nil || s.SessionID == "" {
				t.Fatalf("WebKit's session: %v: %s", err, v)
			}
			w.base += "/session/" + s.SessionID
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("WebKit does not answer: ", err)
		}
		time.Sleep(100 * time.Millisecond) // its start has no other sign
	}
	t.Cleanup(func() {
		if _, err := w.ask(http.MethodDelete, "", nil); err != nil {
			t.Log("WebKit did not close:", err)
		}
	})
	return w
}

var driver = &http.Client{Timeout: 90 * time.Second}

func (w *webkit) ask(method, path string, body any) (json.RawMessage, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequest(method, w.base+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	resp, err := driver.Do(q)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if b, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20)); err != nil {
		return nil, err
	}
	var v struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("%s: %w: %.200s", path, err, b)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %.500s", path, v.Value)
	}
	return v.Value, nil
}

func (w *webkit) open(url string) error {
	_, err := w.ask(http.MethodPost, "/url", map[string]string{"url": url})
	return err
}

func (w *webkit) js(script string) (json.RawMessage, error) {
	return w.ask(http.MethodPost, "/execute/async", map[string]any{"script": wrap(script), "args": []any{}})
}

func (w *webkit) shot() (json.RawMessage, error) { return w.ask(http.MethodGet, "/screenshot", nil) }
