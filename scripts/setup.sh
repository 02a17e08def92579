#!/usr/bin/env bash
# Installs what building and running from this tree needs, on Debian 12 or 13 or
# a system made from them: by apt, only what is missing, and nothing else.
# Called by make; quiet where nothing is missing.
#
#   scripts/setup.sh build|run|bench|test
set -euo pipefail

fail() {
    echo "setup: $*" >&2
    exit 1
}

purpose=${1:-run}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What is looked for (a program, a file, or lib: a file of the machine's own
# architecture) and the package that has it.
wants=(
    "gcc gcc"
    "/usr/include/stdio.h libc6-dev"
    "make make"
    "git git"
    "/etc/ssl/certs/ca-certificates.crt ca-certificates"
    # veil-detect, and nothing else, is built on OpenCV.
    "g++ g++"
    "/usr/include/opencv4/opencv2/core.hpp libopencv-core-dev"
    "/usr/include/opencv4/opencv2/imgproc.hpp libopencv-imgproc-dev"
    "/usr/include/opencv4/opencv2/objdetect.hpp libopencv-objdetect-dev"
    "/usr/include/opencv4/opencv2/dnn.hpp libopencv-dnn-dev"
)
case $purpose in
    build) ;;
    run) wants+=("ffmpeg ffmpeg" "ffprobe ffmpeg") ;;
    bench) wants+=("ffmpeg ffmpeg" "ffprobe ffmpeg" "chromium chromium" "strace strace") ;;
    test)
        wants+=("ffmpeg ffmpeg" "ffprobe ffmpeg" "chromium chromium")
        # Browsers of other makers, and cameras that are not of our making.
        wants+=("firefox-esr firefox-esr" "WebKitWebDriver webkit2gtk-driver" "Xvfb xvfb")
        wants+=(
            "cvlc vlc-bin" "lib:vlc/plugins/stream_out/libstream_out_rtp_plugin.so vlc-plugin-base"
            "/usr/lib/python3/dist-packages/gi python3-gi"
            "lib:girepository-1.0/GstRtspServer-1.0.typelib gir1.2-gst-rtsp-server-1.0"
            "lib:gstreamer-1.0/libgstrtp.so gstreamer1.0-plugins-good" "lib:gstreamer-1.0/libgstopus.so gstreamer1.0-plugins-base"
            "lib:gstreamer-1.0/libgstx265.so gstreamer1.0-plugins-bad" "lib:gstreamer-1.0/libgstx264.so gstreamer1.0-plugins-ugly"
            "lib:gstreamer-1.0/libgstlibav.so gstreamer1.0-libav" "lib:gio/modules/libgiognutls.so glib-networking"
            "onvif-util onvif-tools" "wsdd wsdd" "ip iproute2" "setpriv util-linux"
            "pdftotext poppler-utils" "npm npm"
        )
        ;;
    *) fail "usage: scripts/setup.sh build|run|bench|test" ;;
esac

missing=()
for want in "${wants[@]}"; do
    read -r what package <<<"$want"
    case $what in
        /*) [ -e "$what" ] && continue ;;
        lib:*) compgen -G "/usr/lib/*/${what#lib:}" >/dev/null && continue ;;
        *) command -v "$what" >/dev/null 2>&1 && continue ;;
    esac
    case " ${missing[*]-} " in
        *" $package "*) ;;
        *) missing+=("$package") ;;
    esac
done

if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null 2>&1 ||
        fail "missing: ${missing[*]}. This system has no apt-get: install them by hand and try again."
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 ||
            fail "missing: ${missing[*]}. Run as root: apt-get install --no-install-recommends ${missing[*]}"
        as_root=(sudo)
    fi
    echo "setup: installing ${missing[*]}" >&2
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    apt() {
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq \
            -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$log" 2>&1
    }
    if ! apt update || ! apt install -y --no-install-recommends "${missing[@]}"; then
        tail -n 20 "$log" >&2
        fail "apt could not install ${missing[*]}: see above; check the network and the disk, and try again."
    fi
fi

# Go may be where its own installer puts it and not yet in PATH; make looks there
# too (see the Makefile).
go=$(command -v go || true)
[ -n "$go" ] || { [ -x /usr/local/go/bin/go ] && go=/usr/local/go/bin/go; } || true
need=$(awk '$1 == "go" { print $2; exit }' "$root/go.mod")
[ -n "$go" ] || fail "Go is missing: install Go $need or newer from https://go.dev/dl/ and put it in PATH."
# GOTOOLCHAIN=local: only ask what is here. Outside the module, so that an older
# Go answers instead of refusing.
have=$(cd / && GOTOOLCHAIN=local "$go" env GOVERSION | sed -e 's/^go//' -e 's/[ -].*//')
if [ "$(printf '%s\n%s\n' "$need" "$have" | sort -V | head -n 1)" != "$need" ]; then
    fail "Go $have is too old: install Go $need or newer from https://go.dev/dl/ and put it in PATH first."
fi
