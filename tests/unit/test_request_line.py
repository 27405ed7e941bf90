"""The line of a request: a line of the log, and metrics as CloudWatch reads them from it."""

import json
import time
from datetime import datetime
from typing import Any

import pytest

from goatedvips.http.request_line import write_line

UNITS = {"Milliseconds", "Count"}  # of those that CloudWatch has
LARGEST_EVENT = 256 * 1024  # bytes; the older of two limits of CloudWatch Logs


def metrics_of(text: str) -> dict[str, tuple[float, str, dict[str, str]]]:
    """Return what CloudWatch extracts of an event of the log: value, unit and dimensions of each metric.

    An event that breaks a rule of the specification has no metrics: see `goatedvips.http.request_line`.
    """
    assert text.endswith("\n")
    assert "\n" not in text[:-1], "each line is an event of its own"
    assert len(text.encode()) <= LARGEST_EVENT
    event: dict[str, Any] = json.loads(text)
    directives = event["_aws"]["CloudWatchMetrics"]
    assert isinstance(event["_aws"]["Timestamp"], int)
    assert abs(event["_aws"]["Timestamp"] / 1000 - time.time()) < 60, "in milliseconds"
    found = {}
    for directive in directives:
        assert 0 < len(directive["Namespace"]) <= 256
        (dimensions,) = directive["Dimensions"]
        assert 0 < len(dimensions) <= 30
        targets = {name: event[name] for name in dimensions}
        assert all(isinstance(value, str) and 0 < len(value) <= 1024 for value in targets.values())
        assert 0 < len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert metric["Unit"] in UNITS
            value = event[metric["Name"]]
            assert isinstance(value, int | float), "a target is a number at the root"
            found[metric["Name"]] = (float(value), metric["Unit"], targets)
    return found


@pytest.mark.parametrize("status", [200, 201, 304, 404, 503])
def test_cloudwatch_makes_metrics_of_the_line(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    write_line("SpinWheelFunction", "r-1", status, 12.5, {"method": "POST", "path": "/v1/wheel/spins", "user_id": 7})
    dimensions = {"function": "SpinWheelFunction", "service": "goatedvips"}
    assert metrics_of(capsys.readouterr().out) == {
        "Duration": (12.5, "Milliseconds", dimensions),
        f"Answered{status // 100}xx": (1.0, "Count", dimensions),
    }


def test_the_log_has_the_same_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
    write_line("Refused", "r-2", 403, 0.0, {"path": "/\n\ud800é", "code": "forbidden", "reason": None})
    line = json.loads(capsys.readouterr().out)
    assert {
        key: line[key] for key in ("level", "message", "request_id", "status", "milliseconds", "code", "reason")
    } == {
        "level": "INFO",
        "message": "answered",
        "request_id": "r-2",
        "status": 403,
        "milliseconds": 0.0,
        "code": "forbidden",
        "reason": None,
    }
    assert line["path"] == "/\n\ud800é"
    assert line["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert round(datetime.fromisoformat(line["timestamp"]).timestamp() * 1000) == line["_aws"]["Timestamp"]


def test_without_a_trace_the_line_has_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    write_line("Answered", "r-3", 200, 1.0, {})
    assert "xray_trace_id" not in json.loads(capsys.readouterr().out)
