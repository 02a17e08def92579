package capture

import (
	"testing"

	"veilbox/internal/testrun"
)

// The tests wait for clocks and sockets far more than they work.
func TestMain(m *testing.M) { testrun.Main(m, 12) }
