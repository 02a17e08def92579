// Package systemd embeds the settings files that are shipped, so that a test
// can hold them against the defaults.
package systemd

import _ "embed"

// Box is the shipped veilbox.toml.
//
//go:embed veilbox.toml
var Box string

// Extranet is the shipped extranet.toml.
//
//go:embed extranet.toml
var Extranet string
