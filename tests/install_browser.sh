#!/bin/sh
# A Chromium for the browser tests: the one already here, else Debian's package when root on Debian,
# else Playwright's own. $1: the Python to use for Playwright.
set -e
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
else
    "$1" -m playwright install chromium
fi
