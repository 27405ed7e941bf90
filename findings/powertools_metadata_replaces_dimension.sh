#!/usr/bin/env bash
# Powertools for AWS Lambda (Python) 3.37.0: metadata of a metric replaces the value of a dimension, or the metric.
#
# One would guess: metadata stands in the log only, as add_metadata's docstring says, so it cannot change under which
# value of a dimension a metric counts; a name that is taken raises.
# What happens: dimensions, metadata and metrics are merged into one object. Metadata with the name of a dimension
# replaces the dimension's value; CloudWatch then counts the metric under the metadata's value. Metadata with the name
# of a metric is dropped. No exception and no warning.
# Consequence: an alarm on the dimension's value never sees the metric. Keep the two sets of names apart yourself.
#
# Output seen:
#   dimension queue='mail', metadata queue=17: {'dimension': ['queue', 'service'], 'queue': 17, 'Failures': [1.0]}
#   metadata Failures='of mail': {'dimension': ['queue', 'service'], 'queue': 'mail', 'Failures': [1.0]}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0
"$folder/bin/python" - <<'PYTHON'
import contextlib
import io
import json
import warnings

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

warnings.simplefilter("error")


def written(name, value):
    metrics = Metrics(namespace="Shown", service="mail")
    metrics.add_dimension("queue", "mail")
    metrics.add_metadata(name, value)
    metrics.add_metric("Failures", MetricUnit.Count, 1)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        metrics.flush_metrics()
    line = json.loads(output.getvalue())
    dimensions = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]
    return {"dimension": dimensions, "queue": line["queue"], "Failures": line["Failures"]}


counted = written("queue", 17)
print("dimension queue='mail', metadata queue=17:", counted)
assert counted["queue"] == 17 and "queue" in counted["dimension"], "the behaviour has changed"
counted = written("Failures", "of mail")
print("metadata Failures='of mail':", counted)
assert counted["Failures"] == [1.0], "the behaviour has changed"
PYTHON
