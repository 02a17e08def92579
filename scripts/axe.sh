#!/usr/bin/env bash
# Fetches axe-core, with which the browser tests look at the pages' accessibility,
# into the cache folder of who runs it: never into the tree. Prints where it is.
# It is fetched with npm, once, and taken only if it is the file that is pinned
# here.
#
#   scripts/axe.sh
set -euo pipefail

version=4.14.1
# SHA-512 of the package.
sum=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5

fail() {
    echo "axe: $*" >&2
    exit 1
}

folder=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/veilbox/axe-core-$version
if [ -s "$folder/axe.min.js" ]; then
    echo "$folder/axe.min.js"
    exit 0
fi

if ! command -v npm >/dev/null 2>&1; then
    command -v apt-get >/dev/null 2>&1 || fail "npm is missing: install it by hand and try again."
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || fail "npm is missing. Run as root: apt-get install --no-install-recommends npm"
        as_root=(sudo)
    fi
    echo "axe: installing npm" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq -o DPkg::Lock::Timeout=300 \
        install -y --no-install-recommends npm </dev/null >&2 ||
        fail "apt could not install npm: see above; check the network and the disk, and try again."
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent --ignore-scripts "axe-core@$version" >/dev/null) ||
    fail "npm could not fetch axe-core $version: check the network and npm's settings, and try again."
package=$work/axe-core-$version.tgz
[ -f "$package" ] || fail "npm fetched no axe-core-$version.tgz: try again."
echo "$sum  $package" | sha512sum --check --status ||
    fail "what was fetched is not the axe-core $version that is pinned: don't use it; look at where npm fetches from."
tar -xzf "$package" -C "$work" package/axe.min.js
mkdir -p "$folder"
# A whole file or none: another run may look at the same time.
cp "$work/package/axe.min.js" "$folder/.axe.$$"
mv "$folder/.axe.$$" "$folder/axe.min.js"
echo "$folder/axe.min.js"
