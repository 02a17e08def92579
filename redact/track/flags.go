package track

import "strings"

// Flags say why a person must look at a frame that is shown. Their bits are
// those of mask.Flags.
type Flags uint16

const (
	FlagCrowded  Flags = 1 << iota // somebody else is near or overlaps
	FlagCut                        // a part was veiled because it may be somebody else's
	FlagDetected                   // a detector found somebody else within the region
	FlagGrown                      // the region is larger than usual
	FlagLow                        // the match is below the usual
)

var flagNames = [...]string{"crowded", "cut", "detected", "grown", "low"}

// Names returns the names of the flags that are set, in one order.
func (f Flags) Names() []string {
	out := []string{}
	for i, n := range flagNames {
		if f&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

func (f Flags) String() string { return strings.Join(f.Names(), ",") }
