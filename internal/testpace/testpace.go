// Package testpace says how many tests of a package go at once. Tests that wait
// for clocks, sockets and other programs far more than they work may be more than
// there are processors.
package testpace

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// Main runs the tests of a package, n at once unless -parallel says otherwise. It
// is what TestMain calls, and does not return.
func Main(m *testing.M, n int) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(fmt.Sprint(n)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
