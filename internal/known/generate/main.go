// Command generate makes known.bin: see package known. Its argument is the file
// src/passwords.json of the npm package @zxcvbn-ts/language-common, which is not
// kept here:
//
//	npm pack @zxcvbn-ts/language-common@4.1.3
//	tar xzf zxcvbn-ts-language-common-*.tgz package/src/passwords.json
//	go run ./generate -o known.bin package/src/passwords.json
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"veilbox/internal/known"
)

//go:embed danish.txt
var danish string

// minStem is the shortest stem kept: a shorter one is in many good passwords'
// first letters by chance.
const minStem = 4

func main() {
	out := flag.String("o", "known.bin", "the file to write")
	flag.Parse()
	if err := run(*out, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(out, in string) error {
	b, err := os.ReadFile(in)
	if err != nil {
		return fmt.Errorf("give the list of passwords: %w", err)
	}
	var words []string
	if err := json.Unmarshal(b, &words); err != nil {
		return err
	}
	entries := map[string]bool{}
	for _, w := range append(words, strings.Fields(danish)...) {
		w = strings.ToLower(w)
		for _, s := range []string{w, known.Stem(w)} {
			if utf8.RuneCountInString(s) >= minStem {
				entries[known.Entry(s)] = true
			}
		}
	}
	return os.WriteFile(out, []byte(strings.Join(slices.Sorted(maps.Keys(entries)), "")), 0o644)
}
