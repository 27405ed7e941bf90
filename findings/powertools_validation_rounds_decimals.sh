#!/usr/bin/env bash
# Powertools for AWS Lambda (Python) 3.37.0: enable_validation=True turns the decimals of an answer into floats.
#
# One would guess: validation checks requests, and adds a check of answers that have an annotation; the JSON of an answer
# without one stays as it is. Powertools' own encoder writes a Decimal as a string, exactly.
# What happens: with validation on, a dictionary with a Decimal passes another encoder first, which makes an int or a
# float of it: "1.10" becomes the number 1.1, and amounts beyond 15 digits are rounded. A Decimal inside a pydantic
# model stays an exact string, so one API answers in both forms.
# Consequence: switching validation on changes money amounts in the answers, and their type, without an error. Convert to
# text in the handler, or answer with models only.
#
# Output seen:
#   validation False: {"prize":"1.10","pool":"12345678901234567.89"}
#   validation True: {"prize":1.1,"pool":1.2345678901234568e+16}
#   validation True, as a model: {"prize":"1.10","pool":"12345678901234567.89"}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0 pydantic==2.13.5
"$folder/bin/python" - <<'PYTHON'
from decimal import Decimal

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from pydantic import BaseModel


class Amounts(BaseModel):
    prize: Decimal
    pool: Decimal


AMOUNTS = {"prize": Decimal("1.10"), "pool": Decimal("12345678901234567.89")}
EXACT = '{"prize":"1.10","pool":"12345678901234567.89"}'
ROUNDED = '{"prize":1.1,"pool":1.2345678901234568e+16}'


def answer(path, *, validation):
    app = APIGatewayHttpResolver(enable_validation=validation)
    app.get("/dictionary")(lambda: AMOUNTS)
    app.get("/model")(lambda: Amounts(**AMOUNTS))
    http = {"method": "GET", "path": path}
    event = {"version": "2.0", "rawPath": path, "headers": {}, "requestContext": {"http": http, "stage": "$default"}}
    return app.resolve(event, None)["body"]


for validation, expected in ((False, EXACT), (True, ROUNDED)):
    body = answer("/dictionary", validation=validation)
    print(f"validation {validation}: {body}")
    assert body == expected, "the behaviour has changed"
body = answer("/model", validation=True)
print(f"validation True, as a model: {body}")
assert body == EXACT, "the behaviour has changed"
PYTHON
