#!/bin/sh
# Installs Chromium from Debian's or Ubuntu's own packages: the tests of the report and of the live page open them in it.
# Does nothing when it is there. Needs root.
set -eu

CHROMIUM=/usr/bin/chromium

say() { printf 'install-chromium: %s\n' "$*"; }
fail() {
  printf 'install-chromium: %s\n' "$*" >&2
  exit 1
}

if [ -x "$CHROMIUM" ]; then
  say "Chromium is installed: $CHROMIUM"
  exit 0
fi
command -v apt-get >/dev/null || fail "this script is for Debian. Elsewhere install Chromium by your package manager, and name it
in TAILRAY_CHROMIUM."
[ "$(id -u)" -eq 0 ] || fail "installing packages needs root: run it as root or with sudo."
apt-get update --quiet </dev/null || fail "apt-get update failed; its messages are above."
DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends chromium </dev/null ||
  fail "apt could not install chromium; its messages are above."
[ -x "$CHROMIUM" ] || fail "apt installed chromium, but it is not at $CHROMIUM."
say "Chromium is installed: $CHROMIUM"
