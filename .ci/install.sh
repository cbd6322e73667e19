#!/bin/sh
# Installs a file of requirements: with uv, which does in seconds what takes pip a minute; where uv cannot, with pip.
# $1: the environment's Python, $2: the file.
here=$(dirname "$0")
pip() {
    "$python" -m pip install --quiet --disable-pip-version-check "$@"
}
python=$1
if pip "$(grep '^uv==' "$here/../requirements-dev.txt")" &&
    sh "$here/uv.sh" "$python" pip install --quiet --python "$python" -r "$2"; then
    exit
fi
echo "uv could not install $2: pip does it, which takes longer" >&2
pip -r "$2"
