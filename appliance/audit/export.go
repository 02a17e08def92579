package audit

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Format is how Export writes.
type Format string

const (
	JSONL Format = "jsonl" // one entry a line, the canonical JSON that is hashed
	// CSV is one entry a line, details as key=value. What a spreadsheet would run
	// as a formula has an apostrophe before it; JSONL has every text as it was.
	CSV Format = "csv"
)

// Export writes the entries that f chooses, all of them where f has no Limit.
func (l *Log) Export(ctx context.Context, w io.Writer, format Format, f Filter) error {
	var write func(Entry) error
	flush := func() error { return nil }
	switch format {
	case JSONL:
		write = func(e Entry) error {
			b, err := e.canonical()
			if err != nil {
				return err
			}
			_, err = w.Write(append(b, '\n'))
			return err
		}
	case CSV:
		c := csv.NewWriter(w)
		flush = func() error { c.Flush(); return c.Error() }
		if err := c.Write([]string{"seq", "at", "act", "who_id", "who_name", "who_role", "from", "about", "why"}); err != nil {
			return fmt.Errorf("audit: export: %w", err)
		}
		write = func(e Entry) error { return c.Write(row(e)) }
	default:
		return fmt.Errorf("audit: export format %.20q: use jsonl or csv", format)
	}
	// Page by page, so that a slow reader keeps no transaction open and memory
	// stays bounded. The log only grows: pages fit together.
	limit := f.Limit
	for {
		f.Limit = exportPage
		if limit > 0 {
			f.Limit = min(limit, exportPage)
		}
		page, err := l.Entries(ctx, f)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := write(e); err != nil {
				return fmt.Errorf("audit: export: %w", err)
			}
		}
		if limit -= len(page); len(page) < f.Limit || limit == 0 {
			break
		}
		f.After = page[len(page)-1].Seq
	}
	if err := flush(); err != nil {
		return fmt.Errorf("audit: export: %w", err)
	}
	return nil
}

// exportPage is how many entries Export holds at a time, of 42 kB at most.
const exportPage = 200

// formula finds where a spreadsheet would begin a formula: at the start of a
// cell, also of one that it cuts itself at another separator than the file's
// (Excel in Danish cuts at semicolons, and does not heed quotes there).
var formula = regexp.MustCompile(`(^|[;,\t\r\n|])([\s"']*)([=+\-@＝＋－＠])`)

func row(e Entry) []string {
	about := make([]string, 0, len(e.About))
	for k, v := range e.About {
		about = append(about, k+"="+v)
	}
	slices.Sort(about)
	out := []string{strconv.FormatInt(e.Seq, 10), e.At.Format(time.RFC3339Nano), e.Act, e.Who.ID, e.Who.Name, e.Who.Role, e.From, strings.Join(about, "; "), e.Why}
	for i, s := range out {
		if i > 1 {
			out[i] = formula.ReplaceAllString(s, "$1$2'$3")
		}
	}
	return out
}
