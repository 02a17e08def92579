package browser

import (
	"fmt"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// A journal keeps what a page complains of: errors and warnings in the console,
// what the content policy stopped, uncaught exceptions, requests that failed.
type journal struct {
	mu       sync.Mutex
	requests map[network.RequestID]string
	lines    []string // everything, for a failure's report
	bad      []string // what no page may do
}

func newJournal() *journal { return &journal{requests: map[network.RequestID]string{}} }

func (j *journal) add(bad bool, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	j.lines = append(j.lines, line)
	if bad {
		j.bad = append(j.bad, line)
	}
}

// listen runs in the loop that reads the browser's messages.
func (j *journal) listen(ev any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		j.requests[e.RequestID] = e.Request.Method + " " + e.Request.URL[:min(len(e.Request.URL), 160)]
	case *network.EventResponseReceived:
		if strings.HasPrefix(e.Response.URL, "data:") {
			return // the player's own buttons
		}
		j.add(e.Response.Status >= 400, "%d %s", e.Response.Status, j.requests[e.RequestID])
	case *network.EventLoadingFailed:
		// A player that seeks and a page that is left end their requests early.
		j.add(!e.Canceled && e.ErrorText != "net::ERR_ABORTED", "failed: %s: %s %s", j.requests[e.RequestID], e.ErrorText, e.BlockedReason)
	case *log.EventEntryAdded:
		j.add(e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning || e.Entry.Source == log.EntrySourceSecurity,
			"log %s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		j.add(true, "exception: %s", text)
	case *runtime.EventConsoleAPICalled:
		var b strings.Builder
		for _, a := range e.Args {
			fmt.Fprintf(&b, " %s%s", a.Value, a.Description)
		}
		j.add(e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert,
			"console %s:%s", e.Type, b.String())
	case *page.EventJavascriptDialogOpening:
		j.add(true, "the page asks: %s %q", e.Type, e.Message)
	case *inspector.EventTargetCrashed:
		j.add(true, "the page crashed")
	}
}

// complaints returns what no page may do and some did.
func (j *journal) complaints() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.bad...)
}

// forget drops the complaints so far, which were looked at.
func (j *journal) forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bad = nil
}

// tail returns the newest lines.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "\n")
}
