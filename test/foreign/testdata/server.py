"""A GStreamer RTSP server with one stream of each kind, for tests.

Prints the port that it listens at, and serves until it is ended.
"""
import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

VIDEO = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! "
AUDIO = "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=%d,channels=1 ! audioconvert ! "
H264 = "x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 key-int-max=%d ! rtph264pay pt=96 name=pay0 "

STREAMS = {
    "h264": VIDEO + H264 % 25,
    "h264-in-band": VIDEO + (H264 % 25) + "config-interval=-1",
    "h264-slices": VIDEO + "x264enc tune=zerolatency sliced-threads=true threads=4 key-int-max=25 ! rtph264pay pt=96 name=pay0",
    "h264-b": VIDEO + "x264enc bframes=3 b-adapt=false key-int-max=25 speed-preset=ultrafast ! video/x-h264,profile=high ! rtph264pay pt=96 name=pay0",
    "h264-aggregate": VIDEO + (H264 % 25) + "config-interval=1 aggregate-mode=max-stap",
    "h265": VIDEO + "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph265pay pt=98 name=pay0",
    "mjpeg": VIDEO + "jpegenc quality=70 ! rtpjpegpay pt=26 name=pay0",
    "aac": VIDEO + (H264 % 25) + AUDIO % 16000 + "avenc_aac ! rtpmp4gpay pt=97 name=pay1",
    "latm": VIDEO + (H264 % 25) + AUDIO % 48000 + "voaacenc ! rtpmp4apay pt=97 name=pay1",
    "pcma": VIDEO + (H264 % 25) + AUDIO % 8000 + "alawenc ! rtppcmapay pt=8 name=pay1",
    "pcmu": VIDEO + (H264 % 25) + AUDIO % 8000 + "mulawenc ! rtppcmupay pt=0 name=pay1",
    "opus": VIDEO + (H264 % 25) + AUDIO % 48000 + "opusenc ! rtpopuspay pt=97 name=pay1",
}

PROTOCOLS = {
    "tcp": GstRtsp.RTSPLowerTrans.TCP,
    "udp": GstRtsp.RTSPLowerTrans.UDP,
    "both": GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP,
}


def auth(args):
    """What the server asks of who connects, None if nothing."""
    if args.auth == "none" and not args.tls:
        return None
    a = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    if args.tls:
        with open(args.tls) as f:
            a.set_tls_certificate(Gio.TlsCertificate.new_from_pem(f.read(), -1))
    if args.auth == "digest":
        a.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        a.add_digest("viewer", "hunter2", token)
    elif args.auth == "basic":
        a.add_basic(GstRtspServer.RTSPAuth.make_basic("viewer", "hunter2"), token)
    else:
        a.set_default_token(token)
    return a


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--transport", choices=PROTOCOLS, default="both")
    p.add_argument("--auth", choices=["none", "basic", "digest"], default="none")
    p.add_argument("--tls", help="file of a certificate and its key")
    args = p.parse_args()

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    permissions = GstRtspServer.RTSPPermissions()
    a = auth(args)
    if a:
        server.set_auth(a)
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
    for name, launch in STREAMS.items():
        f = GstRtspServer.RTSPMediaFactory()
        f.set_launch("( " + launch + " )")
        f.set_protocols(PROTOCOLS[args.transport])
        f.set_shared(True)
        if a:
            f.set_permissions(permissions)
        server.get_mount_points().add_factory("/" + name, f)
    if server.attach(None) == 0:
        sys.exit("the server cannot listen")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
