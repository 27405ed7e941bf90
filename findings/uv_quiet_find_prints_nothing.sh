#!/usr/bin/env bash
# uv 0.13.9: with --quiet, `uv python find` prints nothing, and its status is 0.
#
# One would guess: --quiet silences messages and not the answer, as `git rev-parse --quiet` does; so a script may write
# python=$(uv python find --quiet 3.13).
# What happens: the path itself is one of the messages. The variable is empty, and the status is that of success.
# Consequence: the script goes on with an empty path; `"$python" -m venv` then says that "" is no command.
#
# Output seen:
#   without --quiet: status 0, a path
#   with --quiet:    status 0, 0 characters
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9

find() { "$folder/venv/bin/uv" python find --no-config --no-python-downloads "$@" "$folder/venv/bin/python" 2>/dev/null; }
loud=$(find) && loud_status=$? || loud_status=$?
quiet=$(find --quiet) && quiet_status=$? || quiet_status=$?
[ -x "$loud" ] && kind="a path" || kind="no path"
echo "without --quiet: status $loud_status, $kind"
echo "with --quiet:    status $quiet_status, ${#quiet} characters"
[ "$loud_status $kind $quiet_status ${#quiet}" = "0 a path 0 0" ] || { echo "the behaviour has changed"; exit 1; }
