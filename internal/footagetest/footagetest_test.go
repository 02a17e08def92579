package footagetest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestSyntheticIsWhatWasAskedFor(t *testing.T) {
	path := Synthetic(t, Options{Width: 160, Height: 96, FPS: 5, Duration: 2 * time.Second, Audio: true, Container: "mkv"})
	out, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-show_entries",
		"stream=codec_name,width,height,nb_read_packets", "-select_streams", "v", "-of", "csv=p=0", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe: %v: %s", err, out)
	}
	if got, want := strings.TrimSpace(string(out)), "h264,160,96,10"; got != want {
		t.Errorf("clip is %q, want %q", got, want)
	}
}

func TestVtestIsAnAVI(t *testing.T) {
	f, err := os.Open(Vtest(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 12)
	if _, err := f.Read(head); err != nil {
		t.Fatal(err)
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "AVI " {
		t.Errorf("vtest.avi begins %q", head)
	}
}
