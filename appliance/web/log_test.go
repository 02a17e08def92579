package web

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"veilbox/internal/clock"
)

type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

// Nothing that is sent comes into the program's log, on any route, wherever it
// stands in the request; who did what is in the audit log alone.
func TestTheLogHoldsNothingThatWasSent(t *testing.T) {
	const word = "Hemmelighansen"
	var j journal
	o := testOptions(newFakeBox(clock.NewFake(testNow)))
	o.Log = slog.New(slog.NewTextHandler(&j, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	s := site{Server: srv}
	for _, rt := range newTestServer(t).routes() {
		for _, as := range []string{"", "manager"} {
			path := filled(rt.path)
			for _, q := range []req{
				{body: `{"` + word + `":"` + word + `"}`},
				{body: word},
				{body: "login=" + word + "&password=" + word, kind: "application/x-www-form-urlencoded"},
				{body: `{}`, kind: word + "/" + word},
			} {
				q.method, q.path, q.as = rt.method, path+"?q="+word+"&from="+word, as
				s.do(t, q)
			}
		}
	}
	s.do(t, req{method: word, path: "/" + word})
	s.do(t, req{method: post, path: "/api/v1/" + word})
	if log := j.b.String(); strings.Contains(log, word) || !strings.Contains(log, "request refused") {
		for _, line := range strings.Split(log, "\n") {
			if strings.Contains(line, word) {
				t.Error(line)
			}
		}
		if len(log) == 0 {
			t.Error("nothing was logged")
		}
	}
}
