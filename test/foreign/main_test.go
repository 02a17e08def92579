package foreign

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// The tests wait for clocks and sockets far more than they work, so more of them
// go at once than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("5"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
