package camera

import (
	"context"
	"crypto/md5"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/capture/footage"
)

// A camera that lets its session die after two seconds is shown often enough that
// it is wanted, by what it accepts.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	offer := func(r *request, methods string) string {
		return r.ok("Public: " + methods)
	}
	var all sync.WaitGroup
	defer all.Wait()
	for name, tc := range map[string]struct {
		offers string
		answer func(r *request) string // to what keeps alive
		want   string                  // the methods in order, the first few
	}{
		"OPTIONS":          {offers: "DESCRIBE, SETUP", want: "OPTIONS OPTIONS OPTIONS"},
		"GET_PARAMETER":    {offers: "OPTIONS,GET_PARAMETER", want: "GET_PARAMETER GET_PARAMETER GET_PARAMETER"},
		"offered in vain":  {offers: "OPTIONS, GET_PARAMETER", answer: answers("GET_PARAMETER", "501 Not Implemented"), want: "GET_PARAMETER OPTIONS OPTIONS"},
		"not allowed":      {offers: "GET_PARAMETER", answer: answers("GET_PARAMETER", "405 Method Not Allowed"), want: "GET_PARAMETER OPTIONS OPTIONS"},
		"not OPTIONS":      {offers: "DESCRIBE", answer: answers("OPTIONS", "404 Not Found"), want: "OPTIONS GET_PARAMETER GET_PARAMETER"},
		"SET_PARAMETER":    {offers: "GET_PARAMETER", answer: notThese("OPTIONS GET_PARAMETER"), want: "GET_PARAMETER OPTIONS SET_PARAMETER"},
		"never answered":   {offers: "GET_PARAMETER", answer: func(r *request) string { return silent }, want: "GET_PARAMETER GET_PARAMETER GET_PARAMETER"},
		"answered in pain": {offers: "GET_PARAMETER", answer: func(r *request) string { return r.status("451 Parameter Not Understood", "Session: \x01") }, want: "GET_PARAMETER OPTIONS SET_PARAMETER"},
		"a nonce grown old": {offers: "GET_PARAMETER", answer: (&guard{headers: []string{askMD5}, sum: md5.New, stale: 1}).answer,
			want: "GET_PARAMETER GET_PARAMETER GET_PARAMETER"},
	} {
		// They wait more than they work, so all go at once.
		all.Go(func() {
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				var mu sync.Mutex
				var asked []string
				var stats Stats
				var units []uint64 // that came before each
				playing := false
				url := script{sdp: videoSDP, play: pictures, answer: func(r *request) string {
					mu.Lock()
					defer mu.Unlock()
					if !playing {
						playing = r.method == "PLAY"
						switch r.method {
						case "OPTIONS":
							return offer(r, tc.offers)
						case "SETUP":
							return strings.Replace(script{}.usual(r), "Session: 1", "Session: 1;timeout=2", 1)
						}
						return ""
					}
					if r.header["Session"] != "1" {
						t.Errorf("%s in the session %q", r.method, r.header["Session"])
					}
					asked, units = append(asked, r.method), append(units, stats.Units.Load())
					if tc.answer != nil {
						if out := tc.answer(r); out != "" {
							return out
						}
					}
					return r.ok("Session: 1;timeout=2")
				}}.start(t)
				err := Run(ctx, Source{URL: url, Username: "u", Password: "hunter2"}, Options{Stats: &stats}, check(func(_ *footage.Format, au *footage.AccessUnit) {
					mu.Lock()
					defer mu.Unlock()
					if n := len(asked); au != nil && n >= 3 && stats.Units.Load() > units[n-1] {
						cancel()
					}
				}))
				mu.Lock()
				defer mu.Unlock()
				if len(asked) < 3 || strings.Join(asked[:3], " ") != tc.want || !errors.Is(err, context.Canceled) {
					t.Fatalf("%s, want %s: %v", asked, tc.want, err)
				}
				for i, n := range units[:3] {
					if i == 0 && n == 0 || i > 0 && n <= units[i-1] {
						t.Errorf("the pictures stopped: %d had come before what keeps alive", units)
					}
				}
			})
		})
	}
}

func notThese(methods string) func(*request) string {
	return func(r *request) string {
		if strings.Contains(methods, r.method) {
			return r.status("501 Not Implemented")
		}
		return ""
	}
}
