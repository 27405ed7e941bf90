"""The one line that a request writes: for the log, and for metrics in the embedded metric format (EMF) of CloudWatch.

Powertools' Logger and Metrics would write a line each, which took a fifth of the CPU of a spin. CloudWatch makes
metrics of any line of JSON that has the member `_aws`, whatever else is in it.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from time import time_ns
from typing import Any

_SERVICE = "goatedvips"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def write_line(function: str, request_id: str, status: int, milliseconds: float, fields: Mapping[str, object]) -> None:
    """Write the line of a request that was answered.

    Parameters
    ----------
    function: the name of the function.
    request_id: API Gateway's.
    status: of the answer.
    milliseconds: from the event to the answer.
    fields: what else the log has of it; never a token, a password or a value of a statement.
    """
    answered = f"Answered{status // 100}xx"
    at = time_ns() // 1_000_000
    line = {
        "level": "INFO",
        "message": "answered",
        "timestamp": datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds"),
        "service": _SERVICE,
        "function": function,
        "request_id": request_id,
        "status": status,
        "milliseconds": milliseconds,
        **fields,
        "Duration": milliseconds,
        answered: 1,
        "_aws": {"Timestamp": at, "CloudWatchMetrics": _directives(answered)},
    }
    if trace := os.environ.get("_X_AMZN_TRACE_ID"):  # Root=1-…;Parent=…;Sampled=1
        line["xray_trace_id"] = trace.partition(";")[0].removeprefix("Root=")
    sys.stdout.write(_encode(line) + "\n")


@cache
def _directives(answered: str) -> list[dict[str, Any]]:
    """Return what CloudWatch makes of the line's members: metrics and their dimensions."""
    metrics = [{"Name": "Duration", "Unit": "Milliseconds"}, {"Name": answered, "Unit": "Count"}]
    namespace = os.environ["POWERTOOLS_METRICS_NAMESPACE"]  # as Powertools reads it
    return [{"Namespace": namespace, "Dimensions": [["function", "service"]], "Metrics": metrics}]
