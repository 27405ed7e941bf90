"""The pages that the `type` of problem documents leads to."""

import re

import pytest

from goatedvips.http.problems import explanation, problem_by_code
from tests.support.functions import Functions


@pytest.mark.parametrize("code", problem_by_code())
def test_the_type_of_a_problem_leads_to_a_page_that_explains_it(functions: Functions, code: str) -> None:
    kind = problem_by_code()[code]
    answer = functions.call("show_problem", path=f"/problems/{code}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    text = re.sub(r"<[^>]+>", "", answer.text).replace("&#x27;", "'")
    assert kind.title in text
    assert explanation(kind).replace("`", "") in text
    assert f"{code}, {kind.status}" in text


def test_the_type_that_a_request_was_refused_with_opens(functions: Functions) -> None:
    refused = functions.call("get_me")
    assert functions.call("show_problem", path=refused.json["type"]).status == 200


def test_the_page_runs_no_script(functions: Functions) -> None:
    policy = functions.call("show_problem").headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'none'; style-src 'sha256-" in policy


def test_an_unknown_code_has_no_page(functions: Functions) -> None:
    for code in ("nothing", "Problem", "<script>", "already_spun%20"):
        answer = functions.call("show_problem", path=f"/problems/{code}")
        assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_head_answers_what_get_does_without_the_page(functions: Functions) -> None:
    shown, headers = (functions.call("show_problem", method=method) for method in ("GET", "HEAD"))
    assert headers.text == ""
    assert headers.headers.keys() == shown.headers.keys()
