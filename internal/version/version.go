// Package version is which build this is.
package version

// Version is set by the linker from git's description of the tree.
var Version = "dev"
