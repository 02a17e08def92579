package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
)

// The clip that the cameras send: 1920x1080 at 25 pictures a second, a shape
// that moves over a picture with noise, so that the encoder needs all of its
// 4 Mbit/s. A picture carries its number as blocks, black or white, each bit
// once as it is and once inverted, which survive any coding.
const (
	drawnWidth, drawnHeight = 1920, 1080
	drawnSeconds            = 16
	drawnFrames             = drawnSeconds * rate
	block                   = 48 // pixels, a multiple of the coding's blocks
	bits                    = 10
	bitRate                 = 4_000_000
)

// draw makes the clip as an H.264 byte stream.
func draw(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "ffmpeg", strings.Fields(fmt.Sprintf(
		"-v error -nostdin -y -f rawvideo -pix_fmt yuv420p -s %dx%d -r %d -i - -an -c:v libx264 -preset ultrafast -tune zerolatency -profile:v main -bf 0 -g %d -keyint_min %d -sc_threshold 0 -b:v %d -maxrate %d -bufsize %d -x264-params aud=1:repeat-headers=1:sliced-threads=0 -f h264 %s",
		drawnWidth, drawnHeight, rate, rate, rate, bitRate, bitRate, bitRate, path))...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var werr error
	src := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, drawnWidth*drawnHeight+1<<20)
	for i := range noise {
		noise[i] = byte(src.IntN(14))
	}
	y := make([]byte, drawnWidth*drawnHeight*3/2)
	for i := drawnWidth * drawnHeight; i < len(y); i++ {
		y[i] = 128
	}
	for n := range drawnFrames {
		shift := src.IntN(1 << 20)
		for row := range drawnHeight {
			line, grain := y[row*drawnWidth:][:drawnWidth], noise[shift+row*drawnWidth:][:drawnWidth]
			for x := range line {
				line[x] = byte(60+(x+row)>>5) + grain[x]
			}
		}
		paint(y, (n*24)%(drawnWidth-200), 500, 200, 400, 200)
		for i := range bits {
			v, not := byte(16), byte(235)
			if n>>i&1 == 1 {
				v, not = not, v
			}
			paint(y, i*block, 0, block, block, v)
			paint(y, i*block, block, block, block, not)
		}
		if _, werr = in.Write(y); werr != nil {
			break
		}
	}
	return errors.Join(werr, in.Close(), cmd.Wait())
}

func paint(y []byte, x, row, w, h int, v byte) {
	for r := row; r < row+h; r++ {
		for c := x; c < x+w; c++ {
			y[r*drawnWidth+c] = v
		}
	}
}
