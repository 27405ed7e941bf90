#!/usr/bin/env bash
# moto 5.2.5: resetting the backends of one service empties those of every other service too.
#
# One would guess: `s3_backends.reset()` deletes buckets, and a queue that was made in SQS is still there.
# What happens: the queue is gone as well, because the reset is that of a class which all services share.
# Consequence: a fixture that empties S3 between tests also deletes queues, secrets and parameters that a fixture of the
# session has made. Delete the objects instead, or make everything anew after a reset.
#
# Output seen:
#   queues before: 1, after a reset of S3: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "moto[s3,sqs]==5.2.5" boto3==1.43.108
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1
"$folder/bin/python" - <<'PYTHON'
import boto3
from moto import mock_aws
from moto.s3.models import s3_backends

with mock_aws():
    sqs = boto3.client("sqs")
    sqs.create_queue(QueueName="results")
    before = len(sqs.list_queues().get("QueueUrls", []))
    s3_backends.reset()
    after = len(sqs.list_queues().get("QueueUrls", []))
print(f"queues before: {before}, after a reset of S3: {after}")
assert (before, after) == (1, 0), "the behaviour has changed"
PYTHON
