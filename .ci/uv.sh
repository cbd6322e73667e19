#!/bin/sh
# Runs uv with the package index that pip is set up for: uv reads none of pip's settings.
# $1: the environment's Python; the rest is for uv.
set -e
python=$1
shift
settings=$("$python" -m pip config list 2>/dev/null || true)

# What pip would take for this option: from its environment variables before its files. Empty where nothing is set.
setting() {
    for section in :env: install global; do
        value=$(printf '%s\n' "$settings" | sed -n "s/^$section\.$1='\(.*\)'\$/\1/p" | sed 's/\\n/ /g')
        if [ -n "$value" ]; then
            echo $value
            return
        fi
    done
}

# An empty variable is to uv as none at all. Like pip, it takes a version from whichever index has it.
export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$(setting index-url)}"
export UV_INDEX="${UV_INDEX:-$(setting extra-index-url)}"
export UV_FIND_LINKS="${UV_FIND_LINKS:-$(setting find-links | tr ' ' ',')}"
export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
export SSL_CERT_FILE="${SSL_CERT_FILE:-$(setting cert)}"
exec "$(dirname "$python")/uv" "$@"
