#!/bin/sh
# Installs lavapipe, Mesa's Vulkan driver for the CPU, on Debian and Ubuntu: much faster than the SwiftShader that
# tailray otherwise brings along. Mesa's driver for AMD comes with it, and spirv-as (spirv-tools) with which kernels are
# compiled for a GPU that is not there (npm run shaders). Does nothing when a recent Mesa is there, and both. Needs root.
#
# Debian 12's own Mesa (22.3) lacks a feature that WebGPU asks for, so there it comes from bookworm-backports; that
# source is added when it is missing, from the mirror that the system already uses.
set -eu

OLDEST_MESA=23 # 22.3 is known to be refused
PACKAGES="mesa-vulkan-drivers libvulkan1 spirv-tools"
ADDED_SOURCE=/etc/apt/sources.list.d/bookworm-backports.list
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'install-lavapipe: %s\n' "$*"; }
fail() {
  printf 'install-lavapipe: %s\n' "$*" >&2
  exit 1
}

installed_version() { dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null | sed -n 's/^installed //p'; }

recent_enough() {
  mesa=$(installed_version mesa-vulkan-drivers)
  [ -n "$mesa" ] && [ -n "$(installed_version libvulkan1)" ] && dpkg --compare-versions "$mesa" ge "$OLDEST_MESA"
}

all_there() { recent_enough && [ -n "$(installed_version spirv-tools)" ]; }

# The address that bookworm itself comes from, in either of apt's two formats.
debian_mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) +bookworm +.*main.*/\2/p' | head -n 1 | grep . && return
  cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
    /^[[:space:]]*$/ { uri = "" }
    /^URIs:/ { uri = $2 }
    /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == "bookworm" && uri != "") { print uri; exit } }' | grep . && return
  echo http://deb.debian.org/debian
}

has_backports() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -v '^ *#' | grep -q 'bookworm-backports'
}

add_backports() {
  mirror=$(debian_mirror)
  say "adding bookworm-backports from $mirror as $ADDED_SOURCE"
  echo "deb [signed-by=$KEYRING] $mirror bookworm-backports main" >"$ADDED_SOURCE"
  added=yes
}

install() {
  # shellcheck disable=SC2086  # both are lists of words
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@" $PACKAGES </dev/null
}

command -v apt-get >/dev/null || fail "this script is for Debian and Ubuntu. Elsewhere install Mesa's Vulkan drivers and
the Vulkan loader by your package manager (Fedora: mesa-vulkan-drivers vulkan-loader; Arch: vulkan-swrast vulkan-icd-loader;
for npm run shaders also spirv-tools, and on Arch vulkan-radeon)."
if all_there; then
  say "lavapipe is installed: mesa-vulkan-drivers $(installed_version mesa-vulkan-drivers)"
  exit 0
fi
[ "$(id -u)" -eq 0 ] || fail "installing packages needs root: run it as root or with sudo."

. /etc/os-release
case "${ID:-}:${VERSION_ID:-}" in
  debian:12)
    added=no
    has_backports || add_backports
    if ! apt-get update --quiet </dev/null || ! install --target-release bookworm-backports; then
      [ "$added" = no ] || rm "$ADDED_SOURCE"
      fail "apt could not install Mesa from bookworm-backports; its messages are above."
    fi
    ;;
  debian:7 | debian:8 | debian:9 | debian:10 | debian:11)
    fail "Mesa in Debian $VERSION_ID is too old for WebGPU. tailray uses SwiftShader there, which needs no installation."
    ;;
  *)
    apt-get update --quiet </dev/null || fail "apt-get update failed; its messages are above."
    install || fail "apt could not install $PACKAGES; its messages are above."
    ;;
esac

recent_enough || fail "mesa-vulkan-drivers $(installed_version mesa-vulkan-drivers) is older than $OLDEST_MESA, and will be refused."
say "lavapipe is installed: mesa-vulkan-drivers $(installed_version mesa-vulkan-drivers)"
