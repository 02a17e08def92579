package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

//go:embed text/da.json text/en.json
var textFiles embed.FS

// A catalogue holds every text of the pages in one language, by key.
type catalogue map[string]string

// languages are what the pages speak; the first is used until another is chosen.
var languages = []string{"da", "en"}

func loadTexts() (map[string]catalogue, error) {
	all := map[string]catalogue{}
	for _, lang := range languages {
		b, err := textFiles.ReadFile("text/" + lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		var c catalogue
		if err := json.Unmarshal(b, &c); err != nil {
			return nil, fmt.Errorf("web: text/%s.json: %w", lang, err)
		}
		all[lang] = c
	}
	return all, nil
}

// get returns a text with its arguments put in. A key without text shows
// itself; a test holds that none is missing.
func (c catalogue) get(key string, args ...any) string {
	s, found := c[key]
	if !found {
		return key
	}
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

func languageOf(r *http.Request) string {
	if c, err := r.Cookie("lang"); err == nil && c.Value == "en" {
		return "en"
	}
	return languages[0]
}

func inLanguage(lang string, t problem.Text) string {
	if lang == "en" {
		return t.EN
	}
	return t.DA
}

var months = map[string][]string{
	"da": {"jan.", "feb.", "mar.", "apr.", "maj", "jun.", "jul.", "aug.", "sep.", "okt.", "nov.", "dec."},
	"en": {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
}

// dayIn and clockIn write a time for people, in Copenhagen's zone.
func dayIn(lang string, t time.Time) string {
	t = t.In(clock.Copenhagen)
	form := "%d. %s %d"
	if lang == "en" {
		form = "%d %s %d"
	}
	return fmt.Sprintf(form, t.Day(), months[lang][t.Month()-1], t.Year())
}

func clockIn(lang string, t time.Time) string {
	if lang == "da" {
		return t.In(clock.Copenhagen).Format("15.04")
	}
	return t.In(clock.Copenhagen).Format("15:04")
}

func whenIn(lang string, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return dayIn(lang, t) + " " + map[string]string{"da": "kl. ", "en": ""}[lang] + clockIn(lang, t)
}
