package onvif

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What one answer may hold at most.
const (
	maxDepth    = 24
	maxElements = 20_000
	maxAttrs    = 24
	maxChars    = 1024 // bytes of text of an element that are kept
)

// errXML is an answer that is no XML or more than any camera needs.
var errXML = errors.New("onvif: the answer's XML")

// A node is an element. Names are local: cameras are careless with prefixes.
type node struct {
	name  string
	space string
	attrs []xml.Attr
	text  string
	kids  []*node
}

// parse reads a document into a tree within the bounds above.
func parse(b []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "utf8", "us-ascii", "ascii":
			return r, nil
		}
		return nil, fmt.Errorf("charset %.20q", charset)
	}
	root := &node{}
	open := []*node{root}
	count := 0
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errXML, err)
		}
		top := open[len(open)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if count++; count > maxElements || len(open) > maxDepth || len(t.Attr) > maxAttrs {
				return nil, fmt.Errorf("%w: too many or too deep elements", errXML)
			}
			n := &node{name: t.Name.Local, space: t.Name.Space, attrs: t.Attr}
			top.kids = append(top.kids, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if room := maxChars - len(top.text); room > 0 && len(open) > 1 {
				top.text += string(t[:min(room, len(t))])
			}
		case xml.Directive:
			return nil, fmt.Errorf("%w: it declares a document type", errXML)
		}
	}
	if len(root.kids) != 1 {
		return nil, fmt.Errorf("%w: it has no root element", errXML)
	}
	return root.kids[0], nil
}

// at returns the first element at path below n, nil where there is none. It may
// be called on nil, as may the methods below.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		var next *node
		for _, k := range n.kids {
			if k.name == name {
				next = k
				break
			}
		}
		n = next
	}
	return n
}

// all returns the children of that name.
func (n *node) all(name string) []*node {
	if n == nil {
		return nil
	}
	var found []*node
	for _, k := range n.kids {
		if k.name == name {
			found = append(found, k)
		}
	}
	return found
}

// str returns the text at path, trimmed.
func (n *node) str(path ...string) string {
	if n = n.at(path...); n == nil {
		return ""
	}
	return strings.TrimSpace(n.text)
}

func (n *node) attr(name string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// any reports whether f holds for an element below n.
func (n *node) any(f func(*node) bool) bool {
	if n == nil {
		return false
	}
	for _, k := range n.kids {
		if f(k) || k.any(f) {
			return true
		}
	}
	return false
}

// escape makes s text of an element.
func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // a Builder takes everything
	}
	return b.String()
}
