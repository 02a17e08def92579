// Package scripts holds the tests of what make runs.
package scripts
