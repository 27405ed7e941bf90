#!/usr/bin/env bash
# httpx 0.28.1: setting one parameter of a URL rewrites all the others.
#
# One would guess: URL.copy_set_param("page", 2) adds or replaces `page`, and every other byte of the query stays, since
# httpx.URL itself keeps a query as it was typed.
# What happens: the query is parsed as a form and written anew. `%20` becomes `+`, a parameter without `=` gets one, `;`
# becomes `%3B`.
# Consequence: a signed URL is no longer valid on its second page, and a server that reads `+` as a plus sign, or asks only
# whether `flag` is there, answers something else. Add the parameter to the text of the query instead.
#
# Output seen:
#   as typed:         https://feed.example/v1?q=a%20b&flag&list=1;2
#   with page=2:      https://feed.example/v1?q=a+b&flag=&list=1%3B2&page=2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1
"$folder/bin/python" - <<'PYTHON'
import httpx

url = httpx.URL("https://feed.example/v1?q=a%20b&flag&list=1;2")
paged = url.copy_set_param("page", 2)
print(f"as typed:         {url}")
print(f"with page=2:      {paged}")
assert str(url) == "https://feed.example/v1?q=a%20b&flag&list=1;2", "the behaviour has changed"
assert str(paged) == "https://feed.example/v1?q=a+b&flag=&list=1%3B2&page=2", "the behaviour has changed"
PYTHON
