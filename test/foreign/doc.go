// Package foreign records from RTSP servers that are not ours: GStreamer's
// (testdata/server.py) and VLC's, over TCP, UDP and TLS, with and without a
// password, each kind of video and sound; and has what was recorded decoded by
// ffmpeg, which must find no fault with it.
//
// It needs Debian's python3-gi, gir1.2-gst-rtsp-server-1.0, glib-networking,
// gstreamer1.0-plugins-{base,good,bad,ugly}, gstreamer1.0-libav, vlc-bin and
// vlc-plugin-base, and ffmpeg.
package foreign
