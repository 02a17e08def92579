package problem

import (
	"strconv"
	"strings"
)

// Numbers returns v with one decimal, as Danish and as English writes it.
func Numbers(v float64) Text {
	en := strconv.FormatFloat(v, 'f', 1, 64)
	return Text{DA: strings.Replace(en, ".", ",", 1), EN: en}
}
