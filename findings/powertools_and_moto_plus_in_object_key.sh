#!/usr/bin/env bash
# Powertools for AWS Lambda (Python) 3.37.0 with moto 5.2.5: an object whose key has a plus sign is not found.
#
# One would guess: the key that S3EventBridgeNotificationEvent gives can be passed to get_object.
# What happens: Powertools URL-decodes it, as is right for S3's notifications to Lambda, SQS and SNS, whose keys are
# encoded. On EventBridge keys are as they are: S3's page on these events has no word of an encoding, and moto sends
# them so. "+" becomes a space, "%25" becomes "%".
# Consequence: get_object raises NoSuchKey, or reads another object; keys with the offset of a time ("+00:00") are the
# usual case. Take event["detail"]["object"]["key"], and give objects keys without "+" and "%".
#
# Output seen:
#   put:   feed/2026-11-28T10:00:00+00:00.json
#   event: feed/2026-11-28T10:00:00+00:00.json
#   given: feed/2026-11-28T10:00:00 00:00.json
#   get_object: NoSuchKey
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0 'moto[events,s3,sqs]==5.2.5'
AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1 "$folder/bin/python" - <<'PYTHON'
import json

import boto3
from aws_lambda_powertools.utilities.data_classes import S3EventBridgeNotificationEvent
from botocore.exceptions import ClientError
from moto import mock_aws

KEY = "feed/2026-11-28T10:00:00+00:00.json"

with mock_aws():
    s3, events, sqs = (boto3.client(name) for name in ("s3", "events", "sqs"))
    queue = sqs.create_queue(QueueName="seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="feeds", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="feeds", Targets=[{"Id": "1", "Arn": arn}])
    s3.create_bucket(Bucket="feeds")
    s3.put_bucket_notification_configuration(
        Bucket="feeds", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    s3.put_object(Bucket="feeds", Key=KEY, Body=b"{}")
    event = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    given = S3EventBridgeNotificationEvent(event).detail.object.key
    try:
        s3.get_object(Bucket="feeds", Key=given)
        outcome = "found"
    except ClientError as error:
        outcome = error.response["Error"]["Code"]

print("put:  ", KEY)
print("event:", event["detail"]["object"]["key"])
print("given:", given)
print("get_object:", outcome)
assert event["detail"]["object"]["key"] == KEY, "the behaviour has changed"
assert given == KEY.replace("+", " ") and outcome == "NoSuchKey", "the behaviour has changed"
PYTHON
