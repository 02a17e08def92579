package track

import "veilbox/redact/mask"

// Flags say why a person must look at a frame that is shown.
type Flags = mask.Flags

// The flags, as a mask has them.
const (
	FlagCrowded  = mask.Crowded
	FlagCut      = mask.Cut
	FlagDetected = mask.Detected
	FlagGrown    = mask.Grown
	FlagLow      = mask.Low
)
