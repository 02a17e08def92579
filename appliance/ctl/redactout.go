package ctl

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"veilbox/internal/durable"
	"veilbox/redact"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
)

// extras writes what was asked for besides the copy.
func (c *redactCmd) extras(made redact.Copy) error {
	if c.Proof != "" && c.Proof != "-" {
		if err := durable.WriteFile(c.Proof, append(made.Proof(), '\n'), 0o600); err != nil {
			return err
		}
		c.written = append(c.written, c.Proof)
	}
	if c.Tracks != "" {
		if err := c.writeTracks(made); err != nil {
			return err
		}
	}
	switch {
	case c.Sheet == "":
		return nil
	case c.onePage():
		err := writePage(c.Sheet, made, func(_ int, p *redact.Picture) template.URL {
			return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(p.JPEG))
		})
		if err == nil {
			c.written = append(c.written, c.Sheet)
		}
		return err
	}
	return c.writeFolder(made)
}

// undo removes what was written beside a copy that could not be kept: a proof
// or pictures without their copy would mislead.
func (c *redactCmd) undo() error {
	var all error
	for _, name := range slices.Backward(c.written) {
		all = errors.Join(all, durable.Remove(name))
	}
	return all
}

// folders refuses, before hours of work, a folder that cannot be written to.
func (c *redactCmd) folders() error {
	for _, name := range []string{c.Out, c.Proof, c.Sheet, c.Tracks} {
		if name == "" || name == "-" && name == c.Proof {
			continue
		}
		dir := filepath.Dir(name)
		for name == c.Sheet && !c.onePage() && missing(dir) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir) // it will be made
		}
		f, err := os.CreateTemp(dir, ".veilctl-*")
		if err != nil {
			return usage("%s cannot be written: %v: name a folder that is there and that you may write to", name, err)
		}
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return fmt.Errorf("ctl: %w", err)
		}
	}
	return nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func (c *redactCmd) onePage() bool { return strings.EqualFold(filepath.Ext(c.Sheet), ".html") }

// room refuses a folder for the sheet in which something is: pictures of an
// earlier run would be taken for this one's.
func (c *redactCmd) room() error {
	if c.Sheet == "" || c.onePage() {
		return nil
	}
	d, err := os.Open(c.Sheet)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	defer d.Close() // read only
	switch _, err := d.Readdirnames(1); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return usage("--sheet %s: it is no folder: name an empty or new one, or a file that ends in .html", c.Sheet)
	}
	return usage("--sheet %s: something is in it: name an empty or new folder", c.Sheet)
}

// tracks is what --tracks says.
type tracks struct {
	Length   float64        `json:"length"` // of the copy, seconds
	Frames   int            `json:"frames"`
	Mode     subject.Mode   `json:"mode"`
	Veiled   []subject.Rect `json:"veiled"` // always
	Subjects []redact.Track `json:"subjects"`
}

func (c *redactCmd) writeTracks(made redact.Copy) error {
	m, err := made.Mask()
	if err != nil {
		return err
	}
	end := made.Figures().Duration
	t := tracks{Length: seconds(end), Frames: len(m.Frames), Mode: m.Mode, Veiled: append([]subject.Rect{}, m.Veiled...), Subjects: redact.TracksOf(m, end)}
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	if err := durable.WriteFile(c.Tracks, append(b, '\n'), 0o600); err != nil {
		return err
	}
	c.written = append(c.written, c.Tracks)
	return nil
}

func (c *redactCmd) writeFolder(made redact.Copy) error {
	fresh := missing(c.Sheet)
	if err := os.MkdirAll(c.Sheet, 0o700); err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	if fresh {
		c.written = append(c.written, c.Sheet)
	}
	name := func(i int, p *redact.Picture) string {
		return fmt.Sprintf("%04d-%.1fs%s.jpg", i, seconds(p.At), marks(p))
	}
	for i, p := range made.Sheet() {
		path := filepath.Join(c.Sheet, name(i, &p))
		if err := durable.WriteFile(path, p.JPEG, 0o600); err != nil {
			return err
		}
		c.written = append(c.written, path)
	}
	index := filepath.Join(c.Sheet, "index.html")
	c.written = append(c.written, index)
	return writePage(index, made, func(i int, p *redact.Picture) template.URL { return template.URL(name(i, p)) })
}

// marks says in a file's name what its picture is.
func marks(p *redact.Picture) string {
	switch {
	case p.Flags != 0:
		return "-" + strings.Join(p.Flags.Names(), "-")
	case p.Kind != sheet.Subject:
		return "-" + string(p.Kind)
	}
	return ""
}

var page = template.Must(template.New("sheet").Funcs(template.FuncMap{"join": strings.Join}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' data: file:; style-src 'unsafe-inline'">
<title>Reveal sheet</title>
<style>body{font:16px/1.4 sans-serif;margin:1.5em;color:#111;background:#fff}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em}dd{margin:0;overflow-wrap:anywhere}
ul{display:flex;flex-wrap:wrap;gap:1em;padding:0;list-style:none}figure{margin:0}img{display:block;max-width:100%}.flag img{outline:4px solid #c00}figcaption{font-size:.85em}.warn{font-weight:bold;color:#900}</style></head><body>
<h1>Everything that is revealed</h1>
<dl><dt>Copy</dt><dd>{{.Copy}}</dd><dt>Clip</dt><dd>{{.Clip}}</dd><dt>Sheet</dt><dd>{{.Sheet}}</dd><dt>Mode</dt><dd>{{.Mode}}</dd>
<dt>Sound</dt><dd>{{if .Sound}}<span class="warn">kept: {{.Sound}}</span>{{else}}removed{{end}}</dd></dl>
{{range .Flagged}}<p class="warn">{{if not $.Still}}{{printf "%.1f" .From}} to {{printf "%.1f" .To}} s: {{end}}somebody else may be seen</p>
{{end}}{{range .Unsure}}<p>{{printf "%.1f" .From}} to {{printf "%.1f" .To}} s: a track was not sure, its subject is veiled</p>
{{end}}{{range .Notices}}<p>{{.}}</p>
{{end}}<ul>{{range .Pictures}}
<li{{if .Flags}} class="flag"{{end}}><figure><img src="{{.Src}}" alt="{{.What}} at {{printf "%.1f" .At}} s"><figcaption>{{.What}}, {{printf "%.1f" .At}} s{{if .Flags}}: {{join .Flags ", "}}{{end}}</figcaption></figure></li>{{end}}
</ul></body></html>
`))

type pagePicture struct {
	Src   template.URL
	What  string
	At    float64
	Flags []string
}

// writePage writes the sheet as a page, in the order of the sheet: flags first.
func writePage(path string, made redact.Copy, src func(int, *redact.Picture) template.URL) error {
	v := struct {
		Copy, Clip, Sheet, Mode, Sound string
		Still                          bool
		Flagged, Unsure                []spanSeconds
		Notices                        []string
		Pictures                       []pagePicture
	}{Copy: made.Hash().String(), Clip: made.Clip().String(), Sheet: made.SheetHash().String(), Mode: made.Mode().String(),
		Still: made.Still(), Flagged: inSeconds(made.Flagged()), Unsure: inSeconds(made.Unsure())}
	if made.Sound() {
		v.Sound = made.Choice().Sound
	}
	for _, n := range made.Notices() {
		v.Notices = append(v.Notices, notices[n])
	}
	for i, p := range made.Sheet() {
		what := string(p.Kind)
		if p.Subject >= 0 {
			what = fmt.Sprintf("subject %d", p.Subject+1)
		}
		v.Pictures = append(v.Pictures, pagePicture{src(i, &p), what, seconds(p.At), p.Flags.Names()})
	}
	return durable.WriteFunc(path, 0o600, func(w io.Writer) error { return page.Execute(w, v) })
}

// A fileStore keeps the copy under a name of its own until it is proved.
type fileStore struct {
	dir  string
	temp string
}

type syncFile struct{ *os.File }

func (f syncFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

func (s *fileStore) Create() (io.WriteCloser, error) {
	if err := s.Remove(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.dir, ".veilctl-*")
	if err != nil {
		return nil, err
	}
	s.temp = f.Name()
	return syncFile{f}, nil
}

func (s *fileStore) Open() (io.ReadCloser, error) { return os.Open(s.temp) }

func (s *fileStore) Remove() error {
	if s.temp == "" {
		return nil
	}
	name := s.temp
	s.temp = ""
	return durable.Remove(name)
}

func (s *fileStore) commit(path string) error {
	if err := os.Rename(s.temp, path); err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	s.temp = ""
	return durable.SyncDir(s.dir)
}

// A meter shows progress, at most a line a stage and tenth.
type meter struct {
	e     *env
	stage string
	tenth int
}

func (m *meter) show(p redact.Progress) {
	tenth := 0
	if p.Total > 0 {
		tenth = p.Done * 10 / p.Total
	}
	if p.Stage == m.stage && tenth <= m.tenth {
		return
	}
	m.stage, m.tenth = p.Stage, tenth
	if p.Total > 0 {
		m.e.notice("%s %d%% (%d of %d)", p.Stage, 100*p.Done/p.Total, p.Done, p.Total)
	} else {
		m.e.notice("%s", p.Stage)
	}
}

func (m *meter) end() { m.e.notice("proved") }
