package camera

import "net"

// A guardedConn refuses at its first bytes what is not RTSP, and bounds how
// much may come before the video.
type guardedConn struct {
	net.Conn
	s    *session
	seen int
	err  error
}

const greeting = "RTSP/"

func (c *guardedConn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	for i := 0; i < n && c.seen < len(greeting); i++ {
		if p[i] != greeting[c.seen] {
			c.err = errNotRTSP
			return 0, c.err
		}
		c.seen++
	}
	if left := c.s.budget.Load(); left >= 0 {
		if left -= int64(n); left < 0 {
			c.err = errHandshake
			return 0, c.err
		}
		c.s.budget.CompareAndSwap(left+int64(n), left)
	}
	return n, err
}
