package casefile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
)

// Languages are those that a PDF may be written in.
var Languages = []string{"da", "en"}

// Attachment is the name of the JSON in a PDF.
const Attachment = "case.json"

// Measures of a page, in millimetres.
const (
	marginX  = 18.0
	marginY  = 24.0
	bottom   = 22.0
	width    = 210 - 2*marginX
	body     = 9.5 // points
	line     = 4.7
	keyWidth = 46.0
)

type colour struct{ r, g, b int }

var (
	ink    = colour{28, 33, 40}
	faint  = colour{104, 112, 122}
	accent = colour{22, 78, 99}
	pale   = colour{238, 242, 245}
	rule   = colour{205, 211, 217}
	good   = colour{22, 101, 52}
	bad    = colour{153, 27, 27}
)

// A page writes one file.
type page struct {
	*fpdf.Fpdf
	words
	f    File
	hash string
	part int // number of the section
}

// WritePDF writes f as a PDF of A4 pages in lang, which is one of Languages, with
// f's JSON attached. The footer has the SHA-256 of the JSON.
func WritePDF(w io.Writer, f File, lang string) error {
	if !slices.Contains(Languages, lang) {
		return fmt.Errorf("casefile: there is no language %.20q: use da or en", lang)
	}
	data, err := f.JSON()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	p := &page{Fpdf: fpdf.New("P", "mm", "A4", ""), words: words{lang}, f: f, hash: hex.EncodeToString(sum[:])}
	p.AddUTF8FontFromBytes("go", "", goregular.TTF)
	p.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	p.AddUTF8FontFromBytes("mono", "", gomono.TTF)
	p.SetCatalogSort(true)
	p.SetCreationDate(f.Made)
	p.SetModificationDate(f.Made)
	p.SetLang(lang)
	p.SetTitle(p.t("title")+" "+string(f.ID), true)
	p.SetCreator("Veilbox", true)
	p.SetProducer("Veilbox", true)
	p.SetAttachments([]fpdf.Attachment{{Content: data, Filename: Attachment, Description: p.t("attached")}})
	p.SetMargins(marginX, marginY, marginX)
	p.SetAutoPageBreak(true, bottom)
	p.AliasNbPages("{pages}")
	p.SetHeaderFunc(p.header)
	p.SetFooterFunc(p.footer)
	p.AddPage()
	p.front()
	p.facts()
	p.conditions()
	p.evidence()
	p.copyAndProof()
	p.assessments()
	p.disclosure()
	p.after()
	p.accesses()
	p.log()
	p.hashes()
	if err := p.Output(w); err != nil {
		return fmt.Errorf("casefile: write the PDF: %w", err)
	}
	return nil
}

// clean drops what a font cannot draw and what would turn a line around.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t' || unicode.Is(unicode.Zs, r):
			return ' '
		case r == utf8.RuneError || r > 0xffff || !unicode.IsPrint(r):
			return '\ufffd'
		}
		return r
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

func (p *page) font(style string, size float64, c colour) {
	p.SetFont("go", style, size)
	p.SetTextColor(c.r, c.g, c.b)
}

func (p *page) mono(size float64, c colour) {
	p.SetFont("mono", "", size)
	p.SetTextColor(c.r, c.g, c.b)
}

func (p *page) stroke(c colour, w float64) {
	p.SetDrawColor(c.r, c.g, c.b)
	p.SetLineWidth(w)
}

func (p *page) fill(c colour) { p.SetFillColor(c.r, c.g, c.b) }

func (p *page) header() {
	p.SetXY(marginX, 11)
	p.font("B", 8.5, accent)
	p.CellFormat(width/2, 5, p.t("title"), "", 0, "L", false, 0, "")
	p.mono(7.5, faint)
	p.CellFormat(width/2, 5, string(p.f.ID), "", 0, "R", false, 0, "")
	p.stroke(rule, 0.2)
	p.Line(marginX, 17, marginX+width, 17)
	p.SetXY(marginX, marginY)
}

func (p *page) footer() {
	p.SetXY(marginX, -15)
	p.stroke(rule, 0.2)
	p.Line(marginX, p.GetY(), marginX+width, p.GetY())
	p.SetXY(marginX, -13)
	p.mono(6, faint)
	p.CellFormat(width-24, 4, "SHA-256 "+Attachment+" "+p.hash, "", 0, "L", false, 0, "")
	p.font("", 8, faint)
	p.CellFormat(24, 4, fmt.Sprintf("%s %d/{pages}", p.t("page"), p.PageNo()), "", 0, "R", false, 0, "")
}

// room begins a page where less than h millimetres are left.
func (p *page) room(h float64) {
	if p.GetY()+h > 297-bottom {
		p.AddPage()
	}
}

func (p *page) section(id string) {
	p.part++
	p.room(46) // with the first lines of what follows
	p.Ln(5)
	title := fmt.Sprintf("%d. %s", p.part, p.t(id))
	p.Bookmark(title, 0, -1)
	p.font("B", 13, accent)
	p.CellFormat(width, 7, title, "", 1, "L", false, 0, "")
	p.stroke(accent, 0.4)
	p.Line(marginX, p.GetY()+0.5, marginX+width, p.GetY()+0.5)
	p.Ln(3)
}

func (p *page) sub(s string) {
	p.room(26)
	p.Ln(1.5)
	p.font("B", 10.5, ink)
	p.MultiCell(width, 5.2, clean(s), "", "L", false)
	p.Ln(0.8)
}

func (p *page) paragraph(s string) {
	p.font("", body, ink)
	p.MultiCell(width, line, clean(s), "", "L", false)
	p.Ln(1)
}

func (p *page) note(s string) {
	p.font("", 8.5, faint)
	p.MultiCell(width, 4.2, clean(s), "", "L", false)
	p.Ln(1)
}

// row writes a name and its value; one without a value is left out.
func (p *page) row(key, value string) { p.rowIn("go", body, key, value) }

// code is row for a hash or an identifier.
func (p *page) code(key, value string) { p.rowIn("mono", 7.5, key, value) }

func (p *page) rowIn(font string, size float64, key, value string) {
	value = strings.TrimSpace(clean(value))
	if value == "" {
		return
	}
	p.room(line + 1)
	y, first := p.GetY(), p.PageNo()
	p.font("", body, faint)
	p.MultiCell(keyWidth-2, line, p.t(key), "", "L", false)
	endKey := p.GetY()
	if p.PageNo() != first { // the name was broken over the page's end
		y = marginY
	}
	p.SetXY(marginX+keyWidth, y)
	p.SetFont(font, "", size)
	p.SetTextColor(ink.r, ink.g, ink.b)
	p.SetLeftMargin(marginX + keyWidth)
	from := p.PageNo()
	p.MultiCell(width-keyWidth, line, value, "", "L", false)
	p.SetLeftMargin(marginX)
	if p.PageNo() == from && p.GetY() < endKey {
		p.SetY(endKey)
	}
	p.SetX(marginX)
}

// A column of a table.
type column struct {
	title string
	width float64 // share of the page
	mono  bool
}

// table writes rows with a heading that is repeated on every page. A row that
// does not fit goes to the next page; one longer than a page is cut into pieces.
func (p *page) table(cols []column, rows [][]string) {
	const size, step = 8.2, 4.1
	head := func() {
		p.font("B", size, accent)
		p.fill(pale)
		for i, c := range cols {
			ln := 0
			if i == len(cols)-1 {
				ln = 1
			}
			p.CellFormat(width*c.width, 5.4, p.t(c.title), "", ln, "L", true, 0, "")
		}
	}
	p.room(18)
	head()
	for _, row := range rows {
		cells, most := make([][]string, len(cols)), 1
		for i, c := range cols {
			p.cellFont(c, size)
			cells[i] = p.SplitText(clean(row[i]), width*c.width-2)
			most = max(most, len(cells[i]))
		}
		for from := 0; from < most; {
			fit := int((297 - bottom - p.GetY() - 1.6) / step)
			if fit < 1 || most-from > fit && p.GetY() > marginY+8 {
				p.AddPage()
				head()
				continue
			}
			n := min(fit, most-from)
			p.cells(cols, cells, from, n, size, step)
			from += n
		}
	}
	p.Ln(2)
}

func (p *page) cellFont(c column, size float64) {
	if c.mono {
		p.mono(size-1.5, ink)
	} else {
		p.font("", size, ink)
	}
}

func (p *page) cells(cols []column, cells [][]string, from, n int, size, step float64) {
	x, y := marginX, p.GetY()+0.8
	for i, c := range cols {
		p.cellFont(c, size)
		for k := 0; k < n && from+k < len(cells[i]); k++ {
			p.SetXY(x, y+float64(k)*step)
			p.CellFormat(width*c.width, step, cells[i][from+k], "", 0, "L", false, 0, "")
		}
		x += width * c.width
	}
	end := y + float64(n)*step + 0.8
	p.stroke(rule, 0.15)
	p.Line(marginX, end, marginX+width, end)
	p.SetXY(marginX, end)
}
