#!/usr/bin/env bash
# httpcore 1.0.9: httpcore.URL of a text drops what is behind ";" in the last segment of the path.
#
# One would guess: the target of httpcore.URL("https://push.example/send/a;b=1") is "/send/a;b=1", because ";" is an
# ordinary character of a path (RFC 3986, section 3.3). The same URL given by its parts has that target.
# What happens: the text goes through urllib.parse.urlparse, which puts ";b=1" into `params`, and httpcore takes only
# path and query from its result. Another resource is requested, and nothing is raised.
# Consequence: an endpoint that somebody else chose, such as that of a push subscription, is answered by a stranger's
# 404. Give httpcore the parts of a URL.
#
# Output seen:
#   from the text:  b'/send/a'
#   from the parts: b'/send/a;b=1'
#   a ";" in an earlier segment: b'/send;b=1/a'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpcore==1.0.9

"$folder/venv/bin/python" - <<'PYTHON'
import httpcore

of_text = httpcore.URL("https://push.example/send/a;b=1").target
of_parts = httpcore.URL(scheme="https", host="push.example", target="/send/a;b=1").target
earlier = httpcore.URL("https://push.example/send;b=1/a").target
print(f"from the text:  {of_text}")
print(f"from the parts: {of_parts}")
print(f'a ";" in an earlier segment: {earlier}')
assert (of_text, of_parts, earlier) == (b"/send/a", b"/send/a;b=1", b"/send;b=1/a"), "the behaviour has changed"
PYTHON
