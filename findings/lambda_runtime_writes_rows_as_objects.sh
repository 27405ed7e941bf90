#!/usr/bin/env bash
# awslambdaric 4.2.2, the Python runtime client of AWS Lambda: what a handler returns is not written as json.dumps would.
#
# One would guess: a namedtuple in the handler's result becomes an array, as json.dumps writes it in a unit test, and rows
# of SQLAlchemy 2.1.9 fail as they do there (TypeError).
# What happens: the runtime client uses simplejson, which makes an object of anything that has a method _asdict. Both
# namedtuples and SQLAlchemy's rows have one, so on Lambda both become objects, keyed by field or column. A Decimal, which
# json.dumps refuses, is written as a number with all its digits; the infinite one makes the result no valid JSON.
# Consequence: a caller that invokes the function gets another shape than the test saw, and renaming a column label
# changes a public answer. Return dictionaries and lists of plain values.
#
# Output seen:
#   namedtuple: json.dumps [3, "ann"], Lambda {"place": 3, "name": "ann"}
#   rows of a query: json.dumps TypeError, Lambda [{"place": 3, "name": "ann"}]
#   Decimal("1.10"): json.dumps TypeError, Lambda 1.10
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check awslambdaric==4.2.2 simplejson==4.3.0 sqlalchemy==2.1.9
"$folder/bin/python" - <<'PYTHON'
import json
from collections import namedtuple
from decimal import Decimal

from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
from sqlalchemy import create_engine, literal, select

Standing = namedtuple("Standing", "place name")
with create_engine("sqlite://").connect() as connection:
    rows = connection.execute(select(literal(3).label("place"), literal("ann").label("name"))).all()


def dumps(value):
    try:
        return json.dumps(value)
    except TypeError:
        return "TypeError"


expected = {
    "namedtuple": (Standing(3, "ann"), '[3, "ann"]', '{"place": 3, "name": "ann"}'),
    "rows of a query": (rows, "TypeError", '[{"place": 3, "name": "ann"}]'),
    'Decimal("1.10")': (Decimal("1.10"), "TypeError", "1.10"),
}
for name, (value, locally, on_lambda) in expected.items():
    written, _ = LambdaMarshaller().marshal_response(value)
    print(f"{name}: json.dumps {dumps(value)}, Lambda {written}")
    assert (dumps(value), written) == (locally, on_lambda), "the behaviour has changed"
PYTHON
