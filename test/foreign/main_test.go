package foreign

import (
	"testing"

	"veilbox/internal/testpace"
)

// The tests wait for clocks and sockets far more than they work.
func TestMain(m *testing.M) { testpace.Main(m, 5) }
