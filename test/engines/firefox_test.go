package engines

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// firefox speaks Marionette: each message is its length in decimal, a colon and
// JSON, [0, number, command, parameters] there and [1, number, error, result]
// back.
type firefox struct {
	conn net.Conn
	r    *bufio.Reader
	n    int
}

func startFirefox(t *testing.T) engine {
	t.Helper()
	profile := t.TempDir()
	port := freePort(t)
	prefs := fmt.Sprintf(`user_pref("marionette.port", %d);
user_pref("media.autoplay.default", 0);
user_pref("app.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("media.gmp-manager.url", "data:,");
`, port)
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command("firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", profile),
		"HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	f := &firefox{}
	deadline := time.Now().Add(60 * time.Second)
	for {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			f.conn, f.r = c, bufio.NewReader(c)
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("Firefox does not answer: ", err)
		}
		time.Sleep(100 * time.Millisecond) // its start has no other sign
	}
	t.Cleanup(func() { f.conn.Close() })
	if _, err := f.message(); err != nil { // its greeting
		t.Fatal(err)
	}
	if _, err := f.call("WebDriver:NewSession", map[string]any{"acceptInsecureCerts": true}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.call("WebDriver:SetTimeouts", map[string]any{"script": 60_000, "pageLoad": 60_000}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *firefox) message() ([]byte, error) {
	if err := f.conn.SetReadDeadline(time.Now().Add(90 * time.Second)); err != nil {
		return nil, err
	}
	head, err := f.r.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
	if err != nil || n < 0 || n > 64<<20 {
		return nil, fmt.Errorf("a message of %q bytes", head)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(f.r, b)
	return b, err
}

func (f *firefox) call(command string, params any) (json.RawMessage, error) {
	f.n++
	q, err := json.Marshal([]any{0, f.n, command, params})
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(f.conn, "%d:%s", len(q), q); err != nil {
		return nil, err
	}
	for {
		b, err := f.message()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
		var answer [4]json.RawMessage
		if err := json.Unmarshal(b, &answer); err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
		if string(answer[1]) != strconv.Itoa(f.n) {
			continue
		}
		if string(answer[2]) != "null" {
			return nil, fmt.Errorf("%s: %.500s", command, answer[2])
		}
		var value struct {
			Value json.RawMessage `json:"value"`
		}
		if json.Unmarshal(answer[3], &value) == nil && value.Value != nil {
			return value.Value, nil
		}
		return answer[3], nil
	}
}

func (f *firefox) open(url string) error {
	_, err := f.call("WebDriver:Navigate", map[string]any{"url": url})
	return err
}

func (f *firefox) js(script string) (json.RawMessage, error) {
	return f.call("WebDriver:ExecuteAsyncScript", map[string]any{"script": wrap(script), "args": []any{}})
}

func (f *firefox) shot() (json.RawMessage, error) {
	return f.call("WebDriver:TakeScreenshot", map[string]any{"full": false})
}
