// Package badinput holds the tests of what goes wrong from outside: each must be
// told with cause and remedy, in the log, on the page and by the exit status,
// and nothing that was recorded may be lost by it.
package badinput
