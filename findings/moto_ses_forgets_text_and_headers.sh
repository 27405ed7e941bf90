#!/usr/bin/env bash
# moto 5.2.5: of a message that is sent through SES v2, only the HTML body is left, and any configuration set will do.
#
# One would guess: moto records what was given to send_email, so a test can look at the text part, the headers and the
# tags; a configuration set that was never created is refused, as SES does.
# What happens: the recorded message has sender, recipients, subject and one body: the HTML one, or the text where there
# is no HTML. A set that does not exist is accepted.
# Consequence: a test on moto cannot see a missing List-Unsubscribe header or an empty text part, and passes with a
# misspelt configuration set. Record the arguments yourself at the client (botocore's event
# "provide-client-params.sesv2.SendEmail").
#
# Output seen:
#   recorded: body, destinations, id, source, subject
#   body: <p>Hello</p>
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check 'moto[ses]==5.2.5'
AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1 "$folder/bin/python" - <<'PYTHON'
import boto3
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

with mock_aws():
    ses = boto3.client("sesv2")
    ses.create_email_identity(EmailIdentity="example.com")
    ses.send_email(
        FromEmailAddress="news@example.com",
        Destination={"ToAddresses": ["member@example.org"]},
        ConfigurationSetName="never-created",
        Content={
            "Simple": {
                "Subject": {"Data": "News"},
                "Body": {"Text": {"Data": "Hello"}, "Html": {"Data": "<p>Hello</p>"}},
                "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://example.com/unsubscribe>"}],
            }
        },
    )
    (message,) = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages

print("recorded:", ", ".join(sorted(vars(message))))
print("body:", message.body)
assert set(vars(message)) == {"body", "destinations", "id", "source", "subject"}, "the behaviour has changed"
assert message.body == "<p>Hello</p>", "the behaviour has changed"
PYTHON
