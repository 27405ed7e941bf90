#!/usr/bin/env bash
# moto 5.2.5: every event that S3 sends to EventBridge has the same id and the same sequencer.
#
# One would guess: a stand-in for EventBridge gives each event an id of its own, as AWS does, since consumers drop a
# repeated delivery by its id, and order versions of an object by its sequencer.
# What happens: both are constants in moto, in every process, bucket and account. Besides, putting an object without tags
# sends a second event, "Object Tags Added", which AWS does not.
# Consequence: a consumer that drops repeated events handles the first object of a test run only, and a test of "handle
# each event once" passes for a consumer that handles one event in all its life.
#
# Output seen:
#   Object Created january.json id 17793124-05d4-b198-2fde-7ededc63b103 sequencer 617f08299329d189
#   Object Tags Added january.json id 17793124-05d4-b198-2fde-7ededc63b103 sequencer 617f08299329d189
#   Object Created february.json id 17793124-05d4-b198-2fde-7ededc63b103 sequencer 617f08299329d189
#   Object Tags Added february.json id 17793124-05d4-b198-2fde-7ededc63b103 sequencer 617f08299329d189
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "moto[events,s3,sqs]==5.2.5" boto3==1.43.108
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1
"$folder/bin/python" - <<'PYTHON'
import json

import boto3
from moto import mock_aws

with mock_aws():
    s3, sqs, events = boto3.client("s3"), boto3.client("sqs"), boto3.client("events")
    url = sqs.create_queue(QueueName="arrived")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="arrived", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="arrived", Targets=[{"Id": "queue", "Arn": arn}])
    s3.create_bucket(Bucket="feeds")
    s3.put_bucket_notification_configuration(
        Bucket="feeds", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    for key in ("january.json", "february.json"):
        s3.put_object(Bucket="feeds", Key=key, Body=key.encode())
    arrived = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        arrived += [json.loads(message["Body"]) for message in messages]

for event in arrived:
    item = event["detail"]["object"]
    print(event["detail-type"], item["key"], "id", event["id"], "sequencer", item["sequencer"])
assert {event["detail"]["object"]["key"] for event in arrived} == {"january.json", "february.json"}
assert len({event["id"] for event in arrived}) == 1, "the behaviour has changed"
assert len({event["detail"]["object"]["sequencer"] for event in arrived}) == 1, "the behaviour has changed"
assert sum(event["detail-type"] == "Object Tags Added" for event in arrived) == 2, "the behaviour has changed"
PYTHON
