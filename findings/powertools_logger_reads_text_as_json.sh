#!/usr/bin/env bash
# Powertools for AWS Lambda (Python) 3.37.0: Logger writes a text that happens to be JSON as the value it denotes.
#
# One would guess: logger.info("1e5") writes "message":"1e5". A dictionary may become an object; a string stays a string.
# What happens: each message that is a str is first given to json.loads. "1e5" becomes the number 100000.0, "true" a
# boolean, "007" stays text, and "NaN" is written as NaN, which no JSON parser of the standard takes. Arguments are put
# in before: logger.info("%s", code) is the same.
# Consequence: a coupon code or an answer of another service that is logged alone loses its digits or its line: queries
# for the text do not find it, and a line with NaN is not parsed. Log such values as keys (extra=...), which stay text.
#
# Output seen:
#   '1e5' is written as 100000.0
#   'true' is written as true
#   '007' is written as "007"
#   'NaN' is written as NaN
#   extra={"code": "1e5"} is written as "1e5"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0
"$folder/bin/python" - <<'PYTHON'
import io
import re

from aws_lambda_powertools import Logger

output = io.StringIO()
logger = Logger(service="shown", stream=output)


def written(message, key="message", **extra):
    output.seek(0)
    output.truncate()
    logger.info(message, extra=extra)
    return re.search(rf'"{key}":(.*?)[,}}]', output.getvalue())[1]


expected = {"1e5": "100000.0", "true": "true", "007": '"007"', "NaN": "NaN"}
for text, line in expected.items():
    print(f"{text!r} is written as {written(text)}")
    assert written(text) == line, "the behaviour has changed"
print('extra={"code": "1e5"} is written as', written("claimed", key="code", code="1e5"))
assert written("claimed", key="code", code="1e5") == '"1e5"'
PYTHON
