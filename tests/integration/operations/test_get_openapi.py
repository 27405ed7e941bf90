"""The API describes itself."""

import json

from tests.support.functions import ROOT, Functions


def test_the_document_is_served_as_it_was_written(functions: Functions) -> None:
    answer = functions.call("get_openapi")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == json.loads((ROOT / "functions/operations/openapi.json").read_text())
    assert answer.json["openapi"].startswith("3.1")
