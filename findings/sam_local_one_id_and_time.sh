#!/usr/bin/env bash
# SAM CLI 1.170.0: all events of `sam local start-api` bear one request id, and the time at which SAM CLI was started.
#
# One would guess: requestContext.requestId and timeEpoch are those of the request, as API Gateway sends them.
# What happens: both are defaults in the signatures of Python functions, which are evaluated once, at import.
# Consequence: code that takes the request id as the key of something (idempotency, a log line, an audit entry) works on
# AWS and mixes up requests locally; an age computed from timeEpoch grows with the uptime of SAM CLI. Replace both in
# what stands between SAM CLI and the function, or take the id of the Lambda context, and a clock.
#
# Output seen:
#   two requests, 2 s apart: 1 request id, 1 time
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-sam-cli==1.170.0
SAM_CLI_TELEMETRY=0 "$folder/bin/python" - <<'PYTHON'
import time

from flask import Flask, request
from samcli.local.apigw.event_constructor import construct_v2_event_http

app = Flask("shown")


def context():
    with app.test_request_context("/codes", method="POST", data="{}"):
        return construct_v2_event_http(request, 3000, [], route_key="POST /codes")["requestContext"]


one = context()
time.sleep(2)
other = context()
ids, times = {one["requestId"], other["requestId"]}, {one["timeEpoch"], other["timeEpoch"]}
print(f"two requests, 2 s apart: {len(ids)} request id, {len(times)} time")
assert len(ids) == len(times) == 1, "the behaviour has changed"
PYTHON
