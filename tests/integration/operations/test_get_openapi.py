"""The API serves its own OpenAPI document."""

import json

from tests.support.functions import ROOT, Functions


def test_it_serves_the_generated_document(functions: Functions) -> None:
    answer = functions.call("get_openapi")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == json.loads((ROOT / "functions/operations/openapi.json").read_text())
    assert answer.json["openapi"].startswith("3.1")
