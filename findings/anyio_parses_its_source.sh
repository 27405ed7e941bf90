#!/usr/bin/env bash
# anyio 4.16.0: each import reads and parses anyio's own source, whatever bytecode there is.
#
# One would guess: with bytecode beside it, a package is imported without a look at its source; that is what bytecode is
# for, and why one deploys it.
# What happens: anyio/__init__.py parses its own file with `ast` to learn which names it exports. Python reports that as
# a compilation, although nothing is compiled.
# Consequence: a check that a cold start compiles nothing has to except this file; and the source must be deployed.
#
# Output seen:
#   compiled or parsed while anyio and idna were imported from bytecode: ['anyio/__init__.py']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-compile anyio==4.16.0
"$folder/venv/bin/python" -m compileall -q "$folder/venv/lib"

"$folder/venv/bin/python" - <<'PYTHON'
import ast  # noqa: F401 - before the hook, as all of the standard library that anyio needs
import sys
from pathlib import Path

seen = []


def note(event, arguments):
    if event == "compile" and arguments[1] and "site-packages" in str(arguments[1]):
        seen.append("/".join(Path(str(arguments[1])).parts[-2:]))


sys.addaudithook(note)
import anyio  # noqa: E402, F401
import idna  # noqa: E402, F401

print(f"compiled or parsed while anyio and idna were imported from bytecode: {seen}")
assert seen == ["anyio/__init__.py"], "the behaviour has changed"
PYTHON
