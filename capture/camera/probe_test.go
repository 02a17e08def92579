package camera

import (
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
)

// sendGOPs sends pictures at 20 a second of RTP time, with a keyframe where at
// says so.
func sendGOPs(at func(i uint32) bool) func(func(int, []byte) error) error {
	return func(send func(int, []byte) error) error {
		s := sender{send: send}
		for i := uint32(0); i < 400; i++ {
			n := [][]byte{slice}
			if at(i) {
				n = [][]byte{sps320, pps264, idr}
			}
			if err := s.unit(i*4500, n...); err != nil {
				return err
			}
			<-time.After(time.Millisecond)
		}
		return nil
	}
}

func TestProbeTells(t *testing.T) {
	conf, pin := keyed(t)
	every := sendGOPs(func(i uint32) bool { return i%20 == 0 })
	g := &guard{headers: []string{askBasic}}
	for name, tc := range map[string]struct {
		s        script
		want     Description
		warnings string // of the English ones, in order, apart by "|"; the size's is last
		note     string
	}{
		"plain":          {s: script{sdp: videoSDP, play: every}, want: Description{Transport: TCP, GOP: time.Second}},
		"UDP":            {s: script{sdp: videoSDP, play: every, udp: "only"}, want: Description{Transport: UDP, GOP: time.Second}},
		"TLS":            {s: script{sdp: videoSDP, play: every, tls: conf, answer: g.answer}, want: Description{Transport: TCP, GOP: time.Second, Secure: true, Pin: pin}},
		"basic":          {s: script{sdp: videoSDP, play: every, answer: g.answer}, want: Description{Transport: TCP, GOP: time.Second}, warnings: "in the clear"},
		"irregular":      {s: script{sdp: videoSDP, play: sendGOPs(func(i uint32) bool { return i == 0 || i == 15 || i%60 == 0 })}, want: Description{Transport: TCP, GOP: 2250 * time.Millisecond}, warnings: "irregularly"},
		"long":           {s: script{sdp: videoSDP, play: sendGOPs(func(i uint32) bool { return i%100 == 0 })}, want: Description{Transport: TCP, GOP: 5 * time.Second}, warnings: "far apart"},
		"sound":          {s: script{sdp: soundSDP, play: every}, want: Description{Transport: TCP, GOP: time.Second, Audio: "G.711 A-law"}},
		"unknown sound":  {s: script{sdp: videoSDP + "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\n", play: every}, want: Description{Transport: TCP, GOP: time.Second}, note: "G726-32"},
		"sound unread":   {s: script{sdp: videoSDP + "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/16000\r\na=fmtp:97 config=zz\r\n", play: every}, want: Description{Transport: TCP, GOP: time.Second}, note: "MPEG4-GENERIC"},
		"sound of mouth": {s: script{sdp: videoSDP + "m=audio 0 RTP/AVP 8\r\na=sendonly\r\n", play: every}, want: Description{Transport: TCP, GOP: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Probe(t.Context(), Source{URL: tc.s.start(t), Username: "u", Password: "hunter2"}, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if d.Codec != footage.H264 || d.Transport != tc.want.Transport || d.Secure != tc.want.Secure || d.Pin != tc.want.Pin || d.GOP != tc.want.GOP || d.Audio != tc.want.Audio {
				t.Errorf("%+v\nwant %+v", d, tc.want)
			}
			if tc.note == "" != (d.AudioNote.EN == "" && d.AudioNote.DA == "") || !strings.Contains(d.AudioNote.EN, tc.note) || !strings.Contains(d.AudioNote.DA, tc.note) {
				t.Errorf("note: %+v, want %q", d.AudioNote, tc.note)
			}
			all := ""
			for _, w := range d.Warnings {
				all += w.EN + "|"
			}
			if n := strings.Count(all, "|"); !strings.Contains(all, tc.warnings) || tc.warnings == "" && n != 1 || tc.warnings != "" && n != 2 {
				t.Errorf("warnings: %s", all)
			}
		})
	}
}
