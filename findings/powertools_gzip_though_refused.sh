#!/usr/bin/env bash
# Powertools for AWS Lambda (Python) 3.37.0: a route with compress=True answers gzip to who refuses it.
#
# One would guess: Accept-Encoding is read as RFC 9110 has it: "gzip;q=0" means not gzip, and names ignore case.
# What happens: the answer is compressed if the header contains the letters "gzip". "gzip;q=0, identity" gets gzip;
# "GZIP", which accepts it, does not.
# Consequence: a client or proxy that asked for plain text gets octets that it cannot read. Decide on the header
# yourself and set compress only then.
#
# Output seen:
#   Accept-Encoding: gzip → gzip
#   Accept-Encoding: gzip;q=0, identity → gzip
#   Accept-Encoding: GZIP → identity
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0
"$folder/bin/python" - <<'PYTHON'
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

api = APIGatewayHttpResolver()


@api.get("/codes", compress=True)
def codes():
    return {"items": []}


def encoding(accepted):
    event = {
        "version": "2.0",
        "rawPath": "/codes",
        "headers": {"accept-encoding": accepted},
        "requestContext": {"stage": "$default", "http": {"method": "GET", "path": "/codes"}},
    }
    return api.resolve(event, None)["headers"].get("Content-Encoding", "identity")


for accepted, expected in {"gzip": "gzip", "gzip;q=0, identity": "gzip", "GZIP": "identity"}.items():
    print(f"Accept-Encoding: {accepted} → {encoding(accepted)}")
    assert encoding(accepted) == expected, "the behaviour has changed"
PYTHON
