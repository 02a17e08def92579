package camera

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// pictures sends a keyframe and nine other pictures, over and over.
func pictures(send func(int, []byte) error) error {
	s := sender{send: send}
	for i := uint32(0); ; i++ {
		n := [][]byte{slice}
		if i%10 == 0 {
			n = [][]byte{sps320, pps264, idr}
		}
		if err := s.unit(i*900, n...); err != nil {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
}

const soundSDP = videoSDP + "m=audio 0 RTP/AVP 8\r\na=control:track2\r\n"

// heard is a handler that takes sound too.
type heardAll struct {
	collect
	sounds atomic.Uint64
}

func (h *heardAll) AudioFormat(footage.AudioFormat) {}
func (h *heardAll) AudioUnit(footage.AudioUnit)     { h.sounds.Add(1) }

// A guard is a camera's side of RFC 7616, and counts who guesses.
type guard struct {
	headers []string // challenges; %s is the nonce
	sum     func() hash.Hash
	stale   int // requests after which a nonce is old
	bad     bool
	closes  bool // the connection after a challenge

	nonce   atomic.Int64
	used    atomic.Int64
	answers atomic.Int64 // passwords shown
	basic   atomic.Int64
}

func (g *guard) answer(r *request) string {
	refuse := func(stale bool) string {
		lines := []string{}
		n := fmt.Sprintf("n%d", g.nonce.Add(1))
		g.used.Store(0)
		for _, h := range g.headers {
			h = strings.ReplaceAll(h, "%s", n)
			if stale {
				h += ", stale=TRUE"
			}
			lines = append(lines, "WWW-Authenticate: "+h)
		}
		out := r.status("401 Unauthorized", lines...)
		if g.closes {
			_ = r.session.write([]byte(out)) // the camera closes now, whatever becomes of it
			return hangUp
		}
		return out
	}
	auth, ok := r.header["Authorization"]
	if !ok {
		return refuse(false)
	}
	g.answers.Add(1)
	if strings.HasPrefix(auth, "Basic ") {
		g.basic.Add(1)
		if auth != "Basic dTpodW50ZXIy" || g.bad {
			return refuse(false)
		}
		return ""
	}
	f := map[string]string{}
	for kv := range strings.SplitSeq(strings.TrimPrefix(auth, "Digest "), ", ") {
		k, v, _ := strings.Cut(kv, "=")
		f[k] = strings.Trim(v, `"`)
	}
	h := func(s string) string {
		sum := g.sum()
		sum.Write([]byte(s))
		return hex.EncodeToString(sum.Sum(nil))
	}
	a1, a2 := h("u:"+f["realm"]+":hunter2"), h(r.method+":"+r.url)
	if strings.HasSuffix(f["algorithm"], "-sess") {
		a1 = h(a1 + ":" + f["nonce"] + ":" + f["cnonce"])
	}
	want := h(a1 + ":" + f["nonce"] + ":" + a2)
	if f["qop"] == "auth" {
		want = h(a1 + ":" + f["nonce"] + ":" + f["nc"] + ":" + f["cnonce"] + ":auth:" + a2)
	}
	if f["response"] != want || f["uri"] != r.url || g.bad {
		return refuse(false)
	}
	if used := g.used.Add(1); f["nonce"] != fmt.Sprintf("n%d", g.nonce.Load()) || g.stale > 0 && used > int64(g.stale) {
		return refuse(true)
	}
	return ""
}

const (
	askMD5    = `Digest realm="IP Camera(1)", nonce="%s"`
	askQop    = `Digest realm="r", qop="auth,auth-int", nonce="%s", opaque="o=p,q", algorithm=MD5`
	askSHA256 = `Digest realm="r", nonce="%s", algorithm="SHA-256"`
	askSess   = `digest Realm=r , nonce="%s" ,algorithm=SHA-256-sess, qop=auth`
	askBasic  = `Basic realm="r"`
	askOdd    = `Digest realm="r", nonce="x", algorithm=ROT13`
)

func TestPasswords(t *testing.T) {
	for name, tc := range map[string]struct {
		g       *guard
		want    *problem.Problem
		answers int64 // at most
		basic   bool
	}{
		"MD5":                    {g: &guard{headers: []string{askMD5}, sum: md5.New}},
		"MD5 qop":                {g: &guard{headers: []string{askQop}, sum: md5.New}},
		"SHA-256":                {g: &guard{headers: []string{askSHA256}, sum: sha256.New}},
		"SHA-256-sess":           {g: &guard{headers: []string{askSess}, sum: sha256.New}},
		"several headers":        {g: &guard{headers: []string{askBasic, askMD5, askOdd, askSHA256}, sum: sha256.New}},
		"weak ones last":         {g: &guard{headers: []string{askSHA256, askMD5, askBasic}, sum: sha256.New}},
		"several in one header":  {g: &guard{headers: []string{askBasic + ", " + askOdd + ", " + askQop + ", Negotiate"}, sum: md5.New}},
		"unknown skipped":        {g: &guard{headers: []string{"Bearer", askOdd, askMD5}, sum: md5.New}},
		"basic":                  {g: &guard{headers: []string{askOdd, askBasic}, sum: md5.New}, basic: true},
		"nonces that grow old":   {g: &guard{headers: []string{askMD5}, sum: md5.New, stale: 1}},
		"closes after asking":    {g: &guard{headers: []string{askMD5}, sum: md5.New, closes: true}},
		"nothing that we know":   {g: &guard{headers: []string{askOdd, "Bearer x"}, sum: md5.New}, want: ErrAuth, answers: -1},
		"refused":                {g: &guard{headers: []string{askMD5}, sum: md5.New, bad: true}, want: ErrAuth, answers: 1},
		"refused, basic":         {g: &guard{headers: []string{askBasic}, sum: md5.New, bad: true}, want: ErrAuth, answers: 1},
		"refused with a hang-up": {g: &guard{headers: []string{askMD5}, sum: md5.New, bad: true, closes: true}, want: ErrAuth, answers: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := script{sdp: videoSDP, answer: tc.g.answer, play: pictures}.start(t)
			src := Source{URL: url, Username: "u", Password: "hunter2"}
			runNasty(t, src, Options{}, &collect{}, tc.want)
			if n := tc.g.answers.Load(); tc.want != nil && n > max(tc.answers, 0) || tc.want == nil && n == 0 {
				t.Errorf("the password was shown %d times", n)
			}
			if tc.basic != (tc.g.basic.Load() > 0) && tc.want == nil {
				t.Errorf("shown in the clear %d times", tc.g.basic.Load())
			}
		})
	}
}

// runNasty wants want, or 25 pictures if it is nil.
func runNasty(t *testing.T, src Source, opt Options, h Handler, want *problem.Problem) {
	t.Helper()
	c, ok := h.(*collect)
	if !ok {
		c = &h.(*heardAll).collect
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c.after = func(c *collect) {
		if want == nil && len(c.units) == 25 {
			cancel()
		}
	}
	if opt.Limits.Stall == 0 {
		opt.Limits = Limits{Connect: time.Second, Stall: 2 * time.Second, FirstKeyframe: 2 * time.Second}
	}
	begun := time.Now()
	err := Run(ctx, src, opt, h)
	if want != nil {
		if !errors.Is(err, want) {
			t.Fatalf("%v\nwant %s after %d pictures", err, want.Code, len(c.units))
		}
		return
	}
	if !errors.Is(err, context.Canceled) || len(c.units) < 25 {
		t.Fatalf("%d pictures in %v: %v", len(c.units), time.Since(begun), err)
	}
}

func answers(method, status string, lines ...string) func(*request) string {
	return func(r *request) string {
		if r.method == method {
			return r.status(status, lines...)
		}
		return ""
	}
}

// TestQuirks is of cameras as they are: none of this may cost the picture.
func TestQuirks(t *testing.T) {
	for name, tc := range map[string]struct {
		s    script
		src  Source
		opt  Options
		want *problem.Problem
	}{
		"UDP only":                 {s: script{udp: "only"}},
		"silent over TCP":          {s: script{udp: "best"}},
		"silent over UDP":          {s: script{udp: "mute"}, opt: Options{Learned: &Learned{transport: UDP}}},
		"UDP learned, TCP now":     {s: script{}, opt: Options{Learned: &Learned{transport: UDP}}},
		"UDP chosen":               {s: script{udp: "both"}, src: Source{Transport: UDP}},
		"TCP chosen and refused":   {s: script{udp: "only"}, src: Source{Transport: TCP}, want: ErrRefused},
		"UDP chosen and refused":   {s: script{}, src: Source{Transport: UDP}, want: ErrRefused},
		"UDP from another socket":  {s: script{udp: "only", spoof: true}, want: ErrStall},
		"ports not told":           {s: script{udp: "only", answer: rewrite("server_port=", "x=")}},
		"an odd source":            {s: script{udp: "only", answer: rewrite("unicast;", "unicast;source=no.such.host.invalid;destination=x;ttl=z;mode=\"BAD\";")}},
		"channels not told":        {s: script{answer: rewrite(";interleaved=0-1", "")}},
		"one channel told":         {s: script{answer: rewrite("interleaved=0-1", "interleaved=0")}},
		"AVP for AVP/TCP":          {s: script{answer: rewrite("RTP/AVP/TCP", "RTP/AVP")}},
		"no OPTIONS":               {s: script{answer: answers("OPTIONS", "501 Not Implemented")}},
		"OPTIONS not allowed":      {s: script{answer: answers("OPTIONS", "405 Method Not Allowed", "Public: x", "Public: y")}},
		"own numbering":            {s: script{answer: own}},
		"session for ages":         {s: script{answer: rewrite("Session: 1", "Session: 1;timeout=4294967295")}},
		"session of no sense":      {s: script{answer: rewrite("Session: 1", "Session: 1;timeout=\"x;;=\r\nSession: 2")}},
		"base of no sense":         {s: script{answer: base0("Content-Base: %%%"), sdp: "a=control:trackID=*\r\n" + videoSDP}},
		"control of no sense":      {s: script{sdp: "v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:%zz\r\n"}},
		"type with a charset":      {s: script{answer: base0("X: y"), sdp: videoSDP}},
		"thousands of tracks":      {s: script{sdp: videoSDP + strings.Repeat("m=audio 0 RTP/AVP 0\r\na=control:x\r\n", 1500)}},
		"requests of its own":      {s: script{play: chatty}},
		"foreign channels":         {s: script{play: foreign}},
		"RTCP of no sense":         {s: script{play: bombs}},
		"sound refused":            {s: script{sdp: soundSDP, answer: sound("454 Session Not Found")}, src: Source{Audio: true}},
		"sound unauthorized":       {s: script{sdp: soundSDP, answer: sound("401 Unauthorized")}, src: Source{Audio: true}},
		"sound that hangs up":      {s: script{sdp: soundSDP, answer: sound(hangUp)}, src: Source{Audio: true}},
		"sound that stops it all":  {s: script{sdp: soundSDP, answer: soundStops}, src: Source{Audio: true}},
		"sound of no sense":        {s: script{sdp: soundSDP, play: noise}, src: Source{Audio: true}},
		"sound coded as something": {s: script{sdp: videoSDP + "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/zz\r\na=fmtp:97 config=zz\r\n"}, src: Source{Audio: true}},
		"redirected":               {s: script{answer: moved(1)}},
		"redirected without end":   {s: script{answer: moved(99)}, want: ErrRefused},
		"redirected to the web":    {s: script{answer: answers("DESCRIBE", "302 Moved", "Location: http://127.0.0.1/")}, want: ErrRefused},
		"dribbles its answer":      {s: script{answer: dribble}, want: ErrUnreachable},
		"dribbles its pictures":    {s: script{play: dribbles}, want: ErrStall},
		"packets and no pictures":  {s: script{play: torn}, want: ErrStall},
		"changes without end":      {s: script{play: changing}, want: ErrUnsteady},
		"flood":                    {s: script{play: flood}, opt: Options{Limits: Limits{BitRate: 8e6}}, want: ErrFlood},
		"flood of small packets":   {s: script{play: drizzle}, opt: Options{Limits: Limits{BitRate: 8e6}}, want: ErrFlood},
		"flood of answers":         {s: script{play: mutter}, opt: Options{Limits: Limits{BitRate: 8e6}}, want: ErrFlood},
		"flood of questions":       {s: script{play: pester}, opt: Options{Limits: Limits{BitRate: 8e6}}, want: ErrFlood},
		"flood over UDP":           {s: script{udp: "only", play: flood}, opt: Options{Limits: Limits{BitRate: 8e6}}, want: ErrFlood},
		"asks to end":              {s: script{play: ends}, want: ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.s.sdp == "" {
				tc.s.sdp = videoSDP
			}
			if tc.s.play == nil {
				tc.s.play = pictures
			}
			tc.src.URL = tc.s.start(t)
			var stats Stats
			tc.opt.Stats = &stats
			if tc.opt.Limits.BitRate != 0 {
				tc.opt.Limits.Connect, tc.opt.Limits.Stall = time.Second, 2*time.Second
			}
			h := &heardAll{}
			runNasty(t, tc.src, tc.opt, h, tc.want)
			if refused := stats.AudioRefused.Load(); strings.HasPrefix(name, "sound") != (refused > 0 || stats.AudioDropped.Load() > 0 || name == "sound coded as something") {
				t.Errorf("sound refused %d times, %d dropped", refused, stats.AudioDropped.Load())
			}
		})
	}
}
