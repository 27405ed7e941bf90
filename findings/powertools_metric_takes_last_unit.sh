#!/usr/bin/env bash
# Powertools for AWS Lambda (Python) 3.37.0: the last unit of a metric is written for all values before it.
#
# One would guess: a metric that is added as 1500 milliseconds and then as 2 seconds raises, or is written twice.
# What happens: the values are collected under one name, and the unit of the last call is written for all of them.
# Consequence: one caller with another unit turns 1500 ms into 1500 s on the dashboard, until the next flush only, so
# the peak comes and goes. Give each metric its unit in one place.
#
# Output seen:
#   add_metric('Wait', Milliseconds, 1500); add_metric('Wait', Seconds, 2) is written as [1500.0, 2.0] Seconds
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0
"$folder/bin/python" - <<'PYTHON'
import contextlib
import io
import json

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

metrics = Metrics(namespace="Shown", service="queue")
metrics.add_metric("Wait", MetricUnit.Milliseconds, 1500)
metrics.add_metric("Wait", MetricUnit.Seconds, 2)
output = io.StringIO()
with contextlib.redirect_stdout(output):
    metrics.flush_metrics()
line = json.loads(output.getvalue())
(metric,) = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
values, unit = line["Wait"], metric["Unit"]
print(f"add_metric('Wait', Milliseconds, 1500); add_metric('Wait', Seconds, 2) is written as {values} {unit}")
assert (values, unit) == ([1500.0, 2.0], "Seconds"), "the behaviour has changed"
PYTHON
