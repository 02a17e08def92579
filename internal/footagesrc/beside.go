package footagesrc

import (
	"fmt"
	"os"
	"path/filepath"
)

// Aisle is footage of a shop's aisle, 480x270 at 15 frames a second for 4 s,
// three people close up: intel-iot-devkit/sample-videos, folder preview, CC BY
// 4.0. No package of Debian has it.
const Aisle = "store-aisle-detection.gif"

// Beside returns the path of footage that cannot be fetched: it lies in the
// folder that VEILBOX_FOOTAGE names, or in shared/footage beside the tree.
func Beside(name string) (string, error) {
	var tried []string
	if dir := os.Getenv("VEILBOX_FOOTAGE"); dir != "" {
		tried = append(tried, filepath.Join(dir, name))
	} else if root, ok := moduleRoot(); ok {
		tried = append(tried, filepath.Join(filepath.Dir(root), "shared", "footage", name))
	}
	for _, path := range tried {
		if usable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("footagesrc: %s is not at %q: set VEILBOX_FOOTAGE to a folder that has it", name, tried)
}
