package story

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memory returns a file that is on no disk.
func memory() (*os.File, error) {
	fd, err := unix.MemfdCreate("story", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("story: %w", err)
	}
	return os.NewFile(uintptr(fd), "story"), nil
}
