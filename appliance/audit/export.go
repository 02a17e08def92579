package audit

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Format is how Export writes.
type Format string

const (
	JSONL Format = "jsonl" // one entry a line, the canonical JSON that is hashed
	CSV   Format = "csv"   // one entry a line, details as key=value
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
	n := 0
	err := l.scan(ctx, f, func(e Entry) (bool, error) {
		n++
		return f.Limit <= 0 || n < f.Limit, write(e)
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("audit: export: %w", err)
	}
	return nil
}

func row(e Entry) []string {
	about := make([]string, 0, len(e.About))
	for k, v := range e.About {
		about = append(about, k+"="+v)
	}
	slices.Sort(about)
	out := []string{strconv.FormatInt(e.Seq, 10), e.At.Format(time.RFC3339Nano), e.Act, e.Who.ID, e.Who.Name, e.Who.Role, e.From, strings.Join(about, "; "), e.Why}
	for i, s := range out {
		// A spreadsheet runs a cell that begins so as a formula.
		if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
			out[i] = "'" + s
		}
	}
	return out
}
