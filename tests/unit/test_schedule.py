"""The edge of scheduled functions."""

import json

import pytest

from goatedvips.schedule import lambda_handler, seconds_left
from tests.requests import Context

CONTEXT = Context("AdvanceRacesFunction", "a-run")
EVENT = {"scheduled_time": "2026-11-24T14:39:00Z"}


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_what_a_run_did_is_answered_logged_and_measured(capsys: pytest.CaptureFixture[str]) -> None:
    done = {"created": 2, "given_up": 0}  # `created` is also a word of Python's own log records
    assert lambda_handler(lambda: done)(EVENT, CONTEXT) == done
    *lines, measured = written(capsys)
    assert [line["message"] for line in lines] == ["started", "ended"]
    assert {line["request_id"] for line in lines} == {"a-run"}
    assert (lines[0]["scheduled_time"], lines[1]["done"]) == (EVENT["scheduled_time"], done)
    assert (measured["Created"], measured["GivenUp"]) == ([2.0], [0.0])
    assert measured["function"] == "AdvanceRacesFunction"
    assert "Duration" in measured


def test_a_run_that_fails_is_measured_and_its_error_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        lambda_handler(lambda: {"sent": 1 // 0})(EVENT, CONTEXT)
    *lines, measured = written(capsys)
    assert [line["message"] for line in lines] == ["started", "failed"]
    assert measured["Failed"] == [1.0]


def test_work_knows_how_long_it_may_go_on() -> None:
    left = []
    lambda_handler(lambda: left.append(seconds_left()) or {})(EVENT, CONTEXT)
    assert left == [15.0]
