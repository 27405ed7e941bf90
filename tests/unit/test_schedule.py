"""The edge of scheduled functions."""

import json
import logging

import pytest

from goatedvips.runs import seconds_left
from goatedvips.schedule import lambda_handler
from tests.support.functions import Context

CONTEXT = Context("AdvanceRacesFunction", "a-run")
EVENT = {"scheduled_time": "2026-11-24T14:39:00Z"}


def test_the_counts_of_a_run_are_returned_logged_and_measured(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    done = {"created": 2, "given_up": 0}  # `created` is also a word of Python's own log records
    with caplog.at_level(logging.INFO, "goatedvips"):
        assert lambda_handler(lambda: done)(EVENT, CONTEXT) == done
    started, ended = caplog.records
    assert (started.message, started.__dict__["scheduled_time"]) == ("started", EVENT["scheduled_time"])
    assert (ended.message, ended.__dict__["done"]) == ("ended", done)
    measured = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (measured["Created"], measured["GivenUp"]) == ([2.0], [0.0])
    assert measured["function"] == "AdvanceRacesFunction"
    assert "Duration" in measured


def test_a_failed_run_is_measured_and_raises_its_error(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ZeroDivisionError):
        lambda_handler(lambda: {"sent": 1 // 0})(EVENT, CONTEXT)
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["failed"]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Failed"] == [1.0]


def test_seconds_left_are_those_of_the_lambda_context() -> None:
    assert lambda_handler(lambda: {"seconds": int(seconds_left())})(EVENT, CONTEXT) == {"seconds": 15}
